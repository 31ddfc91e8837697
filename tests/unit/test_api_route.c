/* Finding an operation by method and raw path, in the routes of tests/gen/fixtures/good.yaml. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "api/check.h"
#include "api/route.h"

#define ID "cred-00000000000000000000000000"

static void expect(const char *method, const char *path, enum operation operation)
{
	struct route_match match;

	if (route_find(str_of(method), str_of(path), &match) != OK)
		fail_msg("%s %s wasn't found", method, path);
	assert_int_equal(match.route->operation, operation);
	assert_ptr_equal(match.route, &ROUTES[operation]);
}

static void expect_error(const char *method, const char *path, enum err e)
{
	struct route_match match;
	enum err found = route_find(str_of(method), str_of(path), &match);

	if (found != e)
		fail_msg("%s %s gave %d, not %d", method, path, (int)found, (int)e);
	assert_null(match.route);
}

static void every_operation_is_found_by_its_method_and_path(void **state)
{
	(void)state;
	expect("GET", "/ping", OP_PING);
	expect("GET", "/api/v1/things", OP_THING_LIST);
	expect("POST", "/api/v1/things", OP_THING_CREATE);
	expect("GET", "/api/v1/things/" ID, OP_THING_GET);
	expect("PATCH", "/api/v1/things/" ID, OP_THING_UPDATE);
	expect("DELETE", "/api/v1/things/" ID, OP_THING_DELETE);
	expect("GET", "/api/v1/things/" ID "/status", OP_THING_STATUS);
	expect("POST", "/api/hooks/stripe/s3cret", OP_HOOK_RECEIVE);
}

static void a_static_segment_wins_over_a_parameter(void **state)
{
	(void)state;
	expect("POST", "/api/v1/things/test", OP_THING_TEST);
	expect("POST", "/api/v1/things/tests", OP_THING_USE);
	/* Only where the whole path is static: below it the parameter's branch is still there. */
	expect("GET", "/api/v1/things/test/status", OP_THING_STATUS);
}

static void path_parameters_come_in_the_order_of_the_template(void **state)
{
	struct route_match match;

	(void)state;
	assert_int_equal(route_find(STR("GET"), STR("/api/v1/things/abc/versions/7"), &match), OK);
	assert_true(str_eq(match.param[0], STR("abc")));
	assert_true(str_eq(match.param[1], STR("7")));
	assert_true(str_eq(match.route->path_params[0].name, STR("thing_id")));
}

static void head_is_answered_by_get(void **state)
{
	(void)state;
	expect("HEAD", "/ping", OP_PING);
	expect_error("HEAD", "/api/hooks/stripe/s3cret", ERR_METHOD_NOT_ALLOWED);
}

/* What it would do can't be told apart from what it would say. */
static void a_get_of_the_vault_answers_no_head(void **state)
{
	struct route_match match;
	char text[ROUTE_ALLOW_MAX];

	(void)state;
	expect("GET", "/api/v1/things/abc/versions/7", OP_VERSION_GET);
	assert_int_equal(route_find(STR("HEAD"), STR("/api/v1/things/abc/versions/7"), &match), ERR_METHOD_NOT_ALLOWED);
	assert_true(str_eq(route_allow(match.methods, text), STR("GET, OPTIONS")));
}

static void a_known_path_tells_which_methods_it_takes(void **state)
{
	struct route_match match;
	char text[ROUTE_ALLOW_MAX];

	(void)state;
	assert_int_equal(route_find(STR("PUT"), STR("/api/v1/things/" ID), &match),
			 ERR_METHOD_NOT_ALLOWED);
	assert_true(str_eq(route_allow(match.methods, text),
			   STR("GET, HEAD, POST, PATCH, DELETE, OPTIONS")));
	assert_int_equal(route_find(STR("OPTIONS"), STR("/api/v1/things/test"), &match),
			 ERR_METHOD_NOT_ALLOWED);
	assert_true(str_eq(route_allow(match.methods, text), STR("POST, OPTIONS")));
	expect_error("get", "/ping", ERR_METHOD_NOT_ALLOWED);
	expect_error("TRACE", "/ping", ERR_METHOD_NOT_ALLOWED);
	expect_error("", "/ping", ERR_METHOD_NOT_ALLOWED);
}

static void the_longest_allow_header_fits(void **state)
{
	char text[ROUTE_ALLOW_MAX];

	(void)state;
	assert_true(route_allow((2u << METHOD_COUNT) - 1, text).n < ROUTE_ALLOW_MAX);
}

static void unknown_paths_are_absent_whatever_the_method(void **state)
{
	static const char *const paths[] = { "/",
					     "/pin",
					     "/pings",
					     "/ping/",
					     "/PING",
					     "/api",
					     "/api/v1/",
					     "/api/v1/Things",
					     "/api/v1/things/",
					     "/ping/ping",
					     "/api/v1/things/" ID "/",
					     "/api/v1/things/" ID "/versions",
					     "/api/hooks/stripe",
					     "/api/hooks/stripe/a/b" };

	(void)state;
	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
		expect_error("GET", paths[i], ERR_NOT_FOUND);
		expect_error("BREW", paths[i], ERR_NOT_FOUND);
	}
}

static void paths_that_parsers_read_differently_are_refused(void **state)
{
	static const char *const paths[] = { "",
					     "ping",
					     "*",
					     "http://host/ping",
					     "//ping",
					     "/ping//",
					     "/api//v1/things",
					     "/./ping",
					     "/api/./v1/things",
					     "/api/v1/../v1/things",
					     "/ping/..",
					     "/ping/.",
					     "/..",
					     "/.",
					     "/%70ing",
					     "/ping%2f",
					     "/ping%00",
					     "/api/v1/things/%2e",
					     "/ping;x=1",
					     "/ping\\",
					     "/api\\v1\\things",
					     "/ping\n",
					     "/ping\t",
					     "/ping ",
					     "/pi\x7fng",
					     "/pi\xc3\xa9ng",
					     "/ping?x=1",
					     "/ping#x",
					     "/api/hooks/a;b/cccc" };

	(void)state;
	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++)
		expect_error("GET", paths[i], ERR_BAD_PATH);
	struct route_match match;
	assert_int_equal(route_find(STR("GET"), STR("/ping\0"), &match), ERR_BAD_PATH);
	assert_int_equal(route_find(STR("GET"), STR_NONE, &match), ERR_BAD_PATH);
}

static void a_row_says_what_the_document_says(void **state)
{
	const struct route *list = &ROUTES[OP_THING_LIST], *create = &ROUTES[OP_THING_CREATE];
	const struct route *hook = &ROUTES[OP_HOOK_RECEIVE], *update = &ROUTES[OP_THING_UPDATE];

	(void)state;
	assert_string_equal(create->name, "thing_create");
	assert_string_equal(create->path, "/api/v1/things");
	assert_int_equal(create->pool, ROUTE_VAULT);
	assert_int_equal(create->auth, ROUTE_AUTH_USER);
	assert_int_equal(create->scope, SCOPE_SET(CREDENTIALS_WRITE));
	assert_int_equal(create->role, ROLE_MEMBER);
	assert_string_equal(create->rate, "write");
	assert_string_equal(create->audit, "credential.create");
	assert_int_equal(create->body_max, 65536);
	assert_true(create->transaction && create->body_required);
	assert_true(create->keeps_answer);
	assert_false(ROUTES[OP_THING_USE].keeps_answer);
	assert_int_equal(list->pool, ROUTE_FRONT);
	assert_int_equal(list->body, ROUTE_BODY_NONE);
	assert_false(list->transaction);
	assert_string_equal(list->rate, "default");
	assert_null(list->audit);
	assert_int_equal(update->scope, 0);
	assert_true(ROUTES[OP_THING_TEST].scope == ~(scopes)0);
	assert_int_equal(ROUTES[OP_THING_TEST].body_max, 1 << 20);
	assert_int_equal(ROUTES[OP_THING_STATUS].auth, ROUTE_AUTH_OPTIONAL);
	assert_false(ROUTES[OP_THING_USE].transaction);
	assert_int_equal(hook->auth, ROUTE_AUTH_NONE);
	assert_int_equal(hook->role, ROLE_NONE);
	assert_int_equal(hook->body, ROUTE_BODY_RAW);
	assert_string_equal(hook->media, "any");
	assert_true(hook->any_query);
}

static void a_row_calls_the_handler_of_its_name(void **state)
{
	(void)state;
	for (size_t i = 0; i < OPERATION_COUNT; i++) {
		assert_int_equal(ROUTES[i].operation, i);
		assert_int_equal(ROUTES[i].run(NULL, NULL, NULL), OK);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_operation_is_found_by_its_method_and_path),
		cmocka_unit_test(a_static_segment_wins_over_a_parameter),
		cmocka_unit_test(path_parameters_come_in_the_order_of_the_template),
		cmocka_unit_test(head_is_answered_by_get),
		cmocka_unit_test(a_get_of_the_vault_answers_no_head),
		cmocka_unit_test(a_known_path_tells_which_methods_it_takes),
		cmocka_unit_test(the_longest_allow_header_fits),
		cmocka_unit_test(unknown_paths_are_absent_whatever_the_method),
		cmocka_unit_test(paths_that_parsers_read_differently_are_refused),
		cmocka_unit_test(a_row_says_what_the_document_says),
		cmocka_unit_test(a_row_calls_the_handler_of_its_name),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
