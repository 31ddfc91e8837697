/* Reading JSON: what is taken, what is refused, and what the refusal tells. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/json_read.h"

static struct arena *arena;

static int open_arena(void **state)
{
	(void)state;
	arena = arena_new(1 << 20);
	return arena ? 0 : -1;
}

static int close_arena(void **state)
{
	(void)state;
	arena_free(arena);
	return 0;
}

static json_t *read_ok(struct str text)
{
	json_t *value;
	struct str why;

	if (json_read(arena, text, &value, &why) != OK)
		fail_msg("%.*s is refused: %.*s", STR_ARG(str_slice(text, 0, 60)), STR_ARG(why));
	if (json_check(text) != OK)
		fail_msg("%.*s is taken by json_read only", STR_ARG(str_slice(text, 0, 60)));
	assert_non_null(value);
	return value;
}

static struct str why_refused(struct str text)
{
	json_t *value;
	struct str why;

	if (json_read(arena, text, &value, &why) != ERR_BAD_JSON)
		fail_msg("%.*s is taken", STR_ARG(str_slice(text, 0, 60)));
	assert_null(value);
	assert_false(str_absent(why));
	/* Only a tree shows these two. */
	bool passed_over = memmem(why.p, why.n, "twice", 5) || memmem(why.p, why.n, "number is too large", 19);
	if (!passed_over && json_check(text) != ERR_BAD_JSON)
		fail_msg("%.*s is refused by json_read only", STR_ARG(str_slice(text, 0, 60)));
	return why;
}

static void members_come_out_as_they_went_in(void **state)
{
	(void)state;
	json_t *o = read_ok(
		STR("{\"text\":\"\\u00e4\\n\",\"n\":-9223372036854775808,\"yes\":true,\"no\":false,"
		    "\"nothing\":null,\"list\":[1,2.5],\"empty\":\"\"}"));
	int64_t n;
	bool flag;

	assert_true(json_is_kind(o, JSON_OBJECT));
	assert_int_equal(json_length(o), 7);
	assert_true(str_eq(json_member_text(o, "text"), STR("\xc3\xa4\n")));
	assert_true(str_eq(json_member_text(o, "empty"), STR("")));
	assert_true(json_integer_of(json_member(o, "n"), &n));
	assert_true(n == INT64_MIN);
	assert_true(json_bool_of(json_member(o, "yes"), &flag));
	assert_true(flag);
	assert_true(json_bool_of(json_member(o, "no"), &flag));
	assert_false(flag);
	assert_true(json_is_kind(json_member(o, "nothing"), JSON_NULL));
	json_t *list = json_member(o, "list");
	assert_int_equal(json_length(list), 2);
	assert_true(json_is_kind(json_item(list, 1), JSON_REAL));
	assert_null(json_item(list, 2));
}

static void a_member_of_another_type_is_absent(void **state)
{
	(void)state;
	json_t *o = read_ok(STR("{\"n\":1,\"t\":\"1\",\"r\":1.5}"));
	int64_t n;
	bool flag;

	assert_true(str_absent(json_member_text(o, "n")));
	assert_true(str_absent(json_member_text(o, "missing")));
	assert_true(str_absent(json_text(NULL)));
	assert_false(json_integer_of(json_member(o, "t"), &n));
	assert_false(json_integer_of(json_member(o, "r"), &n));
	assert_false(json_integer_of(NULL, &n));
	assert_false(json_bool_of(json_member(o, "n"), &flag));
	assert_null(json_member(json_member(o, "n"), "x"));
	assert_int_equal(json_length(json_member(o, "n")), 0);
	assert_int_equal(json_length(NULL), 0);
	assert_null(json_first(json_member(o, "n")));
	assert_null(json_item(o, 0));
	assert_false(json_is_kind(NULL, JSON_NULL));
}

static void members_are_walked_in_the_order_of_the_text(void **state)
{
	(void)state;
	json_t *o = read_ok(STR("{\"z\":1,\"a\":2,\"m\":3,\"b\":4}"));
	char keys[8] = "";

	for (void *i = json_first(o); i; i = json_next(o, i)) {
		strncat(keys, json_iter_key(i).p, 1);
		assert_true(json_is_kind(json_iter_value(i), JSON_INTEGER));
	}
	assert_string_equal(keys, "zamb");
}

static void a_single_value_is_json_too(void **state)
{
	(void)state;
	assert_true(str_eq(json_text(read_ok(STR(" \"x\" "))), STR("x")));
	assert_true(json_is_kind(read_ok(STR("null")), JSON_NULL));
	assert_true(json_is_kind(read_ok(STR("[]")), JSON_ARRAY));
}

static void what_is_not_json_is_refused(void **state)
{
	(void)state;
	static const struct str BAD[] = {
		{ NULL, 0 },
		{ "", 0 },
		{ " ", 1 },
		{ "{", 1 },
		{ "}", 1 },
		{ "{}x", 3 },
		{ "{} {}", 5 },
		{ "[1,]", 4 },
		{ "{\"a\":1,}", 8 },
		{ "{'a':1}", 7 },
		{ "NaN", 3 },
		{ "[Infinity]", 10 },
		{ "01", 2 },
		{ "[1e999]", 7 },
		{ "9223372036854775808", 19 },
		{ "\"\\ud800\"", 8 },
		{ "\"\\u0000\"", 8 },
		{ "{\"a\\u0000b\":1}", 14 },
		{ "\"a\0b\"", 5 },
		{ "{}\0", 3 },
		{ " 1\0", 3 },
		{ "\"\n\"", 3 },
		{ "\"\xff\"", 3 },
		{ "\"\xc0\xaf\"", 4 },
		{ "\"\xed\xa0\x80\"", 5 },
		{ "\xef\xbb\xbf{}", 5 },
		{ "// x\n{}", 7 },
		{ "\"", 1 },
		{ "\"\\", 2 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(BAD); i++)
		why_refused(BAD[i]);
}

static void a_name_that_is_there_twice_is_refused(void **state)
{
	(void)state;
	struct str why = why_refused(STR("{\"role\":\"viewer\",\n \"role\":\"owner\"}"));

	assert_true(str_eq(
		why,
		STR("The body isn't valid JSON: a member's name is there twice (line 2, column 7).")));
	why_refused(STR("{\"a\":[{\"x\":1,\"\\u0078\":2}]}"));
}

static void a_refusal_does_not_quote_the_body(void **state)
{
	(void)state;
	static const char *const BODIES[] = {
		"{\"password\": \"hunter2\" oops}",
		"{\"hunter2\":1,\"hunter2\":2}",
		"hunter2",
		"[1, hunter2]",
		"{\"password\":\"hunter2",
	};

	for (size_t i = 0; i < ARRAY_SIZE(BODIES); i++) {
		struct str why = why_refused(str_of(BODIES[i]));
		assert_null(strstr(why.p, "hunter2"));
		assert_null(strstr(why.p, "oops"));
	}
}

/* `depth` times `open`, then `middle`, then `depth` times `shut`. */
static struct str nested(struct buf *buf, size_t depth, const char *open, const char *middle,
			 char shut)
{
	buf_clear(buf);
	for (size_t i = 0; i < depth; i++)
		buf_add_c(buf, open);
	buf_add_c(buf, middle);
	for (size_t i = 0; i < depth; i++)
		buf_add_char(buf, shut);
	assert_int_equal(buf_error(buf), OK);
	return buf_str(buf);
}

static void nesting_ends_at_64(void **state)
{
	(void)state;
	BUF_AUTO struct buf buf;

	buf_init(&buf, 4 << 20);
	read_ok(nested(&buf, 64, "[", "1", ']'));
	why_refused(nested(&buf, 65, "[", "1", ']'));
	read_ok(nested(&buf, 64, "{\"a\":", "1", '}'));
	why_refused(nested(&buf, 65, "{\"a\":", "1", '}'));
	why_refused(nested(&buf, 200000, "[", "", ']'));
	why_refused(nested(&buf, 200000, "[", "", ' '));
	/* Closed levels don't add up, and brackets inside texts aren't levels. */
	buf_clear(&buf);
	for (int i = 0; i < 200; i++)
		buf_add_c(&buf, i == 0 ? "[[[]]" : ",[[]]");
	buf_add_c(&buf, "]");
	read_ok(buf_str(&buf));
	buf_clear(&buf);
	buf_add_c(&buf, "[\"");
	for (int i = 0; i < 200; i++)
		buf_add_c(&buf, "[\\\"{");
	buf_add_c(&buf, "\"]");
	read_ok(buf_str(&buf));
}

static void a_text_with_too_many_values_is_refused(void **state)
{
	(void)state;
	BUF_AUTO struct buf buf;

	buf_init(&buf, 16 << 20);
	buf_add_char(&buf, '[');
	for (int i = 0; i < JSON_VALUES_MAX - 2; i++)
		buf_add_c(&buf, "1,");
	buf_add_c(&buf, "1]");
	read_ok(buf_str(&buf));
	buf_clear(&buf);
	buf_add_char(&buf, '{');
	for (int i = 0; i < 1000000; i++)
		buf_printf(&buf, "%s\"%d\":%d", i ? "," : "", i, i);
	buf_add_char(&buf, '}');
	struct str why = why_refused(buf_str(&buf));
	assert_true(str_eq(why, STR("The body isn't accepted: it holds too many values.")));
	/* Commas inside texts don't count. */
	buf_clear(&buf);
	buf_add_c(&buf, "[\"");
	for (int i = 0; i < JSON_VALUES_MAX + 1; i++)
		buf_add_char(&buf, ',');
	buf_add_c(&buf, "\"]");
	read_ok(buf_str(&buf));
}

static void an_endless_number_is_refused(void **state)
{
	(void)state;
	BUF_AUTO struct buf buf;

	buf_init(&buf, 1 << 20);
	for (int i = 0; i < 100000; i++)
		buf_add_char(&buf, '9');
	why_refused(buf_str(&buf));
}

static void a_refusal_need_not_be_explained(void **state)
{
	(void)state;
	json_t *value;

	assert_int_equal(json_read(arena, STR("{"), &value, NULL), ERR_BAD_JSON);
}

static void a_number_or_a_flag_can_be_read_as_text(void **state)
{
	static const struct {
		const char *json, *text;
	} cases[] = {
		{ "\"a\"", "a" },	 { "\"\"", "" },     { "-9223372036854775808", "-9223372036854775808" },
		{ "true", "true" },	 { "false", "false" }, { "1.5", "1.5" },
		{ "1.1", "1.1" },	 { "0.1234567890123456789", "0.12345678901234568" },
		{ "null", NULL },	 { "{}", NULL },       { "[1]", NULL },
	};
	char text[JSON_SCALAR_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_true(str_eq(json_scalar_text(read_ok(str_of(cases[i].json)), text), str_of(cases[i].text)));
	assert_true(str_absent(json_scalar_text(NULL, text)));
}

static void a_tree_dies_with_an_arena_that_is_full(void **state)
{
	(void)state;
	struct arena *tiny = arena_new(8);
	json_t *value;

	/* Nowhere to note the tree: the leak checker sees if it stays. */
	assert_int_equal(json_read(tiny, STR("[\"a tree\"]"), &value, NULL), ERR_NO_MEMORY);
	assert_null(value);
	arena_free(tiny);
}

#define IN_ARENA(test) cmocka_unit_test_setup_teardown(test, open_arena, close_arena)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_ARENA(members_come_out_as_they_went_in),
		IN_ARENA(a_member_of_another_type_is_absent),
		IN_ARENA(members_are_walked_in_the_order_of_the_text),
		IN_ARENA(a_single_value_is_json_too),
		IN_ARENA(what_is_not_json_is_refused),
		IN_ARENA(a_name_that_is_there_twice_is_refused),
		IN_ARENA(a_refusal_does_not_quote_the_body),
		IN_ARENA(nesting_ends_at_64),
		IN_ARENA(a_text_with_too_many_values_is_refused),
		IN_ARENA(an_endless_number_is_refused),
		IN_ARENA(a_refusal_need_not_be_explained),
		IN_ARENA(a_number_or_a_flag_can_be_read_as_text),
		IN_ARENA(a_tree_dies_with_an_arena_that_is_full),
	};

	if (json_setup() != OK)
		return 1;
	return cmocka_run_group_tests_name("base: reading JSON", tests, NULL, NULL);
}
