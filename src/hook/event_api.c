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

#define EVENT_OF(row)                                                                                                  \
	(struct event){ EVENT_MEMBERS((row).event_id, row), .status = (row).status, .processed_at = (row).processed_at }

/* Of all connectors or of one: an index each. */
static enum err begin(struct ctx *cx, const struct event_list_in *in, struct id before)
{
	const struct sql_event_list_in all = { before, in->type, in->status, from_id(in->from), to_id(in->to),
					       in->limit + 1 };
	const struct sql_event_list_of_connector_in one = { in->connector_id.v, all.before, all.type, all.status,
							    all.from, all.to, all.limit };

	return in->connector_id.set ? sql_event_list_of_connector(cx->db, &one) : sql_event_list(cx->db, &all);
}

static enum err next(struct ctx *cx, const struct event_list_in *in, struct event *ret_event)
{
	struct sql_event_list_of_connector_row one;
	struct sql_event_list_row row;

	if (in->connector_id.set) {
		TRY(sql_event_list_of_connector_next(cx->db, &one));
		*ret_event = EVENT_OF(one);
		return OK;
	}
	TRY(sql_event_list_next(cx->db, &row));
	*ret_event = EVENT_OF(row);
	return OK;
}

enum err event_list(struct ctx *cx, const struct event_list_in *in, struct reply *reply)
{
	struct answer_page page;
	struct event event;
	struct id before;
	enum err e;

	TRY(ctx_cursor_read(cx, in->cursor, &before));
	TRY(begin(cx, in, before));
	answer_page_start(&page, reply, in->limit);
	while ((e = next(cx, in, &event)) == OK && answer_page_item(&page, &event.id))
		event_write(cx->arena, &page.w, &event);
	return answer_page_end(&page, cx, reply, e);
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
