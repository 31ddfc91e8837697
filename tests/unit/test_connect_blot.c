/* Secrets that come back, in a text, in JSON, and spelled in another way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/json_read.h"
#include "connect/blot.h"

static struct arena *arena;

static int set_up(void **state)
{
	(void)state;
	arena = arena_new(16 << 20);
	return json_setup() == OK && arena ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	arena_free(arena);
	return 0;
}

static const struct str SECRETS[] = { STR("key/+=\"0123"), STR("short"), STR_NONE, STR("20260101") };

static struct texts spellings(void)
{
	struct texts all;

	assert_int_equal(blot_spellings(arena, (struct texts){ SECRETS, 4 }, &all), OK);
	return all;
}

static void assert_blotted(const char *text, const char *want)
{
	struct str clean = str_of(text);

	assert_int_equal(blot_text(arena, spellings(), &clean), OK);
	if (!str_eq(clean, str_of(want)))
		fail_msg("%.*s instead of %s", STR_ARG(clean), want);
}

static void a_secret_is_found_in_every_spelling(void **state)
{
	(void)state;
	assert_blotted("it is key/+=\"0123.", "it is ****.");
	assert_blotted("?a=key%2F%2B%3D%220123&b", "?a=****&b");
	assert_blotted("?a=key%2f%2b%3d%220123&b", "?a=****&b");
	assert_blotted("{\"a\":\"key/+=\\\"0123\"}", "{\"a\":\"****\"}");
	assert_blotted("{\"a\":\"key\\/+=\\\"0123\"}", "{\"a\":\"****\"}");
	assert_blotted("6b65792f2b3d2230313233", "****");
	assert_blotted("6B65792F2B3D2230313233", "****");
	/* base64 of it, of "x" and of "xy" before it: what other characters share bits with stays. */
	assert_blotted("a2V5Lys9IjAxMjM=", "****M=");
	assert_blotted("eGtleS8rPSIwMTIz", "eG****");
	assert_blotted("eHlrZXkvKz0iMDEyMw==", "eHl****w==");
}

static void what_is_no_secret_stays(void **state)
{
	(void)state;
	assert_blotted("a short text about key/+=", "a short text about key/+=");
	assert_blotted("", "");
	assert_false(blot_finds(STR("short"), (struct texts){ SECRETS, 4 }));
}

static void many_of_them_are_no_more_work_than_one_walk(void **state)
{
	BUF_AUTO struct buf text = { 0 };
	struct str clean;

	(void)state;
	buf_init(&text, 1 << 20);
	for (int i = 0; i < 20000; i++)
		buf_add_c(&text, "key/+=\"0123 ");
	clean = buf_str(&text);
	assert_int_equal(blot_text(arena, spellings(), &clean), OK);
	assert_int_equal(clean.n, 20000 * 5);
}

static void json_stays_json_whatever_is_blotted_out(void **state)
{
	static const char TEXT[] = "{\"key\\/+=\\u00220123\":[20260101,1.5,\"20260101\",true,null,{\"a\":\"x key/+=\\\"0123 y\"}],\"n\":202601010}";
	BUF_AUTO struct buf out = { 0 };
	struct json_writer w;
	json_t *json;

	(void)state;
	assert_int_equal(json_read(arena, str_of(TEXT), &json, NULL), OK);
	buf_init(&out, 1 << 10);
	jw_start(&w, &out);
	assert_int_equal(blot_json(arena, spellings(), json, &w), OK);
	assert_true(str_eq(buf_str(&out),
			   STR("{\"****\":[\"****\",1.5,\"****\",true,null,{\"a\":\"x **** y\"}],\"n\":\"****\"}")));
	assert_int_equal(json_read(arena, buf_str(&out), &json, NULL), OK);
}

#define BLOT_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BLOT_TEST(a_secret_is_found_in_every_spelling),
		BLOT_TEST(what_is_no_secret_stays),
		BLOT_TEST(many_of_them_are_no_more_work_than_one_walk),
		BLOT_TEST(json_stays_json_whatever_is_blotted_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
