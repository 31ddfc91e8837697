/* GET /events, /events/{id}, POST /events/{id}/replay. */
#include "base/json_read.h"
#include "base/json_write.h"
#include "core/answer.h"
#include "core/operations.h"
#include "fcgi/reply.h"
#include "jobs/queue.h"
#include "store/sql_event.h"

/* What the list and the single event have in common. */
struct event {
	struct id id, connector;
	struct str provider, type, status, provider_event_id, account, subject_kind, subject_id;
	struct opt_int occurred_at, processed_at;
	int64_t received_at;
};

#define EVENT_OF(the_id, row)                                                                       \
	((struct event){ .id = (the_id),                                                            \
			 .connector = (row).connector_id,                                           \
			 .provider = (row).provider,                                                \
			 .type = (row).type,                                                        \
			 .status = (row).status,                                                    \
			 .provider_event_id = (row).provider_event_id,                              \
			 .account = (row).account,                                                  \
			 .subject_kind = (row).subject_kind,                                        \
			 .subject_id = (row).subject_id,                                            \
			 .occurred_at = (row).occurred_at,                                          \
			 .processed_at = (row).processed_at,                                        \
			 .received_at = (row).received_at })

static void write_members(struct json_writer *w, const struct event *event)
{
	answer_id(w, "id", ID_EVENT, &event->id);
	answer_id(w, "connector_id", ID_CONNECTOR, &event->connector);
	jw_put_text(w, "provider", event->provider);
	jw_put_text(w, "type", event->type);
	jw_put_text(w, "status", event->status);
	jw_put_text(w, "provider_event_id", event->provider_event_id);
	jw_put_text(w, "account", event->account);
	answer_opt_time(w, "occurred_at", event->occurred_at);
	answer_time(w, "received_at", event->received_at);
	answer_opt_time(w, "processed_at", event->processed_at);
	jw_key(w, "subject");
	jw_object(w);
	jw_put_text(w, "kind", event->subject_kind);
	jw_put_text(w, "id", event->subject_id);
	jw_object_end(w);
}

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
		jw_object(&page.w);
		write_members(&page.w, &EVENT_OF(row.event_id, row));
		jw_object_end(&page.w);
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

/* What was sent, as JSON where it is JSON, else as text. */
static void write_data(struct ctx *cx, struct json_writer *w, struct str body)
{
	json_t *json;

	if (json_read(cx->arena, body, &json, NULL) == OK)
		jw_add_tree(w, json);
	else
		jw_add_text(w, body);
}

enum err event_get(struct ctx *cx, const struct event_get_in *in, struct reply *reply)
{
	struct sql_event_get_row row;
	struct json_writer w;

	TRY(sql_event_get(cx->db, &(struct sql_event_get_in){ .event_id = in->event_id }, &row));
	const struct event event = EVENT_OF(in->event_id, row);

	jw_start(&w, &reply->body);
	jw_object(&w);
	write_members(&w, &event);
	jw_put_raw(&w, "headers", row.headers);
	jw_key(&w, "data");
	write_data(cx, &w, row.body);
	jw_object_end(&w);
	return buf_error(&reply->body);
}

enum err event_replay(struct ctx *cx, const struct event_replay_in *in, struct reply *reply)
{
	const struct job_new job = { .kind = JOB_EVENT_PROCESS, .subject = { true, in->event_id } };
	struct sql_event_exists_row row;
	struct json_writer w;
	struct id id;

	ctx_audit_target(cx, ID_EVENT, &in->event_id);
	TRY(sql_event_exists(cx->db, &(struct sql_event_exists_in){ .event_id = in->event_id }, &row));
	TRY(job_add(cx, &job, &id));
	reply->status = 202;
	jw_start(&w, &reply->body);
	jw_object(&w);
	answer_id(&w, "job_id", ID_JOB, &id);
	jw_object_end(&w);
	return buf_error(&reply->body);
}
