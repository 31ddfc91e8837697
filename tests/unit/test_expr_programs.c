/* What an evaluator keeps of compiled programs, and which of them it lets go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "expr/programs.h"

enum { MANY = 1000 };

static struct programs *programs;
static int value[MANY]; /* 1: kept; 0: let go */

static void drop(void *dropped)
{
	int *which = dropped;

	assert_int_equal(*which, 1);
	*which = 0;
}

static void begin(size_t most, size_t most_bytes)
{
	assert_int_equal(programs_new(&(struct programs_options){ most, most_bytes, drop }, &programs), OK);
}

static int teardown(void **state)
{
	(void)state;
	programs_free(programs);
	programs = NULL;
	for (size_t i = 0; i < MANY; i++)
		assert_int_equal(value[i], 0);
	return 0;
}

static struct str text_of(size_t i, char text[16])
{
	return (struct str){ text, (size_t)snprintf(text, 16, ".a%zu", i) };
}

static void keep(size_t i, size_t bytes)
{
	char text[16];

	value[i] = 1;
	assert_int_equal(programs_add(programs, text_of(i, text), &value[i], bytes), OK);
}

static bool has(size_t i)
{
	char text[16];
	void *found = programs_find(programs, text_of(i, text));

	assert_true(found == NULL || found == &value[i]);
	return found != NULL;
}

static void a_program_is_found_by_its_text_and_by_no_other(void **state)
{
	(void)state;
	begin(8, SIZE_MAX / 2);
	for (size_t i = 0; i < 8; i++)
		keep(i, 1);
	for (size_t i = 0; i < 8; i++)
		assert_true(has(i));
	assert_null(programs_find(programs, STR(".a")));
	assert_null(programs_find(programs, STR(".a0 ")));
	assert_null(programs_find(programs, STR("")));
}

static void an_empty_text_is_a_program_too(void **state)
{
	(void)state;
	begin(2, 100);
	value[0] = 1;
	assert_int_equal(programs_add(programs, STR(""), &value[0], 1), OK);
	assert_ptr_equal(programs_find(programs, STR("")), &value[0]);
}

static void the_one_that_was_used_longest_ago_leaves_first(void **state)
{
	(void)state;
	begin(3, SIZE_MAX / 2);
	keep(0, 1);
	keep(1, 1);
	keep(2, 1);
	assert_true(has(0)); /* used again: 1 is the oldest now */
	keep(3, 1);
	assert_false(has(1));
	assert_true(has(2));
	assert_true(has(0));
	keep(4, 1);
	assert_false(has(3));
	assert_int_equal(programs_count(programs), 3);
}

static void large_programs_leave_room_for_few(void **state)
{
	(void)state;
	begin(100, 1000);
	for (size_t i = 0; i < 10; i++)
		keep(i, 100);
	assert_int_equal(programs_count(programs), 10);
	keep(10, 550);
	assert_int_equal(programs_count(programs), 5);
	assert_false(has(5));
	assert_true(has(6));
	/* The newest stays even if it's larger than all there is: it is about to run. */
	keep(11, 5000);
	assert_int_equal(programs_count(programs), 1);
	assert_true(has(11));
	keep(12, 1);
	assert_false(has(11));
}

static void however_many_come_no_more_than_so_many_stay(void **state)
{
	(void)state;
	begin(128, SIZE_MAX / 2);
	for (size_t i = 0; i < MANY; i++) {
		keep(i, 1);
		assert_true(has(i));
	}
	assert_int_equal(programs_count(programs), 128);
	for (size_t i = MANY - 128; i < MANY; i++)
		assert_true(has(i));
}

#define SCENE(function) cmocka_unit_test_teardown(function, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCENE(a_program_is_found_by_its_text_and_by_no_other),
		SCENE(an_empty_text_is_a_program_too),
		SCENE(the_one_that_was_used_longest_ago_leaves_first),
		SCENE(large_programs_leave_room_for_few),
		SCENE(however_many_come_no_more_than_so_many_stay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
