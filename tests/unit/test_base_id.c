/* Ids: made, written, read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/random.h"

static void a_new_id_is_a_uuid_of_version_7_made_now(void **state)
{
	(void)state;
	struct id id;
	int64_t before = clock_now_ms();

	assert_int_equal(id_new(&id), OK);
	assert_true(id_time_ms(&id) >= before);
	assert_true(id_time_ms(&id) <= clock_now_ms());
	assert_int_equal(id.b[6] >> 4, 7);
	assert_int_equal(id.b[8] >> 6, 2);
	assert_false(id_is_nil(&id));
}

static void every_random_bit_of_new_ids_varies(void **state)
{
	(void)state;
	struct id id, ones = ID_NIL, zeros = ID_NIL;

	for (int i = 0; i < 200; i++) {
		assert_int_equal(id_new(&id), OK);
		for (size_t b = 0; b < sizeof(id.b); b++) {
			ones.b[b] |= id.b[b];
			zeros.b[b] |= (uint8_t)~id.b[b];
		}
	}
	/* Behind the time: the version stays 0111, the variant 10, all others were 0 and 1. */
	assert_int_equal(ones.b[6], 0x7f);
	assert_int_equal(zeros.b[6], 0x8f);
	assert_int_equal(ones.b[8], 0xbf);
	assert_int_equal(zeros.b[8], 0x7f);
	for (size_t b = 7; b < sizeof(id.b); b++) {
		if (b == 8)
			continue;
		assert_int_equal(ones.b[b], 0xff);
		assert_int_equal(zeros.b[b], 0xff);
	}
}

static void the_example_of_rfc_9562_has_its_text(void **state)
{
	(void)state;
	/* RFC 9562, A.6: 017F22E2-79B0-7CC3-98C4-DC0C0C07398F, 2022-02-22T19:22:22Z. */
	const struct id id = { { 0x01, 0x7f, 0x22, 0xe2, 0x79, 0xb0, 0x7c, 0xc3, 0x98, 0xc4, 0xdc,
				 0x0c, 0x0c, 0x07, 0x39, 0x8f } };
	char text[ID_TEXT_MAX];
	struct id back;

	assert_true(str_eq(id_format(ID_CREDENTIAL, &id, text),
			   STR("cred-01fwhe4ydgfk1shh6w1g60eecf")));
	assert_string_equal(text, "cred-01fwhe4ydgfk1shh6w1g60eecf");
	assert_int_equal(id_time_ms(&id), INT64_C(1645557742000));
	assert_true(id_parse(ID_CREDENTIAL, STR("cred-01fwhe4ydgfk1shh6w1g60eecf"), &back));
	assert_true(id_eq(&id, &back));
}

static void the_smallest_and_the_largest_id_have_their_text(void **state)
{
	(void)state;
	char text[ID_TEXT_MAX];
	struct id back;

	id_format(ID_TENANT, &ID_NIL, text);
	assert_string_equal(text, "ten-00000000000000000000000000");
	id_format(ID_WORKFLOW, &ID_MAX, text);
	assert_string_equal(text, "workflow-7zzzzzzzzzzzzzzzzzzzzzzzzz");
	assert_true(id_parse(ID_WORKFLOW, STR("workflow-7zzzzzzzzzzzzzzzzzzzzzzzzz"), &back));
	assert_true(id_eq(&back, &ID_MAX));
}

static void what_is_written_is_read_back_for_every_kind(void **state)
{
	(void)state;
	for (int kind = 0; kind < ID_KIND_COUNT; kind++) {
		for (int i = 0; i < 50; i++) {
			struct id id, back;
			char text[ID_TEXT_MAX];
			assert_int_equal(random_bytes(id.b, sizeof(id.b)), OK);
			struct str s = id_format((enum id_kind)kind, &id, text);
			assert_true(id_parse((enum id_kind)kind, s, &back));
			assert_true(id_eq(&id, &back));
		}
	}
}

static void an_id_has_one_spelling_only(void **state)
{
	(void)state;
	static const char *const BAD[] = {
		"",
		"cred",
		"cred-",
		"01fwhe4ydgfk1shh6w1g60eecf",
		"cred-01fwhe4ydgfk1shh6w1g60eec",
		"cred-01fwhe4ydgfk1shh6w1g60eecf0",
		"cred_01fwhe4ydgfk1shh6w1g60eecf",
		"conn-01fwhe4ydgfk1shh6w1g60eecf",
		"tok-01fwhe4ydgfk1shh6w1g60eecf",
		"CRED-01fwhe4ydgfk1shh6w1g60eecf",
		"cred-01FWHE4YDGFK1SHH6W1G60EECF",
		"cred-o1fwhe4ydgfk1shh6w1g60eecf", /* o for 0 */
		"cred-0ifwhe4ydgfk1shh6w1g60eecf", /* i for 1 */
		"cred-0lfwhe4ydgfk1shh6w1g60eecf", /* l for 1 */
		"cred-0ufwhe4ydgfk1shh6w1g60eecf",
		"cred-81fwhe4ydgfk1shh6w1g60eecf", /* 129 bits */
		"cred-z1fwhe4ydgfk1shh6w1g60eecf",
		"cred-01fwhe4ydgfk1shh6w1g60eec ",
		"cred-01fwhe4ydgfk1shh6w1g60ee\xc3\xa4",
	};
	struct id id;

	for (size_t i = 0; i < ARRAY_SIZE(BAD); i++)
		if (id_parse(ID_CREDENTIAL, str_of(BAD[i]), &id))
			fail_msg("'%s' is taken", BAD[i]);
	assert_false(id_parse(ID_CREDENTIAL, STR_NONE, &id));
	assert_true(id_is_nil(&id));
}

static void later_ids_sort_after_earlier_ones_as_text_too(void **state)
{
	(void)state;
	struct id early = ID_MAX, late = ID_NIL;
	char a[ID_TEXT_MAX], b[ID_TEXT_MAX];

	for (int i = 0; i < 6; i++)
		early.b[i] = late.b[i] = 0x11;
	late.b[5]++;
	id_format(ID_RUN, &early, a);
	id_format(ID_RUN, &late, b);
	assert_true(memcmp(early.b, late.b, sizeof(early.b)) < 0);
	assert_true(strcmp(a, b) < 0);
}

static void a_prefix_names_one_kind(void **state)
{
	(void)state;
	enum id_kind found;

	for (int kind = 0; kind < ID_KIND_COUNT; kind++) {
		assert_true(id_kind_of_prefix(str_of(id_prefix((enum id_kind)kind)), &found));
		assert_int_equal(found, kind);
	}
	assert_false(id_kind_of_prefix(STR("cre"), &found));
	assert_false(id_kind_of_prefix(STR(""), &found));
	assert_false(id_kind_of_prefix(STR_NONE, &found));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_id_is_a_uuid_of_version_7_made_now),
		cmocka_unit_test(every_random_bit_of_new_ids_varies),
		cmocka_unit_test(the_example_of_rfc_9562_has_its_text),
		cmocka_unit_test(the_smallest_and_the_largest_id_have_their_text),
		cmocka_unit_test(what_is_written_is_read_back_for_every_kind),
		cmocka_unit_test(an_id_has_one_spelling_only),
		cmocka_unit_test(later_ids_sort_after_earlier_ones_as_text_too),
		cmocka_unit_test(a_prefix_names_one_kind),
	};

	return cmocka_run_group_tests_name("base: ids", tests, NULL, NULL);
}
