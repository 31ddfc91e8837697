/* One jq program per config: each expression stands in brackets of its own, each literal is a string of JSON. */
#include "base/buf.h"
#include "base/json_write.h"
#include "expr/expr.h"
#include "flow/config.h"
#include "flow/draft.h"
#include "flow/scan.h"

/* An expression stands for one value: none is null, and of several nobody could say which is meant. */
static const struct str PRELUDE =
	STR("def _one(f): [limit(2; f)] | if length > 1 then error(\"the expression yields more than one value\") "
	    "else .[0] end; ");

static bool holds_code(const json_t *value)
{
	if (json_is_kind(value, JSON_STRING))
		return text_is_template(json_text(value));
	for (size_t i = 0; json_is_kind(value, JSON_ARRAY) && i < json_length(value); i++)
		if (holds_code(json_item(value, i)))
			return true;
	for (void *i = json_first(value); i; i = json_next(value, i))
		if (holds_code(json_iter_value(i)))
			return true;
	return false;
}

/* A comment at its end goes no further than the line. */
static void add_code(struct buf *out, struct str code)
{
	buf_add_c(out, "_one(");
	buf_add_str(out, str_trim(code));
	buf_add_c(out, "\n)");
}

/* The inside of a string: of JSON's escapes, jq knows all. */
static void add_literal(struct buf *out, struct str literal)
{
	BUF_AUTO struct buf text = { 0 };

	buf_init(&text, EXPR_PROGRAM_MAX);
	json_escape(&text, literal);
	if (buf_error(&text) == OK)
		buf_add(out, text.p + 1, text.n - 2);
	else
		out->error = buf_error(&text);
}

static void add_template(struct buf *out, struct str text)
{
	struct str only = text_only_code(text), rest = text;
	struct text_piece piece;
	const char *why;

	if (!str_absent(only)) {
		add_code(out, only);
		return;
	}
	buf_add_char(out, '"');
	while (text_next(&rest, &piece, &why)) {
		add_literal(out, piece.literal);
		if (str_absent(piece.code))
			continue;
		buf_add_c(out, "\\(");
		add_code(out, piece.code);
		buf_add_char(out, ')');
	}
	buf_add_char(out, '"');
}

static void add_key(struct buf *out, struct str key, bool *comma)
{
	if (*comma)
		buf_add_char(out, ',');
	*comma = true;
	json_escape(out, key);
	buf_add_char(out, ':');
}

static void add_value(struct buf *out, const json_t *value)
{
	struct json_writer w;
	bool comma = false;

	if (json_is_kind(value, JSON_STRING)) {
		add_template(out, json_text(value));
	} else if (json_is_kind(value, JSON_ARRAY)) {
		buf_add_char(out, '[');
		for (size_t i = 0; i < json_length(value); i++) {
			buf_add_c(out, i > 0 ? "," : "");
			add_value(out, json_item(value, i));
		}
		buf_add_char(out, ']');
	} else if (json_is_kind(value, JSON_OBJECT)) {
		buf_add_char(out, '{');
		for (void *i = json_first(value); i; i = json_next(value, i)) {
			add_key(out, json_iter_key(i), &comma);
			add_value(out, json_iter_value(i));
		}
		buf_add_char(out, '}');
	} else {
		/* A negative number is an operator and a number. */
		buf_add_char(out, '(');
		jw_start(&w, out);
		jw_add_tree(&w, value);
		buf_add_char(out, ')');
	}
}

static void add_text(struct buf *out, struct str text) { json_escape(out, text); }

static void add_cases(struct buf *out, const json_t *cases)
{
	buf_add_char(out, '(');
	for (size_t i = 0; i < json_length(cases); i++) {
		buf_add_c(out, i > 0 ? " elif " : "if ");
		add_code(out, json_member_text(json_item(cases, i), "when"));
		buf_add_c(out, " then ");
		add_text(out, json_member_text(json_item(cases, i), "branch"));
	}
	buf_add_c(out, " else null end)");
}

static void add_member(struct buf *out, enum config_kind kind, const json_t *value)
{
	struct json_writer w;

	if (json_is_kind(value, JSON_NULL)) {
		buf_add_c(out, "null");
	} else if (kind == CONFIG_EXPRESSION) {
		add_code(out, json_text(value));
	} else if (kind == CONFIG_CASES) {
		add_cases(out, value);
	} else if (kind == CONFIG_TEMPLATE || kind == CONFIG_VALUE || kind == CONFIG_MAP) {
		add_value(out, value);
	} else {
		jw_start(&w, out);
		jw_add_tree(&w, value);
	}
}

static bool needs_program(const struct flow_step *step)
{
	const struct config_member *m = NULL;

	while ((m = config_member_next(step->type, m))) {
		const json_t *value = json_member(step->config, m->name);
		bool texts = m->kind == CONFIG_TEMPLATE || m->kind == CONFIG_VALUE || m->kind == CONFIG_MAP;

		if (value &&
		    (m->kind == CONFIG_EXPRESSION || m->kind == CONFIG_CASES || (texts && holds_code(value))))
			return true;
	}
	return false;
}

enum err config_program(struct arena *arena, const struct flow_step *step, struct str *ret_program)
{
	BUF_AUTO struct buf out = { 0 };
	bool comma = false;

	*ret_program = STR_NONE;
	if (!needs_program(step))
		return OK;
	buf_init(&out, EXPR_PROGRAM_MAX);
	buf_add_str(&out, PRELUDE);
	buf_add_char(&out, '{');
	for (void *i = json_first(step->config); i; i = json_next(step->config, i)) {
		const struct config_member *m = config_member_find(step->type, json_iter_key(i));

		if (!m || m->kind == CONFIG_STEP_BODY)
			continue;
		add_key(&out, json_iter_key(i), &comma);
		add_member(&out, m->kind, json_iter_value(i));
	}
	buf_add_char(&out, '}');
	TRY(buf_error(&out));
	*ret_program = arena_copy(arena, buf_str(&out));
	return str_absent(*ret_program) ? ERR_NO_MEMORY : OK;
}
