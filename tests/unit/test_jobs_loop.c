/* The loop of the worker: signals are obeyed between two pieces of work and never in the middle of one. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
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
	unsigned reloads;
	unsigned reloads_seen;
};

static int64_t busy_due(const void *state) { return ((const struct busy *)state)->due_ms; }

static void busy_step(void *state)
{
	struct busy *busy = state;

	busy->reloads_seen = busy->reloads;
	if (++busy->steps == busy->at) {
		assert_false(loop_is_stopping());
		kill(getpid(), busy->signal);
		busy->saw_stop = loop_is_stopping();
	} else if (busy->steps > busy->at) {
		kill(getpid(), SIGTERM);
	}
	busy->finished++;
}

static void count_reload(void *arg) { ((struct busy *)arg)->reloads++; }

static char pidfile[64];

static enum err run(struct busy *busy, const struct work *work, size_t kinds)
{
	return loop_run(&(struct loop_options){ .work = work,
						.kinds = kinds,
						.pidfile = pidfile,
						.arg = busy,
						.reload = count_reload });
}

static void a_stop_waits_for_the_piece_in_hand(void **state)
{
	static const int SIGNALS[] = { SIGTERM, SIGINT };
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(SIGNALS); i++) {
		struct busy busy = { .at = 3, .signal = SIGNALS[i] };
		const struct work work = { &busy, busy_due, busy_step };

		assert_int_equal(run(&busy, &work, 1), OK);
		assert_int_equal(busy.finished, 3);
		assert_true(busy.saw_stop);
		assert_true(access(pidfile, F_OK) != 0);
	}
}

static void a_reload_happens_before_the_next_piece(void **state)
{
	struct busy busy = { .at = 2, .signal = SIGHUP };
	const struct work work = { &busy, busy_due, busy_step };
	(void)state;

	assert_int_equal(run(&busy, &work, 1), OK);
	assert_int_equal(busy.reloads, 1);
	assert_int_equal(busy.reloads_seen, 1);
	assert_int_equal(busy.finished, 3);
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

	assert_int_equal(run(&early, work, ARRAY_SIZE(work)), OK);
	assert_int_equal(early.steps, 5);
	assert_int_equal(late.steps, 0);
	assert_int_equal(asleep.steps, 0);
}

static void without_its_pidfile_it_does_not_begin(void **state)
{
	struct busy busy = { .at = 1, .signal = SIGTERM };
	const struct work work = { &busy, busy_due, busy_step };
	(void)state;

	snprintf(pidfile, sizeof(pidfile), "/nonexistent/pid");
	assert_int_equal(run(&busy, &work, 1), ERR_CONFIG);
	assert_int_equal(busy.steps, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_stop_waits_for_the_piece_in_hand),
		cmocka_unit_test(a_reload_happens_before_the_next_piece),
		cmocka_unit_test(work_that_has_waited_longest_goes_first),
		cmocka_unit_test(without_its_pidfile_it_does_not_begin),
	};

	log_setup("test", LOG_ERROR);
	snprintf(pidfile, sizeof(pidfile), "/tmp/latchwork-loop-%ld.pid", (long)getpid());
	return cmocka_run_group_tests(tests, NULL, NULL);
}
