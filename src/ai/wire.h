/* Of this room: what a format of the wire is, and what has been read of an answer so far. */
#ifndef LW_AI_WIRE_H
#define LW_AI_WIRE_H

#include "ai/model.h"
#include "base/json_write.h"

struct wire_call {
	struct buf id, name, arguments, signature;
	int64_t index; /* the provider's number of it, in a stream */
	bool is_text;  /* its arguments are the answer's text: see ANSWER_TOOL */
};

struct wire_reading {
	model_listener listen; /* may be NULL */
	void *arg;
	struct buf text, model;
	struct wire_call call[MODEL_CALLS_MAX];
	size_t calls;
	enum model_finish finish;
	bool finished; /* the provider said that this was all */
	bool over;     /* and that nothing follows, not even counts */
	bool gave_up;  /* and that it is nothing to go by */
	struct opt_int tokens_in, tokens_out;
	int64_t wait_s; /* the provider's wish, with a refusal; -1: none */
};

struct wire {
	const char *provider;
	void (*path)(const struct model_request *request, bool stream, struct buf *out);
	void (*body)(const struct model_request *request, bool stream, struct json_writer *w);
	/* One answer without an error, and one event of a stream. ERR_AI_ANSWER_UNREADABLE, the listener's. */
	enum err (*whole)(struct wire_reading *reading, const json_t *answer);
	enum err (*event)(struct wire_reading *reading, const json_t *event);
};

extern const struct wire MODEL_WIRE_GEMINI, MODEL_WIRE_OPENAI, MODEL_WIRE_ANTHROPIC;

const struct wire *model_wire_at(enum model_wire wire);

/*
 * A format without answers in JSON gets them as the arguments of a tool that it must call. They are the text then, and
 * no call.
 */
#define ANSWER_TOOL "answer_in_json"

/* --- writing ----------------------------------------------------------------------------------- */

/* A number of hundredths, at most `most`. */
void wire_put_temperature(struct json_writer *w, struct opt_int hundredths, int64_t most);
/* A JSON Schema of an object; NULL is one without members. */
void wire_put_schema(struct json_writer *w, const char *key, const json_t *schema);
/* The id of the n-th call or result of a turn, for a provider that wants one. */
void wire_put_id(struct json_writer *w, const char *key, struct str id, size_t n);

/* --- reading ----------------------------------------------------------------------------------- */

void wire_read_init(struct wire_reading *reading, model_listener listen, void *arg);
void wire_read_done(struct wire_reading *reading);
/* More of the text; the listener hears it. The absent text is none. ERR_AI_ANSWER_UNREADABLE past MODEL_TEXT_MAX. */
enum err wire_read_text(struct wire_reading *reading, struct str text) MUST_CHECK;
/* A further call. ERR_AI_ANSWER_UNREADABLE past MODEL_CALLS_MAX. */
enum err wire_read_call(struct wire_reading *reading, struct str id, struct str name, int64_t index,
			struct wire_call **ret_call) MUST_CHECK;
/* More of its arguments, as text or as a tree. */
enum err wire_read_arguments(struct wire_reading *reading, struct wire_call *call,
			     struct str part) MUST_CHECK;
enum err wire_read_argument_tree(struct wire_reading *reading, struct wire_call *call,
				 const json_t *arguments) MUST_CHECK;
/* The call of that number; NULL for none. */
struct wire_call *wire_read_call_at(struct wire_reading *reading, int64_t index);
void wire_read_model(struct wire_reading *reading, struct str name);
/* A count of tokens; what isn't a number leaves it as it is. */
void wire_read_count(struct opt_int *count, const json_t *number);
/* By one of the provider's words for it. */
struct finish_word {
	struct str word;
	enum model_finish finish;
	bool gave_up;
};
void wire_read_finish(struct wire_reading *reading, struct str word,
		      const struct finish_word *words, size_t n);
/*
 * What was read, copied to the arena. ERR_AI_BLOCKED, ERR_AI_ANSWER_UNREADABLE; ERR_AI_CUT when the provider never said
 * that this was all: the answer is filled in that case, too.
 */
enum err wire_read_end(struct wire_reading *reading, struct arena *arena,
		       struct model_answer *ret_answer) MUST_CHECK;

/* --- refusals ---------------------------------------------------------------------------------- */

/* The error object of an answer or of an event; NULL for none. */
const json_t *refusal_in(const json_t *json);
/* What a refusal means; the JSON may be NULL. Status 200: an error within a stream. `ret_wait_s` may be -1. */
enum err refusal_of(int status, const json_t *json, int64_t *ret_wait_s) MUST_CHECK;

#endif
