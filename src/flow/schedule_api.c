/* POST, GET, PUT, DELETE /workflows/{id}/schedules */
#include "base/buf.h"
#include "base/json_read.h"
#include "core/answer.h"
#include "core/operations.h"
#include "flow/cron.h"
#include "flow/execution.h"
#include "flow/workflow.h"
#include "flow/zone.h"
#include "store/sql_workflow.h"

struct schedule {
	struct id id, workflow;
	struct str cron, time_zone, missed, input;
	bool active;
	struct opt_int next_at, last_at;
	struct id created_by;
	int64_t created_at, updated_at;
};

#define SCHEDULE_OF(row, of)                                                                                         \
	((struct schedule){ .id = (row).schedule_id,                                                                 \
			    .workflow = (of),                                                                        \
			    .cron = (row).cron,                                                                      \
			    .time_zone = (row).time_zone,                                                            \
			    .missed = (row).missed,                                                                  \
			    .input = (row).input_data,                                                               \
			    .active = (row).active,                                                                  \
			    .next_at = (row).next_at,                                                                \
			    .last_at = (row).last_at,                                                                \
			    .created_by = (row).created_by,                                                          \
			    .created_at = (row).created_at,                                                          \
			    .updated_at = (row).updated_at })

/* --- answers ------------------------------------------------------------------------ */

static void write_schedule(struct json_writer *w, const struct schedule *s)
{
	jw_object(w);
	answer_id(w, "id", ID_SCHEDULE, &s->id);
	answer_id(w, "workflow_id", ID_WORKFLOW, &s->workflow);
	jw_put_text(w, "cron", s->cron);
	jw_put_text(w, "time_zone", s->time_zone);
	jw_put_text(w, "missed", s->missed);
	jw_put_raw(w, "input_data", s->input);
	jw_put_bool(w, "is_active", s->active);
	answer_opt_time(w, "next_at", s->next_at);
	answer_opt_time(w, "last_at", s->last_at);
	answer_id(w, "created_by", ID_USER, &s->created_by);
	answer_time(w, "created_at", s->created_at);
	answer_time(w, "updated_at", s->updated_at);
	jw_object_end(w);
}

static enum err answer(struct ctx *cx, const struct schedule *s, struct reply *reply)
{
	struct json_writer w;

	/* Its times change without an update, by the clock. */
	TRY(ctx_etag(cx, reply, &s->id,
		     s->last_at.set && s->last_at.v > s->updated_at ? s->last_at.v : s->updated_at));
	jw_start(&w, &reply->body);
	write_schedule(&w, s);
	return buf_error(&reply->body);
}

/* --- input ---------------------------------------------------------------------------- */

static enum err input_text(struct ctx *cx, const json_t *json, struct str *ret_text)
{
	BUF_AUTO struct buf text = { 0 };
	struct json_writer w;

	*ret_text = STR("null");
	if (!json)
		return OK;
	buf_init(&text, EXECUTION_INPUT_MAX);
	jw_start(&w, &text);
	jw_add_tree(&w, json);
	if (buf_error(&text) == ERR_TOO_BIG)
		return ctx_bad_field(cx, "input_data", "TOO_LONG", "has more than 512 KiB");
	TRY(buf_error(&text));
	*ret_text = arena_copy(cx->arena, buf_str(&text));
	return str_absent(*ret_text) ? ERR_NO_MEMORY : OK;
}

/* The time that comes next, unless it rests. */
static enum err set_next(struct ctx *cx, struct schedule *s)
{
	const struct zone *zone;
	struct cron cron;
	const char *why = cron_read(s->cron, &cron);
	enum err e = zone_load(cx->arena, s->time_zone, &zone);

	if (e != OK && e != ERR_NOT_FOUND)
		return e;
	if (why)
		(void)ctx_bad_field(cx, "cron", "BAD_FORMAT", why);
	if (e == ERR_NOT_FOUND)
		(void)ctx_bad_field(cx, "time_zone", "NOT_FOUND", "isn't a name of the tz database");
	if (why || e != OK)
		return ERR_BAD_INPUT;
	s->next_at.set = cron_next(&cron, zone, cx->now_ms, &s->next_at.v);
	if (!s->next_at.set)
		return ctx_bad_field(cx, "cron", "BAD_FORMAT", "names a time that never comes");
	s->next_at.set = s->active;
	return OK;
}

static enum err check_room(struct ctx *cx, const struct id *workflow)
{
	struct sql_schedule_count_row row;

	TRY(sql_schedule_count(cx->db, &(struct sql_schedule_count_in){ *workflow }, &row));
	if (row.schedules < SCHEDULES_MAX)
		return OK;
	return ctx_fail(cx, ERR_CONFLICT, "A workflow has at most 100 schedules.");
}

/* --- the operations ------------------------------------------------------------------- */

enum err schedule_create(struct ctx *cx, const struct schedule_create_in *in, struct reply *reply)
{
	struct schedule s = { .workflow = in->workflow_id,
			      .cron = in->cron,
			      .time_zone = in->time_zone,
			      .missed = in->missed,
			      .active = in->is_active,
			      .created_by = cx->who.user,
			      .created_at = cx->now_ms,
			      .updated_at = cx->now_ms };

	TRY(workflow_must_be(cx, &in->workflow_id));
	TRY(check_room(cx, &in->workflow_id));
	TRY(set_next(cx, &s));
	TRY(input_text(cx, in->input_data, &s.input));
	TRY(id_new(&s.id));
	ctx_audit_target(cx, ID_SCHEDULE, &s.id);
	TRY(sql_schedule_insert(cx->db,
				&(struct sql_schedule_insert_in){ .schedule_id = s.id,
								  .workflow_id = s.workflow,
								  .cron = s.cron,
								  .time_zone = s.time_zone,
								  .missed = s.missed,
								  .input_data = s.input,
								  .active = s.active,
								  .next_at = s.next_at },
				NULL));
	reply->status = 201;
	return answer(cx, &s, reply);
}

static enum err list_ids(struct ctx *cx, const struct sql_schedule_list_in *query, struct id ids[ANSWER_PAGE_MOST],
			 size_t *ret_n)
{
	struct sql_schedule_list_row row;
	enum err e;

	*ret_n = 0;
	TRY(sql_schedule_list(cx->db, query));
	while ((e = sql_schedule_list_next(cx->db, &row)) == OK && *ret_n < ANSWER_PAGE_MOST)
		ids[(*ret_n)++] = row.schedule_id;
	return e == ERR_END ? OK : e;
}

/* One that has gone meanwhile is left out. */
static enum err write_one(struct ctx *cx, const struct id *workflow, const struct id *id, struct json_writer *w)
{
	const struct sql_schedule_get_in in = { .workflow_id = *workflow, .schedule_id = *id };
	struct sql_schedule_get_row row;
	enum err e = sql_schedule_get(cx->db, &in, &row);

	if (e == OK)
		write_schedule(w, &SCHEDULE_OF(row, *workflow));
	return e == ERR_NOT_FOUND ? OK : e;
}

/* Only the ids are read together: a row may hold 512 KiB. */
enum err schedule_list(struct ctx *cx, const struct schedule_list_in *in, struct reply *reply)
{
	struct sql_schedule_list_in query = { .workflow_id = in->workflow_id, .limit = in->limit + 1 };
	struct id ids[ANSWER_PAGE_MOST];
	struct answer_page page;
	size_t n;

	TRY(ctx_cursor_read(cx, in->cursor, &query.before));
	TRY(workflow_must_be(cx, &in->workflow_id));
	TRY(list_ids(cx, &query, ids, &n));
	answer_page_start(&page, reply, in->limit);
	for (size_t i = 0; i < n && answer_page_item(&page, &ids[i]); i++) {
		TRY(write_one(cx, &in->workflow_id, &ids[i], &page.w));
		if (reply->body.n > ANSWER_PAGE_BYTES)
			answer_page_full(&page);
	}
	return answer_page_end(&page, cx, reply, ERR_END);
}

enum err schedule_get(struct ctx *cx, const struct schedule_get_in *in, struct reply *reply)
{
	struct sql_schedule_get_row row;

	TRY(sql_schedule_get(
		cx->db,
		&(struct sql_schedule_get_in){ .workflow_id = in->workflow_id, .schedule_id = in->schedule_id },
		&row));
	return answer(cx, &SCHEDULE_OF(row, in->workflow_id), reply);
}

static enum err lock(struct ctx *cx, const struct id *workflow, const struct id *id, struct schedule *ret_schedule)
{
	struct sql_schedule_lock_row row;
	int64_t state;

	ctx_audit_target(cx, ID_SCHEDULE, id);
	TRY(sql_schedule_lock(cx->db, &(struct sql_schedule_lock_in){ .workflow_id = *workflow, .schedule_id = *id },
			      &row));
	*ret_schedule = (struct schedule){ .id = *id,
					   .workflow = *workflow,
					   .active = row.active,
					   .last_at = row.last_at,
					   .created_by = row.created_by,
					   .created_at = row.created_at,
					   .updated_at = row.updated_at };
	state = row.last_at.set && row.last_at.v > row.updated_at ? row.last_at.v : row.updated_at;
	return ctx_if_match(cx, id, state);
}

enum err schedule_update(struct ctx *cx, const struct schedule_update_in *in, struct reply *reply)
{
	struct schedule s;

	TRY(lock(cx, &in->workflow_id, &in->schedule_id, &s));
	s.cron = in->cron;
	s.time_zone = in->time_zone;
	s.missed = in->missed;
	s.active = in->is_active;
	TRY(set_next(cx, &s));
	TRY(input_text(cx, in->input_data, &s.input));
	s.updated_at = ctx_next_update(cx, s.updated_at);
	TRY(sql_schedule_update(cx->db,
				&(struct sql_schedule_update_in){ .schedule_id = s.id,
								  .cron = s.cron,
								  .time_zone = s.time_zone,
								  .missed = s.missed,
								  .input_data = s.input,
								  .active = s.active,
								  .next_at = s.next_at,
								  .updated_at = s.updated_at },
				NULL));
	return answer(cx, &s, reply);
}

enum err schedule_delete(struct ctx *cx, const struct schedule_delete_in *in, struct reply *reply)
{
	struct schedule s;

	TRY(lock(cx, &in->workflow_id, &in->schedule_id, &s));
	TRY(sql_schedule_delete(cx->db, &(struct sql_schedule_delete_in){ s.id }, NULL));
	return answer_nothing(reply);
}
