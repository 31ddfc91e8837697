/* Bodies: what handlers get, and what clients are told. */
#include "api_request.h"

/* The members that thing_create needs, and room for one more. */
#define MADE "\"name\":\"Thing\",\"kind\":\"small\",\"owner\":\"" USER "\",\"size\":3"

static void refuses_made(const char *more, const char *complaint)
{
	char body[2000];

	(void)snprintf(body, sizeof(body), "{" MADE ",%s}", more);
	refuses("POST /api/v1/things", body, complaint);
}

static const struct thing_create_in *takes_made(const char *more)
{
	char body[2000];

	(void)snprintf(body, sizeof(body), "{" MADE ",%s}", more);
	return takes("POST /api/v1/things", body);
}

static void members_arrive_typed(void **state)
{
	(void)state;
	const struct thing_create_in *in = takes_made(
		"\"email\":\"a@b.de\",\"url\":\"https://x/\",\"expires_at\":\"1970-01-01T01:00:00+01:00\",\"fast\":false,"
		"\"anything\":[null],\"either\":9,\"data\":{\"a\":{}},\"labels\":{\"ab\":\"cd\"},\"scopes\":[\"a\",\"b\"],"
		"\"steps\":[{\"id\":\"step\",\"x\":1.5,\"on\":null,\"children\":[{\"id\":\"step\"}]}]");
	assert_true(str_eq(in->name, STR("Thing")));
	assert_int_equal(in->owner.b[15], 2);
	assert_int_equal(in->size, 3);
	assert_true(in->expires_at.set && in->expires_at.v == 0);
	assert_true(in->fast_set && !in->fast);
	assert_int_equal(json_length(in->anything), 1);
	assert_int_equal(json_length(in->data), 1);
	assert_non_null(in->either);
	assert_int_equal(json_length(in->steps), 1);
	assert_int_equal(in->retries, 3);
	assert_true(str_eq(in->default_, STR("word \"quoted\"? \xc3\xa9")));
}

static void members_that_are_not_sent_are_absent(void **state)
{
	(void)state;
	const struct thing_create_in *in = takes("POST /api/v1/things", "{" MADE "}");
	assert_true(str_absent(in->email) && str_absent(in->service));
	assert_false(in->expires_at.set || in->fast || in->fast_set);
	assert_null(in->anything);
	assert_null(in->steps);
}

static void a_bad_member_is_named_with_its_code(void **state)
{
	static const char *const cases[][2] = {
		{ "\"tenant_id\":\"x\"", "tenant_id UNKNOWN_FIELD" },
		{ "\"\":1", " UNKNOWN_FIELD" },
		{ "\"email\":\"nobody\"", "email BAD_FORMAT" },
		{ "\"email\":null", "email WRONG_TYPE" },
		{ "\"url\":\"/x\"", "url BAD_FORMAT" },
		{ "\"expires_at\":\"2026-02-30T00:00:00Z\"", "expires_at BAD_FORMAT" },
		{ "\"expires_at\":1", "expires_at WRONG_TYPE" },
		{ "\"service\":\"A\"", "service BAD_FORMAT" },
		{ "\"service\":\"a\\n\"", "service BAD_FORMAT" },
		{ "\"service\":\"a23456789012345678901\"", "service TOO_LONG" },
		{ "\"retries\":3.0", "retries WRONG_TYPE" },
		{ "\"retries\":\"3\"", "retries WRONG_TYPE" },
		{ "\"fast\":0", "fast WRONG_TYPE" },
		{ "\"either\":true", "either WRONG_TYPE" },
		{ "\"either\":10", "either TOO_LARGE" },
		{ "\"either\":\"long\"", "either TOO_LONG" },
		{ "\"data\":[]", "data WRONG_TYPE" },
		{ "\"data\":{\"a\":1,\"b\":2,\"c\":3}", "data TOO_MANY" },
		{ "\"labels\":{\"a\":\"12345\"}", "labels.a TOO_LONG" },
		{ "\"labels\":{\"A\":\"1\"}", "labels.A BAD_FORMAT" },
		{ "\"scopes\":[]", "scopes TOO_FEW" },
		{ "\"scopes\":[\"a\",\"b\",\"c\",\"a\"]", "scopes TOO_MANY" },
		{ "\"scopes\":[\"a\",\"b\",\"a\"]", "scopes[2] DUPLICATE" },
		{ "\"scopes\":[\"a\",\"d\"]", "scopes[1] NOT_ALLOWED" },
		{ "\"numbers\":[1,2,1]", "numbers[2] DUPLICATE" },
		{ "\"steps\":[{\"id\":\"step\"},{}]", "steps[1].id REQUIRED" },
		{ "\"steps\":[{\"id\":\"other\"}]", "steps[0].id TOO_LONG" },
		{ "\"steps\":[{\"id\":\"no\"}]", "steps[0].id NOT_ALLOWED" },
		{ "\"steps\":[{\"id\":\"step\",\"x\":\"1\"}]", "steps[0].x WRONG_TYPE" },
		{ "\"steps\":[{\"id\":\"step\",\"y\":1}]", "steps[0].y UNKNOWN_FIELD" },
		{ "\"steps\":[{\"id\":\"step\",\"children\":[{\"id\":\"step\"},{\"id\":\"step\",\"children\":[1]}]}]",
		  "steps[0].children[1].children[0] WRONG_TYPE" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		refuses_made(cases[i][0], cases[i][1]);
}

static void required_members_are_asked_for(void **state)
{
	void *in;

	(void)state;
	assert_int_equal(read_request("POST /api/v1/things", "{}", &in), ERR_BAD_INPUT);
	assert_int_equal(problem.count, 4);
	for (size_t i = 0; i < problem.count; i++)
		assert_string_equal(problem.field[i].code, "REQUIRED");
}

static void bounds_are_included(void **state)
{
	(void)state;
	takes("POST /api/v1/things",
	      "{\"name\":\"1234\xc3\xa9\",\"kind\":\"large\",\"owner\":\"" USER "\",\"size\":-5}");
	takes("POST /api/v1/things",
	      "{\"name\":\"1\",\"kind\":\"large\",\"owner\":\"" USER "\",\"size\":5}");
	refuses("POST /api/v1/things",
		"{\"name\":\"1\",\"kind\":\"large\",\"owner\":\"" USER "\",\"size\":6}",
		"size TOO_LARGE");
	refuses("POST /api/v1/things",
		"{\"name\":\"1\",\"kind\":\"large\",\"owner\":\"" USER "\",\"size\":-6}",
		"size TOO_SMALL");
	refuses("POST /api/v1/things",
		"{\"name\":\"\",\"kind\":\"large\",\"owner\":\"" USER "\",\"size\":0}",
		"name TOO_SHORT");
}

static void a_body_must_be_an_object(void **state)
{
	(void)state;
	refuses("POST /api/v1/things", "[]", "body WRONG_TYPE");
	refuses("POST /api/v1/things", "null", "body WRONG_TYPE");
	refuses("POST /api/v1/things", NULL, "body REQUIRED");
	refuses("PATCH /api/v1/things/" THING, "{}", "body TOO_FEW");
}

static void an_optional_body_may_be_absent_and_is_checked_when_it_comes(void **state)
{
	(void)state;
	const struct thing_test_in *in = takes("POST /api/v1/things/test", NULL);
	assert_true(str_absent(in->url));
	assert_int_equal(in->tries, 3);
	in = takes("POST /api/v1/things/test", "{\"url\":\"https://x\"}");
	assert_true(str_eq(in->url, STR("https://x")));
	refuses("POST /api/v1/things/test", "{}", "url REQUIRED");
}

static void a_change_tells_absent_null_and_present_apart(void **state)
{
	(void)state;
	const struct thing_update_in *in = takes("PATCH /api/v1/things/" THING, "{\"name\":\"x\"}");
	assert_true(str_absent(in->note) && !in->note_null && !in->owner_null && !in->size_null &&
		    !in->until_null);
	assert_false(in->active_set);
	in = takes("PATCH /api/v1/things/" THING,
		   "{\"note\":null,\"owner\":null,\"size\":null,\"until\":null,\"active\":false}");
	assert_true(in->note_null && in->owner_null && in->size_null && in->until_null);
	assert_true(str_absent(in->note) && !in->owner.set && !in->size.set && !in->until.set);
	assert_true(in->active_set && !in->active);
	in = takes("PATCH /api/v1/things/" THING,
		   "{\"note\":\"\",\"owner\":\"" USER "\",\"size\":0}");
	assert_true(!str_absent(in->note) && !in->note_null);
	assert_true(in->owner.set && in->size.set && !in->size_null);
}

static void long_names_are_cut_between_characters(void **state)
{
	char more[400] = "\"a";

	(void)state;
	for (size_t i = 0; i < 60; i++)
		strcat(more, "\xc3\xa9");
	strcat(more, "\":1");
	void *in;
	char body[600];
	(void)snprintf(body, sizeof(body), "{" MADE ",%s}", more);
	assert_int_equal(read_request("POST /api/v1/things", body, &in), ERR_BAD_INPUT);
	assert_int_equal(problem.field[0].field.n, 63);
	assert_true(str_is_utf8(problem.field[0].field));
}

static void thousands_of_bad_places_cost_no_more_than_the_first_ones(void **state)
{
	enum { MANY = 50000 };
	struct arena *small = arena_new(64 << 20);
	char *body = malloc(MANY * 12 + 64), *end = body;
	struct route_match match;
	json_t *json;
	void *in;

	(void)state;
	end += sprintf(end, "{" MADE);
	for (int i = 0; i < MANY; i++)
		end += sprintf(end, ",\"x%d\":1", i);
	*end++ = '}';
	assert_int_equal(json_read(small, (struct str){ body, (size_t)(end - body) }, &json, NULL),
			 OK);
	size_t before = arena_used(small);
	problem_clear(&problem);
	assert_int_equal(route_find(STR("POST"), STR("/api/v1/things"), &match), OK);
	assert_int_equal(route_read(&match, STR_NONE, json, small, &problem, &in), ERR_BAD_INPUT);
	assert_int_equal(problem.count, PROBLEM_FIELDS_MAX);
	assert_true(arena_used(small) - before < 16384);
	arena_free(small);
	free(body);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(members_arrive_typed),
		TEST(members_that_are_not_sent_are_absent),
		TEST(a_bad_member_is_named_with_its_code),
		TEST(required_members_are_asked_for),
		TEST(bounds_are_included),
		TEST(a_body_must_be_an_object),
		TEST(an_optional_body_may_be_absent_and_is_checked_when_it_comes),
		TEST(a_change_tells_absent_null_and_present_apart),
		TEST(long_names_are_cut_between_characters),
		TEST(thousands_of_bad_places_cost_no_more_than_the_first_ones),
	};
	return cmocka_run_group_tests(tests, set_up, NULL);
}
