/* Text, UTF-8 and the table of errors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/str.h"

static void absent_text_is_not_empty_text(void **state)
{
	(void)state;
	assert_true(str_eq(STR_NONE, STR_NONE));
	assert_true(str_eq(STR(""), STR("")));
	assert_false(str_eq(STR_NONE, STR("")));
	assert_false(str_eq_nocase(STR(""), STR_NONE));
	assert_true(str_absent(str_of(NULL)));
}

static void texts_are_equal_only_byte_for_byte(void **state)
{
	(void)state;
	assert_true(str_eq(STR("token"), str_of("token")));
	assert_false(str_eq(STR("token"), STR("tokens")));
	assert_false(str_eq(STR("a\0b"), STR("a\0c")));
	assert_true(str_eq_nocase(STR("Content-TYPE"), STR("content-type")));
	/* '@' and '`', '[' and '{' differ by the same bit as letters do. */
	assert_false(str_eq_nocase(STR("@["), STR("`{")));
	assert_false(str_eq_nocase(STR("\xc3\x84"), STR("\xc3\xa4")));
}

static void starts_and_ends_stay_inside_the_text(void **state)
{
	(void)state;
	assert_true(str_starts(STR("Bearer x"), STR("Bearer ")));
	assert_false(str_starts(STR("Bea"), STR("Bearer ")));
	assert_true(str_starts(STR_NONE, STR("")));
	assert_true(str_ends(STR("a.example.com"), STR(".example.com")));
	assert_false(str_ends(STR("example.com"), STR(".example.com")));
}

static void slices_are_clamped(void **state)
{
	(void)state;
	assert_true(str_eq(str_slice(STR("abcdef"), 2, 3), STR("cde")));
	assert_true(str_eq(str_slice(STR("abc"), 2, SIZE_MAX), STR("c")));
	assert_true(str_eq(str_slice(STR("abc"), SIZE_MAX, SIZE_MAX), STR("")));
	assert_true(str_absent(str_slice(STR_NONE, 1, 1)));
}

static void cutting_walks_a_list_to_its_end(void **state)
{
	(void)state;
	struct str rest = STR("a,,b");

	assert_true(str_eq(str_cut(&rest, ','), STR("a")));
	assert_true(str_eq(str_cut(&rest, ','), STR("")));
	assert_true(str_eq(str_cut(&rest, ','), STR("b")));
	assert_true(str_absent(rest));
	rest = STR("a,");
	assert_true(str_eq(str_cut(&rest, ','), STR("a")));
	assert_true(str_eq(rest, STR("")));
	assert_true(str_eq(str_cut(&rest, ','), STR("")));
	assert_true(str_absent(rest));
}

static void trimming_takes_ascii_space_only(void **state)
{
	(void)state;
	assert_true(str_eq(str_trim(STR(" \t\r\n a b \v\f")), STR("a b")));
	assert_true(str_eq(str_trim(STR("   ")), STR("")));
	assert_true(str_eq(str_trim(STR("\xc2\xa0x")), STR("\xc2\xa0x")));
	assert_true(str_absent(str_trim(STR_NONE)));
}

static void a_number_that_does_not_fit_is_refused(void **state)
{
	(void)state;
	uint64_t value;

	assert_true(str_to_u64(STR("18446744073709551615"), &value));
	assert_true(value == UINT64_MAX);
	assert_true(str_to_u64(STR("007"), &value));
	assert_true(value == 7);
	static const char *const BAD[] = { "",
					   "18446744073709551616",
					   "184467440737095516150",
					   "-1",
					   "+1",
					   " 1",
					   "1 ",
					   "0x1",
					   "1.0",
					   "1e3" };
	for (size_t i = 0; i < ARRAY_SIZE(BAD); i++)
		assert_false(str_to_u64(str_of(BAD[i]), &value));
	assert_false(str_to_u64(STR_NONE, &value));
}

static void numbers_are_written_to_the_last_digit(void **state)
{
	(void)state;
	char text[STR_INT_MAX];

	assert_true(str_eq(str_of_int(0, text), STR("0")));
	assert_true(str_eq(str_of_int(-7, text), STR("-7")));
	assert_true(str_eq(str_of_int(INT64_MAX, text), STR("9223372036854775807")));
	assert_true(str_eq(str_of_int(INT64_MIN, text), STR("-9223372036854775808")));
}

static void only_hex_digits_have_a_value(void **state)
{
	(void)state;
	for (int c = 0; c < 256; c++) {
		const char *at = c ? strchr("0123456789abcdefABCDEF", c) : NULL;
		long value = at ? strtol((char[]){ (char)c, '\0' }, NULL, 16) : -1;

		assert_int_equal(str_hex_digit((char)c), value);
	}
}

/* What may be a header's name, and what would end a line of it. */
static void tokens_and_control_characters_are_told_from_the_rest(void **state)
{
	(void)state;
	for (int c = 0; c < 256; c++) {
		const char text[] = { 'a', (char)c, 'b' };
		const struct str s = { text, sizeof text };
		bool token = c && strchr("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ!#$%&'*+-.^_`|~", c);

		assert_int_equal(str_is_token(s), token);
		assert_int_equal(str_has_control(s), c < 0x20 || c == 0x7f);
	}
	assert_false(str_is_token(STR("")) || str_is_token(STR_NONE));
	assert_false(str_has_control(STR("")) || str_has_control(STR_NONE));
}

static void text_that_is_not_utf8_is_found(void **state)
{
	(void)state;
	static const char *const GOOD[] = {
		"",
		"plain and long enough for whole words",
		"\xc2\x80",
		"\xdf\xbf",
		"\xe0\xa0\x80",
		"\xed\x9f\xbf",
		"\xee\x80\x80",
		"\xf0\x90\x80\x80",
		"\xf4\x8f\xbf\xbf",
		"seven77\xe2\x82\xac",
	};
	static const char *const BAD[] = {
		"\x80",             /* a continuation alone */
		"\xc0\xaf",         /* '/' in a long form */
		"\xc1\xbf",         /* the same */
		"\xe0\x9f\xbf",     /* the same, three bytes */
		"\xf0\x8f\xbf\xbf", /* the same, four */
		"\xed\xa0\x80",     /* a surrogate */
		"\xed\xbf\xbf",     /* the last one */
		"\xf4\x90\x80\x80", /* past U+10FFFF */
		"\xf5\x80\x80\x80", /* the same */
		"\xc2",             /* cut off */
		"\xe2\x82",         /* the same */
		"\xf0\x9f\x98",     /* the same */
		"\xc2x",            /* no continuation */
		"\xe2\x82x",        /* the same */
		"\xf0\x9f\x98x",    /* the same */
		"\xff",
		"1234567\x80",
		"12345678\x80",
	};
	for (size_t i = 0; i < ARRAY_SIZE(GOOD); i++)
		assert_true(str_is_utf8(str_of(GOOD[i])));
	for (size_t i = 0; i < ARRAY_SIZE(BAD); i++)
		assert_false(str_is_utf8(str_of(BAD[i])));
	assert_true(str_is_utf8(STR_NONE));
}

static void length_limits_count_characters_not_bytes(void **state)
{
	(void)state;
	assert_int_equal(str_utf8_length(STR("a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80")), 4);
	assert_int_equal(str_utf8_length(STR_NONE), 0);
	assert_true(str_eq(str_utf8_cut(STR("a\xc3\xa4\xe2\x82\xac"), 2), STR("a\xc3\xa4")));
	assert_true(str_eq(str_utf8_cut(STR("a\xc3\xa4"), 9), STR("a\xc3\xa4")));
	assert_true(str_eq(str_utf8_cut(STR("a\xff" "b"), 9), STR("a")));
	assert_true(str_absent(str_utf8_cut(STR_NONE, 9)));
	assert_int_equal(str_utf8_step(STR("\xe2\x82\xac"), 0), 3);
	assert_int_equal(str_utf8_step(STR("\xe2\x82\xac"), 1), 0);
	assert_int_equal(str_utf8_step(STR("a"), 1), 0);
}

static void no_two_errors_share_a_public_code(void **state)
{
	(void)state;
	for (int a = 0; a < ERR_COUNT; a++) {
		assert_non_null(err_words((enum err)a));
		assert_in_range(err_status((enum err)a), 200, 599);
		for (int b = a + 1; b < ERR_COUNT; b++)
			assert_string_not_equal(err_code((enum err)a), err_code((enum err)b));
	}
	assert_string_equal(err_code(ERR_DB_UNSURE), "OUTCOME_UNKNOWN");
	assert_int_equal(err_status(ERR_DB_UNSURE), 503);
	assert_int_equal(err_level(ERR_INTERNAL), LOG_ERROR);
}

static void a_number_outside_the_table_is_an_internal_error(void **state)
{
	(void)state;
	assert_string_equal(err_code((enum err)9999), "INTERNAL");
	assert_int_equal(err_status((enum err)ERR_COUNT), 500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(absent_text_is_not_empty_text),
		cmocka_unit_test(texts_are_equal_only_byte_for_byte),
		cmocka_unit_test(starts_and_ends_stay_inside_the_text),
		cmocka_unit_test(slices_are_clamped),
		cmocka_unit_test(cutting_walks_a_list_to_its_end),
		cmocka_unit_test(trimming_takes_ascii_space_only),
		cmocka_unit_test(a_number_that_does_not_fit_is_refused),
		cmocka_unit_test(numbers_are_written_to_the_last_digit),
		cmocka_unit_test(only_hex_digits_have_a_value),
		cmocka_unit_test(tokens_and_control_characters_are_told_from_the_rest),
		cmocka_unit_test(text_that_is_not_utf8_is_found),
		cmocka_unit_test(length_limits_count_characters_not_bytes),
		cmocka_unit_test(no_two_errors_share_a_public_code),
		cmocka_unit_test(a_number_outside_the_table_is_an_internal_error),
	};

	return cmocka_run_group_tests_name("base: text and errors", tests, NULL, NULL);
}
