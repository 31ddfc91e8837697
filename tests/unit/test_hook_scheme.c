/* The member "webhook" of connector files: what is wrong in it is named, and never read as something weaker. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/json_read.h"
#include "hook/scheme.h"

static struct arena *arena;

/* Written with ' for ". */
static json_t *tree_of(const char *text)
{
	char json[2048];
	json_t *tree;
	size_t n = strlen(text);

	assert_true(n < sizeof(json));
	for (size_t i = 0; i <= n; i++)
		json[i] = text[i] == '\'' ? '"' : text[i];
	assert_int_equal(json_read(arena, str_of(json), &tree, NULL), OK);
	return tree;
}

static int set_up(void **state)
{
	(void)state;
	arena = arena_new(1 << 20);
	return arena ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	arena_free(arena);
	return 0;
}

#define GOOD "'scheme':'hmac','key_field':'k','source':'header:s','encoding':'hex','signed':'{body}'"
#define TIMED "'scheme':'hmac','key_field':'k','source':'header:s','encoding':'hex'"

static void a_type_without_webhooks_has_no_scheme(void **state)
{
	struct hook_scheme scheme;
	const char *why;

	(void)state;
	assert_int_equal(hook_scheme_read(NULL, &scheme, &why), ERR_NOT_FOUND);
	assert_int_equal(hook_scheme_read(tree_of("{'none':'none'}"), &scheme, &why), ERR_NOT_FOUND);
}

static void a_scheme_is_read(void **state)
{
	struct hook_scheme scheme;
	const char *why;

	(void)state;
	assert_int_equal(hook_scheme_read(tree_of("{" TIMED ",'signed':'{timestamp}.{body}','timestamp':{'source':"
						  "'header:t','unit':'ms','tolerance_s':60},'also':[{'scheme':'secret_url'}],"
						  "'handshakes':[{'method':'GET','text':'{{{query:a}}}','status':202}]}"),
					  &scheme, &why),
			 OK);
	assert_int_equal(scheme.proofs, 2);
	assert_int_equal(scheme.proof[0].unit, HOOK_MILLISECONDS);
	assert_int_equal(scheme.proof[0].tolerance_ms, 60000);
	assert_int_equal(scheme.proof[1].kind, HOOK_SECRET_URL);
	assert_int_equal(scheme.handshakes, 1);
	assert_int_equal(scheme.handshake[0].status, 202);
}

static void what_is_wrong_is_named(void **state)
{
	static const struct {
		const char *json, *why;
	} cases[] = {
		{ "{}", "scheme" },
		{ "{'scheme':'md5'}", "scheme" },
		{ "{" GOOD ",'tolerance':5}", "tolerance" },
		{ "{" GOOD ",'prefix':5}", "prefix" },
		{ "{" GOOD ",'empty_answer':'yes'}", "empty_answer" },
		{ "{" GOOD ",'hash':'md5'}", "hash" },
		{ "{" GOOD ",'key_encoding':'rot13'}", "key_encoding" },
		{ "{" GOOD ",'list':'many'}", "list" },
		{ "{" GOOD ",'list':'params'}", "param" },
		{ "{" GOOD ",'body_hash':'bodySHA256'}", "body_hash" },
		{ "{" GOOD ",'event_id':'id'}", "event_id" },
		{ "{" GOOD ",'event_id':'json:a|'}", "event_id" },
		{ "{" GOOD ",'event_id':'json:a+header:'}", "event_id" },
		{ "{" GOOD ",'also':[{'scheme':'hmac'}]}", "source" },
		{ "{" GOOD ",'also':[{" GOOD ",'event_id':'json:a'}]}", "event_id" },
		{ "{" GOOD ",'also':['hmac']}", "an item isn't an object" },
		{ "{" GOOD ",'also':[{" GOOD "},{" GOOD "},{" GOOD "},{" GOOD "}]}", "also" },
		{ "{'scheme':'hmac','key_field':'k','encoding':'hex','signed':'{body}'}", "source" },
		{ "{'scheme':'hmac','source':'header:s','encoding':'hex','signed':'{body}'}", "key_field" },
		{ "{'scheme':'hmac','key_field':'k','source':'header:s','signed':'{body}'}", "encoding" },
		{ "{'scheme':'shared_token','source':'header:s'}", "key_field" },
		/* A signature that isn't about the body, or about the time that is looked at. */
		{ "{" TIMED "}", "signed" },
		{ "{" TIMED ",'signed':''}", "signed" },
		{ "{" TIMED ",'signed':'{url}'}", "signed" },
		{ "{" TIMED ",'signed':'{bodies}'}", "signed" },
		{ "{" TIMED ",'signed':'{body'}", "signed" },
		{ "{" TIMED ",'signed':'{timestamp}{body}'}", "signed" },
		{ "{" TIMED ",'signed':'{body}','timestamp':{'source':'header:t','unit':'s','tolerance_s':5}}", "signed" },
		{ "{" TIMED ",'signed':'{timestamp}{body}','timestamp':{'source':'t','unit':'s','tolerance_s':5}}", "source" },
		{ "{" TIMED ",'signed':'{timestamp}{body}','timestamp':{'source':'header:t','unit':'h','tolerance_s':5}}", "unit" },
		{ "{" TIMED ",'signed':'{timestamp}{body}','timestamp':{'source':'header:t','unit':'s','tolerance_s':0}}", "tolerance_s" },
		{ "{" TIMED ",'signed':'{timestamp}{body}','timestamp':{'source':'header:t','unit':'s','tolerance_s':86400}}", "tolerance_s" },
		{ "{" TIMED ",'signed':'{timestamp}{body}','timestamp':{'source':'header:t','unit':'s'}}", "tolerance_s" },
		/* Handshakes. */
		{ "{" GOOD ",'handshakes':[{}]}", "when" },
		{ "{" GOOD ",'handshakes':[{'method':'POST'}]}", "when" },
		{ "{" GOOD ",'handshakes':[{'when':'challenge'}]}", "when" },
		{ "{" GOOD ",'handshakes':[{'when':'json:a','then':'b'}]}", "then" },
		{ "{" GOOD ",'handshakes':[{'when':'json:a','check':'json:b'}]}", "check_field" },
		{ "{" GOOD ",'handshakes':[{'when':'json:a','store':'json:b'}]}", "store_field" },
		{ "{" GOOD ",'handshakes':[{'when':'json:a','header':'X-A'}]}", "header_value" },
		{ "{" GOOD ",'handshakes':[{'when':'json:a','status':500}]}", "status" },
		{ "{" GOOD ",'handshakes':[{'when':'json:a','signed':'no'}]}", "signed" },
		{ "{" GOOD ",'handshakes':[{'when':'json:a','content_type':'text/html'}]}", "content_type" },
		{ "{" GOOD ",'handshakes':[{'when':'json:a','text':'{a}'}]}", "text" },
		{ "{" GOOD ",'handshakes':[{'when':'json:a','text':'{json:a'}]}", "text" },
		{ "{" GOOD ",'handshakes':[{'when':'json:a','text':'{hmac_hex:a}'}]}", "text" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct hook_scheme scheme;
		const char *why = NULL;
		enum err e = hook_scheme_read(tree_of(cases[i].json), &scheme, &why);

		if (e != ERR_CONFIG || strcmp(why, cases[i].why) != 0)
			fail_msg("%s: %s, %s instead of %s", cases[i].json, err_code(e), why ? why : "-", cases[i].why);
	}
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_type_without_webhooks_has_no_scheme),
		TEST(a_scheme_is_read),
		TEST(what_is_wrong_is_named),
	};

	if (json_setup() != OK)
		return 1;
	return cmocka_run_group_tests_name("webhook schemes", tests, NULL, NULL);
}
