/*
 * Running prepared statements.
 *
 * A result never stays on the wire: a single row is read and the rest drained,
 * lists are taken in whole. So any statement may follow any other, whatever
 * the caller did with its rows.
 */
#include "store/statement.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "store/bind.h"

/* What becomes of the caller when a run fails. */
struct run {
	struct db *db;
	const struct stmt *stmt;
	const void *in;
	struct live_statement *live;
	bool executing; /* the server may have seen the execution */
};

/* The tenant of the server's session, which the views ask for. */
static const struct stmt_value bind_tenant_in[] = {
	{ "tenant", STMT_ID, STMT_SCOPE, false, offsetof(struct db_scope, tenant), 0 },
};
static const struct stmt bind_tenant_stmt = {
	"bind_tenant", "SET @lw_tenant = ?", bind_tenant_in, NULL, NULL, 1, 0, STMT_READ, 0,
};

/*
 * What goes wrong between a result's rows (a function's error, a lost connection) Connector/C notes at the connection
 * only.
 */
static unsigned code_of(const struct run *run)
{
	unsigned code = mysql_stmt_errno(run->live->handle);

	return code != 0 || !run->db->mysql ? code : mysql_errno(run->db->mysql);
}

static enum err statement_failed(struct run *run, bool preparing)
{
	struct db_trouble trouble = {
		.code = code_of(run),
		.sql_name = run->stmt->name,
		.preparing = preparing,
		.nowait = (run->stmt->flags & STMT_NOWAIT) != 0,
	};
	struct db *db = run->db;
	bool unsure = run->executing && !(run->stmt->flags & STMT_READ) &&
		      db->transaction == TX_NONE && !db_never_sent(trouble.code);
	char message[MYSQL_ERRMSG_SIZE];
	enum err e;

	snprintf(message, sizeof(message), "%s", mysql_stmt_error(run->live->handle));
	if (run->live->handle->mysql)
		mysql_stmt_free_result(run->live->handle);
	e = db_take_trouble(db, &trouble, message);
	/* Without a transaction around it the statement was its own COMMIT. */
	return e == ERR_DB_LOST && unsure && !db->mysql ? ERR_DB_UNSURE : e;
}

static enum err prepare(struct run *run)
{
	struct live_statement *live = run->live;

	if (live->handle)
		return OK;
	live->handle = mysql_stmt_init(run->db->mysql);
	if (!live->handle)
		return ERR_NO_MEMORY;
	if (mysql_stmt_prepare(live->handle, run->stmt->sql, strlen(run->stmt->sql))) {
		enum err e = statement_failed(run, true);

		live_statement_unprepare(live);
		return e;
	}
	if (mysql_stmt_param_count(live->handle) != run->stmt->in_count ||
	    mysql_stmt_field_count(live->handle) != run->stmt->out_count) {
		log_write(LOG_ERROR, "a statement's columns aren't those that it declares",
			  LOG_FIELDS(log_text("statement", run->stmt->name)));
		live_statement_unprepare(live);
		return ERR_DB_REFUSED;
	}
	return bind_out(live);
}

/* --- running ----------------------------------------------------------------- */
static enum err execute(struct run *run)
{
	struct db *db = run->db;

	TRY(live_statement_find(db, run->stmt, &run->live));
	live_statement_rest(run->live);
	TRY(prepare(run));
	TRY(bind_in(db, run->live, run->in));
	run->live->to_wipe = (run->stmt->flags & STMT_WIPE) != 0;
	if ((run->stmt->flags & STMT_READ) && db_fault("lost_read"))
		db_cut(db);
	run->executing = true;
	if (mysql_stmt_execute(run->live->handle))
		return statement_failed(run, false);
	return OK;
}

static void need_tenant(const struct run *run)
{
	if (run->db->scope.has_tenant)
		return;
	log_write(LOG_ERROR, "a tenant's statement was called without a tenant",
		  LOG_FIELDS(log_text("statement", run->stmt->name)));
	abort();
}

static enum err bind_tenant(struct run *run)
{
	struct db *db = run->db;
	struct run bind = { .db = db, .stmt = &bind_tenant_stmt };

	if (db->bound && id_eq(&db->bound_tenant, &db->scope.tenant))
		return OK;
	db->bound = false;
	TRY(execute(&bind));
	db->bound = true;
	db->bound_tenant = db->scope.tenant;
	return OK;
}

static enum err run_once(struct run *run)
{
	run->executing = false;
	TRY(db_connect(run->db));
	if (run->stmt->flags & STMT_TENANT)
		TRY(bind_tenant(run));
	TRY(execute(run));
	return OK;
}

/*
 * Runs it, and once more on a new connection when the old one turned out to be dead: if nothing had
 * been sent, or if it only reads. Never within a transaction, whose other statements are gone too.
 */
static enum err run_statement(struct run *run, enum err (*take)(struct run *run, void *ret),
			      void *ret)
{
	struct db *db = run->db;
	enum err e = OK;

	if (run->stmt->flags & STMT_TENANT)
		need_tenant(run);
	TRY(db_transaction_usable(db));
	for (int again = 0; again < 2; again++) {
		bool was_connected = db->mysql != NULL;

		e = run_once(run);
		if (e == OK)
			e = take(run, ret);
		if (e != ERR_DB_LOST || !was_connected || db->transaction != TX_NONE)
			break;
	}
	if (e == OK && !(run->stmt->flags & STMT_READ))
		db->wrote = true;
	return e;
}

/* The next row: OK, ERR_END or trouble. */
static enum err fetch(struct run *run, void *ret_row)
{
	int got = mysql_stmt_fetch(run->live->handle);

	if (got == MYSQL_NO_DATA)
		return ERR_END;
	if (got != 0 && got != MYSQL_DATA_TRUNCATED)
		return statement_failed(run, false);
	if (run->stmt->flags & STMT_LIVE)
		run->db->live_confirmed = true;
	return bind_take_row(run->live, ret_row);
}

static void wire_wipe(struct run *run)
{
	MYSQL *mysql = run->db->mysql;

	/*
	 * What went over the wire lies in the library's buffer until something else overwrites
	 * it.
	 */
	if ((run->stmt->flags & STMT_WIPE) && mysql && mysql->net.buff)
		wipe(mysql->net.buff, mysql->net.max_packet);
}

static enum err take_one(struct run *run, void *ret_row)
{
	enum err e = fetch(run, ret_row);

	if (run->live->handle && mysql_stmt_free_result(run->live->handle) && e == OK)
		e = statement_failed(run, false);
	wire_wipe(run);
	return e == ERR_END ? ERR_NOT_FOUND : e;
}

static enum err take_many(struct run *run, void *unused)
{
	(void)unused;
	if (mysql_stmt_store_result(run->live->handle)) {
		enum err e = statement_failed(run, false);

		/*
		 * Connector/C takes the result that broke off for one that still comes: the handle's next execution
		 * would wait for its rows until the time limit, and find the connection lost.
		 */
		live_statement_unprepare(run->live);
		return e;
	}
	run->live->has_rows = true;
	wire_wipe(run);
	return OK;
}

static enum err take_count(struct run *run, void *ret_rows)
{
	int64_t rows = (int64_t)mysql_stmt_affected_rows(run->live->handle);

	if (rows > 0 && (run->stmt->flags & STMT_LIVE))
		run->db->live_confirmed = true;
	if (ret_rows)
		*(int64_t *)ret_rows = rows;
	live_statement_rest(run->live);
	wire_wipe(run);
	return OK;
}

/* --- the three kinds ----------------------------------------------------------- */
static struct run start_run(struct db *db, const struct stmt *stmt, const void *in)
{
	bool checked = db->scope.live_checked && stmt->checked;

	return (struct run){ .db = db, .stmt = checked ? stmt->checked : stmt, .in = in };
}

enum err stmt_one(struct db *db, const struct stmt *stmt, const void *in, void *ret_row)
{
	struct run run = start_run(db, stmt, in);

	/* Should it fail half-way, nobody knows which tenant the session is left with. */
	if (stmt->flags & STMT_BINDS)
		db->bound = false;
	TRY(run_statement(&run, take_one, ret_row));
	if (stmt->flags & STMT_BINDS) {
		memcpy(&db->bound_tenant, (char *)ret_row + stmt->tenant_offset,
		       sizeof(db->bound_tenant));
		db->bound = true;
	}
	return OK;
}

enum err stmt_many(struct db *db, const struct stmt *stmt, const void *in)
{
	struct run run = start_run(db, stmt, in);

	return run_statement(&run, take_many, NULL);
}

enum err stmt_next(struct db *db, const struct stmt *stmt, void *ret_row)
{
	struct run run = start_run(db, stmt, NULL);
	enum err e;

	TRY(live_statement_find(db, run.stmt, &run.live));
	if (!run.live->has_rows)
		return run.live->handle ? ERR_END : ERR_DB_LOST;
	e = fetch(&run, ret_row);
	if (e != OK && run.live->has_rows) {
		mysql_stmt_free_result(run.live->handle);
		run.live->has_rows = false;
	}
	return e;
}

enum err stmt_group(struct db *db, const struct stmt *stmt, const void *in, void *ret_row)
{
	TRY(stmt_many(db, stmt, in));
	return stmt_next(db, stmt, ret_row);
}

enum err stmt_exec(struct db *db, const struct stmt *stmt, const void *in, int64_t *ret_rows)
{
	struct run run = start_run(db, stmt, in);

	if (ret_rows)
		*ret_rows = 0;
	return run_statement(&run, take_count, ret_rows);
}
