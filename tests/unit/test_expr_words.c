/* What a person reads when an expression is wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "expr/words.h"

static struct expr_failure failure;

static void read_words(const char *message, const char *program)
{
	failure = (struct expr_failure){ 0 };
	words_of_compiler(str_of(message), str_of(program), &failure);
}

static void the_place_of_an_error_is_known(void **state)
{
	(void)state;
	read_words("jq: error: foo/1 is not defined at <top-level>, line 1:\nfoo(1)", "foo(1)");
	assert_string_equal(failure.words, "foo/1 is not defined");
	assert_int_equal(failure.line, 1);
	assert_int_equal(failure.column, 1);
	read_words("jq: error: $r is not defined at <top-level>, line 3:\n  | $r    ", ".a as [$q]\n\n  | $r\n| 1");
	assert_int_equal(failure.line, 3);
	assert_int_equal(failure.column, 5);
}

static void a_column_counts_characters_not_bytes(void **state)
{
	(void)state;
	read_words("jq: error: $x is not defined at <top-level>, line 1:\n\"\xc3\xa4\xc3\xb6\" + $x         ",
		   "\"\xc3\xa4\xc3\xb6\" + $x");
	assert_int_equal(failure.column, 8);
}

static void nobody_is_told_about_a_shell_that_isnt_there(void **state)
{
	(void)state;
	read_words("jq: error: syntax error, unexpected $end (Unix shell quoting issues?) at <top-level>, line 1:\n. |   ",
		   ". |");
	assert_string_equal(failure.words, "syntax error, unexpected $end");
	assert_int_equal(failure.column, 4);
}

static void words_without_a_place_are_words(void **state)
{
	(void)state;
	read_words("jq: error: module not found: /etc/passwd\n", "import \"/etc/passwd\" as $x; .");
	assert_string_equal(failure.words, "module not found: /etc/passwd");
	assert_int_equal(failure.line, 0);
	assert_int_equal(failure.column, 0);
	read_words("", "");
	assert_string_equal(failure.words, "");
}

static void a_place_that_isnt_in_the_program_is_no_place(void **state)
{
	(void)state;
	read_words("jq: error: x at <top-level>, line 99999999999999999999:\n.", ".");
	assert_int_equal(failure.line, 0);
	read_words("jq: error: x at <top-level>, line 0:\n.", ".");
	assert_int_equal(failure.line, 0);
	read_words("jq: error: x at <top-level>, line 7:\n.", ".");
	assert_int_equal(failure.line, 7);
	assert_int_equal(failure.column, 0);
	read_words("jq: error: x at <top-level>, line 1:\n.                 ", ".");
	assert_int_equal(failure.column, 0);
	read_words("jq: error: x at <top-level>, line 1", ".");
	assert_int_equal(failure.column, 0);
}

static void words_are_clean_and_short(void **state)
{
	char words[EXPR_WORDS_MAX], text[1200];

	(void)state;
	words_clean(STR("a\0b\x1b[31m\x7f\xff\xc2\x9b" "c\n\td "), words);
	assert_string_equal(words, "a b [31m   c  d");
	words_clean(STR("\n \t"), words);
	assert_string_equal(words, "");
	/* Never half of a character at the end. */
	memset(text, 'a', sizeof(text));
	for (size_t i = 499; i + 3 < sizeof(text); i += 3)
		memcpy(text + i, "\xe2\x82\xac", 3);
	words_clean((struct str){ text, sizeof(text) }, words);
	assert_int_equal(strlen(words), 499);
	words_clean((struct str){ text + 1, sizeof(text) - 1 }, words);
	assert_int_equal(strlen(words), 498);
	words_clean((struct str){ text + 2, sizeof(text) - 2 }, words);
	assert_int_equal(strlen(words), 500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_place_of_an_error_is_known),
		cmocka_unit_test(a_column_counts_characters_not_bytes),
		cmocka_unit_test(nobody_is_told_about_a_shell_that_isnt_there),
		cmocka_unit_test(words_without_a_place_are_words),
		cmocka_unit_test(a_place_that_isnt_in_the_program_is_no_place),
		cmocka_unit_test(words_are_clean_and_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
