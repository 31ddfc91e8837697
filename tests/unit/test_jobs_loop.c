/* The loop of the worker: signals are obeyed between two pieces of work and never in the middle of one. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "jobs/loop.h"

/* Work that sends its own process a signal at some step. */
struct busy {
	int64_t due_ms;
	unsigned steps;
	unsigned at;
	int signal;
	unsigned finished; /* steps that came to their end */
	bool saw_stop;
	unsigned rings;
};

static int64_t busy_due(const void *state) { return ((const struct busy *)state)->due_ms; }

static void busy_step(void *state)
{
	struct busy *busy = state;

	if (++busy->steps == busy->at) {
		assert_false(loop_is_stopping());
		kill(getpid(), busy->signal);
		busy->saw_stop = loop_is_stopping();
	} else if (busy->steps > busy->at) {
		kill(getpid(), SIGTERM);
	}
	busy->finished++;
}

static int bell[2];

static void ring_heard(void *arg)
{
	struct busy *busy = arg;
	char byte;

	assert_int_equal(read(bell[0], &byte, 1), 1);
	busy->rings++;
	busy->due_ms = 0;
}

static void run(struct busy *busy, const struct work *work, size_t kinds)
{
	loop_run(&(struct loop_options){
		.work = work, .kinds = kinds, .bells = { -1, bell[0] }, .arg = busy, .rung = ring_heard });
}

static void a_stop_waits_for_the_piece_in_hand(void **state)
{
	static const int SIGNALS[] = { SIGTERM, SIGINT };
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(SIGNALS); i++) {
		struct busy busy = { .at = 3, .signal = SIGNALS[i] };
		const struct work work = { &busy, busy_due, busy_step };

		run(&busy, &work, 1);
		assert_int_equal(busy.finished, 3);
		assert_true(busy.saw_stop);
	}
}

static void a_ring_of_the_bell_ends_the_wait(void **state)
{
	struct busy busy = { .due_ms = INT64_MAX, .at = 1, .signal = SIGTERM };
	const struct work work = { &busy, busy_due, busy_step };
	(void)state;

	assert_int_equal(write(bell[1], "!", 1), 1);
	run(&busy, &work, 1);
	assert_int_equal(busy.rings, 1);
	assert_int_equal(busy.finished, 1);
}

static void work_that_has_waited_longest_goes_first(void **state)
{
	struct busy early = { .due_ms = 1, .at = 5, .signal = SIGTERM },
		    late = { .due_ms = 2, .at = 1, .signal = SIGTERM };
	struct busy asleep = { .due_ms = INT64_MAX };
	const struct work work[] = {
		{ &late, busy_due, busy_step },
		{ &early, busy_due, busy_step },
		{ &asleep, busy_due, busy_step },
	};
	(void)state;

	run(&early, work, ARRAY_SIZE(work));
	assert_int_equal(early.steps, 5);
	assert_int_equal(late.steps, 0);
	assert_int_equal(asleep.steps, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_stop_waits_for_the_piece_in_hand),
		cmocka_unit_test(a_ring_of_the_bell_ends_the_wait),
		cmocka_unit_test(work_that_has_waited_longest_goes_first),
	};

	log_setup("test", LOG_ERROR);
	if (pipe(bell) != 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
