/*
 * Runs jobs: claims a batch, gives each to the handler of its kind, and writes
 * down how it ended.
 *
 * A handler may be run again after any crash. What it changes in the database
 * it changes together with the job's end (run_commit), so that it either
 * happened and the job is gone, or neither. What it does outside, it does with
 * a key that the other side can recognise.
 */
#ifndef LW_JOBS_RUNNER_H
#define LW_JOBS_RUNNER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "core/ctx.h"
#include "jobs/queue.h"

/* One run of one job. */
struct run {
	const struct job *job;
	bool finished;   /* run_commit has ended the job */
	bool lost;       /* run_commit found the lease with somebody else */
	bool hopeless;   /* with an error: trying again is no use */
	int64_t retry_at; /* with an error: not before; 0: by the schedule of backoff.h */
};

/*
 * OK: done. An error: tried again later, until the kind's attempts are used up; its code and cx->problem.detail (safe
 * words) are kept with the job. The context has the job's tenant as its scope and no open transaction.
 */
typedef enum err (*job_handler)(struct ctx *cx, struct run *run);
/* A job is dead: what becomes of its subject, in the transaction that buries it. */
typedef enum err (*job_burial)(struct ctx *cx, const struct job *job);

/* change(cx, arg) and the end of the job in one transaction, run again as a whole when the database asks for it. */
enum err run_commit(struct ctx *cx, struct run *run, enum err (*change)(struct ctx *cx, void *arg),
		    void *arg) MUST_CHECK;

/* Which queues a process takes jobs from. */
enum runner_role {
	RUNNER_FOR_ALL,
	RUNNER_BUT_CALLS, /* not those in which a tenant's own definition says how long somebody is waited for */
	RUNNER_FOR_QUICK  /* only those whose jobs wait for nobody */
};

/* What a runner stands on: seams to the clock, the context and the handlers. */
struct runner_host {
	void *arg;
	int64_t (*now_ms)(void *arg);                /* a clock that never steps */
	/* A fresh context of that tenant; NULL: not now. Two are open at a time: the batch's, and the job's in hand. */
	struct ctx *(*open)(void *arg, struct id tenant);
	void (*close)(void *arg, struct ctx *cx);
	const job_handler *handler; /* by kind */
	const job_burial *burial;   /* by kind, NULL for most; NULL: none at all */
	void (*ring)(void *arg); /* jobs have added others: all processes look at once */
	/* Whether that tenant may have a further job of that queue under way; NULL: each may. */
	bool (*admits)(void *arg, enum job_queue queue, const struct id *tenant);
	/* Before each further job of a tenant that has had one of the batch: others may go first. NULL: they don't. */
	void (*make_way)(void *arg);
	int64_t poll_ms; /* between two looks at a queue that had nothing */
	enum runner_role role;
};

struct runner {
	struct runner_host host;
	char worker[64];
	struct job_turns turns;
	enum job_queue queue;      /* whose turn it is */
	int64_t asleep_until_ms[JOB_QUEUE_COUNT]; /* one that had nothing isn't asked again at once */
	int64_t due_ms;            /* on the host's clock */
	bool added;                /* a job of the batch in hand has added others */
	unsigned failures;         /* of claiming, in a row: the database is away */
};

enum { RUNNER_AWAY_FIRST_MS = 1000, RUNNER_AWAY_MAX_MS = 30000 };

void runner_init(struct runner *runner, const struct runner_host *host);
/* When runner_step has something to do: at once while there were jobs, else at the next poll. */
int64_t runner_due_ms(const struct runner *runner);
/* One queue's turn: claims a batch and runs it; between two jobs it stops when the process is to stop. */
void runner_step(struct runner *runner);
/* Somebody rang: there may be work now. */
void runner_wake(struct runner *runner);

#endif
