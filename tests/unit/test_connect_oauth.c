/*
 * What is pure in the OAuth dance. Whoever gets these wrong sends people to a stranger's page with a code in the
 * address, or connects a stranger's account.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/json_read.h"
#include "base/secret.h"
#include "connect/catalog.h"
#include "connect/oauth.h"
#include "connect/oauth_page.h"
#include "crypt/encode.h"
#include "crypt/hash.h"

static const char ACME[] =
	"{\"id\": \"acme\", \"name\": \"Acme\", \"category\": \"custom\", \"regions\": [\"global\"], \"summary\": \"A shop.\","
	" \"auth\": [{\"mode\": \"oauth2_authorization_code\", \"label\": \"Sign in\", \"credential\": \"oauth2\","
	"             \"headers\": {\"Authorization\": \"Bearer {access_token}\"}}],"
	" \"fields\": [{\"name\": \"plan\", \"label\": \"Plan\", \"member\": \"extra.plan\", \"choices\": [\"a\", \"b\"]}],"
	" \"placeholders\": {\"shop\": {\"pattern\": \"^[a-z0-9-]+\\\\.acme\\\\.example$\"}, \"lang\": {\"default\": \"en\"}},"
	" \"hosts\": [\"{shop}\", \"api.acme.example\"],"
	" \"oauth2\": {\"authorization_url\": \"https://{shop}/authorize?lang={lang}\","
	"              \"token_url\": \"https://api.acme.example/token\", \"scopes\": [\"read_orders\", \"a+b\"],"
	"              \"scope_separator\": \",\", \"pkce\": true, \"authorize_params\": {\"for\": \"{shop} & co\"},"
	"              \"callback_params\": [\"shop\"], \"callback_check\": \"shopify_hmac\", \"token\": {}},"
	" \"verify\": [{\"kind\": \"none\"}]}";

static char public_url[] = "https://lw.example:8443",
	    origins[] = "https://app.example, http://localhost:3000";
static const struct config config = { .server_public_url = public_url,
				      .oauth_return_origins = origins };

static struct catalog *catalog;
static const struct connector_type *acme;
static struct arena *arena;

static void set(struct values *values, const char *name, const char *value)
{
	assert_int_equal(values_set(values, str_of(name), str_of(value)), OK);
}

static void fill(struct values *values)
{
	values_init(values);
	set(values, "shop", "one.acme.example");
	set(values, "lang", "de");
	set(values, "client_id", "id&1");
	set(values, "client_secret", "hush");
}

/* --- the way out ------------------------------------------------------------ */

static void the_consent_page_gets_everything_encoded_once(void **state)
{
	VALUES_AUTO struct values values;
	BUF_AUTO struct buf url = { 0 };
	struct str missing;

	(void)state;
	fill(&values);
	buf_init(&url, OAUTH_URL_MAX);
	assert_int_equal(oauth_authorize_url(acme, &values, STR("st"), STR("ch"),
					     STR("https://lw.example/cb"), STR_NONE, &url,
					     &missing),
			 OK);
	buf_add_char(&url, '\0');
	assert_string_equal(
		url.p,
		"https://one.acme.example/authorize?lang=de&response_type=code&client_id=id%261"
		"&redirect_uri=https%3A%2F%2Flw.example%2Fcb&scope=read_orders%2Ca%2Bb&state=st"
		"&code_challenge=ch&code_challenge_method=S256&for=one.acme.example%20%26%20co");
}

static void other_scopes_may_be_asked_for(void **state)
{
	VALUES_AUTO struct values values;
	BUF_AUTO struct buf url = { 0 };

	(void)state;
	fill(&values);
	buf_init(&url, OAUTH_URL_MAX);
	assert_int_equal(oauth_authorize_url(acme, &values, STR("st"), STR("ch"), STR("x"),
					     STR("one two"), &url, NULL),
			 OK);
	buf_add_char(&url, '\0');
	assert_non_null(strstr(url.p, "&scope=one%2Ctwo&"));
}

static void a_host_that_nobody_declared_is_no_consent_page(void **state)
{
	static const char *const EVIL[] = { "evil.example",
					    "one.acme.example.evil.example",
					    "evil.example/one.acme.example",
					    "evil.example#.acme.example",
					    "a@evil.example",
					    "one.acme.example:444" };
	struct str missing;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(EVIL); i++) {
		VALUES_AUTO struct values values;
		BUF_AUTO struct buf url = { 0 };

		fill(&values);
		set(&values, "shop", EVIL[i]);
		buf_init(&url, OAUTH_URL_MAX);
		if (oauth_authorize_url(acme, &values, STR("st"), STR("ch"), STR("x"), STR_NONE,
					&url, &missing) == OK)
			fail_msg("%s", EVIL[i]);
	}
}

static void a_missing_value_is_named(void **state)
{
	VALUES_AUTO struct values values;
	BUF_AUTO struct buf url = { 0 };
	struct str missing = STR_NONE;

	(void)state;
	values_init(&values);
	buf_init(&url, OAUTH_URL_MAX);
	assert_int_equal(oauth_authorize_url(acme, &values, STR("st"), STR("ch"), STR("x"),
					     STR_NONE, &url, &missing),
			 ERR_BAD_INPUT);
	assert_true(str_eq(missing, STR("shop")));
}

static void each_provider_has_a_redirect_uri_of_its_own(void **state)
{
	BUF_AUTO struct buf uri = { 0 };

	(void)state;
	buf_init(&uri, OAUTH_URL_MAX);
	assert_int_equal(oauth_redirect_uri(&config, STR("acme"), &uri), OK);
	assert_true(
		str_eq(buf_str(&uri), STR("https://lw.example:8443/api/v1/oauth/callback/acme")));
}

static void values_of_people_must_be_what_the_provider_takes(void **state)
{
	char long_value[OAUTH_VALUE_MAX + 1];

	(void)state;
	memset(long_value, 'x', sizeof(long_value));
	assert_true(oauth_value_good(acme, STR("shop"), STR("one.acme.example")));
	assert_false(oauth_value_good(acme, STR("shop"), STR("one.evil.example")));
	assert_false(oauth_value_good(acme, STR("shop"), STR("")));
	assert_true(oauth_value_good(acme, STR("plan"), STR("b")));
	assert_false(oauth_value_good(acme, STR("plan"), STR("c")));
	assert_true(oauth_value_good(acme, STR("realm"), STR("x y")));
	assert_false(oauth_value_good(acme, STR("realm"), STR("x\ny")));
	assert_false(oauth_value_good(acme, STR("realm"),
				      (struct str){ long_value, sizeof(long_value) }));
}

/* --- scopes ------------------------------------------------------------------ */

static void scopes_are_tokens_with_one_space_between(void **state)
{
	(void)state;
	assert_true(oauth_scopes_valid(STR("a")));
	assert_true(oauth_scopes_valid(STR("https://x.example/auth/a b:c")));
	assert_false(oauth_scopes_valid(STR("")));
	assert_false(oauth_scopes_valid(STR("a  b")));
	assert_false(oauth_scopes_valid(STR(" a")));
	assert_false(oauth_scopes_valid(STR("a\tb")));
	assert_false(oauth_scopes_valid(STR("a\"b")));
	assert_false(oauth_scopes_valid(STR("\xc3\xa4")));
}

static void fewer_scopes_than_asked_are_noticed(void **state)
{
	(void)state;
	assert_true(oauth_scopes_granted(STR("a b"), STR("b a c")));
	assert_false(oauth_scopes_granted(STR("a b"), STR("a")));
	assert_false(oauth_scopes_granted(STR("a b"), STR("ab")));
	assert_false(oauth_scopes_granted(STR("a"), STR("")));
	assert_true(oauth_scopes_granted(STR(""), STR("")));
}

static void what_providers_spell_otherwise_counts_as_granted(void **state)
{
	(void)state;
	assert_true(oauth_scopes_granted(STR("openid email offline_access a"), STR("a")));
	assert_true(oauth_scopes_granted(STR("User.Read"),
					 STR("https://graph.microsoft.com/user.read")));
	assert_true(oauth_scopes_granted(STR("read_orders write_orders"), STR("write_orders")));
	assert_false(oauth_scopes_granted(STR("write_orders"), STR("read_orders")));
	assert_false(oauth_scopes_granted(STR("read_orders"), STR("write_products")));
	assert_false(
		oauth_scopes_granted(STR("Read"), STR("https://graph.microsoft.com/User.Read")));
}

/* --- the way back to the application ----------------------------------------- */

static void only_addresses_of_the_application_are_returned_to(void **state)
{
	static const char *const EVIL[] = {
		"//evil.example",
		"///evil.example",
		"/\\evil.example",
		"\\\\evil.example",
		"\\/evil.example",
		"https:evil.example",
		"https:/evil.example",
		"https:///evil.example",
		"https:\\\\evil.example",
		"https://evil.example",
		"https://evil.example/https://app.example/",
		"https://evil.example?https://app.example",
		"https://evil.example#https://app.example",
		"https://app.example@evil.example",
		"https://app.example:443@evil.example",
		"https://user@app.example/",
		"https://app.example.evil.example/",
		"https://app.example./",
		"https://app.example:8443/",
		"https://app.example:443/",
		"https://app.example\\@evil.example",
		"https://app.exampleevil/",
		"https://APP.example/",
		"HTTPS://app.example/",
		"http://app.example/",
		"https://app.examp\xc5\x82"
		"e/",
		"https://app\xe3\x80\x82"
		"example/",
		"https://lw.example/",
		"https://lw.example:84430/",
		"http://localhost:3001/",
		"http://localhost/",
		"javascript:alert(1)",
		"javascript://app.example/%0aalert(1)",
		"data:text/html,x",
		"vbscript:x",
		"\t//evil.example",
		"/\t/evil.example",
		"/\n/evil.example",
		" https://app.example/",
		"https://app.example/\r\nX: y",
		"https://app.example/a b",
		"https://app.example/\x7f",
		"https://app.example/<script>",
		"https://app.example/\"",
		"app.example",
		"x",
		"?x",
		"#x",
		"*",
		"https://app.example, http://localhost:3000",
		"",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(EVIL); i++) {
		BUF_AUTO struct buf url = { 0 };

		buf_init(&url, OAUTH_URL_MAX);
		if (oauth_return_read(&config, str_of(EVIL[i]), &url) != ERR_BAD_INPUT)
			fail_msg("%s is taken", EVIL[i]);
	}
}

static void returned_to(const char *text, const char *wanted)
{
	static const struct pair OUTCOME[] = { { { "status", 6 }, { "a&b", 3 } },
					       { { "x", 1 }, { "", 0 } } };
	BUF_AUTO struct buf url = { 0 }, whole = { 0 };

	buf_init(&url, OAUTH_URL_MAX);
	buf_init(&whole, OAUTH_URL_MAX);
	assert_int_equal(oauth_return_read(&config, str_of(text), &url), OK);
	oauth_return_with(buf_str(&url), (struct pairs){ OUTCOME, 2 }, &whole);
	buf_add_char(&whole, '\0');
	assert_string_equal(whole.p, wanted);
}

static void the_outcome_stands_behind_the_query_and_before_the_fragment(void **state)
{
	(void)state;
	returned_to("https://app.example", "https://app.example?status=a%26b&x=");
	returned_to("https://app.example/", "https://app.example/?status=a%26b&x=");
	returned_to("https://app.example/a?b=c", "https://app.example/a?b=c&status=a%26b&x=");
	returned_to("https://app.example/a?", "https://app.example/a?status=a%26b&x=");
	returned_to("https://app.example/a?b&#/route?d=1",
		    "https://app.example/a?b&status=a%26b&x=#/route?d=1");
	returned_to("https://app.example#top", "https://app.example?status=a%26b&x=#top");
	returned_to("http://localhost:3000/x", "http://localhost:3000/x?status=a%26b&x=");
	returned_to("https://lw.example:8443/x", "https://lw.example:8443/x?status=a%26b&x=");
	returned_to("/x?y", "https://lw.example:8443/x?y&status=a%26b&x=");
	returned_to("/", "https://lw.example:8443/?status=a%26b&x=");
	returned_to("/@evil.example", "https://lw.example:8443/@evil.example?status=a%26b&x=");
}

static void an_address_that_cannot_be_stored_is_refused(void **state)
{
	BUF_AUTO struct buf url = { 0 };
	char text[OAUTH_RETURN_MAX];

	(void)state;
	memset(text, 'x', sizeof(text));
	text[0] = '/';
	buf_init(&url, OAUTH_URL_MAX);
	assert_int_equal(oauth_return_read(&config, (struct str){ text, sizeof(text) }, &url),
			 ERR_TOO_BIG);
}

/* --- the callback ------------------------------------------------------------ */

static void read_params(const char *query, struct oauth_params *params)
{
	assert_int_equal(oauth_params_read(arena, str_of(query), params), OK);
}

static void a_parameter_that_comes_twice_is_refused(void **state)
{
	struct oauth_params params;
	char many[4096] = "";
	size_t n = 0;

	(void)state;
	read_params("state=a&code=b%20c&bad=%zz&empty=", &params);
	assert_true(str_eq(oauth_param(&params, STR("code")), STR("b c")));
	assert_true(str_eq(oauth_param(&params, STR("empty")), STR("")));
	assert_true(str_absent(oauth_param(&params, STR("bad"))));
	assert_true(str_absent(oauth_param(&params, STR("iss"))));
	assert_int_equal(oauth_params_read(arena, STR("code=a&code=b"), &params), ERR_BAD_CALLBACK);
	assert_int_equal(oauth_params_read(arena, STR("iss=a&x&i%73s=b"), &params),
			 ERR_BAD_CALLBACK);
	for (int i = 0; i <= OAUTH_PARAMS_MAX; i++)
		n += (size_t)snprintf(many + n, sizeof(many) - n, "p%d=1&", i);
	assert_int_equal(oauth_params_read(arena, str_of(many), &params), ERR_BAD_CALLBACK);
}

static void an_answer_of_another_issuer_is_noticed(void **state)
{
	VALUES_AUTO struct values values;
	struct connector_type declared = *acme;

	(void)state;
	fill(&values);
	assert_true(oauth_issuer_good(acme, &values, STR("https://one.acme.example")));
	assert_true(oauth_issuer_good(acme, &values, STR("https://one.acme.example/tenant/7")));
	assert_true(oauth_issuer_good(acme, &values, STR("https://api.acme.example")));
	assert_false(oauth_issuer_good(acme, &values, STR("http://one.acme.example")));
	assert_false(oauth_issuer_good(acme, &values, STR("https://two.acme.example")));
	assert_false(
		oauth_issuer_good(acme, &values, STR("https://one.acme.example@evil.example")));
	assert_false(
		oauth_issuer_good(acme, &values, STR("https://one.acme.example.evil.example/")));
	assert_false(oauth_issuer_good(acme, &values, STR("https://one.acme.example:444")));
	assert_false(oauth_issuer_good(acme, &values, STR("https:")));
	assert_false(oauth_issuer_good(acme, &values, STR("")));
	declared.oauth2.issuer = STR("https://issuer.example/");
	assert_true(oauth_issuer_good(&declared, &values, STR("https://issuer.example/")));
	assert_false(oauth_issuer_good(&declared, &values, STR("https://issuer.example")));
	assert_false(oauth_issuer_good(&declared, &values, STR("https://one.acme.example")));
}

/* Signs the query that is sent, in whatever order, as Shopify does; `text` is what it signs. */
static bool shopify_takes(const char *query, const char *text, const char *key, int64_t now_ms)
{
	VALUES_AUTO struct values values;
	SECRET_AUTO struct secret secret = SECRET_EMPTY;
	struct oauth_params params;
	uint8_t mac[SHA256_BYTES];
	char hex[HEX_CHARS(SHA256_BYTES) + 1], whole[1024];

	fill(&values);
	assert_int_equal(secret_copy(key, strlen(key), &secret), OK);
	hmac_sha256_of(&secret, BYTES(str_of(text)), mac);
	hex_encode_to((struct str){ (const char *)mac, sizeof(mac) }, hex);
	snprintf(whole, sizeof(whole), "%s&hmac=%s", query, hex);
	read_params(whole, &params);
	return oauth_shopify_good(&params, &values, now_ms);
}

static void shopifys_signature_covers_everything_else(void **state)
{
	static const char QUERY[] =
		"timestamp=1000&state=s&shop=one.acme.example&host=aG8&code=c%2Bd";
	static const char TEXT[] = "code=c+d&host=aG8&shop=one.acme.example&state=s&timestamp=1000";

	(void)state;
	assert_true(shopify_takes(QUERY, TEXT, "hush", 1000000));
	assert_true(shopify_takes(
		"signature=x&timestamp=1000&state=s&shop=one.acme.example&host=aG8&code=c%2Bd",
		TEXT, "hush", 1000000));
	assert_false(shopify_takes(QUERY, TEXT, "hush!", 1000000));
	assert_false(shopify_takes("timestamp=1000&state=s&shop=one.acme.example&host=aG8&code=e",
				   TEXT, "hush", 1000000));
	assert_false(shopify_takes(
		"timestamp=1000&state=s&shop=one.acme.example&host=aG8&code=c%2Bd&a=b", TEXT,
		"hush", 1000000));
}

static void shopifys_answer_is_for_the_shop_that_it_was_begun_with(void **state)
{
	(void)state;
	assert_false(shopify_takes("shop=two.acme.example&timestamp=1000",
				   "shop=two.acme.example&timestamp=1000", "hush", 1000000));
	assert_true(shopify_takes("shop=ONE.acme.example&timestamp=1000",
				  "shop=ONE.acme.example&timestamp=1000", "hush", 1000000));
	assert_false(shopify_takes("timestamp=1000", "timestamp=1000", "hush", 1000000));
}

static void shopifys_answer_is_of_now(void **state)
{
	static const char QUERY[] = "shop=one.acme.example&timestamp=1000";

	(void)state;
	assert_true(shopify_takes(QUERY, QUERY, "hush", 1090000));
	assert_false(shopify_takes(QUERY, QUERY, "hush", 1090001));
	assert_true(shopify_takes(QUERY, QUERY, "hush", 910000));
	assert_false(shopify_takes(QUERY, QUERY, "hush", 909999));
	assert_false(
		shopify_takes("shop=one.acme.example", "shop=one.acme.example", "hush", 1000000));
	assert_false(shopify_takes("shop=one.acme.example&timestamp=99999999999999999",
				   "shop=one.acme.example&timestamp=99999999999999999", "hush",
				   1000000));
}

static void an_unsigned_answer_of_shopifys_is_refused(void **state)
{
	VALUES_AUTO struct values values;
	struct oauth_params params;

	(void)state;
	fill(&values);
	read_params("shop=one.acme.example&timestamp=1000", &params);
	assert_false(oauth_shopify_good(&params, &values, 1000000));
	read_params("shop=one.acme.example&timestamp=1000&hmac=", &params);
	assert_false(oauth_shopify_good(&params, &values, 1000000));
	read_params("shop=one.acme.example&timestamp=1000&hmac=zz", &params);
	assert_false(oauth_shopify_good(&params, &values, 1000000));
}

static void a_providers_error_is_shown_only_when_it_is_a_code(void **state)
{
	(void)state;
	assert_true(str_eq(oauth_error_code(STR("invalid_scope")), STR("invalid_scope")));
	assert_true(str_absent(oauth_error_code(STR("<img src=x onerror=alert(1)>"))));
	assert_true(str_absent(oauth_error_code(STR("Access denied"))));
	assert_true(str_absent(oauth_error_code(STR(""))));
	assert_true(str_absent(oauth_error_code(
		STR("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"))));
}

/* --- the page ---------------------------------------------------------------- */

static void a_page_shows_texts_and_runs_nothing(void **state)
{
	const struct oauth_page page = { .title = STR("<b>&\"'"),
					 .words = STR("<img src=x onerror=alert(1)>"),
					 .next = STR("Go back."),
					 .code = STR("CODE"),
					 .request = STR("req-1"),
					 .link = STR("https://app.example/?a=\"><script>&b") };
	struct reply reply;

	(void)state;
	reply_init(&reply);
	assert_int_equal(oauth_page_write(&page, &reply), OK);
	buf_add_char(&reply.body, '\0');
	buf_add_char(&reply.head, '\0');
	assert_string_equal(reply.content_type, "text/html; charset=utf-8");
	assert_null(strstr(reply.body.p, "<b>"));
	assert_null(strstr(reply.body.p, "<img"));
	assert_null(strstr(reply.body.p, "<script"));
	assert_non_null(strstr(reply.body.p, "<title>&lt;b&gt;&amp;&quot;&#39;</title>"));
	assert_non_null(strstr(reply.body.p, "<html lang=\"en\">"));
	assert_non_null(strstr(reply.body.p, "<main>"));
	assert_non_null(strstr(reply.body.p, "<h1>"));
	assert_non_null(strstr(reply.body.p,
			       "href=\"https://app.example/?a=&quot;&gt;&lt;script&gt;&amp;b\""));
	assert_non_null(strstr(reply.body.p, "<code>CODE</code>"));
	assert_non_null(strstr(reply.head.p,
			       "Content-Security-Policy: default-src 'none'; style-src 'sha256-"));
	assert_null(strstr(reply.head.p, "unsafe"));
	reply_done(&reply);
}

static void the_policy_allows_the_very_style_of_the_page(void **state)
{
	const struct oauth_page page = { .title = STR("x") };
	struct reply reply;
	const char *begin, *end;
	uint8_t hash[SHA256_BYTES];
	char text[BASE64_CHARS(SHA256_BYTES) + 1];

	(void)state;
	reply_init(&reply);
	assert_int_equal(oauth_page_write(&page, &reply), OK);
	buf_add_char(&reply.body, '\0');
	buf_add_char(&reply.head, '\0');
	begin = strstr(reply.body.p, "<style>");
	assert_non_null(begin);
	end = strstr(begin, "</style>");
	assert_non_null(end);
	begin += strlen("<style>");
	sha256_of(BYTES((struct str){ begin, (size_t)(end - begin) }), hash);
	base64_encode_to((struct str){ (const char *)hash, sizeof(hash) }, text);
	assert_non_null(strstr(reply.head.p, text));
	assert_null(strstr(reply.body.p, "href"));
	reply_done(&reply);
}

static int set_up(void **state)
{
	char why[CATALOG_WHY_MAX];

	(void)state;
	if (json_setup() != OK)
		return -1;
	if (catalog_load_text(STR("acme.json"), str_of(ACME), why, &catalog) != OK) {
		fprintf(stderr, "%s\n", why);
		return -1;
	}
	acme = catalog_find(catalog, STR("acme"));
	arena = arena_new(1 << 20);
	return acme && arena ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	arena_free(arena);
	catalog_free(catalog);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_consent_page_gets_everything_encoded_once),
		cmocka_unit_test(other_scopes_may_be_asked_for),
		cmocka_unit_test(a_host_that_nobody_declared_is_no_consent_page),
		cmocka_unit_test(a_missing_value_is_named),
		cmocka_unit_test(each_provider_has_a_redirect_uri_of_its_own),
		cmocka_unit_test(values_of_people_must_be_what_the_provider_takes),
		cmocka_unit_test(scopes_are_tokens_with_one_space_between),
		cmocka_unit_test(fewer_scopes_than_asked_are_noticed),
		cmocka_unit_test(what_providers_spell_otherwise_counts_as_granted),
		cmocka_unit_test(only_addresses_of_the_application_are_returned_to),
		cmocka_unit_test(the_outcome_stands_behind_the_query_and_before_the_fragment),
		cmocka_unit_test(an_address_that_cannot_be_stored_is_refused),
		cmocka_unit_test(a_parameter_that_comes_twice_is_refused),
		cmocka_unit_test(an_answer_of_another_issuer_is_noticed),
		cmocka_unit_test(shopifys_signature_covers_everything_else),
		cmocka_unit_test(shopifys_answer_is_for_the_shop_that_it_was_begun_with),
		cmocka_unit_test(shopifys_answer_is_of_now),
		cmocka_unit_test(an_unsigned_answer_of_shopifys_is_refused),
		cmocka_unit_test(a_providers_error_is_shown_only_when_it_is_a_code),
		cmocka_unit_test(a_page_shows_texts_and_runs_nothing),
		cmocka_unit_test(the_policy_allows_the_very_style_of_the_page),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
