/* When a connector is pulled from: when somebody asks for it, and when its time has come. */
#include "base/log.h"
#include "base/random.h"
#include "connect/catalog.h"
#include "connect/connector.h"
#include "jobs/queue.h"
#include "store/db.h"
#include "store/sql_sync.h"
#include "sync/sync.h"

static enum err check(struct ctx *cx, const struct connector *c)
{
	const struct connector_type *type = cx->catalog ? catalog_find(cx->catalog, c->type) : NULL;

	if (!type || type->syncs == 0)
		return ERR_NO_SYNC;
	if (str_eq(c->status, STR("needs_reconnect")))
		return ERR_NEEDS_RECONNECT;
	if (str_eq(c->status, STR("disabled")))
		return ctx_fail(cx, ERR_NOT_CONNECTED, "This connector is disabled.");
	return OK;
}

static enum err add_job(struct ctx *cx, const struct id *connector, const struct id *sync,
			struct id *ret_job)
{
	BUF_AUTO struct buf payload = { 0 };

	TRY(job_payload_of("sync_id", ID_SYNC, sync, &payload));
	return job_add(cx,
		       &(struct job_new){ .kind = JOB_SYNC_CONNECTOR,
					  .subject = { true, *connector },
					  .payload = buf_str(&payload),
					  .once = ID_BYTES(connector) },
		       ret_job);
}

/* The job of a run that hasn't ended is there: that run is the answer. */
static enum err find_live(struct ctx *cx, const struct id *connector, struct id *ret_sync,
			  struct id *ret_job)
{
	struct sql_sync_live_row row;
	enum err e = sql_sync_live(cx->db, &(struct sql_sync_live_in){ *connector }, &row);

	if (e == ERR_NOT_FOUND)
		return ERR_DB_RETRY; /* it has just ended */
	TRY(e);
	*ret_sync = row.sync_id;
	*ret_job = row.job_id;
	return OK;
}

enum err sync_start(struct ctx *cx, const struct id *connector, struct id *ret_sync,
		    struct id *ret_job)
{
	const struct sql_sync_give_up_in gone = { *connector, STR("ABANDONED"),
						  STR("Its job ended before it did.") };
	struct connector c;

	ctx_audit_target(cx, ID_CONNECTOR, connector);
	TRY(connector_read(cx, connector, &c));
	cx->audit.service = arena_copy(cx->arena, c.type);
	TRY(check(cx, &c));
	TRY(id_new(ret_sync));
	TRY(add_job(cx, connector, ret_sync, ret_job));
	if (id_is_nil(ret_job))
		return find_live(cx, connector, ret_sync, ret_job);
	TRY(sql_sync_give_up(cx->db, &gone, NULL));
	return sql_sync_insert(
		cx->db, &(struct sql_sync_insert_in){ *ret_sync, *connector, *ret_job }, NULL);
}

/* --- by the clock -------------------------------------------------------------------------- */

struct turn {
	struct ctx *cx;
	struct id connector;
	int64_t due_at;
};

/* Up to a tenth earlier than its time: what was made together isn't asked for together for ever. */
static enum err next_time(const struct ctx *cx, const struct connector *c, struct opt_int *ret_next)
{
	uint32_t chance;

	TRY(random_bytes(&chance, sizeof chance));
	*ret_next = connector_next_sync(c->sync_frequency, cx->now_ms);
	if (ret_next->set)
		ret_next->v -= chance % (uint32_t)((ret_next->v - cx->now_ms) / 10 + 1);
	return OK;
}

static enum err take_turn(struct db *db, void *arg)
{
	struct turn *turn = arg;
	struct ctx *cx = turn->cx;
	struct sql_sync_take_in in = { .connector_id = turn->connector, .taken_at = turn->due_at };
	struct connector c;
	struct id sync, job;
	int64_t rows;
	enum err e;

	TRY(connector_lock(cx, &turn->connector, &c));
	TRY(next_time(cx, &c, &in.next_sync_at));
	TRY(sql_sync_take(db, &in, &rows));
	if (rows == 0)
		return OK; /* another worker was first */
	e = check(cx, &c);
	/* What can't be pulled from now may be another time. */
	if (e == ERR_NO_SYNC || e == ERR_NEEDS_RECONNECT || e == ERR_NOT_CONNECTED)
		return OK;
	return sync_start(cx, &turn->connector, &sync, &job);
}

static enum err take_in_transaction(struct ctx *cx, void *arg) { return db_run(cx->db, take_turn, arg); }

/* One that can't be queued keeps nobody else from it. */
static enum err give_turn(struct ctx *cx, const struct sql_sync_due_row *row)
{
	struct turn turn = { cx, row->connector_id, row->next_sync_at };
	enum err e = ctx_as_system(cx, &row->tenant_id, 0, take_in_transaction, &turn);

	if (e != OK && e != ERR_NOT_FOUND && !err_is_outage(e))
		log_write(LOG_WARN, "a connector's turn to be pulled from isn't taken",
			  LOG_FIELDS(log_err(e)));
	return err_is_outage(e) ? e : OK;
}

enum err sync_start_due(struct ctx *cx, int limit)
{
	struct sql_sync_due_row row;
	enum err e;

	TRY(sql_sync_due(cx->db, &(struct sql_sync_due_in){ limit }));
	while ((e = sql_sync_due_next(cx->db, &row)) == OK)
		if ((e = give_turn(cx, &row)) != OK)
			break;
	return e == ERR_END ? OK : e;
}
