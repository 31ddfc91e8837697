/*
 * Chores: what is to be done again and again, each at its own interval.
 *
 * One that fails is tried again later, ever less often up to five minutes, and
 * never ends the process. While the database is away none of them is tried.
 */
#ifndef LW_JOBS_CHORES_H
#define LW_JOBS_CHORES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "core/ctx.h"

enum { CHORES_MAX = 32 };

struct chore {
	const char *name;
	int64_t interval_ms; /* between the end of one run and the next */
	enum err (*run)(struct ctx *cx);
};

/* Who keeps the chores: the seams to the clock, the database and the context. */
struct chores_host {
	void *arg;
	int64_t (*now_ms)(void *arg); /* a clock that never steps */
	/*
	 * Whether the database answers and is ours: asked before the first chore, and when it was away. `ret_why`
	 * may become words for the log.
	 */
	enum err (*ready)(void *arg, const char **ret_why);
	/* Runs one chore in a context of its own. */
	enum err (*call)(void *arg, const struct chore *chore);
};

struct chore_state {
	int64_t due_ms;
	unsigned failures; /* in a row */
	enum err last;
};

struct chores {
	const struct chore *table;
	size_t count;
	struct chores_host host;
	struct chore_state state[CHORES_MAX];
	bool away;         /* the host isn't ready */
	enum err why_away; /* what the log was told; OK: nothing yet */
	unsigned away_tries;
	int64_t away_until_ms;
};

/* All of them are due at once, in the table's order. The table is borrowed; ERR_TOO_BIG past CHORES_MAX. */
enum err chores_init(struct chores *chores, const struct chore *table, size_t count,
		     const struct chores_host *host) MUST_CHECK;
/* When chores_step has something to do, on the host's clock. */
int64_t chores_due_ms(const struct chores *chores);
/* Runs the one chore that has waited longest, if one is due. */
void chores_step(struct chores *chores);
/* Everything is due at once, as at the start: after a change of configuration. */
void chores_hurry(struct chores *chores);

#endif
