#include "connect/type_read.h"

#include <string.h>

#include "base/json_read.h"
#include "connect/members.h"
#include "connect/spelling.h"

enum { INT_MOST = 10 * 365 * 86400, ITEMS_MAX = 256 };

struct reader {
	struct arena *arena;
	struct faults *faults;
};

static enum err read_object(struct reader *r, enum type_object object, const json_t *json,
			    void *place);

static void *at(void *place, size_t offset) { return (char *)place + offset; }

/* --- one text --------------------------------------------------------------- */

/* The text that a member has in the file, else its fallback; both end with a NUL. */
static struct str text_of(struct reader *r, const struct type_member *m, const json_t *json)
{
	struct str text = json_text(json);
	const char *why;

	if (!json)
		return str_of(m->fallback);
	if (str_absent(text)) {
		fault(r->faults, "it has to be a text");
		return STR_NONE;
	}
	why = spelling_fault(m->kind, text);
	if (why)
		fault(r->faults, "%s", why);
	return text;
}

/* The index of a word among those of the member; false, and a fault, for another. */
static bool word_index(struct reader *r, const struct type_member *m, struct str word,
		       unsigned *ret_index)
{
	struct str rest = str_of(m->of);

	*ret_index = 0;
	for (unsigned i = 0; !str_absent(rest); i++) {
		if (!str_eq(str_cut(&rest, '|'), word))
			continue;
		*ret_index = i;
		return true;
	}
	if (!str_absent(word))
		fault(r->faults, "it has to be one of %s", m->of);
	return false;
}

static void read_word(struct reader *r, const struct type_member *m, const json_t *json,
		      void *field)
{
	struct str word = text_of(r, m, json);
	unsigned index;

	(void)word_index(r, m, word, &index);
	if (m->kind == KIND_WORD)
		memcpy(field, &word, sizeof word);
	else if (m->kind == KIND_ENUM)
		memcpy(field, &index, sizeof index);
	else
		*(bool *)field = index == 1;
}

static void read_number(struct reader *r, const json_t *json, int64_t *field)
{
	int64_t number;

	if (!json)
		return;
	if (!json_integer_of(json, &number) || number < 0 || number > INT_MOST)
		fault(r->faults, "it has to be a whole number from 0 to %d", INT_MOST);
	else
		*field = number;
}

static void read_flag(struct reader *r, const json_t *json, bool *field)
{
	if (json && !json_bool_of(json, field))
		fault(r->faults, "it has to be true or false");
}

/* --- several texts ------------------------------------------------------------- */

static bool expect(struct reader *r, const json_t *json, json_type kind)
{
	if (!json_is_kind(json, kind))
		fault(r->faults,
		      kind == JSON_ARRAY ? "it has to be a list" : "it has to be an object");
	else if (json_length(json) > ITEMS_MAX)
		fault(r->faults, "it has more than %d members", ITEMS_MAX);
	else
		return true;
	return false;
}

static enum err read_texts(struct reader *r, const struct type_member *m, const json_t *json,
			   struct texts *field)
{
	size_t n = json ? json_length(json) : m->fallback ? 1 : 0;
	struct str *texts;

	if (json && !expect(r, json, JSON_ARRAY))
		return OK;
	texts = arena_array(r->arena, n + 1, sizeof *texts);
	if (!texts)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < n; i++) {
		size_t before = faults_enter_item(r->faults, i);

		texts[i] = text_of(r, m, json ? json_item(json, i) : NULL);
		for (size_t k = 0; k < i; k++)
			if (str_eq(texts[k], texts[i]))
				fault(r->faults, "it is there twice");
		faults_leave(r->faults, before);
	}
	*field = (struct texts){ texts, n };
	return OK;
}

static enum err read_pairs(struct reader *r, const struct type_member *m, const json_t *json,
			   struct pairs *field)
{
	struct pair *pairs;
	size_t n = 0;

	if (!json || !expect(r, json, JSON_OBJECT))
		return OK;
	pairs = arena_array(r->arena, json_length(json) + 1, sizeof *pairs);
	if (!pairs)
		return ERR_NO_MEMORY;
	for (void *i = json_first(json); i; i = json_next(json, i)) {
		struct str name = json_iter_key(i);
		size_t before = faults_enter(r->faults, name);
		const char *why = spelling_fault(KIND_TEMPLATE, name);

		if (why || name.n == 0)
			fault(r->faults, "its name: %s", why ? why : "it is empty");
		pairs[n++] = (struct pair){ name, text_of(r, m, json_iter_value(i)) };
		faults_leave(r->faults, before);
	}
	*field = (struct pairs){ pairs, n };
	return OK;
}

static void read_basic(struct reader *r, const struct type_member *m, const json_t *json,
		       void *place)
{
	struct str *field = at(place, m->at);

	if (!json)
		return;
	if (!json_is_kind(json, JSON_ARRAY) || json_length(json) != 2) {
		fault(r->faults, "it has to be a list of two templates: user, password");
		return;
	}
	field[0] = text_of(r, m, json_item(json, 0));
	field[1] = text_of(r, m, json_item(json, 1));
	*(bool *)at(place, m->second) = true;
}

/* What stays in the file for others: only its shape is checked. */
static void check_raw(struct reader *r, const struct type_member *m, const json_t *json)
{
	if (!json || !expect(r, json, JSON_OBJECT) || m->kind != KIND_GRADES)
		return;
	for (void *i = json_first(json); i; i = json_next(json, i)) {
		size_t before = faults_enter(r->faults, json_iter_key(i));
		struct str grade = json_text(json_iter_value(i));

		if (!str_eq(grade, STR("2+")) && !str_eq(grade, STR("1")) &&
		    !str_eq(grade, STR("memory")))
			fault(r->faults, "it has to be 2+, 1 or memory");
		faults_leave(r->faults, before);
	}
}

/* --- objects in objects ------------------------------------------------------------ */

static enum err read_list(struct reader *r, const struct type_member *m, const json_t *json,
			  void *place)
{
	size_t size = type_object_size(m->item), n = json_length(json);
	void *items;

	if (!json || !expect(r, json, JSON_ARRAY))
		return OK;
	items = arena_array(r->arena, n + 1, size);
	if (!items)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < n; i++) {
		size_t before = faults_enter_item(r->faults, i);

		TRY(read_object(r, m->item, json_item(json, i), at(items, i * size)));
		faults_leave(r->faults, before);
	}
	memcpy(at(place, m->at), &items, sizeof items);
	memcpy(at(place, m->second), &n, sizeof n);
	return OK;
}

static enum err read_map(struct reader *r, const struct type_member *m, const json_t *json,
			 void *place)
{
	size_t size = type_object_size(m->item), n = 0;
	void *items;

	if (!json || !expect(r, json, JSON_OBJECT))
		return OK;
	items = arena_array(r->arena, json_length(json) + 1, size);
	if (!items)
		return ERR_NO_MEMORY;
	for (void *i = json_first(json); i; i = json_next(json, i), n++) {
		struct str name = json_iter_key(i);
		size_t before = faults_enter(r->faults, name);
		const char *why = spelling_fault(KIND_NAME, name);

		if (why)
			fault(r->faults, "its name: %s", why);
		memcpy(at(items, n * size), &name, sizeof name);
		TRY(read_object(r, m->item, json_iter_value(i), at(items, n * size)));
		faults_leave(r->faults, before);
	}
	memcpy(at(place, m->at), &items, sizeof items);
	memcpy(at(place, m->second), &n, sizeof n);
	return OK;
}

static enum err read_member(struct reader *r, const struct type_member *m, const json_t *json,
			    void *place)
{
	struct str text, unkept[2]; /* larger than any one value */
	void *field = m->at == MEMBER_NOWHERE ? unkept : at(place, m->at);

	switch (m->kind) {
	case KIND_WORD:
	case KIND_ENUM:
	case KIND_EITHER: read_word(r, m, json, field); return OK;
	case KIND_INT: read_number(r, json, field); return OK;
	case KIND_FLAG: read_flag(r, json, field); return OK;
	case KIND_LINES:
	case KIND_NAMES:
	case KIND_HOSTS:
	case KIND_PATHS:
	case KIND_SOURCES: return read_texts(r, m, json, field);
	case KIND_PAIRS: return read_pairs(r, m, json, field);
	case KIND_BASIC: read_basic(r, m, json, place); return OK;
	case KIND_GRADES:
	case KIND_ANY: check_raw(r, m, json); return OK;
	case KIND_LIST: return read_list(r, m, json, place);
	case KIND_MAP: return read_map(r, m, json, place);
	case KIND_INSIDE: return read_object(r, m->item, json, place);
	case KIND_OPTIONAL:
		*(bool *)at(place, m->second) = json != NULL;
		return read_object(r, m->item, json, field);
	case KIND_PART: return read_object(r, m->item, json, field);
	default:
		text = text_of(r, m, json);
		memcpy(field, &text, sizeof text);
		return OK;
	}
}

/* Without `json` the fallbacks alone: then nothing is missing. */
static enum err read_object(struct reader *r, enum type_object object, const json_t *json,
			    void *place)
{
	if (json && !json_is_kind(json, JSON_OBJECT)) {
		fault(r->faults, "it has to be an object");
		json = NULL;
	}
	for (void *i = json_first(json); i; i = json_next(json, i)) {
		if (type_member_find(object, json_iter_key(i)))
			continue;
		size_t before = faults_enter(r->faults, json_iter_key(i));
		fault(r->faults, "there is no such member");
		faults_leave(r->faults, before);
	}
	for (const struct type_member *m = NULL; (m = type_member_next(object, m));) {
		const json_t *value = json ? json_member(json, m->name) : NULL;
		size_t before = faults_enter(r->faults, str_of(m->name));

		if (json && !value && m->required)
			fault(r->faults, "it is missing");
		TRY(read_member(r, m, value, place));
		faults_leave(r->faults, before);
	}
	return OK;
}

enum err type_read(struct arena *arena, const json_t *file, struct faults *faults,
		   struct connector_type *type)
{
	struct reader r = { arena, faults };

	memset(type, 0, sizeof *type);
	type->file = file;
	if (!json_is_kind(file, JSON_OBJECT)) {
		fault(faults, "a connector type is a JSON object");
		return OK;
	}
	return read_object(&r, OBJECT_TYPE, file, type);
}
