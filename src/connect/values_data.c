/* What a user filled in, as the data of a credential. */
#include <string.h>

#include "base/json_read.h"
#include "base/json_write.h"
#include "connect/pattern.h"
#include "connect/spelling.h"
#include "connect/values.h"
#include "vault/types.h"

enum { NUMBER_DIGITS_MAX = 18 };

struct writing {
	struct ctx *cx;
	const struct connector_type *type;
	const struct auth_way *way;
	const json_t *config;
	enum credential_type credential;
	struct json_writer out;
};

static enum err bad(struct writing *w, struct str field, const char *code, const char *words)
{
	struct str place = arena_printf(w->cx->arena, "config.%.*s", STR_ARG(field));

	return str_absent(place) ? ERR_NO_MEMORY : ctx_bad_field(w->cx, place.p, code, words);
}

/* Keeps on looking after a bad field, so that a person hears of all of them at once. */
static bool goes_on(enum err e, enum err *sum)
{
	if (e != OK)
		*sum = e;
	return e == OK || e == ERR_BAD_INPUT;
}

/* --- what was filled in --------------------------------------------------------------- */

/* NULL when it is absent, null, or an empty text: a form sends those for what wasn't filled in. */
static const json_t *given(const struct writing *w, const struct connector_field *field)
{
	const json_t *value = json_member(w->config, field->name.p);
	bool nothing = json_is_kind(value, JSON_NULL) ||
		       (json_is_kind(value, JSON_STRING) && json_text(value).n == 0);

	return nothing ? NULL : value;
}

static bool is_file(const struct connector_field *field) { return str_eq(field->member, STR("*")); }

static struct str in_extra(struct str member)
{
	return str_starts(member, STR("extra.")) ? str_slice(member, 6, SIZE_MAX) : STR_NONE;
}

/* --- checks ---------------------------------------------------------------------------- */

static enum err check_names(struct writing *w)
{
	enum err sum = OK;

	for (void *i = json_first(w->config); i; i = json_next(w->config, i)) {
		const struct connector_field *field = connector_field(w->type, json_iter_key(i));

		if ((!field || !connector_asks(w->way, field)) &&
		    !goes_on(bad(w, json_iter_key(i), "UNKNOWN_FIELD",
				 "this way to connect has no such field"),
			     &sum))
			return sum;
	}
	return sum;
}

static enum err check_text(struct writing *w, const struct connector_field *field, struct str text)
{
	const struct placeholder *placeholder = connector_placeholder(w->type, field->name);

	if (!spelling_is_words(text, field->multiline))
		return bad(w, field->name, "BAD_FORMAT", "must not hold control characters");
	if (field->choices.n > 0 && !texts_have(&field->choices, text))
		return bad(w, field->name, "NOT_ALLOWED", "isn't one of the choices");
	if (!pattern_holds(field->pattern, text) ||
	    (placeholder && !pattern_holds(placeholder->pattern, text)))
		return bad(w, field->name, "BAD_FORMAT", "doesn't look right");
	return OK;
}

static bool is_number(struct str text)
{
	uint64_t number;

	return text.n <= NUMBER_DIGITS_MAX && str_to_u64(text, &number);
}

static enum err check_field(struct writing *w, const struct connector_field *field)
{
	char number[JSON_SCALAR_MAX];
	const json_t *value = given(w, field);
	struct str text = json_scalar_text(value, number);

	if (!value)
		return field->required && str_absent(field->default_value)
			       ? bad(w, field->name, "REQUIRED", "is missing")
			       : OK;
	if (is_file(field))
		return json_is_kind(value, JSON_OBJECT) || json_is_kind(value, JSON_STRING)
			       ? OK
			       : bad(w, field->name, "WRONG_TYPE",
				     "must be a JSON object, or its text");
	if (str_absent(text))
		return bad(w, field->name, "WRONG_TYPE", "must be a text");
	if (field->integer && !is_number(text))
		return bad(w, field->name, "WRONG_TYPE", "must be a whole number");
	return check_text(w, field, text);
}

static enum err check_all(struct writing *w)
{
	enum err sum = OK;

	if (!goes_on(check_names(w), &sum))
		return sum;
	for (size_t i = 0; i < w->type->fields; i++)
		if (connector_asks(w->way, &w->type->field[i]) &&
		    !goes_on(check_field(w, &w->type->field[i]), &sum))
			return sum;
	return sum;
}

/* --- writing ------------------------------------------------------------------------------- */

/* A text as the credential's member wants it: a number, a boolean, else a text. */
static void add_value(struct writing *w, const struct connector_field *field, struct str member,
		      struct str text)
{
	const struct vault_member *m =
		str_absent(in_extra(member)) ? vault_member_find(w->credential, member) : NULL;
	uint64_t number;

	if ((field ? field->integer : false) || (m && m->kind == MEMBER_INT)) {
		if (text.n <= NUMBER_DIGITS_MAX && str_to_u64(text, &number)) {
			jw_add_int(&w->out, (int64_t)number);
			return;
		}
	}
	if (m && m->kind == MEMBER_BOOL &&
	    (str_eq(text, STR("true")) || str_eq(text, STR("false"))))
		jw_add_bool(&w->out, str_eq(text, STR("true")));
	else
		jw_add_text(&w->out, text);
}

static void add_field(struct writing *w, const struct connector_field *field, struct str key)
{
	char number[JSON_SCALAR_MAX];
	struct str text = json_scalar_text(given(w, field), number);

	if (str_absent(text))
		text = field->default_value;
	if (str_absent(text))
		return;
	jw_key_str(&w->out, key);
	add_value(w, field, field->member, text);
}

/* Whether another field, or the way itself, says that member: a key file doesn't replace it. */
static bool is_said(const struct writing *w, struct str member)
{
	for (size_t i = 0; i < w->type->fields; i++)
		if (connector_asks(w->way, &w->type->field[i]) &&
		    str_eq(w->type->field[i].member, member))
			return true;
	for (size_t i = 0; i < w->way->data.n; i++)
		if (str_eq(w->way->data.v[i].name, member))
			return true;
	return str_eq(member, STR("extra"));
}

static enum err add_file(struct writing *w, const struct connector_field *field)
{
	const json_t *value = given(w, field);
	json_t *object = NULL;

	if (json_is_kind(value, JSON_STRING)) {
		enum err e = json_read(w->cx->arena, json_text(value), &object, NULL);

		if (e == ERR_BAD_JSON || (e == OK && !json_is_kind(object, JSON_OBJECT)))
			return bad(w, field->name, "BAD_FORMAT",
				   "must be the text of a JSON object");
		TRY(e);
		value = object;
	}
	for (void *i = json_first(value); i; i = json_next(value, i)) {
		if (is_said(w, json_iter_key(i)))
			continue;
		jw_key_str(&w->out, json_iter_key(i));
		jw_add_tree(&w->out, json_iter_value(i));
	}
	return OK;
}

static enum err write_members(struct writing *w)
{
	for (size_t i = 0; i < w->way->data.n; i++) {
		jw_key_str(&w->out, w->way->data.v[i].name);
		add_value(w, NULL, w->way->data.v[i].name, w->way->data.v[i].value);
	}
	for (size_t i = 0; i < w->type->fields; i++) {
		const struct connector_field *field = &w->type->field[i];

		if (!connector_asks(w->way, field))
			continue;
		if (is_file(field))
			TRY(add_file(w, field));
		else if (str_absent(in_extra(field->member)))
			add_field(w, field, field->member);
	}
	return OK;
}

static void write_extra(struct writing *w)
{
	jw_key(&w->out, "extra");
	jw_object(&w->out);
	for (size_t i = 0; i < w->type->fields; i++) {
		const struct connector_field *field = &w->type->field[i];

		if (connector_asks(w->way, field) && !str_absent(in_extra(field->member)))
			add_field(w, field, in_extra(field->member));
	}
	jw_object_end(&w->out);
}

enum err values_to_data(struct ctx *cx, const struct connector_type *type,
			const struct auth_way *way, const json_t *config, struct buf *data)
{
	struct writing w = { .cx = cx, .type = type, .way = way, .config = config };

	if (!vault_type_parse(way->credential, &w.credential))
		return ERR_INTERNAL;
	if (!json_is_kind(config, JSON_OBJECT))
		return ctx_bad_field(cx, "config", "WRONG_TYPE", "must be an object");
	TRY(check_all(&w));
	jw_start(&w.out, data);
	jw_object(&w.out);
	TRY(write_members(&w));
	write_extra(&w);
	jw_object_end(&w.out);
	return buf_error(data);
}
