#include "ai/model.h"

#include <string.h>

#include "ai/wire.h"
#include "base/json_read.h"

const struct wire *model_wire_at(enum model_wire wire)
{
	static const struct wire *const WIRES[] = {
		[MODEL_GEMINI] = &MODEL_WIRE_GEMINI,
		[MODEL_OPENAI] = &MODEL_WIRE_OPENAI,
		[MODEL_ANTHROPIC] = &MODEL_WIRE_ANTHROPIC,
	};

	return WIRES[wire];
}

const char *model_finish_text(enum model_finish finish)
{
	static const char *const TEXTS[] = { [MODEL_STOP] = "stop",
					     [MODEL_LENGTH] = "length",
					     [MODEL_SAFETY] = "safety",
					     [MODEL_TOOLS] = "tool" };

	return TEXTS[finish];
}

struct str model_provider(enum model_wire wire) { return str_of(model_wire_at(wire)->provider); }

bool model_wire_of(struct str provider, enum model_wire *ret_wire)
{
	for (int i = MODEL_GEMINI; i <= MODEL_ANTHROPIC; i++) {
		if (!str_eq(model_provider((enum model_wire)i), provider))
			continue;
		*ret_wire = (enum model_wire)i;
		return true;
	}
	return false;
}

bool model_name_ok(struct str name)
{
	for (size_t i = 0; i < name.n; i++)
		if (!char_is_letter(name.p[i]) && !char_is_digit(name.p[i]) &&
		    !memchr("-._:/@", name.p[i], 6))
			return false;
	return name.n > 0 && name.n <= MODEL_NAME_MAX;
}

/* --- requests ------------------------------------------------------------------------------- */

void model_path(enum model_wire wire, const struct model_request *request, bool stream,
		struct buf *out)
{
	model_wire_at(wire)->path(request, stream, out);
}

void model_body(enum model_wire wire, const struct model_request *request, bool stream,
		struct buf *out)
{
	struct json_writer w;

	jw_start(&w, out);
	model_wire_at(wire)->body(request, stream, &w);
}

void wire_put_temperature(struct json_writer *w, struct opt_int hundredths, int64_t most)
{
	char text[] = "0.00";
	int64_t n = hundredths.v < 0 ? 0 : hundredths.v > most ? most : hundredths.v;

	if (!hundredths.set)
		return;
	text[0] = (char)('0' + n / 100 % 10);
	text[2] = (char)('0' + n / 10 % 10);
	text[3] = (char)('0' + n % 10);
	jw_put_raw(w, "temperature", str_of(text));
}

void wire_put_schema(struct json_writer *w, const char *key, const json_t *schema)
{
	if (!schema) {
		jw_put_raw(w, key, STR("{\"type\":\"object\",\"properties\":{}}"));
		return;
	}
	jw_key(w, key);
	jw_add_tree(w, schema);
}

void wire_put_id(struct json_writer *w, const char *key, struct str id, size_t n)
{
	char number[STR_INT_MAX];
	BUF_AUTO struct buf made = { 0 };

	if (!str_absent(id)) {
		jw_put_text(w, key, id);
		return;
	}
	buf_init(&made, sizeof number + 8);
	buf_add_c(&made, "call_");
	buf_add_str(&made, str_of_int((int64_t)n, number));
	jw_put_text(w, key, buf_str(&made));
}

/* --- whole answers --------------------------------------------------------------------------- */

static enum err read_json(struct arena *arena, struct str body, json_t **ret_json)
{
	enum err e = json_read(arena, body, ret_json, NULL);

	return e == ERR_BAD_JSON ? OK : e;
}

enum err model_read(enum model_wire wire, struct arena *arena, int status, struct str body,
		    struct model_answer *ret_answer, int64_t *ret_wait_s)
{
	struct wire_reading reading;
	json_t *json = NULL;
	enum err e;

	*ret_answer = (struct model_answer){ .text = STR("") };
	*ret_wait_s = -1;
	TRY(read_json(arena, body, &json));
	if (status < 200 || status > 299 || refusal_in(json))
		return refusal_of(status, json, ret_wait_s);
	if (!json_is_kind(json, JSON_OBJECT))
		return ERR_AI_ANSWER_UNREADABLE;
	wire_read_init(&reading, NULL, NULL);
	e = model_wire_at(wire)->whole(&reading, json);
	reading.finished = true; /* it came whole, whether it says how it ended or not */
	if (e == OK)
		e = wire_read_end(&reading, arena, ret_answer);
	wire_read_done(&reading);
	return e;
}
