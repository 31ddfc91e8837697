/* An answer that comes as a stream of events. */
#include <stdlib.h>

#include "ai/sse.h"
#include "ai/wire.h"
#include "base/json_read.h"

enum { SCRATCH_MAX = 64 << 10 };

struct model_stream {
	const struct wire *wire;
	struct sse sse;
	struct wire_reading reading;
	struct arena *scratch; /* the tree of one event */
	enum err error;        /* the first one, for good */
	bool ending;           /* what is read now may be half an event */
};

static enum err read_event(struct model_stream *stream, struct str data)
{
	json_t *json = NULL;
	enum err e;

	/* OpenAI's end, behind the last event; some servers say no other. */
	if (str_eq(str_trim(data), STR("[DONE]"))) {
		stream->reading.finished = stream->reading.over = true;
		return OK;
	}
	if (stream->reading.over)
		return OK;
	e = json_read(stream->scratch, data, &json, NULL);
	if (e == ERR_BAD_JSON)
		return stream->ending ? OK : ERR_AI_ANSWER_UNREADABLE;
	TRY(e);
	if (refusal_in(json))
		return refusal_of(200, json, &stream->reading.wait_s);
	return stream->wire->event(&stream->reading, json);
}

static enum err take_event(void *arg, struct str data)
{
	struct model_stream *stream = arg;
	enum err e = read_event(stream, data);

	arena_reset(stream->scratch);
	return e;
}

struct model_stream *model_stream_new(enum model_wire wire, model_listener listen, void *arg)
{
	struct model_stream *stream = calloc(1, sizeof *stream);

	if (!stream)
		return NULL;
	stream->wire = model_wire_at(wire);
	wire_read_init(&stream->reading, listen, arg);
	sse_init(&stream->sse, MODEL_EVENT_MAX, take_event, stream);
	stream->scratch = arena_new(SCRATCH_MAX);
	if (stream->scratch)
		return stream;
	model_stream_free(stream);
	return NULL;
}

void model_stream_free(struct model_stream *stream)
{
	if (!stream)
		return;
	wire_read_done(&stream->reading);
	sse_done(&stream->sse);
	arena_free(stream->scratch);
	free(stream);
}

static enum err stay(struct model_stream *stream, enum err e)
{
	if (stream->error == OK)
		stream->error = e == ERR_TOO_BIG ? ERR_AI_ANSWER_UNREADABLE : e;
	return stream->error;
}

enum err model_stream_feed(struct model_stream *stream, struct str bytes)
{
	return stream->error == OK ? stay(stream, sse_feed(&stream->sse, bytes)) : stream->error;
}

bool model_stream_over(const struct model_stream *stream) { return stream->reading.over; }

enum err model_stream_end(struct model_stream *stream, bool cut, struct arena *arena,
			  struct model_answer *ret_answer, int64_t *ret_wait_s)
{
	enum err e;

	stream->ending = true;
	/* A connection that broke may have broken in the middle of an event that looks whole. */
	if (stream->error == OK && (!cut || stream->sse.bare))
		(void)stay(stream, sse_end(&stream->sse));
	e = wire_read_end(&stream->reading, arena, ret_answer);
	*ret_wait_s = stream->reading.wait_s;
	if (stream->error == OK)
		return e;
	ret_answer->whole = false;
	return stream->error;
}
