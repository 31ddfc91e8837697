/*
 * Templates. A credential goes only to hosts that its type declares, whatever a person fills in, a provider answers or
 * a stored value holds: who gets past these tests gets other people's tokens.
 */
#include "connect_support.h"

#include <string.h>

#include "base/json_read.h"
#include "connect/template.h"

enum { TEXT_MAX = 20000 };

/* --- filling ------------------------------------------------------------------ */

static enum err fill(const char *text, const struct values *values, enum escape escape, char ret_text[TEXT_MAX])
{
	BUF_AUTO struct buf out = { 0 };
	struct str missing;
	enum err e;

	buf_init(&out, TEXT_MAX - 1);
	e = template_fill(str_of(text), values, escape, &out, &missing);
	memcpy(ret_text, e == OK ? buf_str(&out).p : missing.p ? missing.p : "", e == OK ? out.n : missing.n);
	ret_text[e == OK ? out.n : missing.n] = '\0';
	return e;
}

static void assert_filled(const char *text, const struct values *values, enum escape escape, const char *expected)
{
	char filled[TEXT_MAX];

	assert_int_equal(fill(text, values, escape, filled), OK);
	assert_string_equal(filled, expected);
}

static void names_are_replaced_and_other_braces_stay(void **state)
{
	VALUES_AUTO struct values values;

	(void)state;
	values_init(&values);
	set_value(&values, "a", "1");
	set_value(&values, "b-c", "{a}");
	set_value(&values, "empty", "");
	assert_filled("", &values, ESCAPE_NONE, "");
	assert_filled("no name", &values, ESCAPE_NONE, "no name");
	assert_filled("{a}{a}x{b-c}", &values, ESCAPE_NONE, "11x{a}");
	assert_filled("{ a } {} {a {\"q\": {a}} }{", &values, ESCAPE_NONE, "{ a } {} {a {\"q\": 1} }{");
	assert_filled("[{empty}]", &values, ESCAPE_NONE, "[]");
}

static void a_value_is_written_as_its_place_wants_it(void **state)
{
	VALUES_AUTO struct values values;

	(void)state;
	values_init(&values);
	set_value(&values, "v", "a b&c=\"d\"/\\é");
	assert_filled("{v}", &values, ESCAPE_NONE, "a b&c=\"d\"/\\é");
	assert_filled("{v}", &values, ESCAPE_URL, "a%20b%26c%3D%22d%22%2F%5C%C3%A9");
	assert_filled("\"{v}\"", &values, ESCAPE_JSON, "\"a b&c=\\\"d\\\"/\\\\é\"");
}

static void a_missing_value_is_named_and_an_optional_one_leaves_all_out(void **state)
{
	VALUES_AUTO struct values values;
	char text[TEXT_MAX];

	(void)state;
	values_init(&values);
	set_value(&values, "empty", "");
	assert_int_equal(fill("x {gone}", &values, ESCAPE_NONE, text), ERR_BAD_INPUT);
	assert_string_equal(text, "gone");
	assert_int_equal(fill("x {gone?}", &values, ESCAPE_NONE, text), ERR_NOT_FOUND);
	assert_int_equal(fill("x {empty?}", &values, ESCAPE_NONE, text), ERR_NOT_FOUND);
}

static void a_header_cannot_be_split_by_a_value(void **state)
{
	static const char *const values_with_lines[] = { "a\r\nX-Evil: 1", "a\nb", "a\rb", "\x7f", "\x01" };
	char text[TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(values_with_lines); i++) {
		VALUES_AUTO struct values values;

		values_init(&values);
		set_value(&values, "v", values_with_lines[i]);
		assert_int_equal(fill("Bearer {v}", &values, ESCAPE_NONE, text), ERR_BAD_INPUT);
		assert_string_equal(text, "v");
	}
}

/* --- JSON paths ------------------------------------------------------------------- */

static void a_path_finds_its_place_in_an_answer(void **state)
{
	static const char TEXT[] = "{\"a\": {\"b\": [{\"c\": 7}, {\"c\": true}]}, \"ia::result\": {\"x\": 1.5}, "
				   "\"n\": null, \"s\": \"t\", \"big\": 9007199254740993}";
	static const struct {
		const char *path, *text;
	} cases[] = {
		{ "a.b[0].c", "7" },	{ "a.b[].c", "7" },   { "a.b[1].c", "true" }, { "ia::result.x", "1.5" },
		{ "s", "t" },		{ "a.b[2].c", NULL }, { "a.b.c", NULL },      { "a[0]", NULL },
		{ "n", NULL },		{ "a", NULL },	      { "a.b", NULL },	      { "none.of.it", NULL },
		{ "a.b[99999999999999999999]", NULL },	      { "a.b[", NULL },	      { "s.t", NULL },
		{ "big", "9007199254740993" },
	};
	struct arena *arena = arena_new(1 << 20);
	json_t *tree;

	(void)state;
	assert_non_null(arena);
	assert_int_equal(json_read(arena, str_of(TEXT), &tree, NULL), OK);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_true(str_eq(json_text_at(arena, tree, str_of(cases[i].path)), str_of(cases[i].text)));
	assert_ptr_equal(json_at(tree, STR("")), tree);
	assert_null(json_at(NULL, STR("a")));
	arena_free(arena);
}

static void a_list_may_be_the_whole_answer(void **state)
{
	struct arena *arena = arena_new(1 << 20);
	json_t *tree;

	(void)state;
	assert_non_null(arena);
	assert_int_equal(json_read(arena, STR("[{\"id\": \"x\"}]"), &tree, NULL), OK);
	assert_true(str_eq(json_text_at(arena, tree, STR("[].id")), STR("x")));
	assert_true(str_eq(json_text_at(arena, tree, STR("[0].id")), STR("x")));
	arena_free(arena);
}

/* --- URLs ------------------------------------------------------------------------------ */

static const char TYPE[] =
	"{'id': 't', 'name': 'T', 'category': 'custom', 'regions': ['global'], 'summary': 'T.',\n"
	" 'auth': [{'mode': 'none', 'label': 'None', 'credential': 'oauth2'}],\n"
	" 'fields': [\n"
	"  {'name': 'shop', 'label': 'Shop', 'pattern': '^[a-zA-Z0-9-]+\\\\.shop\\\\.example$', 'member': 'extra.shop'},\n"
	"  {'name': 'host', 'label': 'Host', 'member': 'extra.host'},\n"
	"  {'name': 'dc', 'label': 'Centre', 'member': 'extra.dc'},\n"
	"  {'name': 'base_url', 'label': 'URL', 'member': 'extra.base_url'},\n"
	"  {'name': 'path', 'label': 'Path', 'pattern': '^/.*$', 'member': 'extra.path'},\n"
	"  {'name': 'id', 'label': 'Id', 'member': 'extra.id'}],\n"
	" 'placeholders': {'dc': {'pattern': '^[a-z0-9.]+$'}},\n"
	" 'hosts': ['{shop}', '{host}', '{dc}.api.example.com', 'api.example.com', 'api.example.com:8443', '{base_url}',\n"
	"           '.tenants.example.com', '127.0.0.1:9240'],\n"
	" 'verify': [{'kind': 'none'}]}";

static struct catalog *catalog;

static int load_type(void **state)
{
	(void)state;
	if (json_setup() != OK)
		return 1;
	catalog = sample_catalog(TYPE, NULL, NULL);
	return 0;
}

static int free_type(void **state)
{
	(void)state;
	catalog_free(catalog);
	return 0;
}

/* The URL of a template with one value; the error instead of it. */
static enum err url_of(const char *text, const char *name, const char *value, size_t n, char ret_url[TEXT_MAX])
{
	BUF_AUTO struct buf out = { 0 };
	VALUES_AUTO struct values values;
	struct str missing;
	enum err e;

	buf_init(&out, TEXT_MAX - 1);
	values_init(&values);
	if (value)
		assert_int_equal(values_set(&values, str_of(name), (struct str){ value, n }), OK);
	e = template_url(only_type(catalog), str_of(text), &values, &out, &missing);
	if (e != OK)
		assert_int_equal(out.n, 0);
	memcpy(ret_url, out.n > 0 ? out.p : "", out.n);
	ret_url[out.n] = '\0';
	return e;
}

struct url_case {
	const char *text, *name, *value, *url;
};

static void a_url_is_filled_in(void **state)
{
	static const struct url_case cases[] = {
		{ "https://{shop}/a", "shop", "one.shop.example", "https://one.shop.example/a" },
		{ "https://{shop}", "shop", "ONE.shop.example", "https://ONE.shop.example" },
		{ "https://{host}/", "host", "git.example.org", "https://git.example.org/" },
		{ "https://{dc}.api.example.com/x", "dc", "us1", "https://us1.api.example.com/x" },
		{ "https://API.example.com/x?y=z#f", NULL, NULL, "https://API.example.com/x?y=z#f" },
		{ "https://api.example.com:443/x", NULL, NULL, "https://api.example.com:443/x" },
		{ "https://api.example.com:8443/x", NULL, NULL, "https://api.example.com:8443/x" },
		{ "https://a.b.tenants.example.com/", NULL, NULL, "https://a.b.tenants.example.com/" },
		{ "http://127.0.0.1:9240/token", NULL, NULL, "http://127.0.0.1:9240/token" },
		{ "{base_url}/v1/me", "base_url", "https://x.example/api", "https://x.example/api/v1/me" },
		{ "{base_url}/v1/me", "base_url", "https://x.example/", "https://x.example/v1/me" },
		{ "{base_url}", "base_url", "https://x.example:8443/api//", "https://x.example:8443/api" },
		{ "{base_url}?a=1", "base_url", "https://x.example", "https://x.example?a=1" },
		{ "{base_url}/x", "base_url", "http://10.0.0.1:8080", "http://10.0.0.1:8080/x" },
		{ "{base_url}/x", "base_url", "http://intranet:8080", "http://intranet:8080/x" },
		{ "{base_url}/x", "base_url", "https://[2001:db8::1]:8443", "https://[2001:db8::1]:8443/x" },
		{ "https://api.example.com/{id}/x", "id", "a/../b?c#d@e%2f", "https://api.example.com/a%2F..%2Fb%3Fc%23d%40e%252f/x" },
		{ "https://api.example.com/?q={id}", "id", "a&b=c d\n\xc3\xa9", "https://api.example.com/?q=a%26b%3Dc%20d%0A%C3%A9" },
		{ "https://api.example.com/{id?}", "id", NULL, "https://api.example.com/" },
	};
	char url[TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct url_case *c = &cases[i];
		enum err e = url_of(c->text, c->name, c->value, c->value ? strlen(c->value) : 0, url);

		if (e != OK || strcmp(url, c->url) != 0)
			fail_msg("%s with %s gives %s (%s)", c->text, c->value ? c->value : "nothing", url, err_code(e));
	}
}

/* Each of these in the place of a host. */
static const char *const NO_HOSTS[] = {
	"evil.test",	      "one.shop.example.evil.test",
	"evil.test/",	      "evil.test?",	   "evil.test#",	   "evil.test\\",	"evil.test:443",
	"evil.test@x",	      "user@evil.test",	   "user:pw@evil.test",	   "evil.test/.shop.example", "evil.test?.shop.example",
	"evil.test#.shop.example", "evil.test\\.shop.example", "evil.test%2f.shop.example", "evil.test%00.shop.example",
	" one.shop.example",  "one.shop.example ", "one.shop.example\n",   "one.shop.example\r\nx: y", "one.shop.example\t",
	"one.shop.example.",  "one..shop.example", ".shop.example",	   "one.shop.example/..",  "..",
	"one.shop.example:80", "[::1]",		   "::1",		   "0x7f.1",		"2130706433",
	"one.shop.example@evil.test", "//evil.test", "https://evil.test", "one.shop.example%40evil.test",
	"evil\xc3\xa9.shop.example", "evil\xef\xbc\x8ftest.shop.example", "\xe2\x93\x94.shop.example", "a{host}", "{shop}",
	"one.shop.example;evil.test", "one.shop.example,evil.test", "one.shop.example&", "a*b.shop.example", "*.shop.example",
	"127.0.0.1.",	      "a_b.shop.example:", "-",
};

static void a_value_that_is_no_plain_host_gets_nowhere(void **state)
{
	char url[TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(NO_HOSTS); i++)
		if (url_of("https://{shop}/a", "shop", NO_HOSTS[i], strlen(NO_HOSTS[i]), url) != ERR_HOST_FORBIDDEN)
			fail_msg("%s was accepted: %s", NO_HOSTS[i], url);
	assert_int_equal(url_of("https://{shop}/a", "shop", "one\0.shop.example", 17, url), ERR_HOST_FORBIDDEN);
	assert_int_equal(url_of("https://{shop}/a", "shop", "", 0, url), ERR_BAD_INPUT);
	assert_int_equal(url_of("https://{shop}/a", NULL, NULL, 0, url), ERR_BAD_INPUT);
}

static void a_host_without_a_pattern_is_a_plain_host_all_the_same(void **state)
{
	static const char *const values[] = { "a/b", "a:8443", "u@a", "a?b", "a#b", "a\\b", "a b", "a%2eb", "a\nb", "[::1]", "a..b", "a.", "1.2" };
	char url[TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(values); i++)
		if (url_of("https://{host}/", "host", values[i], strlen(values[i]), url) != ERR_HOST_FORBIDDEN)
			fail_msg("%s was accepted: %s", values[i], url);
}

static void a_part_of_a_host_stays_below_its_domain(void **state)
{
	static const char *const values[] = { "evil.test/", "evil.test#", "evil.test?", "evil.test:443#", "a@b", "a..b", ".a", "A" };
	char url[TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(values); i++)
		if (url_of("https://{dc}.api.example.com/", "dc", values[i], strlen(values[i]), url) != ERR_HOST_FORBIDDEN)
			fail_msg("%s was accepted: %s", values[i], url);
	assert_int_equal(url_of("https://{dc}.api.example.com/", "dc", "evil.test", 9, url), OK);
	assert_string_equal(url, "https://evil.test.api.example.com/");
}

static void a_whole_url_is_one_and_nothing_goes_on_with_its_host(void **state)
{
	static const struct url_case cases[] = {
		{ "{base_url}/x", "base_url", "ftp://a.example", NULL },
		{ "{base_url}/x", "base_url", "file:///etc/passwd", NULL },
		{ "{base_url}/x", "base_url", "//a.example", NULL },
		{ "{base_url}/x", "base_url", "a.example", NULL },
		{ "{base_url}/x", "base_url", "https://", NULL },
		{ "{base_url}/x", "base_url", "https:///a", NULL },
		{ "{base_url}/x", "base_url", "https://user@a.example", NULL },
		{ "{base_url}/x", "base_url", "https://user:pw@a.example", NULL },
		{ "{base_url}/x", "base_url", "https://a.example?x", NULL },
		{ "{base_url}/x", "base_url", "https://a.example#x", NULL },
		{ "{base_url}/x", "base_url", "https://a.example\\@b.example", NULL },
		{ "{base_url}/x", "base_url", "https://a.example b", NULL },
		{ "{base_url}/x", "base_url", "https://a.example\r\nHost: b", NULL },
		{ "{base_url}/x", "base_url", " https://a.example", NULL },
		{ "{base_url}/x", "base_url", "https://a.example:99999", NULL },
		{ "{base_url}/x", "base_url", "https://a.example:", NULL },
		{ "{base_url}/x", "base_url", "https://a.example%2f@b.example", NULL },
		{ "{base_url}/x", "base_url", "https://\xc3\xa9.example", NULL },
		{ "{base_url}/x", "base_url", "https://0x7f.1", NULL },
		{ "{base_url}.evil.test/", "base_url", "https://a.example", NULL },
		{ "{base_url}@evil.test/", "base_url", "https://a.example", NULL },
		{ "{base_url}:8080/", "base_url", "https://a.example", NULL },
	};
	char url[TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct url_case *c = &cases[i];

		if (url_of(c->text, c->name, c->value, strlen(c->value), url) != ERR_HOST_FORBIDDEN)
			fail_msg("%s was accepted in %s: %s", c->value, c->text, url);
	}
}

static void a_host_that_is_not_declared_is_refused(void **state)
{
	static const char *const urls[] = {
		"https://evil.test/",	       "https://api.example.com:444/",	    "https://api.example.com:80/",
		"http://api.example.com/",     "http://api.example.com:443/",	    "http://api.example.com:8443/",
		"https://api.example.com.evil.test/", "https://xapi.example.com/",  "https://tenants.example.com/",
		"https://a.tenants.example.com:8443/", "http://a.tenants.example.com/", "https://xtenants.example.com/",
		"https://a.tenants.example.com.evil.test/", "http://127.0.0.1:9241/", "https://127.0.0.1/",
		"https://api.example.com@evil.test/", "https://evil.test\\@api.example.com/", "https://evil.test#@api.example.com/",
		"https://evil.test?api.example.com", "https:/api.example.com/", "api.example.com/", "", "https://",
		"javascript:alert(1)",	       "data:text/plain,x",
	};
	char url[TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(urls); i++)
		if (url_of(urls[i], NULL, NULL, 0, url) != ERR_HOST_FORBIDDEN)
			fail_msg("%s was accepted", urls[i]);
}

static void a_value_cannot_climb_in_a_path_or_leave_it(void **state)
{
	char url[TEXT_MAX];

	(void)state;
	assert_int_equal(url_of("https://api.example.com/{id}/x", "id", "..", 2, url), ERR_BAD_INPUT);
	assert_int_equal(url_of("https://api.example.com/{id}/x", "id", ".", 1, url), ERR_BAD_INPUT);
	assert_int_equal(url_of("https://api.example.com/{id}/x", "id", "", 0, url), ERR_BAD_INPUT);
	/* What should be a path and isn't one is no way to go on with the host. */
	assert_int_equal(url_of("https://api.example.com{path}", "path", ".evil.test", 10, url), ERR_HOST_FORBIDDEN);
	assert_int_equal(url_of("https://api.example.com{path}", "path", "@evil.test/", 11, url), ERR_HOST_FORBIDDEN);
	assert_int_equal(url_of("https://api.example.com{path}", "path", ":444/", 5, url), ERR_HOST_FORBIDDEN);
}

static enum err path_of(const char *path, char ret_url[TEXT_MAX])
{
	BUF_AUTO struct buf out = { 0 };
	VALUES_AUTO struct values values;
	enum err e;

	buf_init(&out, TEXT_MAX - 1);
	values_init(&values);
	set_value(&values, "base_url", "https://a.example");
	set_value(&values, "path", path);
	e = template_url(only_type(catalog), STR("{base_url}{path}"), &values, &out, NULL);
	memcpy(ret_url, out.n > 0 ? out.p : "", out.n);
	ret_url[out.n] = '\0';
	return e;
}

static void a_declared_path_keeps_its_slashes_and_its_query(void **state)
{
	static const char *const others[] = { ".evil.test", "@evil.test/", ":444/", "evil", "\\evil.test", "#x" };
	char url[TEXT_MAX];

	(void)state;
	assert_int_equal(path_of("/a/b?c=d e#f\"\\", url), OK);
	assert_string_equal(url, "https://a.example/a/b?c=d%20e%23f%22%5C");
	assert_int_equal(path_of("//evil.test/", url), OK);
	assert_string_equal(url, "https://a.example//evil.test/");
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		assert_int_equal(path_of(others[i], url), ERR_HOST_FORBIDDEN);
}

static void a_long_url_is_refused(void **state)
{
	static char value[TEXT_MAX];
	char url[TEXT_MAX];

	(void)state;
	memset(value, 'a', sizeof value);
	assert_int_equal(url_of("https://api.example.com/{id}", "id", value, sizeof value, url), ERR_TOO_BIG);
}

static void without_a_type_nothing_is_declared(void **state)
{
	BUF_AUTO struct buf out = { 0 };
	VALUES_AUTO struct values values;

	(void)state;
	buf_init(&out, 100);
	values_init(&values);
	assert_int_equal(template_url(NULL, STR("https://api.example.com/"), &values, &out, NULL), ERR_HOST_FORBIDDEN);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_replaced_and_other_braces_stay),
		cmocka_unit_test(a_value_is_written_as_its_place_wants_it),
		cmocka_unit_test(a_missing_value_is_named_and_an_optional_one_leaves_all_out),
		cmocka_unit_test(a_header_cannot_be_split_by_a_value),
		cmocka_unit_test(a_path_finds_its_place_in_an_answer),
		cmocka_unit_test(a_list_may_be_the_whole_answer),
		cmocka_unit_test(a_url_is_filled_in),
		cmocka_unit_test(a_value_that_is_no_plain_host_gets_nowhere),
		cmocka_unit_test(a_host_without_a_pattern_is_a_plain_host_all_the_same),
		cmocka_unit_test(a_part_of_a_host_stays_below_its_domain),
		cmocka_unit_test(a_whole_url_is_one_and_nothing_goes_on_with_its_host),
		cmocka_unit_test(a_host_that_is_not_declared_is_refused),
		cmocka_unit_test(a_value_cannot_climb_in_a_path_or_leave_it),
		cmocka_unit_test(a_declared_path_keeps_its_slashes_and_its_query),
		cmocka_unit_test(a_long_url_is_refused),
		cmocka_unit_test(without_a_type_nothing_is_declared),
	};

	return cmocka_run_group_tests(tests, load_type, free_type);
}
