/*
 * One connection to the database, its scope and its transactions.
 *
 * The connection is made at the first use and made again after a loss. What a
 * statement may see is decided by the scope: who asks, and for which tenant.
 * Statements themselves are generated (sql/statements/<file>.sql becomes
 * store/sql_<file>.h); nobody else writes SQL.
 */
#ifndef LW_STORE_DB_H
#define LW_STORE_DB_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/id.h"
#include "base/secret.h"
#include "base/str.h"

struct db;

struct db_options {
	const char *socket; /* path of a unix socket; NULL: hosts */
	const char *hosts; /* "db1,db2:3307": in this order, from the one behind the last failure */
	const char *user;
	const char *database;
	const char *tls_ca;            /* file of the CA that vouches for hosts; NULL: no TLS */
	const struct secret *password; /* copied; NULL or empty: the socket vouches for us */
	int connect_timeout_s;         /* 0 here and below: a default (3, 30, 5 and 20 seconds) */
	int io_timeout_s;
	int lock_wait_s;
	int statement_s; /* negative: no limit (migrations) */
	/*
	 * Asked on each new connection before it is used for anything else. Anything but OK gives it up,
	 * as if the server were away. NULL: nothing is asked.
	 */
	enum err (*greet)(struct db *db);
};

/* A connection that isn't open yet. The option texts are copied. ERR_NO_MEMORY. */
enum err db_new(const struct db_options *options, struct db **ret_db) MUST_CHECK;
/* Closes; an open transaction is lost. NULL-safe. */
void db_free(struct db *db);
/*
 * Connects now if need be, and asks the server for a sign of life: for readiness checks.
 * ERR_DB_LOST.
 */
enum err db_ping(struct db *db) MUST_CHECK;

/* --- who asks -------------------------------------------------------------- */
struct db_scope {
	bool has_tenant;
	bool live_checked; /* the principal has no session, or it was checked: `:live` is TRUE */
	struct id tenant;
	struct id user;
	struct id session;
	struct str role; /* borrowed until db_leave */
	int64_t now;     /* ms; 0: the clock at each statement */
	struct str holder; /* made by db_enter: tenant, user and role in one, as a session's row has them */
};

/*
 * From now on statements run for this scope; replaces the one before. A tenant statement in a scope
 * without a tenant aborts the process: it is our own bug, and the worst kind.
 */
void db_enter(struct db *db, const struct db_scope *scope);
/* The scope ends. A transaction that was left open is rolled back. */
void db_leave(struct db *db);
/*
 * The tenant that the server's session is bound to; false before the first. Another one costs a
 * round trip more.
 */
bool db_bound_tenant(const struct db *db, struct id *ret_tenant) MUST_CHECK;
/*
 * True when a statement with `:live` found a row since db_enter: the session is proven to be
 * live.
 */
bool db_live_confirmed(const struct db *db);

/* --- transactions ---------------------------------------------------------- */
/* ERR_INTERNAL when one is open. A connection that died while idle is replaced, once. */
enum err db_begin(struct db *db) MUST_CHECK;
/*
 * ERR_DB_UNSURE: the connection was lost while the server had the COMMIT, and something had been
 * written. ERR_DB_RETRY: the server gave the transaction up; run the whole again. Whatever it
 * returns, the transaction is over.
 */
enum err db_commit(struct db *db) MUST_CHECK;
/*
 * Does nothing when no transaction is open. If the server can't be told, the connection is
 * closed.
 */
void db_rollback(struct db *db);
bool db_in_transaction(const struct db *db);
/*
 * Runs fn(db, arg) in a transaction, and the whole of it again on ERR_DB_RETRY: three tries, a
 * short random pause.
 */
enum err db_run(struct db *db, enum err (*fn)(struct db *db, void *arg), void *arg) MUST_CHECK;

/*
 * The unique key that the last ERR_DB_DUPLICATE was about ("PRIMARY", "user_email"); valid until
 * the next statement.
 */
struct str db_duplicate_key(const struct db *db);

#endif
