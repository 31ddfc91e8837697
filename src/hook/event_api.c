/* GET /events, /events/{id}, POST /events/{id}/replay. */
#include "base/json_write.h"
#include "core/answer.h"
#include "core/operations.h"
#include "fcgi/reply.h"
#include "hook/event.h"
#include "jobs/queue.h"
#include "store/sql_event.h"

/* The ids of a time range: an id begins with its time. */
static struct id from_id(struct opt_int from) { return from.set ? id_first_at(from.v) : ID_NIL; }
static struct id to_id(struct opt_int to) { return to.set ? id_first_at(to.v) : ID_MAX; }

static enum err write_rows(struct ctx *cx, const struct event_list_in *in, struct reply *reply)
{
	struct sql_event_list_row row;
	struct answer_page page;
	enum err e;

	answer_page_start(&page, reply, in->limit);
	while ((e = sql_event_list_next(cx->db, &row)) == OK && answer_page_item(&page, &row.event_id)) {
		const struct event event = { EVENT_MEMBERS(row.event_id, row), .status = row.status,
					     .processed_at = row.processed_at };

		event_write(cx->arena, &page.w, &event);
	}
	return answer_page_end(&page, cx, reply, e);
}

enum err event_list(struct ctx *cx, const struct event_list_in *in, struct reply *reply)
{
	struct sql_event_list_in query = {
		.connector_id = in->connector_id,
		.type = in->type,
		.status = in->status,
		.from = from_id(in->from),
		.to = to_id(in->to),
		.limit = in->limit + 1,
	};

	TRY(ctx_cursor_read(cx, in->cursor, &query.before));
	TRY(sql_event_list(cx->db, &query));
	return write_rows(cx, in, reply);
}

enum err event_get(struct ctx *cx, const struct event_get_in *in, struct reply *reply)
{
	struct sql_event_get_row row;
	struct json_writer w;

	TRY(sql_event_get(cx->db, &(struct sql_event_get_in){ .event_id = in->event_id }, &row));
	const struct event event = { EVENT_MEMBERS(in->event_id, row), .status = row.status,
				     .processed_at = row.processed_at, .headers = row.headers, .body = row.body };

	jw_start(&w, &reply->body);
	event_write(cx->arena, &w, &event);
	return buf_error(&reply->body);
}

enum err event_replay(struct ctx *cx, const struct event_replay_in *in, struct reply *reply)
{
	const struct job_new job = { .kind = JOB_EVENT_PROCESS, .subject = { true, in->event_id } };
	struct json_writer w;
	int64_t events;
	struct id id;

	ctx_audit_target(cx, ID_EVENT, &in->event_id);
	TRY(sql_event_reopen(cx->db, &(struct sql_event_reopen_in){ .event_id = in->event_id }, &events));
	if (events == 0)
		return ERR_NOT_FOUND;
	TRY(job_add(cx, &job, &id));
	reply->status = 202;
	jw_start(&w, &reply->body);
	jw_object(&w);
	answer_id(&w, "job_id", ID_JOB, &id);
	jw_object_end(&w);
	return buf_error(&reply->body);
}
