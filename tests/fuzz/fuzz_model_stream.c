/*
 * Whatever a server of models sends, cut anywhere: no answer is called whole that doesn't end, texts are UTF-8, and
 * arguments of calls are objects.
 */
#include <stdint.h>
#include <stdlib.h>

#include "ai/model.h"
#include "base/json_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ARENA_BYTES = 64 << 20, HEAD = 2 };

static size_t heard;

static enum err hear(void *arg, struct str text)
{
	(void)arg;
	if (text.n == 0 || !str_is_utf8(text))
		abort();
	heard += text.n;
	return OK;
}

static void must_hold(struct arena *arena, enum err e, const struct model_answer *answer)
{
	json_t *arguments;

	if (str_absent(answer->text) || !str_is_utf8(answer->text) || answer->whole != (e == OK))
		abort();
	if (e == ERR_TOO_BIG || e == ERR_BAD_JSON || e == ERR_END || (e == ERR_AI_CUT && answer->calls > 0))
		abort();
	for (size_t i = 0; i < answer->calls && e == OK; i++)
		if (json_read(arena, answer->call[i].arguments, &arguments, NULL) != OK ||
		    !json_is_kind(arguments, JSON_OBJECT))
			abort();
}

static void read_whole(struct arena *arena, enum model_wire wire, struct str text)
{
	struct model_answer answer;
	int64_t wait_s;

	must_hold(arena, model_read(wire, arena, 200, text, &answer, &wait_s), &answer);
	if (model_read(wire, arena, 400, text, &answer, &wait_s) == OK || answer.text.n > 0)
		abort();
}

/* The first byte chooses the format and whether the connection breaks, the second how long the pieces are. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct arena *arena;
	struct model_answer answer;
	struct model_stream *stream;
	int64_t wait_s;

	if (!arena && (json_setup() != OK || !(arena = arena_new(ARENA_BYTES))))
		abort();
	if (size < HEAD)
		return 0;
	enum model_wire wire = (enum model_wire)(data[0] % 3);
	size_t piece = data[1] ? data[1] : size;
	struct str text = { (const char *)data + HEAD, size - HEAD };

	heard = 0;
	stream = model_stream_new(wire, hear, NULL);
	if (!stream)
		abort();
	for (size_t at = 0; at < text.n; at += piece)
		if (model_stream_feed(stream, str_slice(text, at, piece)) != OK)
			break;
	must_hold(arena, model_stream_end(stream, data[0] & 0x40, arena, &answer, &wait_s), &answer);
	if (answer.text.n != heard)
		abort();
	model_stream_free(stream);
	read_whole(arena, wire, text);
	arena_reset(arena);
	return 0;
}
