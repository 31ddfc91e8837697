/* Whoever points a secret to another host has to bring it along: not everybody who may change one may read it. */
#include "vault_support.h"

#include "vault/data.h"

static struct ctx cx;

static int start(void **state)
{
	(void)state;
	assert_ok(json_setup());
	cx.arena = arena_new(4 << 20);
	return cx.arena ? 0 : -1;
}

static int stop(void **state)
{
	(void)state;
	arena_free(cx.arena);
	return 0;
}

/* With ' for ". */
static const json_t *tree_of(const char *text)
{
	struct str copy = arena_copy(cx.arena, str_of(text));
	json_t *json;

	for (size_t i = 0; i < copy.n; i++)
		if (copy.p[i] == '\'')
			((char *)(uintptr_t)copy.p)[i] = '"';
	assert_ok(json_read(cx.arena, copy, &json, NULL));
	return json;
}

static enum err check(enum credential_type type, const char *stored, const char *change)
{
	problem_clear(&cx.problem);
	return vault_check_address(&cx, type, tree_of(stored), tree_of(change));
}

/* Refused, and these secrets are wanted: "data.password data.extra.more". */
static void assert_wants(enum credential_type type, const char *stored, const char *change,
			 const char *places)
{
	BUF_AUTO struct buf found = { 0 };

	buf_init(&found, 1000);
	assert_int_equal(check(type, stored, change), ERR_BAD_INPUT);
	for (size_t i = 0; i < cx.problem.count; i++)
		buf_printf(&found, "%s%.*s", i > 0 ? " " : "", STR_ARG(cx.problem.field[i].field));
	assert_str(buf_str(&found), places);
}

#define DATABASE                                                                                   \
	"{'engine':'mysql','host':'db.example','port':3306,'username':'u','password':'a long password here'}"

static void a_password_does_not_follow_to_another_host(void **state)
{
	(void)state;
	assert_wants(CREDENTIAL_DATABASE, DATABASE, "{'host':'db.evil.example'}", "data.password");
	assert_wants(CREDENTIAL_DATABASE, DATABASE, "{'port':3307}", "data.password");
	assert_wants(CREDENTIAL_SMTP, "{'host':'mail.example','password':'x'}",
		     "{'host':'mail.evil.example'}", "data.password");
	assert_wants(CREDENTIAL_OAUTH2, "{'client_id':'i','client_secret':'s','refresh_token':'r'}",
		     "{'token_url':'https://evil.example/token'}",
		     "data.client_secret data.refresh_token");
	assert_wants(CREDENTIAL_SERVICE_ACCOUNT,
		     "{'private_key':'k','token_uri':'https://a.example'}",
		     "{'token_uri':'https://evil.example'}", "data.private_key");
}

static void its_mask_is_not_the_password(void **state)
{
	(void)state;
	assert_wants(CREDENTIAL_DATABASE, DATABASE,
		     "{'host':'db.evil.example','password':'a lo****'}", "data.password");
}

static void whoever_brings_it_or_takes_it_away_may_change_the_host(void **state)
{
	(void)state;
	assert_ok(check(CREDENTIAL_DATABASE, DATABASE,
			"{'host':'db.other.example','password':'a long password here'}"));
	assert_ok(check(CREDENTIAL_DATABASE, DATABASE,
			"{'host':'db.other.example','password':'another password'}"));
	assert_ok(check(CREDENTIAL_DATABASE, DATABASE,
			"{'host':'db.other.example','password':null}"));
}

static void what_stays_where_it_is_needs_nothing(void **state)
{
	(void)state;
	assert_ok(check(CREDENTIAL_DATABASE, DATABASE,
			"{'host':'db.example','username':'other','database':'d'}"));
	assert_ok(check(CREDENTIAL_DATABASE, DATABASE, "{'port':3306}"));
	assert_ok(check(CREDENTIAL_DATABASE, DATABASE, "{'host':null}"));
	assert_ok(check(
		CREDENTIAL_API_KEY,
		"{'api_key':'k','extra':{'base_url':'https://a.example','n':1}}",
		"{'extra':{'base_url':'https://a.example','n':2,'gone':null,'deep':{'url':'https://b.example'}}}"));
}

static void an_address_among_the_extras_is_one_too(void **state)
{
	static const char *const ADDRESSES[] = {
		"https://evil.example", "http://1.2.3.4/x", "evil.example", "EVIL.Example:8443",
		"evil.example/path",    "10.0.0.1",         "[::1]:80",     "localhost:9000",
		"a.b-c.evil.example."
	};
	static const char *const OTHERS[] = {
		"eu",          "v1.2",
		"2026-01",     "1.5",
		"/v1/path",    "me@evil.example",
		"a b.example", "",
		"acct_123",    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw//x"
	};
	char change[200];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ADDRESSES); i++) {
		snprintf(change, sizeof(change), "{'extra':{'any':'%s'}}", ADDRESSES[i]);
		assert_wants(CREDENTIAL_API_KEY, "{'api_key':'k','extra':{'any':'before.example'}}",
			     change, "data.api_key");
		assert_wants(CREDENTIAL_API_KEY, "{'api_key':'k'}", change, "data.api_key");
	}
	for (size_t i = 0; i < ARRAY_SIZE(OTHERS); i++) {
		snprintf(change, sizeof(change), "{'extra':{'any':'%s'}}", OTHERS[i]);
		assert_ok(check(CREDENTIAL_API_KEY,
				"{'api_key':'k','extra':{'any':'before.example'}}", change));
	}
}

static void a_secret_among_the_extras_has_to_come_too(void **state)
{
	static const char STORED[] =
		"{'api_key':'k','extra':{'url':'https://a.example','secret':'sixteen characters','rows':'10'}}";

	(void)state;
	assert_wants(CREDENTIAL_API_KEY, STORED,
		     "{'api_key':'k','extra':{'url':'https://b.example'}}", "data.extra.secret");
	assert_ok(check(
		CREDENTIAL_API_KEY, STORED,
		"{'api_key':'k','extra':{'url':'https://b.example','secret':'sixteen characters'}}"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_password_does_not_follow_to_another_host),
		cmocka_unit_test(its_mask_is_not_the_password),
		cmocka_unit_test(whoever_brings_it_or_takes_it_away_may_change_the_host),
		cmocka_unit_test(what_stays_where_it_is_needs_nothing),
		cmocka_unit_test(an_address_among_the_extras_is_one_too),
		cmocka_unit_test(a_secret_among_the_extras_has_to_come_too),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
