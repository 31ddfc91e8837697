#include "hook/reading.h"

#include "base/json_read.h"

void reading_complain(struct reading *r, const char *why)
{
	if (!r->why)
		r->why = why;
}

static bool is_of(const json_t *value, json_type kind)
{
	bool flag;

	return kind == JSON_TRUE ? json_bool_of(value, &flag) : json_is_kind(value, kind);
}

static bool is_known(void *i, const struct member *members, size_t n)
{
	for (size_t m = 0; m < n; m++)
		if (str_eq(json_iter_key(i), str_of(members[m].name)))
			return is_of(json_iter_value(i), members[m].kind);
	return false;
}

void reading_members(struct reading *r, const json_t *object, const struct member *members, size_t n)
{
	if (!json_is_kind(object, JSON_OBJECT))
		reading_complain(r, "an item isn't an object");
	for (void *i = json_first(object); i; i = json_next(object, i))
		if (!is_known(i, members, n))
			reading_complain(r, json_iter_key(i).p);
}

void reading_without(struct reading *r, const json_t *object, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (json_member(object, names[i]))
			reading_complain(r, names[i]);
}

struct str reading_text(const json_t *object, const char *name) { return json_member_text(object, name); }

struct str reading_text_or(const json_t *object, const char *name, struct str otherwise)
{
	struct str value = reading_text(object, name);

	return str_absent(value) ? otherwise : value;
}

bool reading_flag(const json_t *object, const char *name)
{
	bool set = false;

	return json_bool_of(json_member(object, name), &set) && set;
}

/* --- sources --------------------------------------------------------------------------- */

bool reading_is_part(struct str part)
{
	static const char *const KINDS[] = { "header", "json", "form", "query", "sigparam" };
	struct str name = part, kind = str_cut(&name, ':');

	for (size_t i = 0; i < ARRAY_SIZE(KINDS); i++)
		if (str_eq(kind, str_of(KINDS[i])))
			return name.n > 0;
	return false;
}

bool reading_is_source(struct str text)
{
	while (!str_absent(text)) {
		struct str joined = str_cut(&text, '|');

		while (!str_absent(joined))
			if (!reading_is_part(str_cut(&joined, '+')))
				return false;
	}
	return true;
}

struct str reading_source(struct reading *r, const json_t *object, const char *name)
{
	struct str value = reading_text(object, name);

	if (!reading_is_source(value))
		reading_complain(r, name);
	return value;
}

struct str reading_needed(struct reading *r, struct str value, const char *name)
{
	if (value.n == 0)
		reading_complain(r, name);
	return value;
}

int reading_word(struct reading *r, struct str value, const char *const *words, size_t n, const char *why)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(value, str_of(words[i])))
			return (int)i;
	reading_complain(r, why);
	return 0;
}

void reading_pair(struct reading *r, struct str a, struct str b, const char *name)
{
	if (str_absent(a) != str_absent(b))
		reading_complain(r, name);
}
