/*
 * Transactions. A doomed one answers every statement with what doomed it, until it is rolled
 * back.
 */
#include "store/private.h"

#include <mariadb/errmsg.h>
#include <string.h>
#include <time.h>

#include "base/crash.h"
#include "base/log.h"
#include "base/random.h"

enum { TRIES = 3, PAUSE_MAX_MS = 40 };

static unsigned command(struct db *db, const char *text)
{
	if (mysql_real_query(db->mysql, text, strlen(text)) == 0)
		return 0;
	return mysql_errno(db->mysql);
}

static enum err command_failed(struct db *db, const char *text, unsigned code)
{
	struct db_trouble trouble = { .code = code, .sql_name = text };

	return db_take_trouble(db, &trouble, mysql_error(db->mysql));
}

enum err db_transaction_usable(const struct db *db)
{
	return db->transaction == TX_DOOMED ? db->doomed_by : OK;
}

bool db_in_transaction(const struct db *db) { return db->transaction != TX_NONE; }

enum err db_begin(struct db *db)
{
	enum err e = OK;

	if (db->transaction != TX_NONE) {
		log_write(LOG_ERROR, "a transaction within a transaction", LOG_NO_FIELDS);
		return ERR_INTERNAL;
	}
	/* Twice, for a connection that died while nobody used it; nothing has happened yet. */
	for (int again = 0; again < 2; again++) {
		unsigned code;

		TRY(db_connect(db));
		code = command(db, "START TRANSACTION");
		if (code == 0) {
			db->transaction = TX_OPEN;
			db->wrote = false;
			return OK;
		}
		e = command_failed(db, "START TRANSACTION", code);
		if (e != ERR_DB_LOST)
			break;
	}
	return e;
}

/* The server may have done it, or not: only a COMMIT that was never sent is known. */
static enum err commit_failed(struct db *db, unsigned code)
{
	bool wrote = db->wrote;
	enum err e;

	e = command_failed(db, "COMMIT", code);
	db->transaction = TX_NONE;
	if (e == ERR_DB_RETRY)
		return e; /* certification failed: it is rolled back, and the session goes on */
	db_lose(db);
	if (wrote && !db_never_sent(code) && e == ERR_DB_LOST)
		e = ERR_DB_UNSURE;
	return e;
}

enum err db_commit(struct db *db)
{
	unsigned code;

	if (db->transaction == TX_NONE)
		return ERR_INTERNAL;
	if (db->transaction == TX_DOOMED) {
		enum err e = db->doomed_by;

		db_rollback(db);
		return e;
	}
	lw_crash_point("before_commit");
	if (db_fault("before_commit"))
		db_cut(db);
	code = command(db, "COMMIT");
	if (code == 0 && db_fault("after_commit"))
		code = CR_SERVER_LOST; /* done, and the answer did not arrive */
	if (code != 0)
		return commit_failed(db, code);
	db->transaction = TX_NONE;
	lw_crash_point("after_commit");
	return OK;
}

void db_rollback(struct db *db)
{
	if (db->transaction == TX_NONE)
		return;
	db->transaction = TX_NONE;
	if (db->mysql && command(db, "ROLLBACK") != 0)
		db_lose(db);
}

/* Others who met the same deadlock shall not come back in step. */
static void pause_at_random(int attempt)
{
	uint16_t r = 0;
	struct timespec t = { 0 };

	if (random_bytes(&r, sizeof(r)) != OK)
		r = 0;
	t.tv_nsec = (1 + r % PAUSE_MAX_MS) * attempt * 1000000L;
	nanosleep(&t, NULL);
}

static enum err run_once(struct db *db, enum err (*fn)(struct db *db, void *arg), void *arg)
{
	enum err e;

	TRY(db_begin(db));
	e = fn(db, arg);
	if (e == OK)
		return db_commit(db);
	/* What the caller made of it counts less than that the transaction must be run again. */
	if (db->transaction == TX_DOOMED && db->doomed_by == ERR_DB_RETRY)
		e = ERR_DB_RETRY;
	db_rollback(db);
	return e;
}

enum err db_run(struct db *db, enum err (*fn)(struct db *db, void *arg), void *arg)
{
	enum err e;

	for (int attempt = 1;; attempt++) {
		e = run_once(db, fn, arg);
		if (e != ERR_DB_RETRY || attempt == TRIES)
			return e;
		pause_at_random(attempt);
	}
}
