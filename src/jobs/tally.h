/*
 * How many jobs of each queue ended in which way since somebody last took the
 * numbers. The processes of a worker share them; the chore queue_stat takes
 * them to the database, where the front's metrics find them.
 */
#ifndef LW_JOBS_TALLY_H
#define LW_JOBS_TALLY_H

#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "jobs/queue.h"

enum tally_end { TALLY_DONE, TALLY_FAILED, TALLY_BURIED, TALLY_END_COUNT };

struct tally;

/* Shared memory: make it in the master, before the fork. */
enum err tally_new(struct tally **ret_tally) MUST_CHECK;
/* `tally` may be NULL. */
void tally_add(struct tally *tally, enum job_queue queue, enum tally_end end, int64_t n);
/* The number, which is 0 from then on. */
int64_t tally_take(struct tally *tally, enum job_queue queue, enum tally_end end);

#endif
