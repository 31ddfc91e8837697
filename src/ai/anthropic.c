/* Anthropic's messages, version 2023-06-01. */
#include "ai/wire.h"
#include "base/json_read.h"

enum { TEMPERATURE_MAX = 100 };

static void path(const struct model_request *request, bool stream, struct buf *out)
{
	(void)request;
	(void)stream;
	buf_add_c(out, "/messages");
}

/* --- the request -------------------------------------------------------------------------------- */

/* Empty texts are refused. */
static void put_text_block(struct json_writer *w, struct str text)
{
	if (text.n == 0)
		return;
	jw_object(w);
	jw_put_text(w, "type", STR("text"));
	jw_put_text(w, "text", text);
	jw_object_end(w);
}

static void put_call(struct json_writer *w, const struct model_call *call, size_t n)
{
	jw_object(w);
	jw_put_text(w, "type", STR("tool_use"));
	wire_put_id(w, "id", call->id, n);
	jw_put_text(w, "name", call->name);
	jw_put_raw(w, "input", call->arguments);
	jw_object_end(w);
}

static void put_result(struct json_writer *w, const struct model_result *result, size_t n)
{
	jw_object(w);
	jw_put_text(w, "type", STR("tool_result"));
	wire_put_id(w, "tool_use_id", result->id, n);
	jw_put_text(w, "content", result->content);
	if (result->failed)
		jw_put_bool(w, "is_error", true);
	jw_object_end(w);
}

static void put_turn(struct json_writer *w, const struct model_turn *turn)
{
	jw_object(w);
	jw_put_text(w, "role", turn->who == MODEL_MODEL ? STR("assistant") : STR("user"));
	jw_key(w, "content");
	jw_array(w);
	for (size_t i = 0; i < turn->results; i++)
		put_result(w, &turn->result[i], i);
	put_text_block(w, turn->text);
	for (size_t i = 0; i < turn->calls; i++)
		put_call(w, &turn->call[i], i);
	jw_array_end(w);
	jw_object_end(w);
}

static void put_tool(struct json_writer *w, struct str name, struct str description,
		     const json_t *schema)
{
	jw_object(w);
	jw_put_text(w, "name", name);
	jw_put_text(w, "description", description);
	wire_put_schema(w, "input_schema", schema);
	jw_object_end(w);
}

static void put_tools(struct json_writer *w, const struct model_request *request)
{
	bool answers = request->json && request->tools == 0;

	if (!answers && request->tools == 0)
		return;
	jw_key(w, "tools");
	jw_array(w);
	for (size_t i = 0; i < request->tools; i++)
		put_tool(w, request->tool[i].name, request->tool[i].description,
			 request->tool[i].parameters);
	if (answers)
		put_tool(w, STR(ANSWER_TOOL), STR("Takes the answer."), request->schema);
	jw_array_end(w);
	if (!answers)
		return;
	jw_key(w, "tool_choice");
	jw_object(w);
	jw_put_text(w, "type", STR("tool"));
	jw_put_text(w, "name", STR(ANSWER_TOOL));
	jw_object_end(w);
}

static void body(const struct model_request *request, bool stream, struct json_writer *w)
{
	jw_object(w);
	jw_put_text(w, "model", request->model);
	jw_put_int(w, "max_tokens",
		   request->max_output_tokens.set ? request->max_output_tokens.v
						  : MODEL_OUTPUT_TOKENS);
	if (request->system.n > 0)
		jw_put_text(w, "system", request->system);
	jw_key(w, "messages");
	jw_array(w);
	for (size_t i = 0; i < request->turns; i++)
		put_turn(w, &request->turn[i]);
	jw_array_end(w);
	put_tools(w, request);
	wire_put_temperature(w, request->temperature, TEMPERATURE_MAX);
	if (stream)
		jw_put_bool(w, "stream", true);
	jw_object_end(w);
}

/* --- the answer --------------------------------------------------------------------------------- */

static enum err read_block(struct wire_reading *r, const json_t *block, int64_t index)
{
	struct str type = json_member_text(block, "type");
	struct wire_call *call;

	if (str_eq(type, STR("text")))
		return wire_read_text(r, json_member_text(block, "text"));
	if (!str_eq(type, STR("tool_use")))
		return OK;
	TRY(wire_read_call(r, json_member_text(block, "id"), json_member_text(block, "name"), index,
			   &call));
	/* Where a stream begins a block, its input is an empty object that the real one follows. */
	if (json_length(json_member(block, "input")) == 0)
		return OK;
	return wire_read_argument_tree(r, call, json_member(block, "input"));
}

/* Tokens that were read from or written to the provider's cache are input as well. */
static void read_counts(struct wire_reading *r, const json_t *usage)
{
	struct opt_int fresh = { 0 }, read = { 0 }, written = { 0 };

	wire_read_count(&fresh, json_member(usage, "input_tokens"));
	wire_read_count(&read, json_member(usage, "cache_read_input_tokens"));
	wire_read_count(&written, json_member(usage, "cache_creation_input_tokens"));
	if (fresh.set)
		r->tokens_in = (struct opt_int){ .set = true, .v = fresh.v + read.v + written.v };
	wire_read_count(&r->tokens_out, json_member(usage, "output_tokens"));
}

static void finish(struct wire_reading *r, struct str reason)
{
	static const struct finish_word WORDS[] = {
		{ STR("end_turn"), MODEL_STOP, false },
		{ STR("stop_sequence"), MODEL_STOP, false },
		{ STR("max_tokens"), MODEL_LENGTH, false },
		{ STR("model_context_window_exceeded"), MODEL_LENGTH, false },
		{ STR("tool_use"), MODEL_TOOLS, false },
		{ STR("refusal"), MODEL_SAFETY, false },
	};

	wire_read_finish(r, reason, WORDS, ARRAY_SIZE(WORDS));
}

static enum err whole(struct wire_reading *r, const json_t *json)
{
	const json_t *content = json_member(json, "content");

	if (!json_is_kind(content, JSON_ARRAY))
		return ERR_AI_ANSWER_UNREADABLE;
	wire_read_model(r, json_member_text(json, "model"));
	read_counts(r, json_member(json, "usage"));
	for (size_t i = 0; i < json_length(content); i++)
		TRY(read_block(r, json_item(content, i), (int64_t)i));
	finish(r, json_member_text(json, "stop_reason"));
	return OK;
}

static enum err read_delta(struct wire_reading *r, const json_t *delta, int64_t index)
{
	struct str part = json_member_text(delta, "partial_json");
	struct wire_call *call;

	if (str_absent(part))
		return wire_read_text(r, json_member_text(delta, "text"));
	call = wire_read_call_at(r, index);
	/* None for a tool that the provider runs itself. */
	return call ? wire_read_arguments(r, call, part) : OK;
}

/* Kinds that aren't known are none of ours: the format grows by them. */
static enum err event(struct wire_reading *r, const json_t *json)
{
	struct str type = json_member_text(json, "type");
	const json_t *message = json_member(json, "message");
	int64_t index = -1;

	if (!json_integer_of(json_member(json, "index"), &index))
		index = -1;
	if (str_eq(type, STR("message")))
		return whole(r, json);
	if (str_eq(type, STR("message_start"))) {
		wire_read_model(r, json_member_text(message, "model"));
		read_counts(r, json_member(message, "usage"));
	} else if (str_eq(type, STR("content_block_start"))) {
		return read_block(r, json_member(json, "content_block"), index);
	} else if (str_eq(type, STR("content_block_delta"))) {
		return read_delta(r, json_member(json, "delta"), index);
	} else if (str_eq(type, STR("message_delta"))) {
		read_counts(r, json_member(json, "usage"));
		finish(r, json_member_text(json_member(json, "delta"), "stop_reason"));
	} else if (str_eq(type, STR("message_stop"))) {
		r->finished = r->over = true;
	}
	return OK;
}

const struct wire MODEL_WIRE_ANTHROPIC = { "anthropic", path, body, whole, event };
