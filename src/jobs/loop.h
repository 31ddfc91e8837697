/*
 * The life of a process that works by itself: one piece of work after another,
 * asleep in between, until it is told to stop.
 *
 * SIGTERM and SIGINT stop it, after the piece in hand. SIGHUP is the master's.
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

enum { LOOP_BELLS = 2 };

struct loop_options {
	const struct work *work;
	size_t kinds;
	int bells[LOOP_BELLS]; /* readable: somebody rang; -1: none */
	void *arg;
	void (*rung)(void *arg); /* takes what is to be read from the bells */
};

/* Runs until it is told to stop. Among several kinds the one that is due longest goes first. */
void loop_run(const struct loop_options *options);
/* Whether the process was told to stop: for work that comes in pieces itself. */
bool loop_is_stopping(void);
/* clock_monotonic_us() in ms. */
int64_t loop_now_ms(void);

#endif
