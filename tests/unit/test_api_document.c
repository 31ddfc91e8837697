/* The real document: its examples pass its own checks, and its rows agree with the list that the tests use. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "api/check.h"
#include "api/document.h"
#include "api/route.h"
#include "base/buf.h"
#include "base/json_read.h"

static struct arena *arena;
static json_t *operations;

static struct str read_file(const char *name)
{
	char path[4096];
	const char *top = getenv("top_builddir");
	struct buf text;
	char piece[4096];
	size_t n;

	(void)snprintf(path, sizeof(path), "%s/%s", top ? top : ".", name);
	FILE *file = fopen(path, "rb");
	if (!file)
		fail_msg("can't read %s", path);
	buf_init(&text, 4 << 20);
	while ((n = fread(piece, 1, sizeof(piece), file)) > 0)
		buf_add(&text, piece, n);
	(void)fclose(file);
	struct str copy = arena_copy(arena, buf_str(&text));
	buf_done(&text);
	return copy;
}

static int set_up(void **state)
{
	(void)state;
	arena = arena_new(32 << 20);
	if (!arena || json_setup() != OK || check_setup() != OK)
		return -1;
	return json_read(arena, read_file("tests/e2e/operations.json"), &operations, NULL) == OK
		       ? 0
		       : -1;
}

static int tear_down(void **state)
{
	(void)state;
	arena_free(arena);
	return 0;
}

/* The path with the examples of its parameters in it. */
static struct str example_path(const json_t *operation)
{
	struct str rest = json_member_text(operation, "path");
	const json_t *parameters = json_member(operation, "parameters");
	struct buf path;
	int64_t number;

	buf_init(&path, 4096);
	while (!str_absent(rest)) {
		buf_add_str(&path, str_cut(&rest, '{'));
		if (str_absent(rest))
			break;
		struct str name = str_cut(&rest, '}');
		for (size_t i = 0; i < json_length(parameters); i++) {
			const json_t *p = json_item(parameters, i),
				     *example = json_member(p, "example");
			if (!str_eq(json_member_text(p, "name"), name))
				continue;
			if (json_integer_of(example, &number))
				buf_printf(&path, "%lld", (long long)number);
			else
				buf_add_str(&path, json_text(example));
		}
	}
	struct str copy = arena_copy(arena, buf_str(&path));
	buf_done(&path);
	return copy;
}

static void every_example_passes_the_checks_of_its_operation(void **state)
{
	(void)state;
	assert_int_equal(json_length(operations), OPERATION_COUNT);
	for (size_t i = 0; i < OPERATION_COUNT; i++) {
		const json_t *operation = json_item(operations, i),
			     *body = json_member(operation, "body");
		struct problem problem;
		struct route_match match;
		void *in;

		enum err e = route_find(json_member_text(operation, "method"),
					example_path(operation), &match);
		if (e != OK)
			fail_msg("%s isn't found by its own path: %d", ROUTES[i].name, (int)e);
		assert_ptr_equal(match.route, &ROUTES[i]);
		problem_clear(&problem);
		e = route_read(&match, STR_NONE, json_is_kind(body, JSON_NULL) ? NULL : body, arena,
			       &problem, &in);
		bool needs_query = false;
		for (size_t q = 0; q < match.route->query_count; q++)
			needs_query |= match.route->query[q].required;
		if (e != OK && !needs_query)
			fail_msg("the example of %s is refused: %.*s %s", ROUTES[i].name,
				 STR_ARG(problem.count ? problem.field[0].field : STR("")),
				 problem.count ? problem.field[0].code : "");
	}
}

static void the_list_that_tests_use_agrees_with_the_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < OPERATION_COUNT; i++) {
		const json_t *operation = json_item(operations, i);

		assert_true(
			str_eq(json_member_text(operation, "operationId"), str_of(ROUTES[i].name)));
		assert_true(str_eq(json_member_text(operation, "path"), str_of(ROUTES[i].path)));
		assert_true(str_eq(json_member_text(operation, "pool"),
				   str_of(ROUTES[i].pool == ROUTE_VAULT ? "vault" : "front")));
	}
}

static void the_served_document_is_json_and_keeps_our_pools_to_itself(void **state)
{
	json_t *document;

	(void)state;
	assert_int_equal(json_read(arena, API_DOCUMENT, &document, NULL), OK);
	assert_true(str_starts(json_member_text(document, "openapi"), STR("3.1.")));
	assert_true(str_eq(API_DOCUMENT, read_file("src/api/openapi.json")));
	assert_null(memmem(API_DOCUMENT.p, API_DOCUMENT.n, "\"x-pool\"", 8));
	assert_non_null(memmem(API_DOCUMENT.p, API_DOCUMENT.n, "\"x-scope\"", 9));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_example_passes_the_checks_of_its_operation),
		cmocka_unit_test(the_list_that_tests_use_agrees_with_the_rows),
		cmocka_unit_test(the_served_document_is_json_and_keeps_our_pools_to_itself),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
