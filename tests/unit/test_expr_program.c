/* What an expression yields, in this process: jq, the reading of its input and the writing of its result. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/json_read.h"
#include "expr/program.h"

enum { OUT_MAX = 4096 };

static struct buf out;
static struct expr_failure failure;

static int setup(void **state)
{
	(void)state;
	buf_init(&out, OUT_MAX);
	return json_setup() == OK ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	buf_done(&out);
	return 0;
}

static enum expr_why run(const char *text, struct str input)
{
	struct program *program = NULL;
	enum expr_why why = program_compile(str_of(text), &program, &failure);

	buf_clear(&out);
	if (why == EXPR_OK)
		why = program_run(program, input, &out, &failure);
	if (program)
		program_rest(program);
	program_free(program);
	return why;
}

static void yields(const char *text, const char *input, const char *wanted)
{
	enum expr_why why = run(text, str_of(input));
	struct str got = buf_str(&out);

	if (why != EXPR_OK)
		fail_msg("%s on %s: %s", text, input, failure.words);
	if (!str_eq(got, str_of(wanted)))
		fail_msg("%s on %s: %.*s instead of %s", text, input, STR_ARG(got), wanted);
}

static void fails(const char *text, const char *input, enum expr_why why, const char *words)
{
	enum expr_why got = run(text, str_of(input));

	assert_int_equal(got, why);
	assert_int_equal(failure.why, why);
	if (!strstr(failure.words, words))
		fail_msg("%s: '%s' doesn't say '%s'", text, failure.words, words);
}

static void an_expression_yields_its_value(void **state)
{
	(void)state;
	yields(".", "{\"b\":[1,{\"c\":null}],\"a\":\"\xc3\xa4\\n\\\"\"}", "{\"b\":[1,{\"c\":null}],\"a\":\"\xc3\xa4\\n\\\"\"}");
	yields(".a + 1", "{\"a\":41}", "42");
	yields(".items | map(select(.n > 1) | .n) | add", "{\"items\":[{\"n\":1},{\"n\":2},{\"n\":3}]}", "5");
	yields("", "[]", "[]");
	yields("[.[] | ascii_downcase] | @csv", "[\"A\",\"B\"]", "\"\\\"a\\\",\\\"b\\\"\"");
	yields("\"2015-03-05T23:51:47Z\" | fromdate", "null", "1425599507");
	yields("test(\"^a+$\")", "\"aaa\"", "true");
	yields("{}, [] | select(type == \"array\")", "null", "[]");
}

static void an_expression_that_yields_nothing_yields_null(void **state)
{
	(void)state;
	yields("empty", "1", "null");
	yields(".[]", "[]", "null");
	yields("error(null)", "1", "null");
}

static void more_than_one_value_is_an_error(void **state)
{
	(void)state;
	fails("1, 2", "null", EXPR_FAILED, "yields more than one value");
	fails(".[]", "[1,2]", EXPR_FAILED, "yields more than one value");
	fails("1, error(\"late\")", "null", EXPR_FAILED, "late");
	yields("first(1, 2)", "null", "1");
}

static void an_error_comes_with_its_words(void **state)
{
	(void)state;
	fails("error(\"no such customer\")", "null", EXPR_FAILED, "no such customer");
	fails("error({code: 7})", "null", EXPR_FAILED, "{\"code\":7}");
	fails(".a.b", "{\"a\":1}", EXPR_FAILED, "Cannot index number with string \"b\"");
	fails("error(\"a\\u0000b\\u001b[2J\")", "null", EXPR_FAILED, "a b [2J");
	fails("halt", "null", EXPR_FAILED, "halted");
	fails("\"x\" | halt_error", "null", EXPR_FAILED, "halted");
	fails("input", "null", EXPR_FAILED, "no further input");
	yields("[inputs]", "null", "[]");
}

static void what_cant_be_compiled_says_where(void **state)
{
	(void)state;
	fails(".a |\n .b + $nope", "null", EXPR_SYNTAX, "$nope is not defined");
	assert_int_equal(failure.line, 2);
	assert_int_equal(failure.column, 7);
	fails(". |", "null", EXPR_SYNTAX, "syntax error");
	fails("\xff", "null", EXPR_SYNTAX, "UTF-8");
	fails("import \"a\" as $a; .", "null", EXPR_SYNTAX, "module not found");
	fails("include \"/etc/passwd\"; .", "null", EXPR_SYNTAX, "module not found");
	fails("\"/etc/passwd\" | modulemeta", "null", EXPR_FAILED, "module not found");

	struct program *program = NULL;
	assert_int_equal(program_compile(STR(".\0a"), &program, &failure), EXPR_SYNTAX);
	assert_null(program);
}

static void only_one_json_text_is_an_input(void **state)
{
	static const char *const bad[] = { "", " ", "{", "[1,]", "{\"a\":1} 2", "1 x", "tru", "\"a", "{\"a\" 1}" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		fails(".", bad[i], EXPR_FAILED, "the input isn't JSON");
	assert_int_equal(run(".", STR("1\0")), EXPR_FAILED);
	assert_int_equal(run(".", STR("\"a\0b\"")), EXPR_FAILED);
}

static void broken_utf8_is_replaced(void **state)
{
	(void)state;
	yields(".", "\"a\xff\xc3(\"", "\"a\xef\xbf\xbd\xef\xbf\xbd(\"");
	assert_true(str_is_utf8(buf_str(&out)));
}

static void numbers_stay_numbers_that_others_can_read(void **state)
{
	struct arena *arena = arena_new(1 << 20);
	json_t *tree;

	(void)state;
	assert_non_null(arena);
	yields("[nan, 0.1, 1e-9, -2.5, 100, 1e3, 3e100]", "null", "[null,0.1,1e-09,-2.5,100,1000,3e+100]");
	yields("[9007199254740991, -9007199254740991, 0.1 + 0.2]", "null",
	       "[9007199254740991,-9007199254740991,0.30000000000000004]");
	yields("[infinite, -infinite]", "null", "[1.7976931348623157e+308,-1.7976931348623157e+308]");
	/* An integer that doesn't fit is a real for json_read, not an error. */
	yields("[10000000000000000000, 18446744073709551616, 123456789012345678901234567890]", "null",
	       "[1e+19,1.8446744073709552e+19,1.2345678901234568e+29]");
	assert_int_equal(json_read(arena, buf_str(&out), &tree, NULL), OK);
	assert_true(json_is_kind(json_item(tree, 0), JSON_REAL));
	arena_free(arena);
}

static void a_result_keeps_within_what_json_read_takes(void **state)
{
	struct arena *arena = arena_new(16 << 20);
	json_t *tree;

	(void)state;
	assert_non_null(arena);
	assert_int_equal(run("reduce range(64) as $i (1; [.])", STR("null")), EXPR_OK);
	assert_int_equal(json_read(arena, buf_str(&out), &tree, NULL), OK);
	fails("reduce range(65) as $i (1; [.])", "null", EXPR_TOO_LARGE, "nested too deep");
	fails("reduce range(65) as $i (1; {a: .})", "null", EXPR_TOO_LARGE, "nested too deep");
	fails("\"a\\u0000b\"", "null", EXPR_FAILED, "U+0000");
	fails("{\"a\\u0000b\": 1}", "null", EXPR_FAILED, "U+0000");

	buf_done(&out);
	buf_init(&out, 1 << 20);
	fails("[range(100000)]", "null", EXPR_TOO_LARGE, "too many values");
	fails("[range(50000) | []]", "null", EXPR_TOO_LARGE, "too many values");
	assert_int_equal(run("[range(49990) | []]", STR("null")), EXPR_OK);
	assert_int_equal(json_read(arena, buf_str(&out), &tree, NULL), OK);
	arena_free(arena);
}

static void a_result_has_its_longest_length(void **state)
{
	(void)state;
	fails("\"x\" * 5000", "null", EXPR_TOO_LARGE, "too long");
	fails("[range(2000)]", "null", EXPR_TOO_LARGE, "too long");
	assert_int_equal(run("\"x\" * 4094", STR("null")), EXPR_OK);
}

static void a_program_runs_again_and_remembers_nothing(void **state)
{
	struct program *program;
	char input[32];

	(void)state;
	assert_int_equal(program_compile(STR("if . == 3 then error(\"three\") elif . == 5 then halt else . + 1 end"),
					 &program, &failure), EXPR_OK);
	for (int i = 0; i < 8; i++) {
		snprintf(input, sizeof(input), "%d", i);
		buf_clear(&out);
		enum expr_why why = program_run(program, str_of(input), &out, &failure);

		assert_int_equal(why, i == 3 || i == 5 ? EXPR_FAILED : EXPR_OK);
		if (i % 2)
			program_rest(program);
		if (why != EXPR_OK)
			continue;
		snprintf(input, sizeof(input), "%d", i + 1);
		assert_true(str_eq(buf_str(&out), str_of(input)));
	}
	program_free(program);
}

#define SCENE(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCENE(an_expression_yields_its_value),
		SCENE(an_expression_that_yields_nothing_yields_null),
		SCENE(more_than_one_value_is_an_error),
		SCENE(an_error_comes_with_its_words),
		SCENE(what_cant_be_compiled_says_where),
		SCENE(only_one_json_text_is_an_input),
		SCENE(broken_utf8_is_replaced),
		SCENE(numbers_stay_numbers_that_others_can_read),
		SCENE(a_result_keeps_within_what_json_read_takes),
		SCENE(a_result_has_its_longest_length),
		SCENE(a_program_runs_again_and_remembers_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
