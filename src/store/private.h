/* What the files of this room share. The only header that knows the client library. */
#ifndef LW_STORE_PRIVATE_H
#define LW_STORE_PRIVATE_H

#include <mariadb/mysql.h>
#include <stdbool.h>
#include <stdint.h>

#include "store/db.h"
#include "store/statement.h"

/* What the server or the library said, kept apart from the error that it means. */
struct db_trouble {
	unsigned code;
	const char *sql_name; /* of the statement, or "COMMIT" */
	bool preparing;       /* its message holds no values and may be logged */
	bool nowait;
};

struct live_statement;

enum transaction { TX_NONE, TX_OPEN, TX_DOOMED };

struct db {
	struct db_options options; /* our own copies */
	struct secret password;
	size_t host;         /* the one of options.hosts to try next */
	int64_t next_try_us; /* no connecting before, after a failure */

	MYSQL *mysql; /* NULL: not connected */
	struct live_statement *
		*live;      /* hashed by their stmt; outlive the connection, as their texts do */
	size_t live_places; /* a power of two, or 0 */
	size_t live_count;

	struct db_scope scope;
	char holder[64]; /* scope.holder's bytes */
	bool live_confirmed;
	bool bound;
	struct id bound_tenant;

	enum transaction transaction;
	enum err doomed_by; /* TX_DOOMED */
	bool wrote;         /* something was changed in this transaction */
	char duplicate_key[65];
};

/* connect.c */
/*
 * OK when connected; otherwise tries one host, unless a try failed less than 100 ms ago.
 * ERR_DB_LOST.
 */
enum err db_connect(struct db *db) MUST_CHECK;
/* Throws the connection and its prepared statements away together. */
void db_lose(struct db *db);

/* trouble.c */
/*
 * The error that the trouble means; loses the connection and dooms the transaction when they are
 * over. Logs.
 */
enum err db_take_trouble(struct db *db, const struct db_trouble *trouble, const char *message);
/* The server has not seen the request: the library failed to write it. */
bool db_never_sent(unsigned code);

/* transaction.c */
/* OK, or the error that the open transaction is doomed by. */
enum err db_transaction_usable(const struct db *db) MUST_CHECK;

/* live.c */
/* This connection's side of a statement, made at its first use. ERR_NO_MEMORY. */
enum err live_statement_find(struct db *db, const struct stmt *stmt,
			     struct live_statement **ret_live) MUST_CHECK;
void live_statement_unprepare(struct live_statement *live);
void live_statement_free(struct live_statement *live);
/* Lets go of rows that nobody has read, and wipes what asked for it. */
void live_statement_rest(struct live_statement *live);

/* faults.c: true when LATCHWORK_DB_FAULT=name:n names this place, the n-th time */
#ifdef LATCHWORK_FAULTS
bool db_fault(const char *name);
void db_cut(struct db *db);
#else
static inline bool db_fault(const char *name)
{
	(void)name;
	return false;
}
static inline void db_cut(struct db *db) { (void)db; }
#endif

#endif
