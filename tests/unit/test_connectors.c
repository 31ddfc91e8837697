/* The connector types that are supplied: what each of them makes of made-up values (tests/connectors/README.md). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_read.h"
#include "connector_mutations.h"
#include "connector_vectors.h"

enum { TYPES_MAX = 200, PATH_SIZE = 1024, ARENA_MAX = 16 << 20 };

static struct {
	size_t n;
	char *id[TYPES_MAX];
	json_t *file[TYPES_MAX], *vector[TYPES_MAX];
	json_t *shared;
} types;

static json_t *read_json(const char *directory, const char *name)
{
	const char *top = getenv("top_srcdir");
	char path[PATH_SIZE];
	json_error_t error;
	json_t *json;

	snprintf(path, sizeof path, "%s/%s/%s.json", top ? top : ".", directory, name);
	json = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
	if (!json)
		print_error("%s:%d: %s\n", path, error.line, error.text);
	return json;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The names of a directory's *.json, sorted. */
static size_t names_of(const char *directory, char *names[TYPES_MAX])
{
	const char *top = getenv("top_srcdir");
	const struct dirent *entry;
	char path[PATH_SIZE];
	size_t n = 0;
	DIR *dir;

	snprintf(path, sizeof path, "%s/%s", top ? top : ".", directory);
	dir = opendir(path);
	while (dir && n < TYPES_MAX && (entry = readdir(dir))) {
		size_t length = strlen(entry->d_name);

		if (entry->d_name[0] != '.' && length > 5 &&
		    strcmp(entry->d_name + length - 5, ".json") == 0)
			names[n++] = strndup(entry->d_name, length - 5);
	}
	if (dir)
		closedir(dir);
	qsort(names, n, sizeof names[0], by_text);
	return n;
}

static int load(void **state)
{
	(void)state;
	if (json_setup() != OK)
		return 1;
	types.n = names_of("conf/connectors", types.id);
	types.shared = read_json("tests/connectors", "answers");
	for (size_t i = 0; i < types.n; i++) {
		types.file[i] = read_json("conf/connectors", types.id[i]);
		types.vector[i] = read_json("tests/connectors", types.id[i]);
	}
	return types.shared && types.n > 0 ? 0 : 1;
}

static int unload(void **state)
{
	(void)state;
	for (size_t i = 0; i < types.n; i++) {
		json_decref(types.file[i]);
		json_decref(types.vector[i]);
		free(types.id[i]);
	}
	json_decref(types.shared);
	return 0;
}

/* A type whose vector is gone could break without a sound; a vector without a type tests nothing. */
static void every_type_has_a_vector_and_every_vector_a_type(void **state)
{
	char *vector[TYPES_MAX];
	size_t n = names_of("tests/connectors", vector);

	(void)state;
	for (size_t i = 0; i < types.n; i++)
		assert_true(types.file[i] && types.vector[i]);
	for (size_t i = 0; i < n; i++) {
		bool known = strcmp(vector[i], "answers") == 0;

		for (size_t k = 0; k < types.n; k++)
			known = known || strcmp(types.id[k], vector[i]) == 0;
		if (!known)
			fail_msg("tests/connectors/%s.json has no type", vector[i]);
		free(vector[i]);
	}
}

/* A wrong byte here is a person who can't connect, or a secret that goes astray. */
static void
every_type_asks_its_provider_what_the_vectors_say_and_understands_its_answers(void **state)
{
	struct arena *arena = arena_new(ARENA_MAX);
	size_t wrong = 0;

	(void)state;
	assert_non_null(arena);
	for (size_t i = 0; i < types.n; i++) {
		char *text = json_dumps(types.file[i], JSON_COMPACT), why[VECTOR_WHY_MAX];

		arena_reset(arena);
		if (!vector_holds(arena, types.id[i], str_of(text), types.vector[i], types.shared,
				  why)) {
			print_error("%s: %s\n", types.id[i], why);
			wrong++;
		}
		free(text);
	}
	arena_free(arena);
	assert_int_equal(wrong, 0);
}

/* A member that no vector exercises could be wrong from the first day on. */
static void no_member_of_a_type_can_change_without_a_vector_that_notices(void **state)
{
	size_t tried = 0, survived = 0;

	(void)state;
	for (size_t i = 0; i < types.n; i++)
		survived += mutations_survive(types.id[i], types.file[i], types.vector[i],
					      types.shared, &tried);
	print_message("%zu changes tried, %zu not noticed\n", tried, survived);
	assert_true(tried > types.n * 10);
	assert_int_equal(survived, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_type_has_a_vector_and_every_vector_a_type),
		cmocka_unit_test(
			every_type_asks_its_provider_what_the_vectors_say_and_understands_its_answers),
		cmocka_unit_test(no_member_of_a_type_can_change_without_a_vector_that_notices),
	};

	return cmocka_run_group_tests_name("connectors", tests, load, unload);
}
