/*
 * Configs whose expressions only say where a value stands: .input.order.id, .steps["a-b"].rows[0]. Their values are
 * passed on as they are, without latch-expr, and so an integer keeps the digits for which jq's doubles have no room.
 * Whatever jq might see otherwise is left to it: any other code, a fraction, a place in something that has no places.
 */
#include <string.h>

#include "base/json_read.h"
#include "base/json_write.h"
#include "core/answer.h"
#include "flow/config.h"
#include "flow/engine.h"
#include "flow/scan.h"

enum { PLACE_MAX = 9, /* digits of one in an array */ SCRATCH_MAX = 32 << 20, ROOTS_TEXT_MAX = EXECUTION_INPUT_MAX };

/* --- paths -------------------------------------------------------------------------------------------- */

struct part {
	bool is_place;
	int64_t place;   /* in an array; below 0: from its end */
	struct str name; /* of a member */
};

static bool is_name_char(char c, bool first)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (!first && c >= '0' && c <= '9');
}

static bool read_name(struct str *rest, struct part *ret_part)
{
	size_t n = 0;

	while (n < rest->n && is_name_char(rest->p[n], n == 0))
		n++;
	ret_part->name = str_slice(*rest, 0, n);
	*rest = str_slice(*rest, n, rest->n);
	return n > 0;
}

/* Between brackets: "name", without an escape, or a number. */
static bool read_brackets(struct str *rest, struct part *ret_part)
{
	size_t end = str_find(*rest, ']');
	struct str inside = str_slice(*rest, 0, end), digits = inside;
	uint64_t number;

	if (end == rest->n || inside.n == 0)
		return false;
	*rest = str_slice(*rest, end + 1, rest->n);
	if (inside.p[0] == '"') {
		ret_part->name = str_slice(inside, 1, inside.n - 2);
		return inside.n > 2 && inside.p[inside.n - 1] == '"' &&
		       str_find(ret_part->name, '"') == ret_part->name.n &&
		       str_find(ret_part->name, '\\') == ret_part->name.n;
	}
	if (inside.p[0] == '-')
		digits = str_slice(inside, 1, inside.n);
	if (digits.n == 0 || digits.n > PLACE_MAX || !str_to_u64(digits, &number))
		return false;
	ret_part->is_place = true;
	ret_part->place = digits.n < inside.n ? -(int64_t)number : (int64_t)number;
	return true;
}

/* Takes one part off. The first one stands behind a dot of its own, a bracket too. */
static bool read_part(struct str *rest, bool first, struct part *ret_part)
{
	bool dot = rest->n > 0 && rest->p[0] == '.';

	*ret_part = (struct part){ 0 };
	if (dot)
		*rest = str_slice(*rest, 1, rest->n);
	if (rest->n == 0 || (first && !dot))
		return false;
	if (rest->p[0] != '[')
		return dot && read_name(rest, ret_part);
	if (dot && !first)
		return false;
	*rest = str_slice(*rest, 1, rest->n);
	return read_brackets(rest, ret_part);
}

static bool is_path(struct str code)
{
	struct str rest = str_trim(code);
	struct part part;
	bool first = true;

	do {
		if (!read_part(&rest, first, &part) || (first && part.is_place))
			return false;
		first = false;
	} while (rest.n > 0);
	return true;
}

/* --- configs of such paths ----------------------------------------------------------------------------- */

static bool text_is_plain(struct str text)
{
	struct text_piece piece;
	const char *why;

	while (text_next(&text, &piece, &why))
		if (!str_absent(piece.code) && !is_path(piece.code))
			return false;
	return true;
}

static bool value_is_plain(const json_t *value)
{
	if (json_is_kind(value, JSON_STRING))
		return text_is_plain(json_text(value));
	for (size_t i = 0; json_is_kind(value, JSON_ARRAY) && i < json_length(value); i++)
		if (!value_is_plain(json_item(value, i)))
			return false;
	for (void *i = json_first(value); i; i = json_next(value, i))
		if (!value_is_plain(json_iter_value(i)))
			return false;
	return true;
}

static bool has_templates(enum config_kind kind)
{
	return kind == CONFIG_TEMPLATE || kind == CONFIG_VALUE || kind == CONFIG_MAP;
}

bool config_is_plain(const struct flow_step *step)
{
	const struct config_member *m = NULL;

	while ((m = config_member_next(step->type, m))) {
		const json_t *value = json_member(step->config, m->name);

		if (!value || json_is_kind(value, JSON_NULL))
			continue;
		if (m->kind == CONFIG_CASES || (m->kind == CONFIG_EXPRESSION && !is_path(json_text(value))) ||
		    (has_templates(m->kind) && !value_is_plain(value)))
			return false;
	}
	return true;
}

/* --- where paths begin ---------------------------------------------------------------------------------- */

enum root { ROOT_INPUT, ROOT_REQUEST, ROOT_EXECUTION, ROOT_STEPS, ROOTS_MAX = ROOT_STEPS + FLOW_STEPS_MAX };

struct plain {
	const struct execution *x;
	const struct scope_item *item;
	struct arena *arena;
	size_t text; /* bytes that were read: a tree of them is a hundred times as large */
	const json_t *root[ROOTS_MAX]; /* of the steps by their places; NULL: not read yet */
	struct json_writer w;
};

static enum err read_root(struct plain *p, size_t root, struct str text, const json_t **ret_value)
{
	json_t *json = NULL;

	if (!p->root[root]) {
		p->text += text.n;
		text = str_absent(text) ? STR("null") : text;
		if (p->text > ROOTS_TEXT_MAX || json_read(p->arena, text, &json, NULL) != OK)
			return ERR_END;
		p->root[root] = json;
	}
	*ret_value = p->root[root];
	return OK;
}

static enum err read_execution(struct plain *p, const json_t **ret_value)
{
	BUF_AUTO struct buf text = { 0 };
	struct json_writer w;

	buf_init(&text, 4 * ID_TEXT_MAX);
	jw_start(&w, &text);
	scope_execution(p->x, &w);
	TRY(buf_error(&text));
	return read_root(p, ROOT_EXECUTION, buf_str(&text), ret_value);
}

static enum err read_output(struct plain *p, struct str id, const json_t **ret_value)
{
	BUF_AUTO struct buf text = { 0 };
	const struct flow *flow = p->x->flow;
	size_t step = flow_find(flow, id);
	struct json_writer w;

	*ret_value = NULL;
	if (step == flow->n || !step_is_done(&flow->step[step], &p->x->step[step]))
		return OK;
	if (p->x->step[step].status != STEP_FAILED)
		return read_root(p, ROOT_STEPS + step, p->x->step[step].output, ret_value);
	buf_init(&text, EXECUTION_OUTPUT_MAX);
	jw_start(&w, &text);
	scope_output(&w, &p->x->step[step]);
	TRY(buf_error(&text));
	return read_root(p, ROOT_STEPS + step, buf_str(&text), ret_value);
}

/* What the scope's text would have there; NULL: null. */
static enum err begin(struct plain *p, struct str *rest, const json_t **ret_value)
{
	struct part part, of;

	*ret_value = NULL;
	if (!read_part(rest, true, &part))
		return ERR_END;
	if (str_eq(part.name, STR("input")))
		return read_root(p, ROOT_INPUT, p->x->input, ret_value);
	if (str_eq(part.name, STR("request")))
		return read_root(p, ROOT_REQUEST, p->x->request, ret_value);
	if (str_eq(part.name, STR("execution")))
		return read_execution(p, ret_value);
	if (str_eq(part.name, STR("item"))) {
		*ret_value = p->item ? p->item->value : NULL;
		return OK;
	}
	if (!str_eq(part.name, STR("steps")) || !read_part(rest, false, &of) || of.is_place)
		return ERR_END;
	return read_output(p, of.name, ret_value);
}

/* --- what stands there ------------------------------------------------------------------------------------ */

static enum err go_in(struct plain *p, const struct part *part, const json_t **value)
{
	struct str name;
	int64_t n, at;

	if (!*value || json_is_kind(*value, JSON_NULL)) {
		*value = NULL;
		return OK;
	}
	if (part->is_place) {
		if (!json_is_kind(*value, JSON_ARRAY))
			return ERR_END;
		n = (int64_t)json_length(*value);
		at = part->place < 0 ? n + part->place : part->place;
		*value = at >= 0 && at < n ? json_item(*value, (size_t)at) : NULL;
		return OK;
	}
	if (!json_is_kind(*value, JSON_OBJECT))
		return ERR_END;
	name = arena_printf(p->arena, "%.*s", STR_ARG(part->name));
	if (str_absent(name))
		return ERR_NO_MEMORY;
	*value = json_member(*value, name.p);
	return OK;
}

/* A fraction may have several texts, and jq has its own. */
static bool holds_fraction(const json_t *value)
{
	if (json_is_kind(value, JSON_REAL))
		return true;
	for (size_t i = 0; json_is_kind(value, JSON_ARRAY) && i < json_length(value); i++)
		if (holds_fraction(json_item(value, i)))
			return true;
	for (void *i = json_first(value); i; i = json_next(value, i))
		if (holds_fraction(json_iter_value(i)))
			return true;
	return false;
}

static enum err look_up(struct plain *p, struct str code, const json_t **ret_value)
{
	struct str rest = str_trim(code);
	const json_t *value;
	struct part part;

	if (buf_error(p->w.out) != OK)
		return ERR_END;
	TRY(begin(p, &rest, &value));
	while (rest.n > 0) {
		if (!read_part(&rest, false, &part))
			return ERR_END;
		TRY(go_in(p, &part, &value));
	}
	*ret_value = value;
	return holds_fraction(value) ? ERR_END : OK;
}

/* --- the config ---------------------------------------------------------------------------------------------- */

static enum err add_code(struct plain *p, struct str code)
{
	const json_t *value;

	TRY(look_up(p, code, &value));
	if (value)
		jw_add_tree(&p->w, value);
	else
		jw_add_null(&p->w);
	return OK;
}

static enum err add_piece(struct plain *p, struct str code, struct buf *text)
{
	const json_t *value;
	struct str scalar;
	char number[JSON_SCALAR_MAX];

	TRY(look_up(p, code, &value));
	scalar = json_scalar_text(value, number);
	if (!value || json_is_kind(value, JSON_NULL))
		scalar = STR("null");
	if (str_absent(scalar))
		return ERR_END;
	buf_add_str(text, scalar);
	return OK;
}

static enum err add_text(struct plain *p, struct str text)
{
	BUF_AUTO struct buf out = { 0 };
	struct str only = text_only_code(text), rest = text;
	struct text_piece piece;
	const char *why;

	if (!str_absent(only))
		return add_code(p, only);
	buf_init(&out, CONFIG_MAX);
	while (text_next(&rest, &piece, &why)) {
		buf_add_str(&out, piece.literal);
		if (!str_absent(piece.code))
			TRY(add_piece(p, piece.code, &out));
	}
	jw_add_text(&p->w, buf_str(&out));
	return buf_error(&out) == OK ? OK : ERR_END;
}

static enum err add_value(struct plain *p, const json_t *value)
{
	if (json_is_kind(value, JSON_STRING))
		return add_text(p, json_text(value));
	if (json_is_kind(value, JSON_ARRAY)) {
		jw_array(&p->w);
		for (size_t i = 0; i < json_length(value); i++)
			TRY(add_value(p, json_item(value, i)));
		jw_array_end(&p->w);
	} else if (json_is_kind(value, JSON_OBJECT)) {
		jw_object(&p->w);
		for (void *i = json_first(value); i; i = json_next(value, i)) {
			jw_key_str(&p->w, json_iter_key(i));
			TRY(add_value(p, json_iter_value(i)));
		}
		jw_object_end(&p->w);
	} else if (json_is_kind(value, JSON_REAL)) {
		return ERR_END;
	} else {
		jw_add_tree(&p->w, value);
	}
	return OK;
}

static enum err add_config(struct plain *p, const struct flow_step *step)
{
	jw_object(&p->w);
	for (void *i = json_first(step->config); i; i = json_next(step->config, i)) {
		const struct config_member *m = config_member_find(step->type, json_iter_key(i));
		const json_t *value = json_iter_value(i);

		if (!m || m->kind == CONFIG_STEP_BODY)
			continue;
		jw_key_str(&p->w, json_iter_key(i));
		if (m->kind == CONFIG_EXPRESSION && json_is_kind(value, JSON_STRING))
			TRY(add_code(p, json_text(value)));
		else if (has_templates(m->kind))
			TRY(add_value(p, value));
		else
			jw_add_tree(&p->w, value);
	}
	jw_object_end(&p->w);
	return OK;
}

enum err plain_config(const struct execution *x, const struct flow_step *step, const struct scope_item *item,
		      size_t max, struct buf *out)
{
	BUF_AUTO struct buf config = { 0 };
	struct plain p = { .x = x, .item = item, .arena = arena_new(SCRATCH_MAX) };
	enum err e;

	if (!p.arena)
		return ERR_NO_MEMORY;
	buf_init(&config, max);
	jw_start(&p.w, &config);
	e = add_config(&p, step);
	arena_free(p.arena);
	TRY(e);
	/* Too large, or nested too deep: in words of jq's. */
	if (buf_error(&config) != OK || json_check(buf_str(&config)) != OK)
		return ERR_END;
	buf_add_str(out, buf_str(&config));
	return buf_error(out);
}
