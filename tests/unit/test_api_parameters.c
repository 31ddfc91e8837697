/* Path and query: what handlers get, and what clients are told. */
#include "api_request.h"

static void parameters_that_are_not_sent_have_their_defaults(void **state)
{
	(void)state;
	const struct thing_list_in *in = takes("GET /api/v1/things", NULL);
	assert_int_equal(in->limit, 50);
	assert_true(str_eq(in->order, STR("newest")));
	assert_true(in->deleted);
	assert_true(str_absent(in->name) && str_absent(in->cursor) && str_absent(in->hub_mode));
	assert_false(in->below.set || in->since.set || in->owner.set || in->active ||
		     in->active_set);
	in = takes("GET /api/v1/things?", NULL);
	assert_int_equal(in->limit, 50);
}

static void parameters_arrive_typed(void **state)
{
	(void)state;
	const struct thing_list_in *in = takes(
		"GET /api/v1/things?limit=200&below=-9223372036854775808&name=a+b%2B&order=oldest&cursor=x_-"
		"&since=1970-01-01T00:00:01.5Z&active=false&deleted=false&owner=" USER "&hub.mode=",
		NULL);
	assert_int_equal(in->limit, 200);
	assert_true(in->below.set && in->below.v == INT64_MIN);
	assert_true(str_eq(in->name, STR("a b+")));
	assert_true(str_eq(in->order, STR("oldest")));
	assert_true(str_eq(in->cursor, STR("x_-")));
	assert_true(in->since.set && in->since.v == 1500);
	assert_true(in->active_set && !in->active && !in->deleted);
	assert_true(in->owner.set && in->owner.v.b[15] == 2);
	assert_true(!str_absent(in->hub_mode) && in->hub_mode.n == 0);
}

static void a_bad_parameter_is_named_with_its_code(void **state)
{
	static const char *const cases[][2] = {
		{ "limit=0", "query.limit TOO_SMALL" },
		{ "limit=201", "query.limit TOO_LARGE" },
		{ "limit=", "query.limit WRONG_TYPE" },
		{ "limit=1.0", "query.limit WRONG_TYPE" },
		{ "limit=01", "query.limit WRONG_TYPE" },
		{ "limit=+1", "query.limit WRONG_TYPE" },
		{ "limit=-0", "query.limit WRONG_TYPE" },
		{ "limit=-", "query.limit WRONG_TYPE" },
		{ "below=9223372036854775808", "query.below WRONG_TYPE" },
		{ "below=-9223372036854775809", "query.below WRONG_TYPE" },
		{ "name=a", "query.name TOO_SHORT" },
		{ "name=01234567890", "query.name TOO_LONG" },
		{ "order=Newest", "query.order NOT_ALLOWED" },
		{ "order=", "query.order NOT_ALLOWED" },
		{ "cursor=a/b", "query.cursor BAD_FORMAT" },
		{ "cursor=a%0A", "query.cursor BAD_FORMAT" },
		{ "cursor=", "query.cursor BAD_FORMAT" },
		{ "since=yesterday", "query.since BAD_FORMAT" },
		{ "active=1", "query.active WRONG_TYPE" },
		{ "active=TRUE", "query.active WRONG_TYPE" },
		{ "owner=" THING, "query.owner BAD_FORMAT" },
		{ "owner=usr-00000000000000000000000000", "query.owner BAD_FORMAT" },
		{ "tenant_id=x", "query.tenant_id UNKNOWN_FIELD" },
		{ "Limit=1", "query.Limit UNKNOWN_FIELD" },
		{ "limit=1&limit=1", "query.limit DUPLICATE" },
		{ "limit=1&limi%74=2", "query.limit DUPLICATE" },
		{ "name=%", "query BAD_FORMAT" },
		{ "name=%4", "query BAD_FORMAT" },
		{ "name=%zz", "query BAD_FORMAT" },
		{ "name=ab%00", "query BAD_FORMAT" },
		{ "name=%c3%28", "query BAD_FORMAT" },
		{ "%ff=1", "query BAD_FORMAT" },
	};
	char line[200];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		(void)snprintf(line, sizeof(line), "GET /api/v1/things?%s", cases[i][0]);
		refuses(line, NULL, cases[i][1]);
	}
}

static void lengths_count_characters_and_not_bytes(void **state)
{
	(void)state;
	takes("GET /api/v1/things?name=%f0%9f%90%99%f0%9f%90%99%f0%9f%90%99", NULL);
	refuses("GET /api/v1/things?name=%f0%9f%90%99", NULL, "query.name TOO_SHORT");
}

static void an_escape_is_decoded_once(void **state)
{
	(void)state;
	const struct thing_list_in *in = takes("GET /api/v1/things?name=%2541", NULL);
	assert_true(str_eq(in->name, STR("%41")));
}

static void every_bad_place_is_told_at_once(void **state)
{
	void *in;

	(void)state;
	assert_int_equal(read_request("GET /api/v1/things?limit=0&x=1&order=up", NULL, &in),
			 ERR_BAD_INPUT);
	assert_int_equal(problem.count, 3);
	assert_string_equal(problem.field[2].code, "NOT_ALLOWED");
	assert_true(str_eq(problem.field[2].message, STR("must be one of: newest, oldest")));
}

static void an_open_query_is_left_to_the_handler(void **state)
{
	(void)state;
	const struct hook_receive_in *in =
		takes("POST /api/hooks/stripe/s3cret?a=%zz&a=1&challenge=abc&%00", NULL);
	assert_true(str_eq(in->challenge, STR("abc")));
	assert_true(str_eq(in->service, STR("stripe")));
	refuses("POST /api/hooks/stripe/s3cret?challenge=012345678", NULL,
		"query.challenge TOO_LONG");
}

static void path_parameters_arrive_typed(void **state)
{
	(void)state;
	const struct version_get_in *in = takes("GET /api/v1/things/" THING "/versions/9", NULL);
	assert_int_equal(in->thing_id.b[15], 1);
	assert_int_equal(in->version, 9);
}

static void a_path_that_can_name_nothing_is_absent(void **state)
{
	static const char *const lines[] = { "GET /api/v1/things/" USER,
					     "GET /api/v1/things/CRED-00000000000000000000000001",
					     "GET /api/v1/things/cred-",
					     "GET /api/v1/things/" THING "0",
					     "GET /api/v1/things/" THING "/versions/0",
					     "GET /api/v1/things/" THING "/versions/10",
					     "GET /api/v1/things/" THING "/versions/one",
					     "GET /api/v1/things/" THING "/versions/01",
					     "POST /api/hooks/Stripe/s3cret",
					     "POST /api/hooks/stripe/abc",
					     "POST /api/hooks/a234567890123456789012/abcd" };
	void *in;

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		assert_int_equal(read_request(lines[i], NULL, &in), ERR_NOT_FOUND);
		assert_null(in);
		assert_int_equal(problem.count, 0);
	}
}

static void out_of_memory_is_said(void **state)
{
	struct arena *none = arena_new(16);
	struct route_match match;
	void *in;

	(void)state;
	assert_int_equal(route_find(STR("GET"), STR("/api/v1/things"), &match), OK);
	assert_int_equal(route_read(&match, STR_NONE, NULL, none, &problem, &in), ERR_NO_MEMORY);
	arena_free(none);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(parameters_that_are_not_sent_have_their_defaults),
		TEST(parameters_arrive_typed),
		TEST(a_bad_parameter_is_named_with_its_code),
		TEST(lengths_count_characters_and_not_bytes),
		TEST(an_escape_is_decoded_once),
		TEST(every_bad_place_is_told_at_once),
		TEST(an_open_query_is_left_to_the_handler),
		TEST(path_parameters_arrive_typed),
		TEST(a_path_that_can_name_nothing_is_absent),
		TEST(out_of_memory_is_said),
	};
	return cmocka_run_group_tests(tests, set_up, NULL);
}
