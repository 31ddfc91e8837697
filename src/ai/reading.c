/* What has been read of an answer so far, and what it is in the end: the same for every format. */
#include <string.h>

#include "ai/wire.h"
#include "base/json_read.h"

enum { ID_MAX_BYTES = 256, SIGNATURE_MAX = 64 << 10 };

void wire_read_init(struct wire_reading *reading, model_listener listen, void *arg)
{
	*reading = (struct wire_reading){ .listen = listen, .arg = arg, .wait_s = -1 };
	buf_init(&reading->text, MODEL_TEXT_MAX);
	buf_init(&reading->model, MODEL_NAME_MAX);
}

void wire_read_done(struct wire_reading *reading)
{
	buf_done(&reading->text);
	buf_done(&reading->model);
	for (size_t i = 0; i < reading->calls; i++) {
		buf_done(&reading->call[i].id);
		buf_done(&reading->call[i].name);
		buf_done(&reading->call[i].arguments);
		buf_done(&reading->call[i].signature);
	}
	reading->calls = 0;
}

/* A provider that sends more than there is room for sends nothing that can be used. */
static enum err checked(const struct buf *buf)
{
	enum err e = buf_error(buf);

	return e == ERR_TOO_BIG ? ERR_AI_ANSWER_UNREADABLE : e;
}

enum err wire_read_text(struct wire_reading *reading, struct str text)
{
	if (text.n == 0)
		return OK;
	buf_add_str(&reading->text, text);
	TRY(checked(&reading->text));
	return reading->listen ? reading->listen(reading->arg, text) : OK;
}

enum err wire_read_call(struct wire_reading *reading, struct str id, struct str name, int64_t index,
			struct wire_call **ret_call)
{
	struct wire_call *call;

	if (reading->calls == MODEL_CALLS_MAX)
		return ERR_AI_ANSWER_UNREADABLE;
	call = &reading->call[reading->calls++];
	*call = (struct wire_call){ .index = index, .is_text = str_eq(name, STR(ANSWER_TOOL)) };
	buf_init(&call->id, ID_MAX_BYTES);
	buf_init(&call->name, MODEL_NAME_MAX);
	buf_init(&call->arguments, MODEL_ARGUMENTS_MAX);
	buf_init(&call->signature, SIGNATURE_MAX);
	buf_add_str(&call->id, id);
	buf_add_str(&call->name, name);
	*ret_call = call;
	TRY(checked(&call->id));
	return checked(&call->name);
}

enum err wire_read_arguments(struct wire_reading *reading, struct wire_call *call, struct str part)
{
	if (call->is_text)
		return wire_read_text(reading, part);
	buf_add_str(&call->arguments, part);
	return checked(&call->arguments);
}

enum err wire_read_argument_tree(struct wire_reading *reading, struct wire_call *call,
				 const json_t *arguments)
{
	BUF_AUTO struct buf text = { 0 };
	struct json_writer w;

	if (!json_is_kind(arguments, JSON_OBJECT))
		return OK;
	buf_init(&text, MODEL_ARGUMENTS_MAX);
	jw_start(&w, &text);
	jw_add_tree(&w, arguments);
	TRY(checked(&text));
	return wire_read_arguments(reading, call, buf_str(&text));
}

struct wire_call *wire_read_call_at(struct wire_reading *reading, int64_t index)
{
	for (size_t i = reading->calls; i > 0; i--)
		if (reading->call[i - 1].index == index)
			return &reading->call[i - 1];
	return NULL;
}

void wire_read_model(struct wire_reading *reading, struct str name)
{
	if (reading->model.n == 0 && name.n <= MODEL_NAME_MAX)
		buf_add_str(&reading->model, name);
}

void wire_read_count(struct opt_int *count, const json_t *number)
{
	int64_t n;

	if (json_integer_of(number, &n) && n >= 0 && n <= INT32_MAX)
		*count = (struct opt_int){ .set = true, .v = n };
}

void wire_read_finish(struct wire_reading *reading, struct str word,
		      const struct finish_word *words, size_t n)
{
	if (word.n == 0)
		return;
	reading->finished = true;
	for (size_t i = 0; i < n; i++) {
		if (!str_eq(words[i].word, word))
			continue;
		reading->finish = words[i].finish;
		reading->gave_up |= words[i].gave_up;
	}
}

/* --- the end ------------------------------------------------------------------------------------ */

/* Everything behind this takes arguments for an object in JSON. */
static enum err copy_call(struct arena *arena, const struct wire_call *from, struct model_call *to)
{
	struct str arguments = str_trim(buf_str(&from->arguments));
	json_t *tree;
	enum err e;

	*to = (struct model_call){ .name = arena_copy(arena, buf_str(&from->name)) };
	if (from->id.n > 0)
		to->id = arena_copy(arena, buf_str(&from->id));
	if (from->signature.n > 0)
		to->signature = arena_copy(arena, buf_str(&from->signature));
	to->arguments = arena_copy(arena, arguments.n > 0 ? arguments : STR("{}"));
	if (str_absent(to->arguments) || str_absent(to->name))
		return ERR_NO_MEMORY;
	e = json_read(arena, to->arguments, &tree, NULL);
	if (e == ERR_BAD_JSON || (e == OK && !json_is_kind(tree, JSON_OBJECT)))
		return ERR_AI_ANSWER_UNREADABLE;
	return e;
}

static enum err copy_calls(const struct wire_reading *reading, struct arena *arena,
			   struct model_answer *answer)
{
	struct model_call *calls = arena_array(arena, MODEL_CALLS_MAX, sizeof *calls);

	if (!calls)
		return ERR_NO_MEMORY;
	answer->call = calls;
	for (size_t i = 0; i < reading->calls; i++) {
		if (reading->call[i].is_text)
			continue;
		TRY(copy_call(arena, &reading->call[i], &calls[answer->calls]));
		answer->calls++;
	}
	return OK;
}

/* A provider may say "stop" beside calls, and "calls" for an answer in JSON. */
static enum model_finish finish_of(const struct wire_reading *reading, size_t calls)
{
	if (calls > 0 && reading->finish == MODEL_STOP)
		return MODEL_TOOLS;
	if (calls == 0 && reading->finish == MODEL_TOOLS)
		return MODEL_STOP;
	return reading->finish;
}

enum err wire_read_end(struct wire_reading *reading, struct arena *arena,
		       struct model_answer *ret_answer)
{
	*ret_answer = (struct model_answer){
		.text = arena_copy(arena, buf_str(&reading->text)),
		.tokens_in = reading->tokens_in,
		.tokens_out = reading->tokens_out,
		.finish = reading->finish,
	};
	if (str_absent(ret_answer->text))
		return ERR_NO_MEMORY;
	if (reading->model.n > 0)
		ret_answer->model = arena_copy(arena, buf_str(&reading->model));
	/* Half a call is no call. */
	if (!reading->finished)
		return ERR_AI_CUT;
	if (reading->gave_up)
		return ERR_AI_ANSWER_UNREADABLE;
	TRY(copy_calls(reading, arena, ret_answer));
	ret_answer->finish = finish_of(reading, ret_answer->calls);
	if (ret_answer->finish == MODEL_SAFETY && ret_answer->text.n == 0)
		return ERR_AI_BLOCKED;
	ret_answer->whole = true;
	return OK;
}
