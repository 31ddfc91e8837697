/* What the clock starts. However many workers look, each time starts one execution: who moves next_at starts it. */
#include "audit/transact.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/json_write.h"
#include "base/log.h"
#include "core/answer.h"
#include "flow/cron.h"
#include "flow/execution.h"
#include "flow/zone.h"
#include "store/db.h"
#include "store/sql_workflow.h"

enum {
	/* A time that is over for longer than this was missed. */
	LATE_MS = 60000,
	/* As many executions as may be are under way: looked at again behind so much. */
	HOLD_MS = 15000,
	REQUEST_MAX = 256,
	DUE_ARENA_MAX = 4 << 20
};

struct due {
	struct id tenant, schedule;
	struct sql_schedule_due_lock_row row;
};

static enum err start(struct ctx *cx, const struct due *due)
{
	BUF_AUTO struct buf request = { 0 };
	struct execution_new new = { .workflow = due->row.workflow_id,
				     .source = EXECUTION_SCHEDULE,
				     .source_id = { true, due->schedule },
				     .input = due->row.input_data };
	struct json_writer w;
	struct id execution;
	enum err e;

	buf_init(&request, REQUEST_MAX);
	jw_start(&w, &request);
	jw_object(&w);
	answer_time(&w, "scheduled_at", due->row.held_at.set ? due->row.held_at.v : due->row.next_at.v);
	jw_object_end(&w);
	TRY(buf_error(&request));
	new.request = buf_str(&request);
	e = execution_start(cx, &new, &execution);
	if (e != ERR_NOT_FOUND && e != ERR_CONFLICT)
		return e;
	/* It was paused or deleted a moment ago. */
	log_write(LOG_INFO, "a schedule has nothing to start", LOG_FIELDS(log_err(e)));
	return OK;
}

/*
 * What becomes of a time: whether it starts something, and the next one. Of times that were missed at most one does,
 * and the one that is only just over isn't one of them.
 */
static bool decide(const struct due *due, const struct cron *cron, const struct zone *zone, int64_t now,
		   struct opt_int *ret_next)
{
	int64_t due_at = due->row.next_at.v;
	bool missed = !due->row.held_at.set && now - due_at > LATE_MS, once = str_eq(due->row.missed, STR("once"));
	int64_t from = missed ? once ? now : now - LATE_MS : due_at;

	ret_next->set = cron_next(cron, zone, from, &ret_next->v);
	return due->row.workflow_active && (!missed || once);
}

static enum err move(struct ctx *cx, void *arg)
{
	const struct due *due = arg;
	struct sql_schedule_move_in in = { .schedule_id = due->schedule, .seen_at = due->row.next_at.v };
	const struct zone *zone;
	struct cron cron;
	bool starts = false;
	int64_t rows;

	/* What was taken when it was saved can become unreadable only with the machine's tz database: it rests then. */
	if (cron_read(due->row.cron, &cron) == NULL && zone_load(cx->arena, due->row.time_zone, &zone) == OK)
		starts = decide(due, &cron, zone, cx->now_ms, &in.next_at);
	else
		log_write(LOG_WARN, "a schedule can't be read", LOG_FIELDS(log_str("time_zone", due->row.time_zone)));
	if (starts)
		in.last_at = due->row.next_at;
	TRY(sql_schedule_move(cx->db, &in, &rows));
	return rows == 1 && starts ? start(cx, due) : OK;
}

/*
 * The time isn't lost, and isn't late either: it starts its execution when there is room. Times that pass meanwhile are
 * one with it. It is moved, so that what waits for room keeps no other schedule from its turn.
 */
static enum err hold(struct ctx *cx, const struct due *due)
{
	const struct sql_schedule_hold_in in = { .schedule_id = due->schedule,
						 .seen_at = due->row.next_at.v,
						 .again_at = cx->now_ms + HOLD_MS };

	log_write(LOG_INFO, "a schedule waits: as many executions as may be are under way", LOG_NO_FIELDS);
	return sql_schedule_hold(cx->db, &in, NULL);
}

static enum err take(struct ctx *cx, void *arg)
{
	struct due *due = arg;

	TRY(sql_schedule_due_lock(cx->db, &(struct sql_schedule_due_lock_in){ due->schedule }, &due->row));
	if (!due->row.next_at.set || due->row.next_at.v > cx->now_ms)
		return OK;
	due->row.cron = arena_copy(cx->arena, due->row.cron);
	due->row.time_zone = arena_copy(cx->arena, due->row.time_zone);
	due->row.missed = arena_copy(cx->arena, due->row.missed);
	due->row.input_data = arena_copy(cx->arena, due->row.input_data);
	if (str_absent(due->row.cron) || str_absent(due->row.time_zone) || str_absent(due->row.missed) ||
	    str_absent(due->row.input_data))
		return ERR_NO_MEMORY;
	enum err e = audit_transact(cx, AUDIT_NONE, move, due);

	return e == ERR_EXECUTIONS_FULL ? hold(cx, due) : e;
}

enum err flow_schedules_due(struct ctx *cx, int limit)
{
	const struct sql_schedule_due_in in = { .before = cx->now_ms, .limit = limit };
	struct sql_schedule_due_row row;
	enum err e;

	TRY(sql_schedule_due(cx->db, &in));
	while ((e = sql_schedule_due_next(cx->db, &row)) == OK) {
		struct due due = { .tenant = row.tenant_id, .schedule = row.schedule_id };

		/* One that can't be started keeps no other waiting. */
		e = ctx_as_system(cx, &row.tenant_id, DUE_ARENA_MAX, take, &due);
		if (e != OK && e != ERR_NOT_FOUND)
			log_write(LOG_WARN, "a schedule can't be started", LOG_FIELDS(log_err(e)));
		if (err_is_outage(e))
			return e;
	}
	return e == ERR_END ? OK : e;
}
