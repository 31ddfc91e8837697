/* Tokens of external issuers. */
#include <unistd.h>

#include "crypt/jwt.h"
#include "crypt_keys.h"
#include "identity/admin.h"
#include "identity/jwks.h"
#include "identity_support.h"

#define ISSUER "https://id.example"
#define RSA_JWK "{\"kty\":\"RSA\",\"kid\":\"k1\",\"n\":\"" RFC7515_RSA_N "\",\"e\":\"AQAB\"}"

static struct client *client; /* at the front */
static char jwks_path[64];
static char issuer_name[] = ISSUER, audience[] = "app, other", empty[] = "", name[] = "test";
static char tenant_claim[] = "org", role_claim[] = "org_role", url[] = "https://id.example/keys";

static void write_file(const char *text)
{
	FILE *file = fopen(jwks_path, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static int an_issuer_is_configured(void **state)
{
	if (empty_identity(state))
		return -1;
	snprintf(jwks_path, sizeof(jwks_path), "/tmp/lw-test-jwks-%d", (int)getpid());
	write_file("{\"keys\":[" RSA_JWK "]}");
	config.issuer_count = 1;
	config.issuer[0] = (struct config_issuer){ .name = name,
						   .issuer = issuer_name,
						   .audience = audience,
						   .jwks_url = empty,
						   .jwks_file = jwks_path,
						   .pem_file = empty,
						   .tenant_claim = empty,
						   .role_claim = empty };
	client = client_open("front");
	return 0;
}

static int it_is_gone(void **state)
{
	(void)state;
	client_close(client);
	return unlink(jwks_path);
}

/* A token of that subject, with more claims ("", or ",\"org\":\"x\""). */
static void bear(const char *kid, const char *subject, const char *more)
{
	struct secret key = { (uint8_t *)(uintptr_t)RFC7515_RSA_PRIVATE,
			      sizeof(RFC7515_RSA_PRIVATE) - 1 };
	struct buf token;
	char payload[1024];

	snprintf(payload, sizeof(payload),
		 "{\"iss\":\"" ISSUER "\",\"aud\":\"app\",\"sub\":\"%s\",\"exp\":%lld%s}", subject,
		 (long long)(now_ms / 1000 + 600), more);
	buf_init(&token, 8192);
	assert_ok(jwt_sign_rs256(&key, str_of(kid), str_of(payload), &token));
	snprintf(client->access, sizeof(client->access), "%.*s", STR_ARG(buf_str(&token)));
	buf_done(&token);
}

static enum err ask_as(const char *subject, const char *more)
{
	bear("k1", subject, more);
	return GET(client, me_get, 0);
}

static long statements(void)
{
	return number_of("SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS "
			 "WHERE VARIABLE_NAME = 'COM_STMT_EXECUTE'");
}

/* --- who it is ----------------------------------------------------------- */
static void a_person_and_their_tenant_are_made_at_first_sight_and_found_again(void **state)
{
	long before;

	(void)state;
	assert_ok(ask_as(
		"u1", ",\"name\":\"Ada\",\"email\":\"ada@example.test\",\"email_verified\":true"));
	assert_str(answered(client, "user.name"), "Ada");
	assert_str(answered(client, "tenant.name"), "Ada");
	assert_str(answered(client, "role"), "owner");
	before = statements();
	assert_ok(ask_as("u1", ""));
	assert_int_equal(statements() - before, 2);
	assert_int_equal(number_of("SELECT COUNT(*) FROM user"), 1);
	assert_int_equal(
		number_of(
			"SELECT COUNT(*) FROM audit WHERE action = 'auth.external' AND outcome = 'ok'"),
		1);
	/* Another person, though a collation might think otherwise. */
	assert_ok(ask_as("U1", ""));
	assert_int_equal(number_of("SELECT COUNT(DISTINCT tenant_id) FROM membership"), 2);
}

static void an_address_that_an_issuer_claims_does_not_open_the_account_of_that_address(void **state)
{
	struct client *ada = registered("ada@example.test");

	(void)state;
	assert_ok(ask_as("u1", ",\"email\":\"ada@example.test\",\"email_verified\":true"));
	assert_int_equal(number_of("SELECT COUNT(*) FROM user"), 2);
	assert_int_equal(number_of("SELECT COUNT(*) FROM membership"), 2);
	client_close(ada);
}

static void people_of_one_organisation_share_a_tenant_and_the_first_owns_it(void **state)
{
	(void)state;
	config.issuer[0].tenant_claim = tenant_claim;
	assert_ok(ask_as("u1", ",\"org\":\"acme\""));
	assert_str(answered(client, "tenant.name"), "acme");
	assert_str(answered(client, "role"), "owner");
	assert_ok(ask_as("u2", ",\"org\":\"acme\""));
	assert_str(answered(client, "role"), "member");
	assert_ok(ask_as("u2", ",\"org\":\"other\""));
	assert_str(answered(client, "tenant.name"), "other");
	assert_ok(ask_as("u2", ""));
	assert_int_equal(number_of("SELECT COUNT(*) FROM tenant"), 3);
	assert_int_equal(ask_as("u2", ",\"org\":7"), ERR_BAD_TOKEN);
}

static void who_was_removed_stays_out_whatever_the_issuer_says(void **state)
{
	(void)state;
	config.issuer[0].tenant_claim = tenant_claim;
	assert_ok(ask_as("u1", ",\"org\":\"acme\""));
	assert_ok(ask_as("u2", ",\"org\":\"acme\""));
	run_sql("DELETE FROM membership WHERE role = 'member'");
	assert_int_equal(ask_as("u2", ",\"org\":\"acme\""), ERR_DENIED);
	run_sql("UPDATE user SET disabled_at = 1 WHERE subject = 'u1'");
	assert_int_equal(ask_as("u1", ",\"org\":\"acme\""), ERR_DENIED);
	assert_int_equal(number_of("SELECT COUNT(*) FROM membership"), 1);
}

static void the_issuers_word_on_a_role_counts_from_the_next_request_on(void **state)
{
	(void)state;
	config.issuer[0].role_claim = role_claim;
	assert_ok(ask_as("u1", ",\"org_role\":\"admin\""));
	assert_str(answered(client, "role"), "admin");
	assert_ok(ask_as("u1", ",\"org_role\":\"viewer\""));
	assert_str(answered(client, "role"), "viewer");
	assert_int_equal(number_of("SELECT COUNT(*) FROM membership WHERE role = 'viewer'"), 1);
	assert_int_equal(number_of("SELECT COUNT(*) FROM audit WHERE action = 'member.update'"), 1);
	assert_int_equal(ask_as("u1", ",\"org_role\":\"god\""), ERR_BAD_TOKEN);
	assert_ok(ask_as("u1", ""));
	assert_str(answered(client, "role"), "member");
}

/* --- what isn't accepted ------------------------------------------------- */
static void a_token_for_somebody_else_or_after_its_time_is_refused(void **state)
{
	static char other[] = "somebody else";

	(void)state;
	bear("k1", "u1", "");
	now_ms += 600000 + config.auth_clock_leeway_ms;
	assert_int_equal(GET(client, me_get, 0), ERR_TOKEN_EXPIRED);
	config.issuer[0].audience = other;
	client_reload(client);
	assert_int_equal(ask_as("u1", ""), ERR_BAD_TOKEN);
	assert_int_equal(number_of("SELECT COUNT(*) FROM user"), 0);
}

static void without_the_issuer_in_the_configuration_nobody_comes_in(void **state)
{
	(void)state;
	config.issuer_count = 0;
	client_reload(client);
	assert_int_equal(ask_as("u1", ""), ERR_BAD_TOKEN);
}

static void a_wrong_configuration_stops_the_start_and_says_where(void **state)
{
	struct identity *identity;
	char why[IDENTITY_WHY_MAX];
	static char own[] = "https://lw.example";

	(void)state;
	config.issuer[0].audience = empty;
	assert_int_equal(identity_new(&config, client->cx.front_keys, why, &identity), ERR_CONFIG);
	assert_non_null(strstr(why, "[issuer test] audience"));
	config.issuer[0].audience = audience;
	write_file("{}");
	assert_int_equal(identity_new(&config, client->cx.front_keys, why, &identity), ERR_CONFIG);
	assert_non_null(strstr(why, "jwks_file"));
	config.issuer[0].issuer = own;
	assert_int_equal(identity_new(&config, client->cx.front_keys, why, &identity), ERR_CONFIG);
	assert_null(identity);
}

/* --- keys of a URL ------------------------------------------------------- */
static void keys_of_a_url_are_asked_for_once_a_minute_and_followed(void **state)
{
	const struct config_issuer *due[CONFIG_ISSUERS_MAX];
	struct client *worker;
	size_t n;

	(void)state;
	config.issuer[0].jwks_file = empty;
	config.issuer[0].jwks_url = url;
	client_reload(client);
	worker = client_open("worker");
	assert_int_equal(ask_as("u1", ""), ERR_BAD_TOKEN);
	assert_int_equal(number_of("SELECT COUNT(*) FROM jwks_refresh WHERE wanted_at > 0"), 1);
	assert_ok(identity_jwks_due(worker->cx.db, &config, now_ms, due, &n));
	assert_int_equal(n, 1);
	assert_ok(identity_jwks_due(worker->cx.db, &config, now_ms + 59999, due, &n));
	assert_int_equal(n, 0);
	assert_ok(identity_jwks_store(worker->cx.db, STR(ISSUER), STR("{\"keys\":[" RSA_JWK "]}"),
				      now_ms));
	now_ms += 2000;
	assert_ok(ask_as("u1", ""));
	/* Good for an hour, unless somebody shows another key. */
	assert_ok(identity_jwks_due(worker->cx.db, &config, now_ms + 120000, due, &n));
	assert_int_equal(n, 0);
	now_ms += 61000;
	bear("k2", "u1", "");
	assert_int_equal(GET(client, me_get, 0), ERR_BAD_TOKEN);
	assert_ok(identity_jwks_due(worker->cx.db, &config, now_ms + 120000, due, &n));
	assert_int_equal(n, 1);
	client_close(worker);
}

static void of_a_fetched_set_only_public_members_are_stored(void **state)
{
	struct client *worker = client_open("worker");

	(void)state;
	assert_ok(identity_jwks_store(
		worker->cx.db, STR(ISSUER),
		STR("{\"keys\":[{\"kty\":\"RSA\",\"kid\":\"k1\",\"n\":\"" RFC7515_RSA_N
		    "\",\"e\":\"AQAB\",\"d\":\"PRIVATE\",\"x5c\":[\"x\"]},"
		    "{\"kty\":\"oct\",\"k\":\"PRIVATE\"}]}"),
		now_ms));
	assert_int_equal(
		number_of(
			"SELECT COUNT(*) FROM jwks WHERE document LIKE '%PRIVATE%' OR document LIKE '%x5c%'"),
		0);
	assert_int_equal(
		identity_jwks_store(worker->cx.db, STR(ISSUER), STR("{\"keys\":[]}"), now_ms),
		ERR_BAD_INPUT);
	assert_int_equal(identity_jwks_store(worker->cx.db, STR(ISSUER), STR("<html>"), now_ms),
			 ERR_BAD_JSON);
	assert_int_equal(number_of("SELECT COUNT(*) FROM jwks"), 1);
	client_close(worker);
}

/* --- what they can't do -------------------------------------------------- */
static void somebody_of_an_issuer_has_no_session_to_end_or_to_move(void **state)
{
	(void)state;
	assert_ok(ask_as("u1", ""));
	assert_ok(CALL(client, auth_logout, 0));
	assert_int_equal(CALL(client, auth_switch, .tenant_id = { { 1 } }), ERR_DENIED);
	assert_ok(GET(client, session_list, .limit = 50));
	assert_int_equal(json_length(client->json), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, an_issuer_is_configured, it_is_gone)
		TEST(a_person_and_their_tenant_are_made_at_first_sight_and_found_again),
		TEST(an_address_that_an_issuer_claims_does_not_open_the_account_of_that_address),
		TEST(people_of_one_organisation_share_a_tenant_and_the_first_owns_it),
		TEST(who_was_removed_stays_out_whatever_the_issuer_says),
		TEST(the_issuers_word_on_a_role_counts_from_the_next_request_on),
		TEST(a_token_for_somebody_else_or_after_its_time_is_refused),
		TEST(without_the_issuer_in_the_configuration_nobody_comes_in),
		TEST(a_wrong_configuration_stops_the_start_and_says_where),
		TEST(keys_of_a_url_are_asked_for_once_a_minute_and_followed),
		TEST(of_a_fetched_set_only_public_members_are_stored),
		TEST(somebody_of_an_issuer_has_no_session_to_end_or_to_move),
	};

	return cmocka_run_group_tests_name("identity: issuers", tests, start_identity,
					   stop_feature);
}
