/* What is told to nginx, and what nginx is told to hold. */
#include "base/json_read.h"
#include "base/json_write.h"
#include "fcgi/reply.h"
#include "live/live.h"
#include "net/local_post.h"

enum { MESSAGE_MAX = 1 << 20 };

/* The channels' names are those of nginx's configuration. */
static enum err publish(struct ctx *cx, const char *channel, enum id_kind kind, const struct id *id,
			struct str json)
{
	char text[ID_TEXT_MAX];
	struct str path =
		arena_printf(cx->arena, "/%s/%.*s", channel, STR_ARG(id_format(kind, id, text)));

	return str_absent(path) ? ERR_NO_MEMORY : local_post(cx->config->live_socket, path, json);
}

static enum err tell_one(struct ctx *cx, const struct id *run, const json_t *event)
{
	BUF_AUTO struct buf text = { 0 };
	struct json_writer w;

	buf_init(&text, MESSAGE_MAX);
	jw_start(&w, &text);
	jw_add_tree(&w, event);
	TRY(buf_error(&text));
	return publish(cx, "run", ID_RUN, run, buf_str(&text));
}

enum err live_tell(struct ctx *cx, const struct id *run, struct str events)
{
	json_t *list = NULL;

	TRY(json_read(cx->arena, events, &list, NULL));
	for (size_t i = 0; i < json_length(list); i++)
		TRY(tell_one(cx, run, json_item(list, i)));
	return OK;
}

enum err live_answer(struct ctx *cx, const struct id *execution, struct str answer)
{
	return publish(cx, "answer", ID_EXECUTION, execution, answer);
}

/* The request's id goes along: nginx's own answers carry it as ours do. */
static enum err hand_over(struct ctx *cx, const char *place, enum id_kind kind, const struct id *id,
			  struct str query, struct reply *reply)
{
	char text[ID_TEXT_MAX];
	struct str path = arena_printf(
		cx->arena, "/_live/%s/%.*s/%.*s%s%.*s", place, STR_ARG(id_format(kind, id, text)),
		STR_ARG(cx->request_text), str_absent(query) ? "" : "?", STR_ARG(query));

	return str_absent(path) ? ERR_NO_MEMORY : reply_header(reply, "X-Accel-Redirect", path);
}

enum err live_await(struct ctx *cx, const struct id *execution, struct reply *reply)
{
	return hand_over(cx, "answer", ID_EXECUTION, execution, STR_NONE, reply);
}

enum err live_stream(struct ctx *cx, const struct id *run, struct reply *reply)
{
	return hand_over(cx, "stream", ID_RUN, run, STR_NONE, reply);
}

enum err live_socket(struct ctx *cx, const struct id *run, struct str ticket, struct reply *reply)
{
	struct str query = arena_printf(cx->arena, "ticket=%.*s", STR_ARG(ticket));

	return str_absent(query) ? ERR_NO_MEMORY
				 : hand_over(cx, "socket", ID_RUN, run, query, reply);
}
