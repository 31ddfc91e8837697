#include "connector_mutations.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "connector_vectors.h"

enum { PLACE_MAX = 300, ARENA_MAX = 16 << 20 };

struct mutating {
	const char *id;
	json_t *file;
	const json_t *vector, *shared;
	struct arena *arena;
	size_t tried, survived;
};

/* Words for people, and what later rooms read. */
static bool is_left_alone(const char *place, const char *name)
{
	static const char *const TOP[] = { "name",   "docs_url",   "summary", "regions",
					   "wizard", "confidence", "webhook" };
	static const char *const ANYWHERE[] = { "label", "help", "where_found", "choice_labels" };

	for (size_t i = 0; i < sizeof TOP / sizeof TOP[0]; i++)
		if (place[0] == '\0' && strcmp(name, TOP[i]) == 0)
			return true;
	for (size_t i = 0; i < sizeof ANYWHERE / sizeof ANYWHERE[0]; i++)
		if (strcmp(name, ANYWHERE[i]) == 0)
			return true;
	return false;
}

static void try(struct mutating *m, const char *place, const char *how)
{
	char *text = json_dumps(m->file, JSON_COMPACT), why[VECTOR_WHY_MAX];

	arena_reset(m->arena);
	m->tried++;
	if (vector_holds(m->arena, m->id, (struct str){ text, strlen(text) }, m->vector, m->shared,
			 why)) {
		m->survived++;
		fprintf(stderr, "%s.json: %s can be %s, and no vector notices\n", m->id, place,
			how);
	}
	free(text);
}

/* The value made another one; NULL for what has no other (an object, a list). */
static json_t *changed(const json_t *value)
{
	char text[4096];

	if (json_is_integer(value))
		return json_integer(json_integer_value(value) + 1);
	if (json_is_boolean(value))
		return json_boolean(!json_is_true(value));
	if (!json_is_string(value))
		return NULL;
	snprintf(text, sizeof text, "%sx", json_string_value(value));
	return json_string(text);
}

static void walk(struct mutating *m, const char *place, json_t *json);

static void mutate_member(struct mutating *m, json_t *object, const char *name, const char *place)
{
	json_t *value = json_incref(json_object_get(object, name)), *other = changed(value);

	if (other) {
		json_object_set_new(object, name, other);
		try(m, place, "changed");
		/* Without it the others keep their order: nothing depends on it. */
		json_object_del(object, name);
		try(m, place, "left out");
		json_object_set(object, name, value);
	} else {
		walk(m, place, value);
	}
	json_decref(value);
}

static void mutate_item(struct mutating *m, json_t *array, size_t i, const char *place)
{
	json_t *value = json_incref(json_array_get(array, i)), *other = changed(value);

	if (other) {
		json_array_set_new(array, i, other);
		try(m, place, "changed");
		json_array_remove(array, i);
		try(m, place, "left out");
		json_array_insert(array, i, value);
	} else {
		walk(m, place, value);
	}
	json_decref(value);
}

static void walk(struct mutating *m, const char *place, json_t *json)
{
	char below[PLACE_MAX];

	if (json_is_array(json)) {
		for (size_t i = 0; i < json_array_size(json); i++) {
			snprintf(below, sizeof below, "%.200s[%zu]", place, i);
			mutate_item(m, json, i, below);
		}
		return;
	}
	/* The names first: the object changes under way. */
	size_t n = json_object_size(json), k = 0;
	const char **names = calloc(n + 1, sizeof *names), *name;
	json_t *value;

	json_object_foreach(json, name, value) names[k++] = strdup(name);
	for (k = 0; k < n; k++) {
		snprintf(below, sizeof below, "%.200s%s%.80s", place, place[0] ? "." : "",
			 names[k]);
		if (!is_left_alone(place, names[k]))
			mutate_member(m, json, names[k], below);
		free((char *)(uintptr_t)names[k]);
	}
	free(names);
}

size_t mutations_survive(const char *id, json_t *file, const json_t *vector, const json_t *shared,
			 size_t *ret_tried)
{
	struct mutating m = { .id = id,
			      .file = file,
			      .vector = vector,
			      .shared = shared,
			      .arena = arena_new(ARENA_MAX) };

	if (!m.arena)
		abort();
	walk(&m, "", file);
	arena_free(m.arena);
	*ret_tried += m.tried;
	return m.survived;
}
