#include "hook/event.h"

#include "base/json_read.h"
#include "core/answer.h"

static void write_subject(struct json_writer *w, const struct event *event)
{
	jw_key(w, "subject");
	jw_object(w);
	jw_put_text(w, "kind", event->subject_kind);
	jw_put_text(w, "id", event->subject_id);
	jw_object_end(w);
}

static void write_content(struct arena *arena, struct json_writer *w, const struct event *event)
{
	json_t *data;

	jw_put_raw(w, "headers", event->headers);
	jw_key(w, "data");
	if (json_read(arena, event->body, &data, NULL) == OK)
		jw_add_tree(w, data);
	else
		jw_add_text(w, event->body);
}

void event_write(struct arena *arena, struct json_writer *w, const struct event *event)
{
	bool has_status = !str_absent(event->status);

	jw_object(w);
	answer_id(w, "id", ID_EVENT, &event->id);
	answer_id(w, "connector_id", ID_CONNECTOR, &event->connector);
	jw_put_text(w, "provider", event->provider);
	jw_put_text(w, "type", event->type);
	if (has_status)
		jw_put_text(w, "status", event->status);
	jw_put_text(w, "provider_event_id", event->provider_event_id);
	jw_put_text(w, "account", event->account);
	answer_opt_time(w, "occurred_at", event->occurred_at);
	answer_time(w, "received_at", event->received_at);
	if (has_status)
		answer_opt_time(w, "processed_at", event->processed_at);
	write_subject(w, event);
	if (!str_absent(event->headers))
		write_content(arena, w, event);
	jw_object_end(w);
}
