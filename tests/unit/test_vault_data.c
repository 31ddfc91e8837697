/* What may be in a credential's `data`, what answers show of it, and how a change is merged. */
#include "vault_support.h"

#include "base/arena.h"
#include "vault/data.h"

static struct ctx cx;

static int set_up(void **state)
{
	(void)state;
	cx.arena = arena_new(8 << 20);
	return cx.arena ? json_setup() : 1;
}

static int tear_down(void **state)
{
	(void)state;
	arena_free(cx.arena);
	return 0;
}

static enum credential_type type_named(const char *name)
{
	enum credential_type type;

	assert_true(vault_type_parse(str_of(name), &type));
	return type;
}

/* --- masks -------------------------------------------------------------------- */
static void a_mask_shows_four_characters_of_a_long_secret_and_none_of_a_short_one(void **state)
{
	static const struct {
		const char *secret, *mask;
	} cases[] = {
		{ "", "****" },
		{ "short", "****" },
		{ "exactly fifteen", "****" },
		{ "exactly sixteen!", "exac****" },
		{ "sk_live_0123456789abcdef", "sk_l****" },
		{ "ééééééééééééééé", "****" }, /* fifteen characters, thirty bytes */
		{ "ééééééééééééééééé", "éééé****" },
		{ "😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀", "😀😀😀😀****" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		BUF_AUTO struct buf out;

		buf_init(&out, 100);
		vault_mask_text(str_of(cases[i].secret), &out);
		assert_ok(buf_error(&out));
		assert_str(buf_str(&out), cases[i].mask);
	}
}

static void an_answer_shows_no_secret_member_of_any_type(void **state)
{
	static const struct {
		const char *type, *data, *masked;
	} cases[] = {
		{ "api_key",
		  "{\"api_key\":\"0123456789abcdef\",\"api_secret\":\"x\",\"header\":\"X-Key\"}",
		  "{\"api_key\":\"0123****\",\"api_secret\":\"****\",\"header\":\"X-Key\"}" },
		{ "basic_auth",
		  "{\"username\":\"ada@example.test long enough\",\"password\":\"hunter2\"}",
		  "{\"username\":\"ada@example.test long enough\",\"password\":\"****\"}" },
		{ "oauth2",
		  "{\"client_id\":\"id\",\"client_secret\":\"s\",\"access_token\":\"a\","
		  "\"refresh_token\":\"r\",\"scopes\":[\"a\"]}",
		  "{\"client_id\":\"id\",\"client_secret\":\"****\",\"access_token\":\"****\","
		  "\"refresh_token\":\"****\",\"scopes\":[\"a\"]}" },
		{ "api_key",
		  "{\"api_key\":\"k\",\"extra\":{\"pin\":1234,\"on\":true,\"deep\":{\"a\":\"b\"},"
		  "\"list\":[1],\"long\":\"abcdefghijklmnop\"}}",
		  "{\"api_key\":\"****\",\"extra\":{\"pin\":\"****\",\"on\":\"****\","
		  "\"deep\":\"****\",\"list\":\"****\",\"long\":\"abcd****\"}}" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		BUF_AUTO struct buf out;

		buf_init(&out, VAULT_MASKED_MAX);
		vault_mask(type_named(cases[i].type), tree(&cx, cases[i].data), &out);
		assert_ok(buf_error(&out));
		assert_str(buf_str(&out), cases[i].masked);
	}
}

static void every_secret_member_of_the_table_is_masked(void **state)
{
	(void)state;
	for (int t = 0; t < CREDENTIAL_TYPE_COUNT; t++) {
		const struct vault_member *member = NULL;

		while ((member = vault_member_next((enum credential_type)t, member))) {
			char data[200];
			BUF_AUTO struct buf out;

			if (!member->secret)
				continue;
			snprintf(data, sizeof(data), "{\"%s\":\"canary-canary-canary\"}",
				 member->name);
			buf_init(&out, VAULT_MASKED_MAX);
			vault_mask((enum credential_type)t, tree(&cx, data), &out);
			buf_add_char(&out, '\0');
			assert_null(strstr(out.p, "canary-"));
			assert_non_null(strstr(out.p, "cana****"));
		}
	}
}

/* --- the check ---------------------------------------------------------------- */
static enum err check(const char *type, const char *data)
{
	json_t *json = tree(&cx, data);
	enum err e;

	problem_clear(&cx.problem);
	e = vault_check_members(&cx, type_named(type), json);
	return e != OK ? e : vault_check_complete(&cx, type_named(type), json);
}

static void data_of_each_type_is_taken(void **state)
{
	static const char *const cases[][2] = {
		{ "api_key", "{\"api_key\":\"k\"}" },
		{ "api_key", "{\"api_key\":\"k\",\"extra\":{\"anything\":[1,2,{\"x\":null}]}}" },
		{ "oauth2", "{}" },
		{ "oauth2", "{\"scopes\":\"a b\",\"expires_at\":\"2027-01-01T00:00:00Z\"}" },
		{ "basic_auth", "{\"username\":\"u\",\"password\":\"p\"}" },
		{ "database", "{\"engine\":\"mariadb\",\"host\":\"db\",\"port\":3306,\"tls\":true,"
			      "\"password\":\"\"}" },
		{ "smtp",
		  "{\"host\":\"mx\",\"security\":\"starttls\",\"from\":\"a@example.test\"}" },
		{ "aws", "{\"access_key_id\":\"AKIA\",\"secret_access_key\":\"s\","
			 "\"region\":\"eu-central-1\"}" },
		{ "service_account",
		  "{\"type\":\"service_account\",\"project_id\":\"p\",\"private_key_id\":\"i\","
		  "\"private_key\":\"-----BEGIN\\nx\\n\","
		  "\"client_email\":\"a@b\",\"client_id\":\"1\",\"auth_uri\":\"https://a\","
		  "\"token_uri\":\"https://t\","
		  "\"auth_provider_x509_cert_url\":\"https://c\","
		  "\"client_x509_cert_url\":\"https://d\",\"universe_domain\":\"g\"}" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_ok(check(cases[i][0], cases[i][1]));
}

static void a_bad_member_is_refused_with_its_place_and_why(void **state)
{
	static const struct {
		const char *type, *data, *field, *code;
	} cases[] = {
		{ "api_key", "{}", "data.api_key", "REQUIRED" },
		{ "api_key", "{\"api_key\":\"\"}", "data.api_key", "TOO_SHORT" },
		{ "api_key", "{\"api_key\":7}", "data.api_key", "WRONG_TYPE" },
		{ "api_key", "{\"api_key\":[\"k\"]}", "data.api_key", "WRONG_TYPE" },
		{ "api_key", "{\"api_key\":\"k\",\"tenant_id\":\"t\"}", "data.tenant_id",
		  "UNKNOWN_FIELD" },
		{ "api_key", "{\"api_key\":\"k\",\"password\":\"t\"}", "data.password",
		  "UNKNOWN_FIELD" },
		{ "api_key", "{\"api_key\":\"k\",\"header\":\"X-A: b\"}", "data.header",
		  "BAD_FORMAT" },
		{ "api_key", "{\"api_key\":\"k\",\"extra\":\"x\"}", "data.extra", "WRONG_TYPE" },
		{ "oauth2", "{\"expires_at\":\"soon\"}", "data.expires_at", "BAD_FORMAT" },
		{ "oauth2", "{\"scopes\":[1]}", "data.scopes", "WRONG_TYPE" },
		{ "oauth2", "{\"token_url\":\"https://a\\r\\nX: y\"}", "data.token_url",
		  "BAD_FORMAT" },
		{ "database", "{\"engine\":\"oracle\",\"host\":\"h\"}", "data.engine",
		  "NOT_ALLOWED" },
		{ "database", "{\"engine\":\"mysql\",\"host\":\"h\",\"port\":\"5432\"}",
		  "data.port", "WRONG_TYPE" },
		{ "database", "{\"engine\":\"mysql\",\"host\":\"h\",\"port\":0}", "data.port",
		  "TOO_SMALL" },
		{ "database", "{\"engine\":\"mysql\",\"host\":\"h\",\"port\":65536}", "data.port",
		  "TOO_LARGE" },
		{ "database", "{\"engine\":\"mysql\",\"host\":\"h\",\"tls\":\"yes\"}", "data.tls",
		  "WRONG_TYPE" },
		{ "smtp", "{\"host\":\"h\",\"security\":\"none\"}", "data.security",
		  "NOT_ALLOWED" },
		{ "smtp", "{\"host\":\"h\",\"from\":\"a@b\\r\\nBcc: c\"}", "data.from",
		  "BAD_FORMAT" },
		{ "aws", "{\"access_key_id\":\"a\",\"secret_access_key\":\"s\"}", "data.region",
		  "REQUIRED" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(check(cases[i].type, cases[i].data), ERR_BAD_INPUT);
		assert_int_equal(cx.problem.count, 1);
		assert_str(cx.problem.field[0].field, cases[i].field);
		assert_string_equal(cx.problem.field[0].code, cases[i].code);
	}
}

static void all_bad_members_are_told_at_once(void **state)
{
	(void)state;
	assert_int_equal(
		check("database", "{\"engine\":1,\"host\":2,\"port\":\"x\",\"nonsense\":0}"),
		ERR_BAD_INPUT);
	assert_int_equal(cx.problem.count, 4);
}

static void the_hint_for_an_unknown_member_names_extra(void **state)
{
	(void)state;
	assert_int_equal(check("api_key", "{\"api_key\":\"k\",\"region\":\"eu\"}"), ERR_BAD_INPUT);
	assert_non_null(strstr(cx.problem.field[0].message.p, "data.extra"));
}

/* --- the merge ---------------------------------------------------------------- */
static void merge(const char *type, const char *stored, const char *sent, struct buf *out)
{
	const json_t *before = tree(&cx, stored);
	BUF_AUTO struct buf masked;

	buf_init(&masked, VAULT_MASKED_MAX);
	buf_init(out, VAULT_DATA_MAX);
	vault_mask(type_named(type), before, &masked);
	buf_add_char(&masked, '\0');
	assert_ok(buf_error(&masked));
	vault_merge(type_named(type), before, tree(&cx, masked.p), tree(&cx, sent), out);
	assert_ok(buf_error(out));
}

#define KEY "\"api_key\":\"0123456789abcdef\""

static void a_change_is_merged_member_by_member(void **state)
{
	static const struct {
		const char *type, *stored, *sent, *result;
	} cases[] = {
		/* nothing sent, nothing changed */
		{ "api_key", "{" KEY "}", "{}", "{" KEY "}" },
		/* a new value in the old place, a new member behind */
		{ "api_key", "{" KEY ",\"header\":\"A\"}", "{\"api_key\":\"new\"}",
		  "{\"api_key\":\"new\",\"header\":\"A\"}" },
		{ "api_key", "{" KEY "}", "{\"header\":\"A\"}", "{" KEY ",\"header\":\"A\"}" },
		/* null takes away, and what isn't there stays away */
		{ "api_key", "{" KEY ",\"header\":\"A\"}", "{\"header\":null}", "{" KEY "}" },
		{ "api_key", "{" KEY "}", "{\"header\":null}", "{" KEY "}" },
		{ "api_key", "{" KEY "}", "{\"api_key\":null}", "{}" },
		/* its own mask: it stays */
		{ "api_key", "{" KEY "}", "{\"api_key\":\"0123****\"}", "{" KEY "}" },
		{ "basic_auth", "{\"username\":\"u\",\"password\":\"pw\"}",
		  "{\"username\":\"v\",\"password\":\"****\"}",
		  "{\"username\":\"v\",\"password\":\"pw\"}" },
		/*
		 * somebody else's mask is a new secret, and a member that isn't secret has no mask
		 */
		{ "api_key", "{" KEY "}", "{\"api_key\":\"****\"}", "{\"api_key\":\"****\"}" },
		{ "api_key", "{" KEY "}", "{\"api_key\":\"9999****\"}",
		  "{\"api_key\":\"9999****\"}" },
		{ "basic_auth", "{\"username\":\"u\",\"password\":\"pw\"}",
		  "{\"username\":\"****\"}", "{\"username\":\"****\",\"password\":\"pw\"}" },
		{ "api_key", "{" KEY "}", "{\"api_secret\":\"****\"}",
		  "{" KEY ",\"api_secret\":\"****\"}" },
		/* extra, by its members */
		{ "api_key", "{" KEY ",\"extra\":{\"a\":1,\"b\":\"two\"}}", "{\"extra\":{\"c\":3}}",
		  "{" KEY ",\"extra\":{\"a\":1,\"b\":\"two\",\"c\":3}}" },
		{ "api_key", "{" KEY ",\"extra\":{\"a\":1,\"b\":\"two\"}}",
		  "{\"extra\":{\"a\":null,\"b\":\"****\"}}",
		  "{" KEY ",\"extra\":{\"b\":\"two\"}}" },
		{ "api_key", "{" KEY ",\"extra\":{\"a\":1}}", "{\"extra\":{\"a\":\"****\"}}",
		  "{" KEY ",\"extra\":{\"a\":1}}" },
		{ "api_key", "{" KEY ",\"extra\":{\"a\":1}}", "{\"extra\":{\"a\":null}}",
		  "{" KEY "}" },
		{ "api_key", "{" KEY ",\"extra\":{\"a\":1}}", "{\"extra\":null}", "{" KEY "}" },
		{ "api_key", "{" KEY "}", "{\"extra\":{\"a\":null}}", "{" KEY "}" },
		{ "api_key", "{" KEY "}", "{\"extra\":{\"a\":{\"b\":[1.50,\"\\u00e9\"]}}}",
		  "{" KEY ",\"extra\":{\"a\":{\"b\":[1.5,\"é\"]}}}" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		BUF_AUTO struct buf out = { 0 };

		merge(cases[i].type, cases[i].stored, cases[i].sent, &out);
		assert_str(buf_str(&out), cases[i].result);
	}
}

static void a_whole_answer_sent_back_changes_nothing(void **state)
{
	static const char stored[] =
		"{" KEY ",\"api_secret\":\"s\",\"header\":\"H\",\"extra\":{\"n\":5,"
		"\"t\":\"abcdefghijklmnopq\"}}";
	BUF_AUTO struct buf masked, out = { 0 };

	(void)state;
	buf_init(&masked, VAULT_MASKED_MAX);
	vault_mask(CREDENTIAL_API_KEY, tree(&cx, stored), &masked);
	buf_add_char(&masked, '\0');
	merge("api_key", stored, masked.p, &out);
	assert_str(buf_str(&out), stored);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			a_mask_shows_four_characters_of_a_long_secret_and_none_of_a_short_one),
		cmocka_unit_test(an_answer_shows_no_secret_member_of_any_type),
		cmocka_unit_test(every_secret_member_of_the_table_is_masked),
		cmocka_unit_test(data_of_each_type_is_taken),
		cmocka_unit_test(a_bad_member_is_refused_with_its_place_and_why),
		cmocka_unit_test(all_bad_members_are_told_at_once),
		cmocka_unit_test(the_hint_for_an_unknown_member_names_extra),
		cmocka_unit_test(a_change_is_merged_member_by_member),
		cmocka_unit_test(a_whole_answer_sent_back_changes_nothing),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
