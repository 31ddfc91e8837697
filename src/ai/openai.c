/* OpenAI's chat completions, which many servers speak. */
#include "ai/wire.h"
#include "base/json_read.h"

enum { TEMPERATURE_MAX = 200 };

static void path(const struct model_request *request, bool stream, struct buf *out)
{
	(void)request;
	(void)stream;
	buf_add_c(out, "/chat/completions");
}

/* --- the request -------------------------------------------------------------------------------- */

static void put_message(struct json_writer *w, const char *role, struct str content)
{
	jw_object(w);
	jw_put_text(w, "role", str_of(role));
	jw_put_text(w, "content", content);
	jw_object_end(w);
}

static void put_model_turn(struct json_writer *w, const struct model_turn *turn)
{
	jw_object(w);
	jw_put_text(w, "role", STR("assistant"));
	jw_put_text(w, "content", turn->text.n > 0 || turn->calls == 0 ? turn->text : STR_NONE);
	if (turn->calls > 0) {
		jw_key(w, "tool_calls");
		jw_array(w);
	}
	for (size_t i = 0; i < turn->calls; i++) {
		jw_object(w);
		wire_put_id(w, "id", turn->call[i].id, i);
		jw_put_text(w, "type", STR("function"));
		jw_key(w, "function");
		jw_object(w);
		jw_put_text(w, "name", turn->call[i].name);
		jw_put_text(w, "arguments", turn->call[i].arguments);
		jw_object_end(w);
		jw_object_end(w);
	}
	if (turn->calls > 0)
		jw_array_end(w);
	jw_object_end(w);
}

/* Each result is a message of its own, and has no place for "it failed". */
static void put_results(struct json_writer *w, const struct model_turn *turn)
{
	for (size_t i = 0; i < turn->results; i++) {
		jw_object(w);
		jw_put_text(w, "role", STR("tool"));
		wire_put_id(w, "tool_call_id", turn->result[i].id, i);
		jw_put_text(w, "content", turn->result[i].content);
		jw_object_end(w);
	}
}

static void put_messages(struct json_writer *w, const struct model_request *request)
{
	jw_key(w, "messages");
	jw_array(w);
	if (request->system.n > 0)
		put_message(w, "system", request->system);
	for (size_t i = 0; i < request->turns; i++) {
		const struct model_turn *turn = &request->turn[i];

		if (turn->who == MODEL_USER)
			put_message(w, "user", turn->text);
		else if (turn->who == MODEL_MODEL)
			put_model_turn(w, turn);
		else
			put_results(w, turn);
	}
	jw_array_end(w);
}

static void put_tools(struct json_writer *w, const struct model_request *request)
{
	if (request->tools == 0)
		return;
	jw_key(w, "tools");
	jw_array(w);
	for (size_t i = 0; i < request->tools; i++) {
		jw_object(w);
		jw_put_text(w, "type", STR("function"));
		jw_key(w, "function");
		jw_object(w);
		jw_put_text(w, "name", request->tool[i].name);
		jw_put_text(w, "description", request->tool[i].description);
		wire_put_schema(w, "parameters", request->tool[i].parameters);
		jw_object_end(w);
		jw_object_end(w);
	}
	jw_array_end(w);
}

static void put_format(struct json_writer *w, const struct model_request *request)
{
	if (!request->json)
		return;
	jw_key(w, "response_format");
	jw_object(w);
	jw_put_text(w, "type", request->schema ? STR("json_schema") : STR("json_object"));
	if (request->schema) {
		jw_key(w, "json_schema");
		jw_object(w);
		jw_put_text(w, "name", STR("answer"));
		wire_put_schema(w, "schema", request->schema);
		jw_object_end(w);
	}
	jw_object_end(w);
}

/* The counts of tokens come in a stream for those only who ask. */
static void put_stream(struct json_writer *w)
{
	jw_put_bool(w, "stream", true);
	jw_key(w, "stream_options");
	jw_object(w);
	jw_put_bool(w, "include_usage", true);
	jw_object_end(w);
}

static void body(const struct model_request *request, bool stream, struct json_writer *w)
{
	jw_object(w);
	jw_put_text(w, "model", request->model);
	put_messages(w, request);
	put_tools(w, request);
	wire_put_temperature(w, request->temperature, TEMPERATURE_MAX);
	/* OpenAI's newer models refuse the older name, and others don't know the newer one. */
	if (request->max_output_tokens.set)
		jw_put_int(w, request->look_alike ? "max_tokens" : "max_completion_tokens",
			   request->max_output_tokens.v);
	put_format(w, request);
	if (stream)
		put_stream(w);
	jw_object_end(w);
}

/* --- the answer --------------------------------------------------------------------------------- */

/*
 * A part of a call: its first has an id and a name, the later ones the number only. Servers that send calls whole leave
 * the number out.
 */
static enum err read_call(struct wire_reading *r, const json_t *part)
{
	const json_t *function = json_member(part, "function");
	struct str id = json_member_text(part, "id"), name = json_member_text(function, "name");
	int64_t index = (int64_t)r->calls;
	struct wire_call *call;

	if (!json_integer_of(json_member(part, "index"), &index) && id.n == 0 && r->calls > 0)
		index = r->call[r->calls - 1].index;
	call = wire_read_call_at(r, index);
	if (!call)
		TRY(wire_read_call(r, id, name, index, &call));
	return wire_read_arguments(r, call, json_member_text(function, "arguments"));
}

static void finish(struct wire_reading *r, struct str reason)
{
	static const struct finish_word WORDS[] = {
		{ STR("stop"), MODEL_STOP, false },
		{ STR("length"), MODEL_LENGTH, false },
		{ STR("content_filter"), MODEL_SAFETY, false },
		{ STR("tool_calls"), MODEL_TOOLS, false },
	};

	wire_read_finish(r, reason, WORDS, ARRAY_SIZE(WORDS));
}

/* The message of a whole answer and the delta of a chunk have the same members. */
static enum err read_message(struct wire_reading *r, const json_t *json, const char *member)
{
	const json_t *choice = json_item(json_member(json, "choices"), 0);
	const json_t *message = json_member(choice, member);
	const json_t *calls = json_member(message, "tool_calls");
	const json_t *usage = json_member(json, "usage");

	wire_read_model(r, json_member_text(json, "model"));
	wire_read_count(&r->tokens_in, json_member(usage, "prompt_tokens"));
	wire_read_count(&r->tokens_out, json_member(usage, "completion_tokens"));
	TRY(wire_read_text(r, json_member_text(message, "content")));
	for (size_t i = 0; i < json_length(calls); i++)
		TRY(read_call(r, json_item(calls, i)));
	finish(r, json_member_text(choice, "finish_reason"));
	/* The model's own refusal, in words of its own: they are no answer to what was asked. */
	if (json_member_text(message, "refusal").n > 0)
		r->finish = MODEL_SAFETY;
	return OK;
}

static enum err whole(struct wire_reading *r, const json_t *json)
{
	if (json_length(json_member(json, "choices")) == 0)
		return ERR_AI_ANSWER_UNREADABLE;
	return read_message(r, json, "message");
}

static enum err event(struct wire_reading *r, const json_t *json)
{
	/* A server that doesn't know streams answers whole. */
	if (json_member(json_item(json_member(json, "choices"), 0), "message"))
		return read_message(r, json, "message");
	return read_message(r, json, "delta");
}

const struct wire MODEL_WIRE_OPENAI = { "openai", path, body, whole, event };
