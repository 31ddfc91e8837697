#include "ops/prune.h"

#include "base/clock.h"
#include "base/log.h"
#include "identity/tenant.h"
#include "jobs/loop.h"
#include "ops/pruning.h"
#include "store/db.h"
#include "store/sql_retention.h"

/* A tenant's turn is short, and so is what is done at a time: the process has other things to look after. */
enum { TENANTS = 50, BATCHES = 50, AT_A_TIME_MS = 2000, PRUNE_ARENA_MAX = 1 << 20 };
enum { LEASE_MS = 600000, AGAIN_MS = 3600000 };

static const int64_t DAY_MS = 24 * 60 * 60 * 1000LL;

/* --- a turn ------------------------------------------------------------------------------------ */

int64_t pruning_lease(void) { return clock_now_ms() + LEASE_MS; }

enum err pruning_next(struct ctx *cx, struct pruning *p)
{
	const struct sql_retention_lease_in in = { .seen_at = p->lease, .lease = pruning_lease() };
	int64_t rows;

	if (p->batches-- <= 0 || loop_is_stopping())
		return ERR_END;
	TRY(sql_retention_lease(cx->db, &in, &rows));
	if (rows == 0)
		return ERR_CONFLICT;
	p->lease = in.lease;
	return OK;
}

enum err pruning_all(struct ctx *cx, struct pruning *p, pruning_batch batch, const void *arg)
{
	int64_t rows = PRUNE_BATCH;

	while (rows == PRUNE_BATCH) {
		TRY(pruning_next(cx, p));
		TRY(batch(cx, arg, &rows));
	}
	return OK;
}

void spans_take(struct spans *spans, const struct id *id, bool may_go)
{
	if (may_go && !spans->open)
		spans->span[spans->n++] = (struct span){ .from = *id };
	if (may_go)
		spans->span[spans->n - 1].to = *id;
	spans->open = may_go;
	spans->last = *id;
	spans->seen++;
}

/* --- what needs no more than a statement ---------------------------------------------------------- */

struct dead {
	struct str queue, kind;
	int64_t before_ms;
};

static enum err drop_dead(struct ctx *cx, const void *arg, int64_t *ret_rows)
{
	const struct dead *dead = arg;
	const struct sql_retention_drop_dead_in in = { .queue = dead->queue,
						       .kind = dead->kind,
						       .until = id_first_at(dead->before_ms),
						       .before = dead->before_ms,
						       .limit = PRUNE_BATCH };

	return sql_retention_drop_dead(cx->db, &in, ret_rows);
}

enum err prune_dead(struct ctx *cx, struct pruning *p, const char *queue, const char *kind, int64_t before_ms)
{
	return pruning_all(cx, p, drop_dead, &(struct dead){ str_of(queue), str_of(kind), before_ms });
}

static enum err drop_messages(struct ctx *cx, const void *arg, int64_t *ret_rows)
{
	const struct sql_retention_drop_messages_in in = { .before = *(const int64_t *)arg, .limit = PRUNE_BATCH };

	return sql_retention_drop_messages(cx->db, &in, ret_rows);
}

static enum err drop_usage(struct ctx *cx, const void *arg, int64_t *ret_rows)
{
	const struct sql_retention_drop_usage_in in = { .until = id_first_at(*(const int64_t *)arg),
							.limit = PRUNE_BATCH };

	return sql_retention_drop_usage(cx->db, &in, ret_rows);
}

/* --- a tenant --------------------------------------------------------------------------------------- */

/* What is older than that goes; not set: there is no limit of its own that still means something. */
static struct opt_int before(const struct ctx *cx, enum tenant_limit limit, struct opt_int days)
{
	bool is_shorter = days.set && days.v < tenant_limit_most(cx->config, limit);

	return (struct opt_int){ is_shorter, is_shorter ? clock_now_ms() - days.v * DAY_MS : 0 };
}

static enum err prune_rows(struct ctx *cx, struct pruning *p, const struct sql_retention_open_row *row)
{
	struct opt_int events = before(cx, TENANT_EVENT_DAYS, row->event_days);
	struct opt_int executions = before(cx, TENANT_EXECUTION_DAYS, row->execution_days);
	struct opt_int ai = before(cx, TENANT_AI_DAYS, row->ai_days);

	if (row->sweep_from.set && row->sweep_to.set)
		TRY(prune_swept(cx, p));
	if (events.set)
		TRY(prune_events(cx, p, events.v));
	if (executions.set)
		TRY(prune_executions(cx, p, executions.v));
	if (ai.set) {
		TRY(pruning_all(cx, p, drop_messages, &ai.v));
		TRY(pruning_all(cx, p, drop_usage, &ai.v));
	}
	return OK;
}

static enum err rest(struct ctx *cx, const struct pruning *p, struct opt_int next_at)
{
	const struct sql_retention_rest_in in = { .seen_at = p->lease, .next_at = next_at };

	return sql_retention_rest(cx->db, &in, NULL);
}

static enum err prune_tenant(struct ctx *cx, void *arg)
{
	struct pruning *p = arg;
	struct sql_retention_open_row row;
	bool has_limits;
	enum err e;

	TRY(pruning_next(cx, p));
	TRY(sql_retention_open(cx->db, &row));
	p->sweep_from = row.sweep_from;
	p->sweep_to = row.sweep_to;
	has_limits = row.event_days.set || row.execution_days.set || row.ai_days.set;
	e = prune_rows(cx, p, &row);
	if (e == ERR_END)
		return rest(cx, p, (struct opt_int){ true, clock_now_ms() });
	TRY(e);
	return rest(cx, p, (struct opt_int){ has_limits, clock_now_ms() + AGAIN_MS });
}

enum err prune_tenants(struct ctx *cx)
{
	const int64_t until_ms = clock_now_ms() + AT_A_TIME_MS;
	struct sql_retention_due_row row;
	enum err e = ERR_END;

	TRY(sql_retention_due(cx->db, &(struct sql_retention_due_in){ .limit = TENANTS }));
	while (!loop_is_stopping() && clock_now_ms() < until_ms && (e = sql_retention_due_next(cx->db, &row)) == OK) {
		struct pruning p = { .lease = row.due_at, .batches = BATCHES };

		e = ctx_as_system(cx, &row.tenant_id, PRUNE_ARENA_MAX, prune_tenant, &p);
		if (err_is_outage(e))
			return e;
		/* Somebody else has it. One that fails keeps no other waiting: its lease ends some day. */
		if (e != OK && e != ERR_CONFLICT && e != ERR_NOT_FOUND)
			log_write(LOG_WARN, "what is over of a tenant can't be removed", LOG_FIELDS(log_err(e)));
		e = OK;
	}
	return e == ERR_END ? OK : e;
}

/* --- how many are under way ------------------------------------------------------------------------- */

/* The row that is mended is locked first: of two that look at once, the second one finds nothing wrong. */
static enum err mend(struct db *db, void *arg)
{
	struct ctx *cx = arg;
	struct sql_live_drift_row row;

	TRY(sql_live_mend(db, &(struct sql_live_mend_in){ .drift = 0 }, NULL));
	TRY(sql_live_drift(db, &(struct sql_live_drift_in){ .job_tenant = cx->who.tenant }, &row));
	if (row.drift == 0)
		return OK;
	log_write(LOG_INFO, "executions that nobody carries aren't counted any more",
		  LOG_FIELDS(log_int("count", row.drift)));
	return sql_live_mend(cx->db, &(struct sql_live_mend_in){ .drift = row.drift }, NULL);
}

static enum err mend_count(struct ctx *cx, void *arg)
{
	(void)arg;
	return db_run(cx->db, mend, cx);
}

enum err prune_counts(struct ctx *cx)
{
	const struct sql_live_full_in in = { .most = cx->config->limits_live_executions, .limit = TENANTS };
	struct sql_live_full_row row;
	enum err e;

	TRY(sql_live_full(cx->db, &in));
	while ((e = sql_live_full_next(cx->db, &row)) == OK)
		TRY(ctx_as_system(cx, &row.tenant_id, 0, mend_count, NULL));
	return e == ERR_END ? OK : e;
}
