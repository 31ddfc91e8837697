/*
 * Back from the provider. What matters most is when the token URL is called: each call there for somebody else's
 * callback would connect a stranger's account, or give ours away.
 */
#include "base/secret.h"
#include "crypt/encode.h"
#include "crypt/hash.h"
#include "oauth_support.h"

/* --- coming back ------------------------------------------------------------------------ */

static void a_consent_makes_a_connector_and_sends_the_person_back(void **state)
{
	struct browser *b = browser_open(&TENANT_A);
	char id[ID_TEXT_MAX], want[512];
	struct id connector;

	(void)state;
	provider.outcome.account_label = STR("One & Co");
	assert_ok(START(b, SHOP, RETURN_TO));
	assert_ok(back(b, "acme",
		       with_state(b, "code=c%2F1&realm=42&iss=https%3A%2F%2Fone.acme.example")));
	connector = only_connector();
	snprintf(
		want, sizeof(want),
		"https://app.example/done?a=b&status=connected&connector_id=%.*s&connector_type=acme#c",
		STR_ARG(id_format(ID_CONNECTOR, &connector, id)));
	assert_sent_to(b, want);
	assert_int_equal(provider.calls, 1);
	assert_int_equal(provider.verified, 1);
	assert_string_equal(provider.code, "c/1");
	assert_string_equal(provider.redirect_uri, "https://lw.example/api/v1/oauth/callback/acme");
	assert_string_equal(provider.challenge, b->challenge);
	assert_string_equal(provider.asked, "read write");
	assert_int_equal(
		number("SELECT COUNT(*) FROM connector WHERE status = 'active' AND account_id = 'A1' AND "
		       "account_label = 'One & Co' AND display_name = 'Acme: One & Co' AND limited = 0 AND "
		       "scopes = 'read write' AND owns_credential AND tenant_id = RPAD(x'aa01', 16, x'00')"),
		1);
	assert_int_equal(
		number("SELECT COUNT(*) FROM audit WHERE action = 'oauth.connect' AND outcome = 'ok' AND "
		       "target_kind = 'conn' AND service = 'acme' AND actor_id = RPAD(x'aa11', 16, x'00')"),
		1);
	browser_close(b);
}

static void tokens_and_what_belongs_to_them_lie_in_the_vault(void **state)
{
	struct browser *b = browser_open(&TENANT_A);
	SECRET_AUTO struct secret plain = SECRET_EMPTY;
	struct connector c;
	struct id id;
	json_t *data;

	(void)state;
	assert_ok(START(b, SHOP));
	assert_ok(back(b, "acme", with_state(b, "code=c1&realm=42")));
	id = only_connector();
	assert_ok(connector_read(b->cx, &id, &c));
	assert_true(c.credential.set);
	assert_ok(plain_of(b->cx, &c.credential.v, &plain));
	assert_ok(json_read(b->cx->arena, secret_str(&plain), &data, NULL));
	assert_str(json_member_text(data, "access_token"), "access-canary");
	assert_str(json_member_text(data, "refresh_token"), "refresh-canary");
	data = json_member(data, "extra");
	assert_str(json_member_text(data, "shop"), "one.acme.example");
	assert_str(json_member_text(data, "realm"), "42");
	assert_str(json_member_text(data, "team_id"), "T7");
	assert_str(json_member_text(data, "org"), "org-1");
	browser_close(b);
}

static void without_a_return_address_a_page_says_that_it_is_done(void **state)
{
	struct browser *b = browser_open(&TENANT_A);

	(void)state;
	provider.outcome.account_label = STR("<b>One");
	assert_ok(START(b, SHOP));
	assert_ok(back(b, "acme", with_state(b, "code=code-canary")));
	assert_page(b, 200, "<h1>Acme is connected</h1>");
	assert_true(page_says(b, "&lt;b&gt;One"));
	assert_false(page_says(b, "canary"));
	assert_false(page_says(b, b->state));
	browser_close(b);
}

static void two_tabs_of_one_browser_do_not_disturb_each_other(void **state)
{
	struct browser *b = browser_open(&TENANT_A);
	char first[64], jar[256];

	(void)state;
	assert_ok(START(b, SHOP));
	copy(first, sizeof(first), str_of(b->state));
	copy(jar, sizeof(jar), str_of(b->jar));
	assert_ok(START(b, SHOP));
	assert_string_equal(jar, b->jar);
	assert_string_not_equal(first, b->state);
	assert_ok(back(b, "acme", with_state(b, "code=c2")));
	copy(b->state, sizeof(b->state), str_of(first));
	assert_ok(back(b, "acme", with_state(b, "code=c1")));
	assert_int_equal(provider.calls, 2);
	browser_close(b);
}

static void a_strangers_cookie_is_replaced(void **state)
{
	struct browser *b = browser_open(&TENANT_A);

	(void)state;
	snprintf(b->jar, sizeof(b->jar), "HTTP_COOKIE=__Host-latchwork-oauth=short");
	assert_ok(START(b, SHOP));
	assert_null(strstr(b->jar, "oauth=short"));
	assert_ok(back(b, "acme", with_state(b, "code=c1")));
	browser_close(b);
}

/* --- refused before the token URL -------------------------------------------------------- */

static void a_state_that_nobody_gave_out_is_refused(void **state)
{
	static const char *const QUERIES[] = {
		"", "code=c1", "state=&code=c1", "state=x&code=c1",
		"state=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA&code=c1"
	};
	struct browser *b = browser_open(&TENANT_A);

	(void)state;
	assert_ok(START(b, SHOP, RETURN_TO));
	for (size_t i = 0; i < ARRAY_SIZE(QUERIES); i++) {
		assert_int_equal(back(b, "acme", QUERIES[i]), ERR_STATE_UNKNOWN);
		assert_page(b, 400, "OAUTH_STATE_UNKNOWN");
		assert_false(page_says(b, "app.example"));
	}
	assert_int_equal(back(b, "acme", with_state(b, "code=a&code=b")), ERR_BAD_CALLBACK);
	assert_page(b, 400, "OAUTH_BAD_CALLBACK");
	assert_int_equal(provider.calls, 0);
	browser_close(b);
}

static void a_state_in_another_browser_is_refused_and_still_good_in_its_own(void **state)
{
	struct browser *victim = browser_open(&TENANT_A), *thief = browser_open(&TENANT_A);

	(void)state;
	assert_ok(START(victim, SHOP, RETURN_TO));
	assert_int_equal(back(thief, "acme", with_state(victim, "code=c1")), ERR_STATE_ELSEWHERE);
	assert_page(thief, 400, "OAUTH_OTHER_BROWSER");
	assert_false(page_says(thief, "app.example"));
	assert_ok(START(thief, SHOP));
	assert_int_equal(back(thief, "acme", with_state(victim, "code=c1")), ERR_STATE_ELSEWHERE);
	snprintf(thief->jar, sizeof(thief->jar),
		 "HTTP_COOKIE=__Host-latchwork-oauth=a; __Host-latchwork-oauth=b");
	assert_int_equal(back(thief, "acme", with_state(victim, "code=c1")), ERR_STATE_ELSEWHERE);
	assert_int_equal(provider.calls, 0);
	assert_int_equal(
		number("SELECT COUNT(*) FROM audit WHERE action = 'oauth.connect' AND outcome = 'refused' AND "
		       "code = 'OAUTH_OTHER_BROWSER' AND tenant_id = RPAD(x'aa01', 16, x'00')"),
		3);
	assert_ok(back(victim, "acme", with_state(victim, "code=c1")));
	assert_int_equal(provider.calls, 1);
	browser_close(victim);
	browser_close(thief);
}

static void a_state_is_good_once(void **state)
{
	struct browser *b = browser_open(&TENANT_A);

	(void)state;
	assert_ok(START(b, SHOP, RETURN_TO));
	assert_ok(back(b, "acme", with_state(b, "code=c1")));
	assert_int_equal(back(b, "acme", with_state(b, "code=c1")), ERR_STATE_UNKNOWN);
	assert_page(b, 400, "OAUTH_STATE_UNKNOWN");
	assert_true(page_says(b, "https://app.example/done?a=b#c"));
	assert_int_equal(provider.calls, 1);
	browser_close(b);
}

static void of_two_who_bring_a_state_at_once_one_wins(void **state)
{
	struct browser *b = browser_open(&TENANT_A);
	struct oauth_state row;

	(void)state;
	assert_ok(START(b, SHOP));
	assert_ok(oauth_state_find(b->cx, str_of(b->state), &row));
	assert_false(row.used);
	assert_ok(oauth_state_use(b->cx, &row));
	/* The other one has read the row before. */
	assert_int_equal(oauth_state_use(b->cx, &row), ERR_STATE_UNKNOWN);
	browser_close(b);
}

static void a_consent_that_took_too_long_is_refused(void **state)
{
	struct browser *b = browser_open(&TENANT_A);

	(void)state;
	assert_ok(START(b, SHOP, RETURN_TO));
	b->cx->now_ms += config.oauth_state_ms;
	assert_int_equal(back(b, "acme", with_state(b, "code=c1")), ERR_STATE_EXPIRED);
	assert_page(b, 400, "OAUTH_STATE_EXPIRED");
	assert_int_equal(provider.calls, 0);
	browser_close(b);
}

static void a_code_of_another_provider_is_refused(void **state)
{
	struct browser *b = browser_open(&TENANT_A);

	(void)state;
	assert_ok(START(b, SHOP, RETURN_TO));
	assert_int_equal(back(b, "signed", with_state(b, "code=c1")), ERR_BAD_CALLBACK);
	assert_page(b, 400, "OAUTH_BAD_CALLBACK");
	assert_int_equal(back(b, "nobody", with_state(b, "code=c1")), ERR_BAD_CALLBACK);
	assert_int_equal(back(b, "acme", with_state(b, "code=c1&iss=https%3A%2F%2Fevil.example")),
			 ERR_BAD_CALLBACK);
	assert_sent_to(
		b, "https://app.example/done?a=b&error=OAUTH_BAD_CALLBACK&connector_type=acme#c");
	assert_int_equal(provider.calls, 0);
	browser_close(b);
}

static void a_denied_consent_is_told_to_the_application(void **state)
{
	struct browser *b = browser_open(&TENANT_A);

	(void)state;
	assert_ok(START(b, SHOP, RETURN_TO));
	assert_int_equal(
		back(b, "acme", with_state(b, "error=access_denied&error_description=x%3Cy")),
		ERR_CONSENT_DENIED);
	assert_sent_to(
		b, "https://app.example/done?a=b&error=OAUTH_CONSENT_DENIED&connector_type=acme#c");
	assert_int_equal(back(b, "acme", with_state(b, "code=c1")), ERR_STATE_UNKNOWN);
	assert_ok(START(b, SHOP));
	assert_int_equal(back(b, "acme", with_state(b, "error=access_denied")), ERR_CONSENT_DENIED);
	assert_page(b, 400, "<h1>Acme is not connected</h1>");
	assert_int_equal(provider.calls, 0);
	assert_int_equal(
		number("SELECT COUNT(*) FROM audit WHERE code = 'OAUTH_CONSENT_DENIED' AND outcome = 'refused'"),
		2);
	browser_close(b);
}

static void a_providers_own_words_are_never_shown(void **state)
{
	struct browser *b = browser_open(&TENANT_A);

	(void)state;
	assert_ok(START(b, SHOP));
	assert_int_equal(
		back(b, "acme",
		     with_state(b, "error=invalid_scope&error_description=%3Cimg%20onerror%3E")),
		ERR_OAUTH_REFUSED);
	assert_page(b, 502, "invalid_scope");
	assert_false(page_says(b, "onerror"));
	assert_ok(START(b, SHOP));
	assert_int_equal(back(b, "acme", with_state(b, "error=%3Cimg%20onerror%3E&code=c1")),
			 ERR_OAUTH_REFUSED);
	assert_page(b, 502, "OAUTH_PROVIDER_REFUSED");
	assert_false(page_says(b, "onerror"));
	assert_int_equal(provider.calls, 0);
	browser_close(b);
}

static void an_answer_without_a_code_or_with_a_bad_value_is_refused(void **state)
{
	struct browser *b = browser_open(&TENANT_A);

	(void)state;
	assert_ok(START(b, SHOP));
	assert_int_equal(back(b, "acme", with_state(b, "code=")), ERR_BAD_CALLBACK);
	assert_ok(START(b, SHOP));
	assert_int_equal(back(b, "acme", with_state(b, "code=c1&realm=..%2F..")), ERR_BAD_CALLBACK);
	assert_int_equal(provider.calls, 0);
	browser_close(b);
}

static void whoever_left_the_tenant_connects_nothing(void **state)
{
	struct browser *b = browser_open(&TENANT_A);

	(void)state;
	assert_ok(START(b, SHOP, RETURN_TO));
	run("UPDATE membership SET role = 'viewer'");
	assert_int_equal(back(b, "acme", with_state(b, "code=c1")), ERR_DENIED);
	run("DELETE FROM membership");
	assert_int_equal(back(b, "acme", with_state(b, "code=c1")), ERR_DENIED);
	assert_page(b, 403, "DENIED");
	run("UPDATE user SET disabled_at = 1");
	assert_int_equal(back(b, "acme", with_state(b, "code=c1")), ERR_STATE_UNKNOWN);
	assert_int_equal(provider.calls, 0);
	browser_close(b);
}

static void a_callback_that_the_provider_signs_needs_its_signature(void **state)
{
	struct browser *b = browser_open(&TENANT_A);
	const struct oauth_start_in in = { .type = STR("signed") };
	SECRET_AUTO struct secret key = SECRET_EMPTY;
	char text[512], query[1024], hex[HEX_CHARS(SHA256_BYTES) + 1];
	uint8_t mac[SHA256_BYTES];

	(void)state;
	b->cx->catalog = signed_catalog;
	config.client[0].name = (char[]){ "signed" };
	assert_ok(secret_copy("op-secret", 9, &key));
	for (int i = 0; i < 2; i++) {
		assert_ok(start_with(b, "shop=one.acme.example", &in));
		snprintf(text, sizeof(text), "code=c1&shop=%s.acme.example&state=%s&timestamp=%lld",
			 i ? "two" : "one", b->state, (long long)b->cx->now_ms / 1000);
		assert_int_equal(back(b, "signed", text), ERR_BAD_CALLBACK);
		assert_int_equal(provider.calls, i);
		assert_ok(start_with(b, "shop=one.acme.example", &in));
		snprintf(text, sizeof(text), "code=c1&shop=%s.acme.example&state=%s&timestamp=%lld",
			 i ? "two" : "one", b->state, (long long)b->cx->now_ms / 1000);
		hmac_sha256_of(&key, BYTES(str_of(text)), mac);
		hex_encode_to((struct str){ (const char *)mac, sizeof(mac) }, hex);
		snprintf(query, sizeof(query), "%s&hmac=%s", text, hex);
		assert_int_equal(back(b, "signed", query), i ? ERR_BAD_CALLBACK : OK);
		assert_int_equal(provider.calls, 1);
	}
	assert_string_equal(provider.shop, "one.acme.example");
	assert_string_equal(provider.challenge, "");
	browser_close(b);
}

/* --- what the provider answers -------------------------------------------------------------- */

static void a_refused_exchange_connects_nothing_and_is_not_tried_twice(void **state)
{
	struct browser *b = browser_open(&TENANT_A);

	(void)state;
	provider.answer = ERR_OAUTH_REFUSED;
	provider.failure.message = STR("The provider says invalid_grant.");
	assert_ok(START(b, SHOP, RETURN_TO));
	assert_int_equal(back(b, "acme", with_state(b, "code=c1")), ERR_OAUTH_REFUSED);
	assert_sent_to(
		b,
		"https://app.example/done?a=b&error=OAUTH_PROVIDER_REFUSED&connector_type=acme#c");
	assert_int_equal(back(b, "acme", with_state(b, "code=c1")), ERR_STATE_UNKNOWN);
	assert_int_equal(provider.calls, 1);
	provider.answer = ERR_UPSTREAM_TIMEOUT;
	assert_ok(START(b, SHOP));
	assert_int_equal(back(b, "acme", with_state(b, "code=c1")), ERR_UPSTREAM_TIMEOUT);
	assert_page(b, 504, "invalid_grant");
	provider.answer = ERR_PROVIDER_BUSY;
	assert_ok(START(b, SHOP));
	assert_int_equal(back(b, "acme", with_state(b, "code=c1")), ERR_PROVIDER_BUSY);
	assert_non_null(strstr(b->reply.head.p, "Retry-After: "));
	assert_int_equal(number("SELECT COUNT(*) FROM connector"), 0);
	assert_int_equal(number("SELECT COUNT(*) FROM credential"), 0);
	browser_close(b);
}

static void without_the_answer_to_the_question_after_nothing_is_connected(void **state)
{
	struct browser *b = browser_open(&TENANT_A);

	(void)state;
	provider.orgs_status = 403;
	assert_ok(START(b, SHOP));
	assert_int_equal(back(b, "acme", with_state(b, "code=c1")), ERR_UPSTREAM);
	assert_page(b, 502, "what it was connected to");
	assert_int_equal(number("SELECT COUNT(*) FROM connector"), 0);
	browser_close(b);
}

static void a_connection_that_fails_its_test_is_made_and_says_so(void **state)
{
	struct browser *b = browser_open(&TENANT_A);

	(void)state;
	provider.outcome = (struct verify_outcome){ .code = VERIFY_INSUFFICIENT_SCOPE };
	assert_ok(START(b, SHOP));
	assert_ok(back(b, "acme", with_state(b, "code=c1")));
	assert_page(b, 200, "trying it failed");
	assert_int_equal(number("SELECT COUNT(*) FROM connector WHERE status = 'error' AND "
				"error_code = 'INSUFFICIENT_SCOPE' AND credential_id IS NOT NULL"),
			 1);
	browser_close(b);
}

static void fewer_scopes_make_it_limited(void **state)
{
	struct browser *b = browser_open(&TENANT_A);

	(void)state;
	provider.granted = "read";
	assert_ok(START(b, SHOP, RETURN_TO));
	assert_ok(back(b, "acme", with_state(b, "code=c1")));
	assert_non_null(strstr(b->location, "&status=limited&"));
	assert_int_equal(
		number("SELECT COUNT(*) FROM connector WHERE limited AND scopes = 'read' AND status = 'active'"),
		1);
	browser_close(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_consent_makes_a_connector_and_sends_the_person_back),
		TEST(tokens_and_what_belongs_to_them_lie_in_the_vault),
		TEST(without_a_return_address_a_page_says_that_it_is_done),
		TEST(two_tabs_of_one_browser_do_not_disturb_each_other),
		TEST(a_strangers_cookie_is_replaced),
		TEST(a_state_that_nobody_gave_out_is_refused),
		TEST(a_state_in_another_browser_is_refused_and_still_good_in_its_own),
		TEST(a_state_is_good_once),
		TEST(of_two_who_bring_a_state_at_once_one_wins),
		TEST(a_consent_that_took_too_long_is_refused),
		TEST(a_code_of_another_provider_is_refused),
		TEST(a_denied_consent_is_told_to_the_application),
		TEST(a_providers_own_words_are_never_shown),
		TEST(an_answer_without_a_code_or_with_a_bad_value_is_refused),
		TEST(whoever_left_the_tenant_connects_nothing),
		TEST(a_callback_that_the_provider_signs_needs_its_signature),
		TEST(a_refused_exchange_connects_nothing_and_is_not_tried_twice),
		TEST(without_the_answer_to_the_question_after_nothing_is_connected),
		TEST(a_connection_that_fails_its_test_is_made_and_says_so),
		TEST(fewer_scopes_make_it_limited),
	};

	return cmocka_run_group_tests(tests, start_oauth, stop_oauth);
}
