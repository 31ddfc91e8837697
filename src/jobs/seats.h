/*
 * Seats: which tenants have jobs under way, in all processes of one worker. They keep a process free for the others.
 *
 * Of the calls of workflows a tenant has a few under way at most. Quick jobs it may have in every process but the last
 * one, which is reserved: it takes those of tenants of whom no other process has any in hand. So whoever comes while
 * others have a hundred thousand queued finds a process that isn't in the middle of theirs; and for that moment those
 * make way, because what they'd have the processors and the database do meanwhile is waited for as well.
 */
#ifndef LW_JOBS_SEATS_H
#define LW_JOBS_SEATS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/id.h"
#include "jobs/queue.h"

struct calls;

/* Of all processes. */
struct seats {
	struct calls *calling, *quick;
	_Atomic int64_t *busy_until_ms; /* the reserved process has jobs in hand; over by itself when that one dies */
};

/* As long as a few quick jobs take: more of each batch's time isn't given away, however many come. */
enum { SEATS_MAKE_WAY_MS = 10 };

/* Shared, anonymous memory: make it in the master, before the fork. */
enum err seats_new(struct seats *ret_seats) MUST_CHECK;

/* Of one process: those that it has taken. The first three are the owner's to set, the others begin as zero. */
struct seating {
	const struct seats *seats;
	int64_t calls_most; /* of one tenant, of QUEUE_CALL */
	bool reserved;
	struct {
		struct calls *of;
		int place;
	} taken[JOB_BATCH_MAX];
	size_t n;
	int64_t waited_ms; /* in this batch, for the reserved process */
};

/*
 * Takes a seat for jobs of that tenant; false: it has to wait. The queues that are neither quick nor QUEUE_CALL need
 * none. Up to a batch of them may be taken; those of a process that dies are free at once.
 */
bool seats_take(struct seating *seating, enum job_queue queue, const struct id *tenant) MUST_CHECK;
/* Before a tenant's further job of a batch: waits while the reserved process has jobs in hand, if not too long. */
void seats_make_way(struct seating *seating);
/* All of them: nothing of the batch is in hand any more. */
void seats_leave(struct seating *seating);

#endif
