/* The connection as an object: options, scope, sign of life. */
#include "store/private.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"

static enum err copy_text(const char *text, const char **ret_copy)
{
	*ret_copy = NULL;
	if (!text)
		return OK;
	*ret_copy = strdup(text);
	return *ret_copy ? OK : ERR_NO_MEMORY;
}

static int seconds(int wanted, int otherwise) { return wanted == 0 ? otherwise : wanted; }

static enum err copy_options(struct db *db, const struct db_options *options)
{
	TRY(copy_text(options->socket, &db->options.socket));
	TRY(copy_text(options->hosts, &db->options.hosts));
	TRY(copy_text(options->user, &db->options.user));
	TRY(copy_text(options->database, &db->options.database));
	TRY(copy_text(options->tls_ca, &db->options.tls_ca));
	if (options->password)
		TRY(secret_copy(options->password->p, options->password->n, &db->password));
	db->options.connect_timeout_s = seconds(options->connect_timeout_s, 3);
	db->options.io_timeout_s = seconds(options->io_timeout_s, 30);
	db->options.lock_wait_s = seconds(options->lock_wait_s, 5);
	db->options.statement_s = seconds(options->statement_s, 20);
	db->options.greet = options->greet;
	return OK;
}

enum err db_new(const struct db_options *options, struct db **ret_db)
{
	struct db *db;
	enum err e;

	*ret_db = NULL;
	db = calloc(1, sizeof(*db));
	if (!db)
		return ERR_NO_MEMORY;
	e = copy_options(db, options);
	if (e != OK) {
		db_free(db);
		return e;
	}
	*ret_db = db;
	return OK;
}

void db_free(struct db *db)
{
	if (!db)
		return;
	db_lose(db);
	for (size_t i = 0; i < db->live_places; i++)
		live_statement_free(db->live[i]);
	free(db->live);
	free((char *)(uintptr_t)db->options.socket);
	free((char *)(uintptr_t)db->options.hosts);
	free((char *)(uintptr_t)db->options.user);
	free((char *)(uintptr_t)db->options.database);
	free((char *)(uintptr_t)db->options.tls_ca);
	secret_done(&db->password);
	free(db);
}

enum err db_ping(struct db *db)
{
	TRY(db_transaction_usable(db));
	for (int again = 0; again < 2; again++) {
		TRY(db_connect(db));
		if (mysql_ping(db->mysql) == 0)
			return OK;
		db_lose(db);
		if (db->transaction != TX_NONE)
			break;
	}
	return ERR_DB_LOST;
}

static void join_holder(struct db *db)
{
	const struct db_scope *scope = &db->scope;
	size_t ids = sizeof(scope->tenant.b) + sizeof(scope->user.b);
	size_t role = scope->role.n < sizeof(db->holder) - ids ? scope->role.n : sizeof(db->holder) - ids;

	memcpy(db->holder, scope->tenant.b, sizeof(scope->tenant.b));
	memcpy(db->holder + sizeof(scope->tenant.b), scope->user.b, sizeof(scope->user.b));
	if (role > 0)
		memcpy(db->holder + ids, scope->role.p, role);
	db->scope.holder = (struct str){ db->holder, ids + role };
}

void db_enter(struct db *db, const struct db_scope *scope)
{
	db->scope = *scope;
	join_holder(db);
	db->live_confirmed = false;
}

void db_leave(struct db *db)
{
	if (db->transaction != TX_NONE) {
		log_write(LOG_ERROR, "a transaction was left open", LOG_NO_FIELDS);
		db_rollback(db);
	}
	for (size_t i = 0; i < db->live_places; i++)
		live_statement_rest(db->live[i]);
	db->scope = (struct db_scope){ 0 };
	db->live_confirmed = false;
}

bool db_bound_tenant(const struct db *db, struct id *ret_tenant)
{
	*ret_tenant = db->bound ? db->bound_tenant : ID_NIL;
	return db->bound;
}

bool db_live_confirmed(const struct db *db) { return db->live_confirmed; }

struct str db_duplicate_key(const struct db *db) { return str_of(db->duplicate_key); }
