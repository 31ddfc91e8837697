/* Requests put together from a type's templates, signed where AWS wants it, and sent within the caps. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "connect/call.h"
#include "connect/sigv4.h"
#include "connect_support.h"
#include "core/calls.h"
#include "net/egress.h"

static struct catalog *catalog;
static struct values values;
static struct call call;
static struct str missing;

static int set_up(void **state)
{
	(void)state;
	catalog = sample_catalog(SAMPLE, NULL, NULL);
	values_init(&values);
	set_value(&values, "shop", "a.shop.example");
	set_value(&values, "version", "v2");
	set_value(&values, "api_key", "key-1");
	set_value(&values, "header", "X-Key");
	call_init(&call);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	call_done(&call);
	values_done(&values);
	catalog_free(catalog);
	return 0;
}

static enum err make(const struct request_spec *spec, const char *way)
{
	const struct connector_type *type = only_type(catalog);

	call_done(&call);
	call_init(&call);
	return call_make(type, way ? connector_way(type, str_of(way)) : NULL, spec, &values, 0,
			 &call, &missing);
}

static void assert_text(struct str got, const char *want)
{
	if (!str_eq(got, str_of(want)))
		fail_msg("%.*s instead of %s", STR_ARG(got), want ? want : "nothing");
}

static void assert_header(const char *name, const char *want)
{
	assert_text(call_header_value(&call, str_of(name)), want);
}

#define SPEC_URL STR("https://{shop}/api/{version}/me")

/* --- putting it together ------------------------------------------------------------- */

static void a_request_carries_what_its_way_says_and_nothing_else(void **state)
{
	const struct request_spec spec = { .url = SPEC_URL };

	(void)state;
	assert_int_equal(make(&spec, "key"), OK);
	assert_string_equal(call.method, "GET");
	assert_text(buf_str(&call.url), "https://a.shop.example/api/v2/me");
	assert_header("x-key", "key-1");
	assert_header("Accept", "application/json");
	assert_header("X-Account", NULL);
	assert_int_equal(call.headers, 2);
	assert_false(call.has_body);
	assert_int_equal(make(&spec, NULL), OK);
	assert_int_equal(call.headers, 1);
}

static void a_query_and_a_form_are_encoded(void **state)
{
	const struct pair query[] = { { STR("q"), STR("a b&c=d/{shop}") },
				      { STR("page"), STR("1") } };
	const struct pair form[] = { { STR("na me"), STR("\xc3\xa4+%") } };
	struct request_spec spec = {
		.method = STR("POST"), .url = SPEC_URL, .query = { query, 2 }, .form = { form, 1 }
	};

	(void)state;
	assert_int_equal(make(&spec, NULL), OK);
	assert_text(buf_str(&call.url),
		    "https://a.shop.example/api/v2/me?q=a%20b%26c%3Dd%2Fa.shop.example&page=1");
	assert_text(buf_str(&call.body), "na%20me=%C3%A4%2B%25");
	assert_header("Content-Type", "application/x-www-form-urlencoded");
	spec.form_as_json = true;
	assert_int_equal(make(&spec, NULL), OK);
	assert_text(buf_str(&call.body), "{\"na me\":\"\xc3\xa4+%\"}");
	assert_header("Content-Type", "application/json");
}

/* A step's request: what it says is sent as it stands, and nothing of it takes the place of what proves it. */
static void a_literal_request_fills_nothing_and_replaces_nothing(void **state)
{
	struct pair header[] = { { STR("X-A"), STR("{api_key}") }, { STR("Accept"), STR("text/html") } };
	const struct pair query[] = { { STR("q"), STR("{api_key}") } };
	const struct request_spec spec = { .method = STR("POST"), .url = SPEC_URL, .headers = { header, 2 },
					   .query = { query, 1 }, .literal = true, .body = STR("{\"a\":\"{api_key}\"}") };

	(void)state;
	assert_int_equal(make(&spec, "key"), OK);
	assert_text(buf_str(&call.url), "https://a.shop.example/api/v2/me?q=%7Bapi_key%7D");
	assert_text(buf_str(&call.body), "{\"a\":\"{api_key}\"}");
	assert_header("X-A", "{api_key}");
	assert_header("X-Key", "key-1");
	assert_header("Accept", "text/html");
	header[0] = (struct pair){ STR("x-KEY"), STR("mine") };
	assert_int_equal(make(&spec, "key"), ERR_CONFLICT);
	header[0] = (struct pair){ STR("X-A"), STR("1\r\nX-B: 2") };
	assert_int_equal(make(&spec, "key"), ERR_BAD_INPUT);
}

/* Models and definitions name paths below a provider's address: none of them leads out of it. */
static void a_strangers_path_stays_below_the_address(void **state)
{
	static const char *const GOOD[] = { "/", "/orders", "/orders/7?limit=5&a=../b", "/a//b", "/a.b/..c", "/x%20y", "//host/x" };
	static const char *const BAD[] = { "", "orders", "https://evil.example/", "/..", "/.", "/a/../b", "/a/./b", "/../",
					   "/%2e%2e/b", "/a%2F..%2Fb", "/a%5cb", "/a\\b", "/a b", "/a#b", "/{api_key}",
					   "/a\nb", "/\xc3\xa4", "?a=b" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(GOOD); i++)
		if (!call_path_ok(str_of(GOOD[i])))
			fail_msg("%s", GOOD[i]);
	for (size_t i = 0; i < ARRAY_SIZE(BAD); i++)
		if (call_path_ok(str_of(BAD[i])))
			fail_msg("%s", BAD[i]);
	assert_false(call_path_ok(STR_NONE));
}

static void a_user_and_a_password_become_one_header(void **state)
{
	const struct request_spec spec = { .url = SPEC_URL };

	(void)state;
	set_value(&values, "username", "Aladdin");
	set_value(&values, "password", "open sesame");
	assert_int_equal(make(&spec, "basic"), OK);
	assert_header("Authorization",
		      "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="); /* RFC 7617, section 2 */
	/* The first colon would end the user: somebody else's. */
	set_value(&values, "username", "Ala:ddin");
	assert_int_equal(make(&spec, "basic"), ERR_BAD_INPUT);
	assert_true(str_absent(missing));
}

static void a_value_that_ends_a_line_is_not_sent(void **state)
{
	static const char *const BAD[] = { "a\r\nX-Injected: 1", "a\nb", "a\tb", "a\x7f", "\x01" };
	const struct request_spec spec = { .url = SPEC_URL };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(BAD); i++) {
		set_value(&values, "api_key", BAD[i]);
		assert_int_equal(make(&spec, "key"), ERR_BAD_INPUT);
		assert_int_equal(call_header(&call, "X-Y", str_of(BAD[i])), ERR_BAD_INPUT);
		set_value(&values, "api_key", "key-1");
		set_value(&values, "header", BAD[i]);
		assert_int_equal(make(&spec, "key"), ERR_BAD_INPUT);
		set_value(&values, "header", "X-Key");
	}
}

static void a_missing_value_is_named(void **state)
{
	const struct request_spec spec = { .url = SPEC_URL };

	(void)state;
	assert_int_equal(make(&spec, "oauth2_authorization_code"), ERR_BAD_INPUT);
	assert_text(missing, "access_token");
}

static void a_credential_goes_to_its_providers_hosts_only(void **state)
{
	static const char *const URLS[] = { "https://evil.example/",
					    "https://api.example.com.evil.example/",
					    "https://api.example.com:8443/",
					    "https://api.example.com@evil.example/" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(URLS); i++) {
		const struct request_spec spec = { .url = str_of(URLS[i]) };

		assert_int_equal(make(&spec, "key"), ERR_HOST_FORBIDDEN);
	}
}

static void a_header_of_the_answer_is_asked_for_once(void **state)
{
	size_t at;

	(void)state;
	assert_int_equal(call_want(&call, STR("X-A"), &at), OK);
	assert_int_equal(call_want(&call, STR("X-B"), &at), OK);
	assert_int_equal(at, 1);
	assert_int_equal(call_want(&call, STR("x-a"), &at), OK);
	assert_int_equal(at, 0);
	assert_int_equal(call.wanteds, 2);
	for (size_t i = 2; i < HTTP_WANTED_MAX; i++)
		assert_int_equal(call_want(&call, (struct str){ "CDEFGHIJKLMNOP" + i, 1 }, &at), OK);
	assert_int_equal(call_want(&call, STR("X-Z"), &at), ERR_TOO_BIG);
}

/* --- AWS ------------------------------------------------------------------------------- */

/* Out of the test suite of Signature Version 4 that AWS published, and of its documentation. */
#define TOKEN                                                                                                         \
	"AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8" \
	"YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6" \
	"fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabI"  \
	"Qwj2ICCR/oLxBA=="

static void requests_to_aws_are_signed_as_aws_does_it(void **state)
{
	static const struct {
		const char *method, *url, *type, *body, *token, *service, *headers, *signature;
	} CASES[] = {
		{ "GET", "https://example.amazonaws.com/", NULL, "", NULL, "service",
		  "host;x-amz-date",
		  "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31" },
		{ "POST", "https://example.amazonaws.com/", NULL, "", NULL, "service",
		  "host;x-amz-date",
		  "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b" },
		{ "GET", "https://example.amazonaws.com/?Param2=value2&Param1=value1", NULL, "",
		  NULL, "service", "host;x-amz-date",
		  "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500" },
		{ "POST", "https://example.amazonaws.com/", "application/x-www-form-urlencoded",
		  "Param1=value1", NULL, "service", "content-type;host;x-amz-date",
		  "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a" },
		{ "POST", "https://example.amazonaws.com/", NULL, "", TOKEN, "service",
		  "host;x-amz-date;x-amz-security-token",
		  "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead" },
		{ "GET", "https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08",
		  "application/x-www-form-urlencoded; charset=utf-8", "", NULL, "iam",
		  "content-type;host;x-amz-date",
		  "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7" },
	};
	int64_t now_ms;
	(void)state;

	assert_true(time_parse(STR("2015-08-30T12:36:00Z"), &now_ms));
	for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
		const struct sigv4_keys keys = {
			.access_key_id = STR("AKIDEXAMPLE"),
			.secret_access_key = STR("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
			.session_token = str_of(CASES[i].token),
			.region = STR("us-east-1"),
			.service = str_of(CASES[i].service),
		};
		char want[512];

		call_done(&call);
		call_init(&call);
		call.method = CASES[i].method;
		buf_add_c(&call.url, CASES[i].url);
		buf_add_c(&call.body, CASES[i].body);
		if (CASES[i].type)
			assert_int_equal(call_header(&call, "Content-Type", str_of(CASES[i].type)),
					 OK);
		assert_int_equal(sigv4_sign(&call, &keys, now_ms), OK);
		snprintf(
			want, sizeof want,
			"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/%s/aws4_request, SignedHeaders=%s, "
			"Signature=%s",
			CASES[i].service, CASES[i].headers, CASES[i].signature);
		assert_header("Authorization", want);
		assert_header("X-Amz-Date", "20150830T123600Z");
	}
}

static void the_host_says_for_which_service_and_region(void **state)
{
	static const struct {
		const char *url, *service, *region;
	} CASES[] = {
		{ "https://sts.eu-west-1.amazonaws.com/", "sts", "eu-west-1" },
		{ "https://sts.amazonaws.com/", "sts", NULL },
		{ "https://sts.cn-north-1.amazonaws.com.cn/?a=b", "sts", "cn-north-1" },
		{ "https://sts.eu-west-1.amazonaws.com.evil.example/", NULL, NULL },
		{ "sts.amazonaws.com", NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
		struct str service, region;

		sigv4_place(str_of(CASES[i].url), &service, &region);
		assert_text(service, CASES[i].service);
		assert_text(region, CASES[i].region);
	}
}

/* --- sending it -------------------------------------------------------------------------- */

static void one_provider_is_one_domain(void **state)
{
	static const struct {
		const char *host, *provider;
	} CASES[] = {
		{ "api.stripe.com", "stripe.com" },
		{ "a.b.myshopify.com", "myshopify.com" },
		{ "localhost", "localhost" },
		{ "127.0.0.1", "127.0.0.1" },
		{ "10.0.0.1", "10.0.0.1" },
		{ "::1", "::1" },
		{ "[::1]", "[::1]" },
		{ "", "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(CASES); i++)
		assert_text(call_provider(str_of(CASES[i].host)), CASES[i].provider);
}

/* The guard refuses 192.0.2.0/24: nothing is sent, and a place is given back whatever happens. */
static void a_call_over_the_cap_is_not_made(void **state)
{
	static struct config config = { .limits_calls_per_tenant = 1,
					.limits_calls_per_provider = 1 };
	struct ctx cx = { .config = &config };
	struct http_answer answer;
	char why[EGRESS_WHY_MAX];
	struct buf body;
	int place;

	(void)state;
	buf_init(&body, CALL_ANSWER_MAX);
	assert_int_equal(
		egress_policy_new(&(struct egress_settings){ .ports = "8443" }, why, &cx.egress),
		OK);
	assert_int_equal(calls_new(NULL, &cx.calls), OK);
	call.method = "GET";
	buf_add_c(&call.url, "https://192.0.2.1:8443/");
	for (int i = 0; i < 2; i++) {
		assert_int_equal(call_send(&cx, &call, &body, &answer), ERR_HOST_FORBIDDEN);
		assert_int_equal(answer.failure, HTTP_FORBIDDEN);
	}
	assert_int_equal(call_enter(&cx, STR("192.0.2.1"), 0, &place), OK);
	assert_int_equal(call_send(&cx, &call, &body, &answer), ERR_PROVIDER_BUSY);
	assert_true(cx.problem.retry_after_s > 0);
	calls_leave(cx.calls, place);
	assert_int_equal(call_send(&cx, &call, &body, &answer), ERR_HOST_FORBIDDEN);
	egress_policy_free(cx.egress);
	buf_done(&body);
}

#define CALL_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CALL_TEST(a_request_carries_what_its_way_says_and_nothing_else),
		CALL_TEST(a_query_and_a_form_are_encoded),
		CALL_TEST(a_literal_request_fills_nothing_and_replaces_nothing),
		CALL_TEST(a_strangers_path_stays_below_the_address),
		CALL_TEST(a_user_and_a_password_become_one_header),
		CALL_TEST(a_value_that_ends_a_line_is_not_sent),
		CALL_TEST(a_missing_value_is_named),
		CALL_TEST(a_credential_goes_to_its_providers_hosts_only),
		CALL_TEST(a_header_of_the_answer_is_asked_for_once),
		CALL_TEST(requests_to_aws_are_signed_as_aws_does_it),
		CALL_TEST(the_host_says_for_which_service_and_region),
		CALL_TEST(one_provider_is_one_domain),
		CALL_TEST(a_call_over_the_cap_is_not_made),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
