/*
 * The life of a process that works by itself: one piece of work after another,
 * asleep in between, until it is told to stop.
 *
 *	SIGHUP            reload, between two pieces
 *	SIGTERM, SIGINT   stop, after the piece in hand
 */
#ifndef LW_JOBS_LOOP_H
#define LW_JOBS_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

/* One kind of work. */
struct work {
	void *state;
	/* When there is something to do, on the clock of loop_now_ms; INT64_MAX: nothing is known yet. */
	int64_t (*due_ms)(const void *state);
	/* One bounded piece of it. */
	void (*step)(void *state);
};

struct loop_options {
	const struct work *work;
	size_t kinds;
	const char *pidfile; /* NULL: none */
	void *arg;
	void (*reload)(
		void *arg); /* says itself on the log what went wrong; NULL: SIGHUP is ignored */
};

/*
 * Runs until it is told to stop; OK then. Among several kinds the one that is due longest goes first.
 * ERR_CONFIG when it never ran: the pidfile can't be written.
 */
enum err loop_run(const struct loop_options *options) MUST_CHECK;
/* Whether the process was told to stop: for work that comes in pieces itself. */
bool loop_is_stopping(void);
/* clock_monotonic_us() in ms. */
int64_t loop_now_ms(void);

#endif
