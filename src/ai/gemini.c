/* Gemini's REST API: models/{model}:generateContent and :streamGenerateContent, version v1beta. */
#include "ai/wire.h"
#include "base/json_read.h"

enum { TEMPERATURE_MAX = 200 };

static void path(const struct model_request *request, bool stream, struct buf *out)
{
	struct str model = request->model;

	if (str_starts(model, STR("models/")))
		model = str_slice(model, 7, SIZE_MAX);
	buf_add_c(out, "/models/");
	buf_add_percent(out, model);
	buf_add_c(out, stream ? ":streamGenerateContent?alt=sse" : ":generateContent");
}

/* --- the request -------------------------------------------------------------------------------- */

static void put_text_part(struct json_writer *w, struct str text)
{
	if (text.n == 0)
		return;
	jw_object(w);
	jw_put_text(w, "text", text);
	jw_object_end(w);
}

static void put_call(struct json_writer *w, const struct model_call *call)
{
	jw_object(w);
	jw_key(w, "functionCall");
	jw_object(w);
	if (!str_absent(call->id))
		jw_put_text(w, "id", call->id);
	jw_put_text(w, "name", call->name);
	jw_put_raw(w, "args", call->arguments);
	jw_object_end(w);
	if (!str_absent(call->signature))
		jw_put_text(w, "thoughtSignature", call->signature);
	jw_object_end(w);
}

/* The response is an object by the format; "output" and "error" are the names that it gives a meaning to. */
static void put_result(struct json_writer *w, const struct model_result *result)
{
	jw_object(w);
	jw_key(w, "functionResponse");
	jw_object(w);
	if (!str_absent(result->id))
		jw_put_text(w, "id", result->id);
	jw_put_text(w, "name", result->name);
	jw_key(w, "response");
	jw_object(w);
	jw_put_text(w, result->failed ? "error" : "output", result->content);
	jw_object_end(w);
	jw_object_end(w);
	jw_object_end(w);
}

static void put_turn(struct json_writer *w, const struct model_turn *turn)
{
	jw_object(w);
	jw_put_text(w, "role", turn->who == MODEL_MODEL ? STR("model") : STR("user"));
	jw_key(w, "parts");
	jw_array(w);
	put_text_part(w, turn->text);
	for (size_t i = 0; i < turn->calls; i++)
		put_call(w, &turn->call[i]);
	for (size_t i = 0; i < turn->results; i++)
		put_result(w, &turn->result[i]);
	jw_array_end(w);
	jw_object_end(w);
}

static void put_tools(struct json_writer *w, const struct model_request *request)
{
	if (request->tools == 0)
		return;
	jw_key(w, "tools");
	jw_array(w);
	jw_object(w);
	jw_key(w, "functionDeclarations");
	jw_array(w);
	for (size_t i = 0; i < request->tools; i++) {
		jw_object(w);
		jw_put_text(w, "name", request->tool[i].name);
		jw_put_text(w, "description", request->tool[i].description);
		wire_put_schema(w, "parametersJsonSchema", request->tool[i].parameters);
		jw_object_end(w);
	}
	jw_array_end(w);
	jw_object_end(w);
	jw_array_end(w);
}

/* Not every model takes tools and a type of answer together; the tools matter more. */
static void put_config(struct json_writer *w, const struct model_request *request)
{
	jw_key(w, "generationConfig");
	jw_object(w);
	wire_put_temperature(w, request->temperature, TEMPERATURE_MAX);
	if (request->max_output_tokens.set)
		jw_put_int(w, "maxOutputTokens", request->max_output_tokens.v);
	if (request->json && request->tools == 0) {
		jw_put_text(w, "responseMimeType", STR("application/json"));
		if (request->schema)
			wire_put_schema(w, "responseJsonSchema", request->schema);
	}
	jw_object_end(w);
}

static void body(const struct model_request *request, bool stream, struct json_writer *w)
{
	(void)stream;
	jw_object(w);
	if (request->system.n > 0) {
		jw_key(w, "systemInstruction");
		jw_object(w);
		jw_key(w, "parts");
		jw_array(w);
		put_text_part(w, request->system);
		jw_array_end(w);
		jw_object_end(w);
	}
	jw_key(w, "contents");
	jw_array(w);
	for (size_t i = 0; i < request->turns; i++)
		put_turn(w, &request->turn[i]);
	jw_array_end(w);
	put_tools(w, request);
	put_config(w, request);
	jw_object_end(w);
}

/* --- the answer --------------------------------------------------------------------------------- */

static enum err read_part(struct wire_reading *r, const json_t *part)
{
	const json_t *function = json_member(part, "functionCall");
	struct str signature = json_member_text(part, "thoughtSignature");
	struct wire_call *call;
	bool thought = false;

	if (json_bool_of(json_member(part, "thought"), &thought) && thought)
		return OK;
	TRY(wire_read_text(r, json_member_text(part, "text")));
	if (!function)
		return OK;
	TRY(wire_read_call(r, json_member_text(function, "id"), json_member_text(function, "name"),
			   -1, &call));
	if (!str_absent(signature))
		buf_add_str(&call->signature, signature);
	if (buf_error(&call->signature) != OK)
		return ERR_AI_ANSWER_UNREADABLE;
	return wire_read_argument_tree(r, call, json_member(function, "args"));
}

/* What it thought is billed as output. */
static void read_counts(struct wire_reading *r, const json_t *usage)
{
	struct opt_int text = { 0 }, thoughts = { 0 };

	wire_read_count(&r->tokens_in, json_member(usage, "promptTokenCount"));
	wire_read_count(&text, json_member(usage, "candidatesTokenCount"));
	wire_read_count(&thoughts, json_member(usage, "thoughtsTokenCount"));
	if (text.set || thoughts.set)
		r->tokens_out = (struct opt_int){ .set = true, .v = text.v + thoughts.v };
}

static void finish(struct wire_reading *r, struct str reason)
{
	static const struct finish_word WORDS[] = {
		{ STR("STOP"), MODEL_STOP, false },
		{ STR("MAX_TOKENS"), MODEL_LENGTH, false },
		{ STR("SAFETY"), MODEL_SAFETY, false },
		{ STR("RECITATION"), MODEL_SAFETY, false },
		{ STR("BLOCKLIST"), MODEL_SAFETY, false },
		{ STR("PROHIBITED_CONTENT"), MODEL_SAFETY, false },
		{ STR("SPII"), MODEL_SAFETY, false },
		{ STR("MALFORMED_FUNCTION_CALL"), MODEL_STOP, true },
		{ STR("UNEXPECTED_TOOL_CALL"), MODEL_STOP, true },
		{ STR("TOO_MANY_TOOL_CALLS"), MODEL_STOP, true },
		{ STR("OTHER"), MODEL_STOP, true },
	};

	wire_read_finish(r, reason, WORDS, ARRAY_SIZE(WORDS));
}

/* A chunk of a stream has the shape of a whole answer. */
static enum err read_answer(struct wire_reading *r, const json_t *json)
{
	const json_t *candidate = json_item(json_member(json, "candidates"), 0);
	const json_t *parts = json_member(json_member(candidate, "content"), "parts");
	struct str block = json_member_text(json_member(json, "promptFeedback"), "blockReason");

	wire_read_model(r, json_member_text(json, "modelVersion"));
	read_counts(r, json_member(json, "usageMetadata"));
	for (size_t i = 0; i < json_length(parts); i++)
		TRY(read_part(r, json_item(parts, i)));
	finish(r, json_member_text(candidate, "finishReason"));
	if (!str_absent(block)) {
		r->finished = true;
		r->finish = MODEL_SAFETY;
	}
	return OK;
}

static enum err whole(struct wire_reading *r, const json_t *json)
{
	if (!json_member(json, "candidates") && !json_member(json, "promptFeedback"))
		return ERR_AI_ANSWER_UNREADABLE;
	return read_answer(r, json);
}

const struct wire MODEL_WIRE_GEMINI = { "gemini", path, body, whole, read_answer };
