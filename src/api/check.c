/* Is a value what its schema says? Every complaint has a place, a code and words, and never the value. */
#include "api/check.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "api/checking.h"
#include "api/format.h"
#include "base/clock.h"
#include "base/json_read.h"

enum {
	PLACE_MAX = 256, /* bytes of a place that is told; the parts that don't fit are left off */
	NAME_MAX_TOLD = 64,
	WORDS_MAX_TOLD = 200
};

enum err check_setup(void)
{
	for (size_t i = 0; i < CHECK_PATTERN_COUNT; i++)
		if (regcomp(&CHECK_PATTERNS[i].compiled, CHECK_PATTERNS[i].ere,
			    REG_EXTENDED | REG_NOSUB) != 0)
			return ERR_CONFIG;
	return OK;
}

/* A list in words or a place, in a fixed text: parts that don't fit are left off. */
struct line {
	char text[PLACE_MAX];
	size_t n;
};

static void line_add(struct line *line, struct str part)
{
	if (part.n > sizeof(line->text) - line->n)
		return;
	memcpy(line->text + line->n, part.p, part.n);
	line->n += part.n;
}

/* A name that the client chose, not longer than anybody wants to read, cut between characters. */
static struct str name_told(struct str name)
{
	size_t n = name.n;

	if (n > NAME_MAX_TOLD) {
		n = NAME_MAX_TOLD;
		while (n > 0 && ((unsigned char)name.p[n] & 0xc0) == 0x80)
			n--;
	}
	return str_slice(name, 0, n);
}

static void place_write(const struct place *at, struct line *line)
{
	char index[32];

	if (at->up)
		place_write(at->up, line);
	if (str_absent(at->name)) {
		int n = snprintf(index, sizeof(index), "[%zu]", at->index);
		line_add(line, (struct str){ index, (size_t)n });
		return;
	}
	if (at->up)
		line_add(line, STR("."));
	line_add(line, name_told(at->name));
}

void check_complain(struct checking *check, const struct place *at, const char *code,
		    const char *format, ...)
{
	struct line line = { .n = 0 };
	char message[PLACE_MAX];
	va_list args;

	check->bad++;
	/* What is dropped isn't worked out either: a body can hold a million bad places. */
	if (!check->problem || check->problem->count == PROBLEM_FIELDS_MAX)
		return;
	if (at)
		place_write(at, &line);
	else
		line_add(&line, STR("body"));
	va_start(args, format);
	(void)vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	struct str place = arena_copy(check->arena, (struct str){ line.text, line.n });
	struct str words = arena_copy(check->arena, str_of(message));
	if (str_absent(place) || str_absent(words))
		check->error = ERR_NO_MEMORY;
	else
		(void)problem_field(check->problem, place, code, words.p);
}

static void complain_type(struct checking *check, const struct place *at, unsigned types)
{
	static const char *const names[] = { "null",     "true or false", "a whole number",
					     "a number", "a string",      "an array",
					     "an object" };
	struct line line = { .n = 0 };

	if ((types & CHECK_NUMBER) != 0)
		types &= ~(unsigned)CHECK_INTEGER;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (!(types & 1u << i))
			continue;
		line_add(&line, line.n ? STR(" or ") : STR(""));
		line_add(&line, str_of(names[i]));
	}
	check_complain(check, at, "WRONG_TYPE", "must be %.*s", (int)line.n, line.text);
}

static void complain_words(struct checking *check, const struct place *at,
			   const struct check_schema *schema)
{
	struct line line = { .n = 0 };

	for (size_t i = 0; i < schema->word_count; i++) {
		if (line.n + schema->words[i].n > WORDS_MAX_TOLD) {
			line_add(&line, STR(" ..."));
			break;
		}
		line_add(&line, line.n ? STR(", ") : STR(""));
		line_add(&line, schema->words[i]);
	}
	check_complain(check, at, "NOT_ALLOWED", "must be one of: %.*s", (int)line.n, line.text);
}

static bool word_is_known(const struct check_schema *schema, struct str text)
{
	for (size_t i = 0; i < schema->word_count; i++)
		if (str_eq(schema->words[i], text))
			return true;
	return schema->words == NULL;
}

static bool pattern_fits(struct check_pattern *pattern, struct str text)
{
	/* GNU's own entry takes a length; AddressSanitizer's regexec wants a terminated text even with REG_STARTEND. */
	return !pattern || re_search(&pattern->compiled, text.p, (regoff_t)text.n, 0, 0, NULL) == 0;
}

/* What is wrong with the form, in words; NULL: nothing. */
static const char *format_complaint(const struct check_schema *schema, struct str text)
{
	int64_t ms;
	struct id id;

	switch (schema->format) {
	case CHECK_EMAIL: return format_is_email(text) ? NULL : "must be an e-mail address";
	case CHECK_URI: return format_is_uri(text) ? NULL : "must be an absolute URL";
	case CHECK_TIME:
		return time_parse(text, &ms) ? NULL
					     : "must be a time like 2026-11-20T10:34:00.000Z";
	case CHECK_ID:
		/* All zero is the system's own tenant, and in structs "none": nothing that a client can name. */
		return id_parse(schema->kind, text, &id) && !id_is_nil(&id) ? NULL : "must be an id of that kind";
	case CHECK_PLAIN: break;
	}
	return NULL;
}

void check_text(struct checking *check, const struct place *at, const struct check_schema *schema,
		struct str text)
{
	int64_t length = (int64_t)str_utf8_length(text);
	const char *complaint;

	if (length < schema->length.least)
		check_complain(check, at, "TOO_SHORT", "must have at least %" PRId64 " characters",
			       schema->length.least);
	else if (length > schema->length.most)
		check_complain(check, at, "TOO_LONG", "must have at most %" PRId64 " characters",
			       schema->length.most);
	else if (!word_is_known(schema, text))
		complain_words(check, at, schema);
	else if (!pattern_fits(schema->pattern, text))
		check_complain(check, at, "BAD_FORMAT", "must match %s", schema->pattern->ere);
	else if ((complaint = format_complaint(schema, text)) != NULL)
		check_complain(check, at, "BAD_FORMAT", "%s", complaint);
}

void check_number(struct checking *check, const struct place *at, const struct check_schema *schema,
		  int64_t number)
{
	if (number < schema->value.least)
		check_complain(check, at, "TOO_SMALL", "must be at least %" PRId64,
			       schema->value.least);
	else if (number > schema->value.most)
		check_complain(check, at, "TOO_LARGE", "must be at most %" PRId64,
			       schema->value.most);
}

/* False when there are too many: then they aren't looked at one by one. */
static bool check_count(struct checking *check, const struct place *at,
			const struct check_schema *schema, const json_t *value, const char *things)
{
	int64_t count = (int64_t)json_length(value);

	if (count < schema->count.least)
		check_complain(check, at, "TOO_FEW", "must have at least %" PRId64 " %s",
			       schema->count.least, things);
	else if (count > schema->count.most)
		check_complain(check, at, "TOO_MANY", "must have at most %" PRId64 " %s",
			       schema->count.most, things);
	return count <= schema->count.most;
}

/* Of the two types that `unique` takes. */
static bool same(const json_t *a, const json_t *b)
{
	int64_t x, y;

	if (json_integer_of(a, &x) && json_integer_of(b, &y))
		return x == y;
	return !str_absent(json_text(a)) && str_eq(json_text(a), json_text(b));
}

static void check_array(struct checking *check, const struct place *at,
			const struct check_schema *schema, const json_t *array)
{
	struct place item = { .up = at };

	if (!check_count(check, at, schema, array, "items"))
		return;
	for (item.index = 0; item.index < json_length(array); item.index++) {
		check_value(check, &item, schema->items, json_item(array, item.index));
		for (size_t i = 0; schema->unique && i < item.index; i++) {
			if (same(json_item(array, i), json_item(array, item.index))) {
				check_complain(check, &item, "DUPLICATE", "is there already");
				break;
			}
		}
	}
}

static const struct check_member *member_of(const struct check_schema *schema, struct str name)
{
	for (size_t i = 0; i < schema->member_count; i++)
		if (str_eq(schema->members[i].name, name))
			return &schema->members[i];
	return NULL;
}

static void check_others(struct checking *check, const struct place *at,
			 const struct check_schema *schema, const json_t *object)
{
	for (void *i = json_first(object); i; i = json_next(object, i)) {
		struct place other = { .up = at, .name = json_iter_key(i) };

		if (schema->names)
			check_text(check, &other, schema->names, other.name);
		if (member_of(schema, other.name))
			continue;
		if (!schema->open)
			check_complain(check, &other, "UNKNOWN_FIELD",
				       "isn't a member that is known here");
		else if (schema->others)
			check_value(check, &other, schema->others, json_iter_value(i));
	}
}

static void check_object(struct checking *check, const struct place *at,
			 const struct check_schema *schema, const json_t *object)
{
	size_t known = 0;

	if (!check_count(check, at, schema, object, "members"))
		return;
	for (size_t i = 0; i < schema->member_count; i++) {
		const struct check_member *member = &schema->members[i];
		struct place place = { .up = at, .name = member->name };
		const json_t *value = json_member(object, member->name.p);

		if (value)
			check_value(check, &place, member->schema, value);
		else if (member->required)
			check_complain(check, &place, "REQUIRED", "is missing");
		known += value != NULL;
	}
	if (schema->names || known < json_length(object))
		check_others(check, at, schema, object);
}

static unsigned type_of(const json_t *value)
{
	static const struct {
		json_type kind;
		unsigned type;
	} types[] = {
		{ JSON_STRING, CHECK_STRING }, { JSON_OBJECT, CHECK_OBJECT },
		{ JSON_ARRAY, CHECK_ARRAY },   { JSON_INTEGER, CHECK_INTEGER | CHECK_NUMBER },
		{ JSON_REAL, CHECK_NUMBER },   { JSON_TRUE, CHECK_BOOL },
		{ JSON_FALSE, CHECK_BOOL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (json_is_kind(value, types[i].kind))
			return types[i].type;
	return CHECK_NULL;
}

void check_value(struct checking *check, const struct place *at, const struct check_schema *schema,
		 const json_t *value)
{
	unsigned type = type_of(value);
	int64_t number;

	if (!(type & schema->types)) {
		complain_type(check, at, schema->types);
		return;
	}
	if (schema->types == CHECK_ANY)
		return;
	if (type == CHECK_STRING)
		check_text(check, at, schema, json_text(value));
	else if (json_integer_of(value, &number))
		check_number(check, at, schema, number);
	else if (type == CHECK_ARRAY)
		check_array(check, at, schema, value);
	else if (type == CHECK_OBJECT)
		check_object(check, at, schema, value);
}
