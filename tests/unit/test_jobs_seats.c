/* Seats of the job engine: which process takes whose jobs, so that one tenant never has all of them. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "jobs/seats.h"

static const struct id TENANT_A = { { 1 } }, TENANT_B = { { 2 } };
static struct seats seats;

static int set_up(void **state)
{
	(void)state;
	return seats_new(&seats) == OK ? 0 : -1;
}

static struct seating process(bool reserved)
{
	return (struct seating){ .seats = &seats, .calls_most = 2, .reserved = reserved };
}

static void the_reserved_process_is_out_of_reach_of_a_tenant_that_has_another_one(void **state)
{
	struct seating one = process(false), other = process(false), last = process(true);

	(void)state;
	assert_true(seats_take(&one, QUEUE_EVENT, &TENANT_A));
	assert_false(seats_take(&last, QUEUE_EVENT, &TENANT_A));
	assert_false(seats_take(&last, QUEUE_AUTOMATION, &TENANT_A));
	assert_true(seats_take(&other, QUEUE_EVENT, &TENANT_A));
	seats_leave(&one);
	assert_false(seats_take(&last, QUEUE_EVENT, &TENANT_A));
	seats_leave(&other);
	assert_true(seats_take(&last, QUEUE_EVENT, &TENANT_A));
	seats_leave(&last);
}

static void whoever_comes_while_others_have_every_process_finds_the_reserved_one(void **state)
{
	struct seating one = process(false), last = process(true);

	(void)state;
	assert_true(seats_take(&one, QUEUE_EVENT, &TENANT_A));
	assert_false(seats_take(&last, QUEUE_EVENT, &TENANT_A));
	assert_true(seats_take(&last, QUEUE_EVENT, &TENANT_B));
	assert_true(seats_take(&one, QUEUE_EVENT, &TENANT_B)); /* a second job of its own doesn't wait for the first */
	seats_leave(&last);
	seats_leave(&one);
}

static void a_batch_of_many_tenants_leaves_nobody_behind_seated(void **state)
{
	struct seating one = process(false), last = process(true);
	struct id tenant = TENANT_A;

	(void)state;
	for (uint8_t i = 0; i < JOB_BATCH_MAX; i++) {
		tenant.b[1] = i;
		assert_true(seats_take(&one, QUEUE_EVENT, &tenant));
	}
	assert_false(seats_take(&last, QUEUE_EVENT, &tenant));
	seats_leave(&one);
	for (uint8_t i = 0; i < JOB_BATCH_MAX; i++) {
		tenant.b[1] = i;
		assert_true(seats_take(&last, QUEUE_EVENT, &tenant));
	}
	seats_leave(&last);
}

static void one_tenants_calls_leave_some_for_the_others_and_other_queues_are_free(void **state)
{
	struct seating one = process(false), other = process(false), third = process(false), last = process(true);

	(void)state;
	assert_true(seats_take(&one, QUEUE_CALL, &TENANT_A));
	assert_true(seats_take(&other, QUEUE_CALL, &TENANT_A));
	assert_false(seats_take(&third, QUEUE_CALL, &TENANT_A));
	assert_true(seats_take(&third, QUEUE_CALL, &TENANT_B));
	assert_true(seats_take(&third, QUEUE_DELIVERY, &TENANT_A));
	assert_true(seats_take(&last, QUEUE_EVENT, &TENANT_A)); /* calls aren't quick jobs */
	seats_leave(&one);
	seats_leave(&third);
	assert_true(seats_take(&third, QUEUE_CALL, &TENANT_A));
	seats_leave(&other);
	seats_leave(&third);
	seats_leave(&last);
}

/* It may have been kept from running for so long that there is no more to wait for: then it's tried again. */
static void those_that_have_more_make_way_for_the_reserved_process_but_not_for_long(void **state)
{
	struct seating one = process(false), last = process(true);

	(void)state;
	assert_true(seats_take(&one, QUEUE_EVENT, &TENANT_A));
	seats_make_way(&one);
	assert_int_equal(one.waited_ms, 0);
	for (int i = 0; i < 1000 && one.waited_ms == 0; i++) {
		seats_leave(&last);
		assert_true(seats_take(&last, QUEUE_EVENT, &TENANT_B));
		seats_make_way(&one);
	}
	assert_in_range(one.waited_ms, 1, SEATS_MAKE_WAY_MS);
	one.waited_ms = SEATS_MAKE_WAY_MS;
	seats_leave(&last);
	assert_true(seats_take(&last, QUEUE_EVENT, &TENANT_B));
	seats_make_way(&one);
	assert_int_equal(one.waited_ms, SEATS_MAKE_WAY_MS);
	seats_leave(&one);
	assert_int_equal(one.waited_ms, 0); /* each batch gives some of its time */
	seats_leave(&last);
	assert_true(seats_take(&one, QUEUE_EVENT, &TENANT_A));
	seats_make_way(&one);
	assert_int_equal(one.waited_ms, 0);
	seats_leave(&one);
}

/* A child that has a quick job of that tenant in hand for ever; it says when. */
static pid_t start_process(const struct id *tenant)
{
	struct seating seating = process(false);
	int ready[2];
	char byte = 0;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (!seats_take(&seating, QUEUE_EVENT, tenant) || write(ready[1], "+", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return pid;
}

static void a_process_that_is_killed_keeps_nobody_out(void **state)
{
	struct seating last = process(true);
	pid_t pid = start_process(&TENANT_A);

	(void)state;
	assert_false(seats_take(&last, QUEUE_EVENT, &TENANT_A));
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_true(seats_take(&last, QUEUE_EVENT, &TENANT_A));
	seats_leave(&last);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_reserved_process_is_out_of_reach_of_a_tenant_that_has_another_one),
		cmocka_unit_test(whoever_comes_while_others_have_every_process_finds_the_reserved_one),
		cmocka_unit_test(a_batch_of_many_tenants_leaves_nobody_behind_seated),
		cmocka_unit_test(one_tenants_calls_leave_some_for_the_others_and_other_queues_are_free),
		cmocka_unit_test(those_that_have_more_make_way_for_the_reserved_process_but_not_for_long),
		cmocka_unit_test(a_process_that_is_killed_keeps_nobody_out),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
