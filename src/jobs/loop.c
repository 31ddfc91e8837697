/* Signals only set flags, and only while the loop waits: no piece of work is ever interrupted. */
#include "jobs/loop.h"

#include <poll.h>
#include <signal.h>

#include "base/clock.h"
#include "base/log.h"
#include "fcgi/notify.h"
#include "fcgi/pidfile.h"

static const int OBEYED[] = { SIGHUP, SIGTERM, SIGINT };
static volatile sig_atomic_t want_reload, want_stop;

static void on_signal(int number)
{
	if (number == SIGHUP)
		want_reload = 1;
	else
		want_stop = 1;
}

static void take_signals(sigset_t *ret_during_wait)
{
	struct sigaction action = { .sa_handler = on_signal };
	sigset_t blocked;

	want_reload = want_stop = 0;
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
static void wait_until(int64_t due_ms, const sigset_t *during_wait)
{
	int64_t wait_ms = due_ms - loop_now_ms();
	struct timespec timeout = { 0, 0 };

	if (wait_ms > 0)
		timeout = (struct timespec){ wait_ms / 1000, wait_ms % 1000 * 1000000 };
	(void)ppoll(NULL, 0, due_ms == INT64_MAX ? NULL : &timeout, during_wait);
}

static void reload(const struct loop_options *options)
{
	want_reload = 0;
	if (!options->reload)
		return;
	notify_reloading();
	options->reload(options->arg);
	notify_ready();
}

static void run(const struct loop_options *options, const sigset_t *during_wait)
{
	int64_t due_ms;

	while (!want_stop) {
		const struct work *next = next_work(options, &due_ms);

		wait_until(due_ms, during_wait);
		if (want_reload)
			reload(options);
		else if (!want_stop && next && loop_now_ms() >= due_ms)
			next->step(next->state);
	}
}

enum err loop_run(const struct loop_options *options)
{
	sigset_t during_wait;

	TRY(pidfile_write(options->pidfile));
	take_signals(&during_wait);
	log_write(LOG_INFO, "ready", LOG_NO_FIELDS);
	notify_ready();
	run(options, &during_wait);
	log_write(LOG_INFO, "stopping", LOG_NO_FIELDS);
	notify_stopping();
	pidfile_remove(options->pidfile);
	return OK;
}
