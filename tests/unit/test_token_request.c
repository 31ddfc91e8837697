/* What token endpoints are asked: pure requests, nothing is sent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json_read.h"
#include "connect/token_request.h"
#include "crypt/encode.h"
#include "crypt_keys.h"

static const struct str HOSTS[] = { STR("id.example.com") };
static const struct str SCOPES[] = { STR("read"), STR("write") };
static const struct pair EXTRA[] = { { STR("expiring"), STR("1") }, { STR("account_id"), STR("{account}") } };
static const struct pair OTHER_GRANT[] = { { STR("grant_type"), STR("account_credentials") } };
static const struct pair HEADERS[] = { { STR("Notion-Version"), STR("2022-06-28") }, { STR("Accept"), STR("application/vnd+json") } };

static const struct oauth2_spec BASIC = { .token_url = STR("https://id.example.com/token"), .client_auth = CLIENT_BASIC };

/* One request: the values it is made of, and what came out. */
struct trial {
	struct connector_type type;
	struct values values;
	struct token_request request;
	struct call call;
	struct str missing;
};

static int set_up(void **state)
{
	struct trial *t = calloc(1, sizeof(*t));

	t->type = (struct connector_type){ .hosts = { HOSTS, 1 }, .has_oauth2 = true, .oauth2 = BASIC };
	values_init(&t->values);
	call_init(&t->call);
	assert_int_equal(values_set(&t->values, STR("client_id"), STR("the id")), OK);
	assert_int_equal(values_set(&t->values, STR("client_secret"), STR("a:b/\xc3\xa9")), OK);
	assert_int_equal(values_set(&t->values, STR("refresh_token"), STR("r+1/2=")), OK);
	assert_int_equal(values_set(&t->values, STR("account"), STR("a&b")), OK);
	t->request = (struct token_request){ .type = &t->type, .grant = GRANT_REFRESH, .values = &t->values,
					     .now_ms = 1700000000000 };
	*state = t;
	return 0;
}

static int tear_down(void **state)
{
	struct trial *t = *state;

	values_done(&t->values);
	call_done(&t->call);
	free(t);
	return 0;
}

static void make(struct trial *t)
{
	enum err e = token_request_make(&t->request, &t->call, &t->missing);

	if (e != OK)
		fail_msg("%s, %.*s is missing", err_code(e), STR_ARG(t->missing));
}

static void is(struct str got, const char *wanted)
{
	if (!str_eq(got, str_of(wanted)))
		fail_msg("%.*s instead of %s", STR_ARG(got), wanted);
}

static struct str header(struct trial *t, const char *name) { return call_header_value(&t->call, str_of(name)); }

static void a_refresh_names_the_client_in_a_basic_header_with_both_halves_encoded(void **state)
{
	struct trial *t = *state;
	char wanted[128];

	make(t);
	is(buf_str(&t->call.body), "grant_type=refresh_token&refresh_token=r%2B1%2F2%3D");
	is(buf_str(&t->call.url), "https://id.example.com/token");
	is(header(t, "Content-Type"), "application/x-www-form-urlencoded");
	is(header(t, "Accept"), "application/json");
	snprintf(wanted, sizeof(wanted), "Basic ");
	base64_encode_to(STR("the%20id:a%3Ab%2F%C3%A9"), wanted + 6);
	is(header(t, "Authorization"), wanted);
	assert_string_equal(t->call.method, "POST");
}

static void a_client_may_be_named_in_the_body(void **state)
{
	struct trial *t = *state;

	t->type.oauth2.client_auth = CLIENT_POST;
	make(t);
	is(buf_str(&t->call.body), "grant_type=refresh_token&refresh_token=r%2B1%2F2%3D&client_id=the%20id&client_secret=a%3Ab%2F%C3%A9");
	assert_true(str_absent(header(t, "Authorization")));
}

static void a_client_without_a_secret_only_says_who_it_is(void **state)
{
	struct trial *t = *state;

	assert_int_equal(values_set(&t->values, STR("client_secret"), STR("")), OK);
	make(t);
	is(buf_str(&t->call.body), "grant_type=refresh_token&refresh_token=r%2B1%2F2%3D&client_id=the%20id");
	assert_true(str_absent(header(t, "Authorization")));
}

static void a_code_is_exchanged_with_its_verifier_and_redirect_uri(void **state)
{
	struct trial *t = *state;

	t->request.grant = GRANT_CODE;
	t->request.code = STR("c?");
	t->request.redirect_uri = STR("https://us.example.com/cb");
	t->request.verifier = STR("v");
	make(t);
	is(buf_str(&t->call.body),
	   "grant_type=authorization_code&code=c%3F&redirect_uri=https%3A%2F%2Fus.example.com%2Fcb&code_verifier=v");
}

static void a_body_may_be_json(void **state)
{
	struct trial *t = *state;

	t->type.oauth2.token_json = true;
	t->type.oauth2.token_headers = (struct pairs){ HEADERS, ARRAY_SIZE(HEADERS) };
	make(t);
	is(buf_str(&t->call.body), "{\"grant_type\":\"refresh_token\",\"refresh_token\":\"r+1/2=\"}");
	is(header(t, "Content-Type"), "application/json");
	is(header(t, "Notion-Version"), "2022-06-28");
	is(header(t, "Accept"), "application/vnd+json");
}

static void a_types_own_parameters_are_filled_in_and_go_first(void **state)
{
	struct trial *t = *state;

	t->type.oauth2.token_params = (struct pairs){ EXTRA, ARRAY_SIZE(EXTRA) };
	make(t);
	is(buf_str(&t->call.body), "grant_type=refresh_token&refresh_token=r%2B1%2F2%3D&expiring=1&account_id=a%26b");
	call_done(&t->call);
	call_init(&t->call);
	t->type.has_client_credentials = true;
	t->type.client_credentials = (struct client_credentials_spec){ .token_url = BASIC.token_url,
								       .token_params = { OTHER_GRANT, 1 },
								       .scopes = { SCOPES, 2 } };
	t->request.grant = GRANT_CLIENT_CREDENTIALS;
	make(t);
	is(buf_str(&t->call.body),
	   "scope=read%20write&client_id=the%20id&client_secret=a%3Ab%2F%C3%A9&grant_type=account_credentials");
}

static void an_access_token_may_be_what_is_exchanged(void **state)
{
	struct trial *t = *state;

	t->type.oauth2.refresh_grant = STR("fb_exchange_token");
	t->type.oauth2.client_auth = CLIENT_POST;
	assert_int_equal(values_set(&t->values, STR("access_token"), STR("old")), OK);
	make(t);
	is(buf_str(&t->call.body),
	   "grant_type=fb_exchange_token&fb_exchange_token=old&client_id=the%20id&client_secret=a%3Ab%2F%C3%A9");
}

static void what_is_missing_is_named(void **state)
{
	struct trial *t = *state;

	assert_int_equal(values_set(&t->values, STR("refresh_token"), STR("")), OK);
	assert_int_equal(token_request_make(&t->request, &t->call, &t->missing), ERR_BAD_INPUT);
	is(t->missing, "refresh_token");
}

static void a_credential_goes_to_no_other_host(void **state)
{
	struct trial *t = *state;

	t->type.oauth2.token_url = STR("https://evil.example.com/token");
	assert_int_equal(token_request_make(&t->request, &t->call, &t->missing), ERR_HOST_FORBIDDEN);
}

/* The claims of the assertion that was made. */
static json_t *claims_of(struct arena *arena, struct str assertion)
{
	BUF_AUTO struct buf plain = { 0 };
	struct str rest = assertion;
	json_t *json;

	buf_init(&plain, 4096);
	(void)str_cut(&rest, '.');
	assert_int_equal(base64url_decode(&plain, str_cut(&rest, '.')), OK);
	assert_int_equal(json_read(arena, buf_str(&plain), &json, NULL), OK);
	return json;
}

static int64_t number(const json_t *json, const char *name)
{
	int64_t n;

	assert_true(json_integer_of(json_member(json, name), &n));
	return n;
}

static void a_service_account_signs_who_it_is_and_what_it_wants(void **state)
{
	struct trial *t = *state;
	struct arena *arena = arena_new(1 << 20);
	json_t *claims;

	t->type.service_account = (struct service_account_spec){ .token_url = BASIC.token_url,
								 .issuer = STR("{client_email}"),
								 .subject = STR("{subject_email}"),
								 .scopes = { SCOPES, 2 },
								 .google = true };
	t->request.grant = GRANT_JWT_BEARER;
	assert_int_equal(values_set(&t->values, STR("client_email"), STR("robot@example.com")), OK);
	assert_int_equal(values_set(&t->values, STR("private_key"), STR(RFC7515_RSA_PRIVATE)), OK);
	make(t);
	assert_true(str_starts(buf_str(&t->call.body),
			       STR("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=")));
	claims = claims_of(arena, str_slice(buf_str(&t->call.body), 78, 100000));
	is(json_member_text(claims, "iss"), "robot@example.com");
	is(json_member_text(claims, "scope"), "read write");
	is(json_member_text(claims, "aud"), "https://id.example.com/token");
	assert_null(json_member(claims, "sub"));
	assert_int_equal(number(claims, "iat"), 1700000000);
	assert_int_equal(number(claims, "exp"), 1700003600);
	arena_free(arena);
}

static void a_github_app_calls_with_a_short_token_and_no_body(void **state)
{
	struct trial *t = *state;
	struct arena *arena = arena_new(1 << 20);
	json_t *claims;

	t->type.service_account = (struct service_account_spec){ .token_url = STR("https://id.example.com/app/{account}"),
								 .issuer = STR("{client_id}"), .key_field = STR("pem") };
	t->request.grant = GRANT_JWT_BEARER;
	assert_int_equal(values_set(&t->values, STR("pem"), STR(RFC7515_RSA_PRIVATE)), OK);
	make(t);
	assert_false(t->call.has_body);
	is(buf_str(&t->call.url), "https://id.example.com/app/a%26b");
	claims = claims_of(arena, str_slice(header(t, "Authorization"), 7, 100000));
	is(json_member_text(claims, "iss"), "the id");
	assert_int_equal(number(claims, "iat"), 1700000000 - 60);
	assert_int_equal(number(claims, "exp"), 1700000000 + 540);
	assert_null(json_member(claims, "aud"));
	arena_free(arena);
}

int main(void)
{
#define REQUEST_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		REQUEST_TEST(a_refresh_names_the_client_in_a_basic_header_with_both_halves_encoded),
		REQUEST_TEST(a_client_may_be_named_in_the_body),
		REQUEST_TEST(a_client_without_a_secret_only_says_who_it_is),
		REQUEST_TEST(a_code_is_exchanged_with_its_verifier_and_redirect_uri),
		REQUEST_TEST(a_body_may_be_json),
		REQUEST_TEST(a_types_own_parameters_are_filled_in_and_go_first),
		REQUEST_TEST(an_access_token_may_be_what_is_exchanged),
		REQUEST_TEST(what_is_missing_is_named),
		REQUEST_TEST(a_credential_goes_to_no_other_host),
		REQUEST_TEST(a_service_account_signs_who_it_is_and_what_it_wants),
		REQUEST_TEST(a_github_app_calls_with_a_short_token_and_no_body),
	};

	if (json_setup() != OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
