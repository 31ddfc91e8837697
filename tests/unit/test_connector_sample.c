/* A few rows of a provider's answer: bounded in every direction, and without what was sent to it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/json_read.h"
#include "connect/connection_values.h"
#include "connect/sample.h"

static struct arena *arena;

static int start(void **state)
{
	(void)state;
	assert_int_equal(json_setup(), OK);
	arena = arena_new(16 << 20);
	return arena ? 0 : -1;
}

static int stop(void **state)
{
	(void)state;
	arena_free(arena);
	return 0;
}

/* The rows of a JSON text with ' for ", as they are written; valid until the next call. */
static const char *sample(const char *text, const char *secret, bool *ret_truncated)
{
	static char out[SAMPLE_BYTES + 256];
	struct str copy = arena_copy(arena, str_of(text)), secrets[1] = { str_of(secret) };
	BUF_AUTO struct buf buf = { 0 };
	json_t *json;

	for (size_t i = 0; i < copy.n; i++)
		if (copy.p[i] == '\'')
			((char *)(uintptr_t)copy.p)[i] = '"';
	buf_init(&buf, sizeof(out));
	assert_int_equal(json_read(arena, copy, &json, NULL), OK);
	assert_int_equal(sample_write(json, (struct texts){ secrets, 1 }, &buf, ret_truncated), OK);
	snprintf(out, sizeof(out), "%.*s", STR_ARG(buf_str(&buf)));
	return out;
}

static void rows_that_are_few_and_small_come_as_they_are(void **state)
{
	bool truncated;

	(void)state;
	assert_string_equal(sample("[{'a':1,'b':[true,null,1.5,'x']},{}]", NULL, &truncated),
			    "[{\"a\":1,\"b\":[true,null,1.5,\"x\"]},{}]");
	assert_false(truncated);
	assert_string_equal(sample("{'one':'row'}", NULL, &truncated), "[{\"one\":\"row\"}]");
	assert_string_equal(sample("[]", NULL, &truncated), "[]");
	assert_false(truncated);
}

static void the_eleventh_row_is_left_out(void **state)
{
	bool truncated;

	(void)state;
	assert_string_equal(sample("[1,2,3,4,5,6,7,8,9,10]", NULL, &truncated),
			    "[1,2,3,4,5,6,7,8,9,10]");
	assert_false(truncated);
	assert_string_equal(sample("[1,2,3,4,5,6,7,8,9,10,11]", NULL, &truncated),
			    "[1,2,3,4,5,6,7,8,9,10]");
	assert_true(truncated);
}

static void what_lies_too_deep_is_null(void **state)
{
	bool truncated;

	(void)state;
	assert_string_equal(sample("[[[[[[[1]]]]]]]", NULL, &truncated), "[[[[[[[1]]]]]]]");
	assert_false(truncated);
	assert_string_equal(sample("[[[[[[[[1]]]]]]]]", NULL, &truncated), "[[[[[[[null]]]]]]]");
	assert_true(truncated);
}

static void a_long_text_is_cut_between_characters(void **state)
{
	char text[1024] = "['";
	bool truncated;

	(void)state;
	for (int i = 0; i < SAMPLE_TEXT + 1; i++)
		strcat(text, "\xc3\xa9");
	strcat(text, "']");
	assert_int_equal(strlen(sample(text, NULL, &truncated)), 4 + 2 * SAMPLE_TEXT);
	assert_true(truncated);
}

static void rows_that_are_too_large_together_end_with_the_last_whole_one(void **state)
{
	static char text[1 << 20];
	size_t at = 0;
	bool truncated;
	const char *out;

	(void)state;
	for (int row = 0; row < 9; row++) {
		at += (size_t)sprintf(text + at, "%s[", row > 0 ? "," : "[");
		for (int i = 0; i < SAMPLE_ITEMS; i++)
			at += (size_t)sprintf(text + at, "%s'%0190d'", i > 0 ? "," : "", i);
		at += (size_t)sprintf(text + at, "]");
	}
	sprintf(text + at, "]");
	out = sample(text, NULL, &truncated);
	assert_true(truncated);
	assert_in_range(strlen(out), SAMPLE_BYTES / 2, SAMPLE_BYTES + 2);
	assert_string_equal(out + strlen(out) - 2, "]]");
}

static void a_secret_that_comes_back_is_hidden_in_values_and_names(void **state)
{
	bool truncated;

	(void)state;
	assert_string_equal(sample("[{'sent':'Bearer key-123456','key-123456':1,'fine':'key'}]",
				   "key-123456", &truncated),
			    "[{\"sent\":\"****\",\"****\":1,\"fine\":\"key\"}]");
	assert_string_equal(sample("['ab']", "a", &truncated), "[\"ab\"]");
}

static void a_secret_is_found_wherever_it_stands(void **state)
{
	const struct str secret[] = { STR_NONE, STR("k-0123456789"), STR("abc"), STR("") }, shortest = STR("s3cret");
	const struct texts secrets = { secret, ARRAY_SIZE(secret) };

	(void)state;
	assert_true(connection_holds_secret(STR("{\"you\":\"sent k-0123456789\"}"), secrets));
	assert_true(connection_holds_secret(STR("k-0123456789"), secrets));
	assert_false(connection_holds_secret(STR("k-012345678"), secrets));
	assert_false(connection_holds_secret(STR("abcabc"), secrets));
	assert_false(connection_holds_secret(STR(""), secrets));
	assert_false(connection_holds_secret(STR_NONE, secrets));
	assert_true(connection_holds_secret(STR("my s3cret"), (struct texts){ &shortest, 1 }));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_that_are_few_and_small_come_as_they_are),
		cmocka_unit_test(the_eleventh_row_is_left_out),
		cmocka_unit_test(what_lies_too_deep_is_null),
		cmocka_unit_test(a_long_text_is_cut_between_characters),
		cmocka_unit_test(rows_that_are_too_large_together_end_with_the_last_whole_one),
		cmocka_unit_test(a_secret_that_comes_back_is_hidden_in_values_and_names),
		cmocka_unit_test(a_secret_is_found_wherever_it_stands),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
