/* Signals only set flags, and only while the loop waits: no piece of work is ever interrupted. */
#include "jobs/loop.h"

#include <poll.h>
#include <signal.h>

#include "base/clock.h"

static const int OBEYED[] = { SIGTERM, SIGINT };
static volatile sig_atomic_t want_stop;

static void on_signal(int number)
{
	(void)number;
	want_stop = 1;
}

static void take_signals(sigset_t *ret_during_wait)
{
	struct sigaction action = { .sa_handler = on_signal };
	sigset_t blocked;

	want_stop = 0;
	sigemptyset(&blocked);
	for (size_t i = 0; i < ARRAY_SIZE(OBEYED); i++)
		sigaddset(&blocked, OBEYED[i]);
	sigprocmask(SIG_BLOCK, &blocked, ret_during_wait);
	for (size_t i = 0; i < ARRAY_SIZE(OBEYED); i++) {
		sigaction(OBEYED[i], &action, NULL);
		sigdelset(ret_during_wait, OBEYED[i]);
	}
	action.sa_handler = SIG_IGN;
	sigaction(SIGPIPE, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
}

bool loop_is_stopping(void)
{
	sigset_t pending;

	if (want_stop)
		return true;
	return sigpending(&pending) == 0 &&
	       (sigismember(&pending, SIGTERM) == 1 || sigismember(&pending, SIGINT) == 1);
}

int64_t loop_now_ms(void) { return clock_monotonic_us() / 1000; }

/* NULL when there is no work at all. */
static const struct work *next_work(const struct loop_options *options, int64_t *ret_due_ms)
{
	const struct work *next = NULL;

	*ret_due_ms = INT64_MAX;
	for (size_t i = 0; i < options->kinds; i++) {
		int64_t due_ms = options->work[i].due_ms(options->work[i].state);
		if (!next || due_ms < *ret_due_ms) {
			next = &options->work[i];
			*ret_due_ms = due_ms;
		}
	}
	return next;
}

/* Also the place where signals come through: it is called before each piece, if only with no time to wait. */
static void wait_until(int64_t due_ms, const struct loop_options *options, const sigset_t *during_wait)
{
	struct pollfd bells[LOOP_BELLS];
	int64_t wait_ms = due_ms - loop_now_ms();
	struct timespec timeout = { 0, 0 };

	if (wait_ms > 0)
		timeout = (struct timespec){ wait_ms / 1000, wait_ms % 1000 * 1000000 };
	for (size_t i = 0; i < LOOP_BELLS; i++)
		bells[i] = (struct pollfd){ .fd = options->bells[i], .events = POLLIN };
	if (ppoll(bells, LOOP_BELLS, due_ms == INT64_MAX ? NULL : &timeout, during_wait) > 0)
		options->rung(options->arg);
}

void loop_run(const struct loop_options *options)
{
	sigset_t during_wait;
	int64_t due_ms;

	take_signals(&during_wait);
	while (!want_stop) {
		const struct work *next = next_work(options, &due_ms);

		wait_until(due_ms, options, &during_wait);
		if (!want_stop && next && loop_now_ms() >= due_ms)
			next->step(next->state);
	}
}
