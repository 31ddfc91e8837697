/* What the tests of inputs share: one request line and a body, against tests/gen/fixtures/good.yaml. */
#ifndef LW_TESTS_UNIT_API_REQUEST_H
#define LW_TESTS_UNIT_API_REQUEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "api/check.h"
#include "api/route.h"
#include "base/json_read.h"

#define THING "cred-00000000000000000000000001"
#define USER "usr-00000000000000000000000002"

static struct arena *arena;
static struct problem problem;

static int open_arena(void **state)
{
	(void)state;
	arena = arena_new(4 << 20);
	problem_clear(&problem);
	return arena ? 0 : -1;
}

static int close_arena(void **state)
{
	(void)state;
	arena_free(arena);
	return 0;
}

/* "GET /path?query", and a body or NULL. */
static enum err read_request(const char *line, const char *body, void **ret_in)
{
	struct str query = str_of(line), method = str_cut(&query, ' '), path = str_cut(&query, '?');
	struct route_match match;
	json_t *json = NULL;
	enum err e = route_find(method, path, &match);

	problem_clear(&problem);
	*ret_in = NULL;
	if (e != OK)
		fail_msg("%s isn't a route of the fixture", line);
	if (body && json_read(arena, str_of(body), &json, NULL) != OK)
		fail_msg("%s isn't JSON", body);
	return route_read(&match, query, json, arena, &problem, ret_in);
}

static const void *takes(const char *line, const char *body)
{
	void *in;
	enum err e = read_request(line, body, &in);

	if (e != OK)
		fail_msg("%s %s is refused (%d): %.*s %s", line, body ? body : "", (int)e,
			 STR_ARG(problem.count ? problem.field[0].field : STR("")),
			 problem.count ? problem.field[0].code : "");
	assert_int_equal(problem.count, 0);
	return in;
}

/* The one bad place and its code, as "query.limit TOO_LARGE". */
static void refuses(const char *line, const char *body, const char *complaint)
{
	void *in;
	char told[400];

	assert_int_equal(read_request(line, body, &in), ERR_BAD_INPUT);
	assert_null(in);
	assert_int_equal(problem.count, 1);
	(void)snprintf(told, sizeof(told), "%.*s %s", STR_ARG(problem.field[0].field),
		       problem.field[0].code);
	assert_string_equal(told, complaint);
	assert_true(problem.field[0].message.n > 0);
}

static int set_up(void **state)
{
	(void)state;
	return json_setup() == OK && check_setup() == OK ? 0 : -1;
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, open_arena, close_arena)

#endif
