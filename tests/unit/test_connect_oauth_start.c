/* To the consent page: who may begin, with which client, and what is kept of it. */
#include "oauth_support.h"

/* --- beginning --------------------------------------------------------------------- */

static void a_person_is_sent_to_the_consent_page_with_a_cookie(void **state)
{
	struct browser *b = browser_open(&TENANT_A);
	char cookie[256];

	(void)state;
	assert_ok(START(b, SHOP));
	assert_int_equal(b->reply.status, 302);
	assert_starts(
		b->location,
		"https://one.acme.example/authorize?lang=en&response_type=code&client_id=op-id&");
	assert_non_null(strstr(
		b->location,
		"&redirect_uri=https%3A%2F%2Flw.example%2Fapi%2Fv1%2Foauth%2Fcallback%2Facme&"));
	assert_non_null(strstr(b->location, "&code_challenge_method=S256"));
	assert_int_equal(strlen(b->state), 43);
	assert_int_equal(strlen(b->challenge), 43);
	take_header(b, "Set-Cookie: __Host-latchwork-oauth=", "\r", cookie, sizeof(cookie));
	assert_non_null(strstr(cookie, "; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=600"));
	assert_null(strstr(b->location, "op-secret"));
	assert_int_equal(
		number("SELECT COUNT(*) FROM audit WHERE action = 'oauth.start' AND outcome = 'ok'"),
		1);
	browser_close(b);
}

static void a_program_gets_the_address_as_json(void **state)
{
	struct browser *b = browser_open(&TENANT_A);

	(void)state;
	snprintf(b->accept, sizeof(b->accept), "HTTP_ACCEPT=text/plain, application/json;q=0.9");
	assert_ok(START(b, SHOP));
	assert_int_equal(b->reply.status, 200);
	assert_true(page_says(b, "{\"authorize_url\":\"https://one.acme.example/authorize?"));
	assert_string_equal(b->location, "");
	assert_true(b->jar[0] != '\0');
	browser_close(b);
}

static void the_database_holds_no_state_and_no_cookie(void **state)
{
	struct browser *b = browser_open(&TENANT_A);
	char sql[512];

	(void)state;
	assert_ok(START(b, SHOP));
	snprintf(
		sql, sizeof(sql),
		"SELECT COUNT(*) FROM oauth_state WHERE state_hash = UNHEX(SHA2('%s', 256)) AND expires_at > created_at "
		"AND used_at IS NULL AND field_values = '{\"shop\":\"one.acme.example\"}'",
		b->state);
	assert_int_equal(number(sql), 1);
	snprintf(
		sql, sizeof(sql),
		"SELECT COUNT(*) FROM oauth_state WHERE CONCAT_WS(' ', field_values, scopes, return_to, "
		"root_key_id) LIKE '%%%s%%'",
		b->state);
	assert_int_equal(number(sql), 0);
	browser_close(b);
}

static enum err refused_field(struct browser *b, const char *query, const char *field,
			      const char *code)
{
	enum err e = START(b, query);

	assert_int_equal(e, ERR_BAD_INPUT);
	assert_int_equal(b->cx->problem.count, 1);
	assert_str(b->cx->problem.field[0].field, field);
	assert_string_equal(b->cx->problem.field[0].code, code);
	assert_int_equal(number("SELECT COUNT(*) FROM oauth_state"), 0);
	return e;
}

static void only_what_the_providers_addresses_need_is_taken(void **state)
{
	struct browser *b = browser_open(&TENANT_A);

	(void)state;
	refused_field(b, SHOP "&shoe=1", "query.shoe", "UNKNOWN_FIELD");
	refused_field(b, SHOP "&client_id=1", "query.client_id", "UNKNOWN_FIELD");
	refused_field(b, SHOP "&client_secret=1", "query.client_secret", "UNKNOWN_FIELD");
	refused_field(b, SHOP "&pin=1234", "query.pin", "UNKNOWN_FIELD");
	refused_field(b, SHOP "&access_token=1", "query.access_token", "UNKNOWN_FIELD");
	refused_field(b, "shop=evil.example", "query.shop", "BAD_FORMAT");
	refused_field(b, "shop=", "query.shop", "BAD_FORMAT");
	refused_field(b, "", "query.shop", "REQUIRED");
	browser_close(b);
}

static void a_return_address_of_others_begins_nothing(void **state)
{
	struct browser *b = browser_open(&TENANT_A);

	(void)state;
	assert_int_equal(START(b, SHOP, .return_to = STR("//evil.example")), ERR_BAD_INPUT);
	assert_str(b->cx->problem.field[0].field, "query.return_to");
	assert_int_equal(START(b, SHOP, .return_to = STR("https://app.example@evil.example/")),
			 ERR_BAD_INPUT);
	assert_int_equal(number("SELECT COUNT(*) FROM oauth_state"), 0);
	assert_string_equal(b->location, "");
	browser_close(b);
}

static void scopes_must_be_spelled_as_scopes(void **state)
{
	struct browser *b = browser_open(&TENANT_A);

	(void)state;
	assert_int_equal(START(b, SHOP, .scopes = STR("a  b")), ERR_BAD_INPUT);
	assert_ok(START(b, SHOP, .scopes = STR("read admin:all")));
	assert_non_null(strstr(b->location, "&scope=read%20admin%3Aall&"));
	browser_close(b);
}

static void a_provider_without_a_consent_page_is_not_begun(void **state)
{
	struct browser *b = browser_open(&TENANT_A);

	(void)state;
	assert_int_equal(start_with(b, "", &(struct oauth_start_in){ .type = STR("nobody") }),
			 ERR_NOT_FOUND);
	browser_close(b);
}

static void a_session_that_ended_begins_nothing(void **state)
{
	struct browser *b = browser_open(&TENANT_A);
	const struct oauth_start_in in = { .type = STR("acme") };

	(void)state;
	begin_request(b, SHOP);
	b->cx->who = (struct principal){ .who = WHO_USER,
					 .tenant = TENANT_A,
					 .user = USER_A,
					 .session = { { 9 } },
					 .role = ROLE_ADMIN };
	ctx_enter(b->cx);
	assert_int_equal(oauth_start(b->cx, &in, &b->reply), ERR_SESSION_ENDED);
	end_request(b);
	assert_int_equal(number("SELECT COUNT(*) FROM oauth_state"), 0);
	browser_close(b);
}

/* --- whose client -------------------------------------------------------------------- */

static struct id client_credential(struct ctx *cx, const char *data)
{
	struct id id;

	assert_ok(store(cx, "oauth2", data, &id));
	return id;
}

static void switch_on(const struct id *credential, const char *enabled)
{
	char sql[512];

	snprintf(
		sql, sizeof(sql),
		"REPLACE INTO service_setting (tenant_id, service, enabled, credential_id, updated_by, updated_at) "
		"VALUES (RPAD(x'aa01', 16, x'00'), 'acme', %s, ID, RPAD('', 16, 'u'), 1)",
		enabled);
	run_sql(sql, credential);
}

static void a_tenants_own_client_goes_before_the_operators(void **state)
{
	struct browser *b = browser_open(&TENANT_A);
	struct id id = client_credential(
		b->cx, "{\"client_id\": \"own-id\", \"client_secret\": \"own-secret\"}");

	(void)state;
	switch_on(&id, "1");
	assert_ok(START(b, SHOP));
	assert_non_null(strstr(b->location, "client_id=own-id"));
	/* What the tenant sets meanwhile doesn't count: the code is for the client that asked. */
	switch_on(&id, "0");
	assert_ok(back(b, "acme", with_state(b, "code=c1")));
	assert_string_equal(provider.client_id, "own-id");
	assert_string_equal(provider.client_secret, "own-secret");
	assert_ok(START(b, SHOP));
	assert_non_null(strstr(b->location, "client_id=op-id"));
	switch_on(&id, "1");
	assert_ok(back(b, "acme", with_state(b, "code=c1")));
	assert_string_equal(provider.client_id, "op-id");
	assert_string_equal(provider.client_secret, "op-secret");
	browser_close(b);
}

static void a_client_may_be_named(void **state)
{
	struct browser *b = browser_open(&TENANT_A);
	struct id client = client_credential(b->cx, "{\"client_id\": \"named-id\"}"), key, tokens;

	(void)state;
	assert_ok(store(b->cx, "api_key", "{\"api_key\": \"k\"}", &key));
	tokens = client_credential(b->cx, "{\"access_token\": \"t\"}");
	assert_ok(START(b, SHOP, .credential_id = { true, client }));
	assert_non_null(strstr(b->location, "client_id=named-id"));
	assert_int_equal(START(b, SHOP, .credential_id = { true, key }), ERR_OAUTH_NO_CLIENT);
	assert_int_equal(START(b, SHOP, .credential_id = { true, tokens }), ERR_OAUTH_NO_CLIENT);
	browser_close(b);
}

/* Else anybody who may connect something could have the client's secret sent to a server of his own. */
static void where_a_clients_secret_goes_comes_with_the_client(void **state)
{
	struct browser *b = browser_open(&TENANT_A);
	struct id own = client_credential(
		b->cx, "{\"client_id\": \"own-id\", \"extra\": {\"office\": \"paris\"}}");
	const struct connector_type *type = catalog_find(b->cx->catalog, STR("acme"));
	VALUES_AUTO struct values values;
	struct opt_id client = { 0 };

	(void)state;
	values_init(&values);
	refused_field(b, SHOP "&office=evil", "query.office", "UNKNOWN_FIELD");
	assert_ok(values_set(&values, STR("office"), STR("evil")));
	assert_ok(oauth_client(b->cx, type, (struct opt_id){ 0 }, &values, &client));
	assert_str(values_get(&values, STR("office")), "main");
	assert_ok(oauth_client(b->cx, type, (struct opt_id){ true, own }, &values, &client));
	assert_str(values_get(&values, STR("office")), "paris");
	browser_close(b);
}

static void another_tenants_client_is_not_there(void **state)
{
	struct browser *a = browser_open(&TENANT_A), *b = browser_open(&TENANT_B);
	struct id client = client_credential(a->cx, "{\"client_id\": \"id-of-a\"}");

	(void)state;
	assert_int_equal(START(b, SHOP, .credential_id = { true, client }), ERR_NOT_FOUND);
	assert_int_equal(START(b, SHOP, .credential_id = { true, TENANT_A }), ERR_NOT_FOUND);
	switch_on(&client, "1");
	assert_ok(START(b, SHOP));
	assert_non_null(strstr(b->location, "client_id=op-id"));
	browser_close(a);
	browser_close(b);
}

static void without_a_client_the_answer_says_what_to_do(void **state)
{
	struct browser *b = browser_open(&TENANT_A);
	struct id gone = { { 7 } };

	(void)state;
	config.client_count = 0;
	assert_int_equal(START(b, SHOP), ERR_OAUTH_NO_CLIENT);
	copy(b->query, sizeof(b->query), b->cx->problem.detail);
	assert_non_null(strstr(b->query, "POST /api/v1/services/acme/enable"));
	assert_non_null(strstr(b->query, "[client acme]"));
	config.client_count = 1;
	switch_on(&gone, "1");
	assert_int_equal(START(b, SHOP), ERR_OAUTH_NO_CLIENT);
	browser_close(b);
}

static void an_operators_secret_that_cannot_be_read_is_no_client(void **state)
{
	static char none[] = "/nonexistent/secret";
	struct browser *b = browser_open(&TENANT_A);
	char *file = config.client[0].client_secret_file;

	(void)state;
	config.client[0].client_secret_file = none;
	assert_int_equal(START(b, SHOP), ERR_OAUTH_NO_CLIENT);
	config.client[0].client_secret_file = NULL;
	assert_ok(START(b, SHOP));
	config.client[0].client_secret_file = file;
	browser_close(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_person_is_sent_to_the_consent_page_with_a_cookie),
		TEST(a_program_gets_the_address_as_json),
		TEST(the_database_holds_no_state_and_no_cookie),
		TEST(only_what_the_providers_addresses_need_is_taken),
		TEST(a_return_address_of_others_begins_nothing),
		TEST(scopes_must_be_spelled_as_scopes),
		TEST(a_provider_without_a_consent_page_is_not_begun),
		TEST(a_session_that_ended_begins_nothing),
		TEST(a_tenants_own_client_goes_before_the_operators),
		TEST(a_client_may_be_named),
		TEST(where_a_clients_secret_goes_comes_with_the_client),
		TEST(another_tenants_client_is_not_there),
		TEST(without_a_client_the_answer_says_what_to_do),
		TEST(an_operators_secret_that_cannot_be_read_is_no_client),
	};

	return cmocka_run_group_tests(tests, start_oauth, stop_oauth);
}
