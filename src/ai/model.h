/*
 * Language models: one shape of request and answer for three formats of the
 * wire, Gemini's REST API, and those of OpenAI and Anthropic, which others speak, too.
 *
 * Building a request and reading an answer are pure: nothing is sent here (ask.h
 * does that). Texts are UTF-8 and borrowed; those of an answer live in an arena.
 */
#ifndef LW_AI_MODEL_H
#define LW_AI_MODEL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/id.h"
#include "base/str.h"

enum model_wire { MODEL_GEMINI, MODEL_OPENAI, MODEL_ANTHROPIC };

enum {
	MODEL_CALLS_MAX = 16,     /* calls of tools that one answer may ask for */
	MODEL_TEXT_MAX = 1 << 20, /* bytes of an answer's text */
	MODEL_ARGUMENTS_MAX = 256 << 10,
	MODEL_EVENT_MAX = 2 << 20,   /* one event of a stream */
	MODEL_STREAM_MAX = 64 << 20, /* all of them: a word is a few hundred bytes of JSON */
	MODEL_NAME_MAX = 128
};

/* What the model wants done. */
struct model_call {
	struct str id; /* the provider's; absent when it gives none */
	struct str name;
	struct str arguments; /* the text of a JSON object */
	struct str signature; /* of the provider, to be sent back with the call; absent: none */
};

/* What came of it. */
struct model_result {
	struct str id, name; /* the call's */
	struct str content;
	bool failed;
};

enum model_who { MODEL_USER, MODEL_MODEL, MODEL_TOOL };

/* One turn of the conversation: a text; the model's may ask for calls, and a tool's holds their results instead. */
struct model_turn {
	enum model_who who;
	struct str text; /* absent or empty: none */
	const struct model_call *call;
	size_t calls;
	const struct model_result *result;
	size_t results;
};

struct model_tool {
	struct str name; /* letters, digits, _ and -; at most 64 */
	struct str description;
	const json_t *parameters; /* a JSON Schema of an object; NULL: it takes nothing */
};

struct model_request {
	struct str model;
	struct str system; /* personality and knowledge; absent: none */
	const struct model_turn *turn;
	size_t turns;
	const struct model_tool *tool;
	size_t tools;
	struct opt_int temperature;       /* in hundredths; not set: the model's own */
	struct opt_int max_output_tokens; /* not set: the provider's, or MODEL_OUTPUT_TOKENS */
	bool json;                        /* the answer's text is to be JSON */
	const json_t *schema;             /* of that JSON; NULL: any */
	/* A server that speaks OpenAI's format and isn't OpenAI's: it may not know the newest names. */
	bool look_alike;
};

/* Room for an answer of a few pages, which every model on offer has. */
enum { MODEL_OUTPUT_TOKENS = 8192 };

enum model_finish {
	MODEL_STOP,
	MODEL_LENGTH, /* max_output_tokens, or the model's own end */
	MODEL_SAFETY, /* the provider held the rest back */
	MODEL_TOOLS   /* it waits for the results of its calls */
};

/* "stop", "length", "safety", "tool". */
const char *model_finish_text(enum model_finish finish);

struct model_answer {
	struct str text; /* never absent */
	const struct model_call *call;
	size_t calls;
	enum model_finish finish;
	bool whole; /* false: the stream ended early, and this is the beginning */
	struct opt_int tokens_in, tokens_out;
	struct str model; /* as the provider calls what answered; absent: it doesn't say */
};

/* --- requests ------------------------------------------------------------------------------- */

/* The connector type whose credentials are for that format: "gemini", "openai", "anthropic". */
struct str model_provider(enum model_wire wire);
/* False for another type. */
bool model_wire_of(struct str provider, enum model_wire *ret_wire) MUST_CHECK;
/* Whether it can stand in a path and in JSON without a second thought. */
bool model_name_ok(struct str name);

/* What follows the base URL: "/chat/completions"; Gemini's holds the model's name, percent-encoded. */
void model_path(enum model_wire wire, const struct model_request *request, bool stream,
		struct buf *out);
/* The body, appended to `out`. Errors of the buffer are the caller's to ask for. */
void model_body(enum model_wire wire, const struct model_request *request, bool stream,
		struct buf *out);

/* --- answers -------------------------------------------------------------------------------- */

/*
 * Reads a whole answer, of any status. ERR_AI_KEY_REFUSED, ERR_AI_QUOTA (`ret_wait_s` is the provider's wish, -1 for
 * none), ERR_AI_BLOCKED when nothing but a refusal came, ERR_AI_TOO_LONG, ERR_AI_MODEL_UNKNOWN, ERR_AI_REFUSED,
 * ERR_AI_UNAVAILABLE, ERR_AI_ANSWER_UNREADABLE. Nothing of what a provider says about an error is handed on.
 */
enum err model_read(enum model_wire wire, struct arena *arena, int status, struct str body,
		    struct model_answer *ret_answer, int64_t *ret_wait_s) MUST_CHECK;

/* Takes the next piece of the answer's text, whole characters; anything but OK ends the reading with that error. */
typedef enum err (*model_listener)(void *arg, struct str text);

struct model_stream;

/* A stream that is read piece by piece. The listener may be NULL. NULL when memory is out. */
struct model_stream *model_stream_new(enum model_wire wire, model_listener listen,
				      void *arg) MUST_CHECK;
/* NULL-safe. */
void model_stream_free(struct model_stream *stream);
/* Bytes as they come, cut anywhere. Errors of model_read, and the listener's; the first one stays. */
enum err model_stream_feed(struct model_stream *stream, struct str bytes) MUST_CHECK;
/* Nothing that matters follows: the connection can be left. */
bool model_stream_over(const struct model_stream *stream);
/*
 * The end: `cut` tells that the connection ended before the answer did. What was read is in `ret_answer`, in any case.
 * OK only for a whole answer; ERR_AI_CUT for one that has no end, else the error that stopped it.
 */
enum err model_stream_end(struct model_stream *stream, bool cut, struct arena *arena,
			  struct model_answer *ret_answer, int64_t *ret_wait_s) MUST_CHECK;

#endif
