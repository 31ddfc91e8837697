#include "hook/reading.h"

#include "base/json_read.h"

static const struct member {
	enum reading_object object;
	const char *name;
	json_type kind; /* JSON_TRUE: either boolean */
	const char *fallback, *of;
} MEMBERS[] = {
#define LINE JSON_STRING
#define SOURCE JSON_STRING
#define TEMPLATE JSON_STRING
#define REGEX JSON_STRING
#define PATH JSON_STRING
#define NAME JSON_STRING
#define LINK JSON_STRING
#define ENUM JSON_STRING
#define CHOICES JSON_OBJECT
#define INT JSON_INTEGER
#define FLAG JSON_TRUE
#define LINES JSON_ARRAY
#define OBJECT(object, words)
#define MEMBER(object, name, kind, fallback, of, words) { OF_##object, name, kind, fallback, of },
#define PART(object, name, item, words) { OF_##object, name, JSON_OBJECT, NULL, NULL },
#define LIST(object, name, item, words) { OF_##object, name, JSON_ARRAY, NULL, NULL },
#include "hook/scheme.def"
};

void reading_complain(struct reading *r, const char *why)
{
	if (!r->why)
		r->why = why;
}

/* --- members ----------------------------------------------------------------------------- */

/* What webhook is besides, it is a proof. */
static const struct member *find(enum reading_object of, struct str name)
{
	for (size_t m = 0; m < ARRAY_SIZE(MEMBERS); m++)
		if ((MEMBERS[m].object == of || (of == OF_WEBHOOK && MEMBERS[m].object == OF_PROOF)) &&
		    str_eq(name, str_of(MEMBERS[m].name)))
			return &MEMBERS[m];
	return NULL;
}

static bool is_of(const json_t *value, json_type kind)
{
	bool flag;

	return kind == JSON_TRUE ? json_bool_of(value, &flag) : json_is_kind(value, kind);
}

void reading_members(struct reading *r, const json_t *object, enum reading_object of)
{
	if (!json_is_kind(object, JSON_OBJECT))
		reading_complain(r, "an item isn't an object");
	for (void *i = json_first(object); i; i = json_next(object, i)) {
		const struct member *member = find(of, json_iter_key(i));

		if (!member || !is_of(json_iter_value(i), member->kind))
			reading_complain(r, json_iter_key(i).p);
	}
}

int reading_choice(struct reading *r, struct str value, enum reading_object of, const char *name)
{
	const struct member *member = find(of, str_of(name));
	struct str words = member ? str_of(member->of) : STR_NONE;

	for (int i = 0; !str_absent(words); i++)
		if (str_eq(value, str_cut(&words, '|')))
			return i;
	reading_complain(r, name);
	return 0;
}

int reading_enum(struct reading *r, const json_t *object, enum reading_object of, const char *name)
{
	const struct member *member = find(of, str_of(name));
	struct str fallback = member ? str_of(member->fallback) : STR_NONE;

	return reading_choice(r, reading_text_or(object, name, fallback), of, name);
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

void reading_pair(struct reading *r, struct str a, struct str b, const char *name)
{
	if (str_absent(a) != str_absent(b))
		reading_complain(r, name);
}
