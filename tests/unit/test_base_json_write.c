/* Writing JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json_write.h"

static struct buf buf;
static struct json_writer w;

static int start(void **state)
{
	(void)state;
	buf_init(&buf, 1 << 20);
	jw_start(&w, &buf);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	buf_done(&buf);
	return 0;
}

static void expect(const char *json)
{
	assert_int_equal(buf_error(&buf), OK);
	if (!str_eq(buf_str(&buf), str_of(json)))
		fail_msg("%.*s should be %s", STR_ARG(buf_str(&buf)), json);
}

static void commas_stand_between_values_and_nowhere_else(void **state)
{
	(void)state;
	jw_object(&w);
	jw_put_text(&w, "name", STR("n"));
	jw_key(&w, "empty");
	jw_object(&w);
	jw_object_end(&w);
	jw_key(&w, "list");
	jw_array(&w);
	jw_add_int(&w, 1);
	jw_array(&w);
	jw_array_end(&w);
	jw_object(&w);
	jw_put_bool(&w, "a", true);
	jw_put_bool(&w, "b", false);
	jw_object_end(&w);
	jw_add_null(&w);
	jw_array_end(&w);
	jw_put_null(&w, "z");
	jw_object_end(&w);
	expect("{\"name\":\"n\",\"empty\":{},\"list\":[1,[],{\"a\":true,\"b\":false},null],\"z\":null}");
}

static void absent_is_null_and_empty_is_empty(void **state)
{
	(void)state;
	jw_array(&w);
	jw_add_text(&w, STR_NONE);
	jw_add_text(&w, STR(""));
	jw_add_raw(&w, STR_NONE);
	jw_add_raw(&w, STR("{\"raw\":1}"));
	jw_add_tree(&w, NULL);
	jw_array_end(&w);
	expect("[null,\"\",null,{\"raw\":1},null]");
}

static void integers_keep_every_digit(void **state)
{
	(void)state;
	jw_array(&w);
	jw_add_int(&w, 0);
	jw_add_int(&w, -1);
	jw_add_int(&w, INT64_MAX);
	jw_add_int(&w, INT64_MIN);
	jw_array_end(&w);
	expect("[0,-1,9223372036854775807,-9223372036854775808]");
}

static void a_text_cannot_break_out_of_its_quotes(void **state)
{
	(void)state;
	jw_object(&w);
	jw_put_text(&w, "t", STR("\",\"role\":\"owner\\"));
	jw_key_str(&w, STR("k\"\n"));
	jw_add_text(&w, STR("\b\f\n\r\t\x01\x1f\x7f\0/"));
	jw_object_end(&w);
	expect("{\"t\":\"\\\",\\\"role\\\":\\\"owner\\\\\",\"k\\\"\\n\":\"\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\\u0000/\"}");
}

static void text_beyond_ascii_passes_and_broken_text_is_replaced(void **state)
{
	(void)state;
	jw_array(&w);
	jw_add_text(&w, STR("\xc3\xa4\xf0\x9f\x98\x80z"));
	jw_add_text(&w, STR("a\xff"
			    "b\xed\xa0\x80"));
	jw_add_text(&w, STR("\xe2\x82"));
	jw_array_end(&w);
	expect("[\"\xc3\xa4\xf0\x9f\x98\x80z\",\"a\xef\xbf\xbd"
	       "b\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\",\"\xef\xbf\xbd\xef\xbf\xbd\"]");
}

static void every_ascii_byte_at_every_place_reads_back(void **state)
{
	(void)state;
	/* Longer than the steps that the writer takes through plain text. */
	for (int c = 0; c < 0x80; c++) {
		for (size_t at = 0; at < 20; at++) {
			char text[20];
			memset(text, 'x', sizeof(text));
			text[at] = (char)c;
			buf_clear(&buf);
			json_escape(&buf, (struct str){ text, sizeof(text) });
			json_t *back = json_loadb(buf_str(&buf).p, buf_str(&buf).n,
						  JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
			assert_non_null(back);
			assert_int_equal(json_string_length(back), sizeof(text));
			assert_memory_equal(json_string_value(back), text, sizeof(text));
			json_decref(back);
		}
	}
}

static void every_byte_after_ascii_is_replaced_when_alone(void **state)
{
	(void)state;
	for (int c = 0x80; c < 0x100; c++) {
		for (size_t at = 0; at < 20; at++) {
			char text[20];
			memset(text, 'x', sizeof(text));
			text[at] = (char)c;
			buf_clear(&buf);
			json_escape(&buf, (struct str){ text, sizeof(text) });
			assert_int_equal(buf_str(&buf).n, sizeof(text) + 4);
			assert_memory_equal(buf_str(&buf).p + 1 + at, "\xef\xbf\xbd", 3);
		}
	}
}

static void a_tree_is_written_as_jansson_would(void **state)
{
	(void)state;
	static const char *const TREES[] = {
		"{\"z\":1,\"a\":{\"m\":[1,-2,[],{}]},\"t\":\"\\u00e4\\\"\\\\\",\"b\":[true,false,null]}",
		"[1.5,-0.0,1e300,1.0,0.1,123456789012345680.0,5e-324]",
		"\"alone\"",
	};

	for (size_t i = 0; i < ARRAY_SIZE(TREES); i++) {
		json_t *tree = json_loads(TREES[i], JSON_DECODE_ANY, NULL);
		assert_non_null(tree);
		char *expected = json_dumps(tree, JSON_COMPACT | JSON_ENCODE_ANY);
		assert_non_null(expected);
		buf_clear(&buf);
		jw_start(&w, &buf);
		jw_add_tree(&w, tree);
		expect(expected);
		free(expected);
		json_decref(tree);
	}
}

static void a_bottomless_tree_is_an_error_and_not_a_crash(void **state)
{
	(void)state;
	json_t *tree = json_array();

	for (int i = 0; i < 1000; i++) {
		json_t *outer = json_array();
		json_array_append_new(outer, tree);
		tree = outer;
	}
	jw_add_tree(&w, tree);
	assert_int_equal(buf_error(&buf), ERR_TOO_BIG);
	json_decref(tree);
}

static void an_answer_past_its_cap_is_an_error(void **state)
{
	(void)state;
	struct buf small;

	buf_init(&small, 16);
	jw_start(&w, &small);
	jw_object(&w);
	jw_put_text(&w, "name", STR("much too long for it"));
	jw_object_end(&w);
	assert_int_equal(buf_error(&small), ERR_TOO_BIG);
	buf_done(&small);
}

#define WRITING(test) cmocka_unit_test_setup_teardown(test, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WRITING(commas_stand_between_values_and_nowhere_else),
		WRITING(absent_is_null_and_empty_is_empty),
		WRITING(integers_keep_every_digit),
		WRITING(a_text_cannot_break_out_of_its_quotes),
		WRITING(text_beyond_ascii_passes_and_broken_text_is_replaced),
		WRITING(every_ascii_byte_at_every_place_reads_back),
		WRITING(every_byte_after_ascii_is_replaced_when_alone),
		WRITING(a_tree_is_written_as_jansson_would),
		WRITING(a_bottomless_tree_is_an_error_and_not_a_crash),
		WRITING(an_answer_past_its_cap_is_an_error),
	};

	return cmocka_run_group_tests_name("base: writing JSON", tests, NULL, NULL);
}
