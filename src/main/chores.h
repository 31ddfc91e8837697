/* What latch-worker does again and again: the functions behind chores.def. */
#ifndef LW_MAIN_CHORES_H
#define LW_MAIN_CHORES_H

#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"
#include "core/ctx.h"
#include "jobs/chores.h"

/*
 * Each has a context of WHO_SYSTEM without a tenant, with database, vault keys and egress policy. They do a
 * bounded amount of work, in transactions of their own, so that several workers don't disturb each other.
 */
#define CHORE(name, pace, interval_ms, words) enum err chore_##name(struct ctx *cx) MUST_CHECK;
#include "main/chores.def"
#undef CHORE

/* What chores.def says of a chore; flags. */
enum chore_pace { CHORES_PROMPT = 1, CHORES_PATIENT = 2 };

/* The chores of those paces, in the order of chores.def; their number. */
size_t chores_choose(unsigned paces, struct chore ret_table[CHORES_MAX]);

#endif
