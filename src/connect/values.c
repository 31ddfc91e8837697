#include "connect/values.h"

#include <string.h>

#include "base/json_read.h"

/* A PEM key and a few tokens of 32 KiB. */
enum { TEXT_MAX = 192 << 10 };

static const struct str EXTRA = { "extra", 5 };

void values_init(struct values *values)
{
	values->n = 0;
	buf_init(&values->text, TEXT_MAX);
}

void values_done(struct values *values)
{
	buf_done(&values->text);
	values->n = 0;
}

static struct str part(const struct values *values, size_t at, size_t n)
{
	return (struct str){ values->text.p + at, n };
}

static size_t find(const struct values *values, struct str name)
{
	size_t i = 0;

	while (i < values->n &&
	       !str_eq(part(values, values->v[i].name_at, values->v[i].name_n), name))
		i++;
	return i;
}

enum err values_set(struct values *values, struct str name, struct str value)
{
	size_t i = find(values, name), at = values->text.n;

	if (i == VALUES_MAX)
		return ERR_TOO_BIG;
	buf_add_str(&values->text, name);
	buf_add_str(&values->text, value);
	TRY(buf_error(&values->text));
	values->v[i].name_at = at;
	values->v[i].name_n = name.n;
	values->v[i].value_at = at + name.n;
	values->v[i].value_n = value.n;
	if (i == values->n)
		values->n++;
	return OK;
}

struct str values_get(const struct values *values, struct str name)
{
	size_t i = find(values, name);

	return i < values->n ? part(values, values->v[i].value_at, values->v[i].value_n) : STR_NONE;
}

static enum err set_first(struct values *values, struct str name, struct str value)
{
	if (str_absent(value) || find(values, name) < values->n)
		return OK;
	return values_set(values, name, value);
}

/* --- from the data of a credential ------------------------------------------------ */

/* "api_key", or "extra.shop": only `extra` has members of its own. */
static const json_t *member_of(const json_t *data, struct str member)
{
	struct str rest = member, first = str_cut(&rest, '.');
	char name[128];

	if (!str_absent(rest) && str_eq(first, EXTRA)) {
		data = json_member(data, "extra");
		first = rest;
	} else if (!str_absent(rest)) {
		return NULL;
	}
	if (first.n >= sizeof name || !json_is_kind(data, JSON_OBJECT))
		return NULL;
	memcpy(name, first.p, first.n);
	name[first.n] = '\0';
	return json_member(data, name);
}

/* A list of texts is written with spaces between: scopes (RFC 6749, section 3.3). */
static enum err set_list(struct values *values, struct str name, const json_t *list)
{
	BUF_AUTO struct buf text = { 0 };

	buf_init(&text, TEXT_MAX);
	for (size_t i = 0; i < json_length(list); i++) {
		struct str item = json_text(json_item(list, i));

		if (str_absent(item))
			return OK;
		if (i > 0)
			buf_add_char(&text, ' ');
		buf_add_str(&text, item);
	}
	TRY(buf_error(&text));
	return set_first(values, name, buf_str(&text));
}

static enum err set_json(struct values *values, struct str name, const json_t *value)
{
	char text[JSON_SCALAR_MAX];

	if (json_is_kind(value, JSON_ARRAY))
		return set_list(values, name, value);
	return set_first(values, name, json_scalar_text(value, text));
}

static enum err set_members(struct values *values, const json_t *object)
{
	if (!json_is_kind(object, JSON_OBJECT))
		return OK;
	for (void *i = json_first(object); i; i = json_next(object, i))
		TRY(set_json(values, json_iter_key(i), json_iter_value(i)));
	return OK;
}

static enum err set_fallbacks(struct values *values, const struct connector_type *type)
{
	for (size_t i = 0; i < type->fields; i++)
		TRY(set_first(values, type->field[i].name, type->field[i].default_value));
	for (size_t i = 0; i < type->placeholders; i++)
		TRY(set_first(values, type->placeholder[i].name,
			      type->placeholder[i].default_value));
	return OK;
}

enum err values_read(const struct connector_type *type, const json_t *data, struct values *values)
{
	for (size_t i = 0; type && i < type->fields; i++)
		TRY(set_json(values, type->field[i].name, member_of(data, type->field[i].member)));
	TRY(set_members(values, data));
	if (json_is_kind(data, JSON_OBJECT))
		TRY(set_members(values, json_member(data, "extra")));
	return type ? set_fallbacks(values, type) : OK;
}
