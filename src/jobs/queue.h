/*
 * The job queue: work that is promised in a transaction and done later, at
 * least once, by whichever worker is free.
 *
 * A claim gives a lease for a time. Who finishes or fails a job says which
 * lease it holds; a worker that was too slow holds an older one and changes
 * nothing. Claims go round the tenants, one turn each, so that a tenant with a
 * hundred thousand jobs and one with a single job get the same share.
 */
#ifndef LW_JOBS_QUEUE_H
#define LW_JOBS_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/id.h"
#include "base/str.h"
#include "core/ctx.h"

enum job_queue {
#define JOB_QUEUE(name, text, batch, words) QUEUE_##name,
#include "jobs/queues.def"
#undef JOB_QUEUE
	JOB_QUEUE_COUNT
};

enum job_kind {
#define JOB_KIND(name, function, queue, lease_ms, attempts, words) JOB_##name,
#include "jobs/kinds.def"
#undef JOB_KIND
	JOB_KIND_COUNT /* of a job that only another version knows */
};

struct job_kind_facts {
	const char *text;
	enum job_queue queue;
	int64_t lease_ms;
	int64_t attempts;
	const char *words;
};

const char *job_queue_text(enum job_queue queue);
bool job_queue_parse(struct str text, enum job_queue *ret_queue) MUST_CHECK;
/* Its jobs take milliseconds and call nobody. */
bool job_queue_is_quick(enum job_queue queue);
const struct job_kind_facts *job_kind_facts(enum job_kind kind);

enum { JOB_PAYLOAD_MAX = 4096, JOB_BATCH_MAX = 10 };

struct job_new {
	enum job_kind kind;
	struct opt_id subject;
	struct str payload; /* JSON, no secret; absent: {} */
	int64_t run_at;     /* 0: now */
	struct str once;    /* at most one live job of this kind, tenant and text; absent: as many as are added */
	bool of_service;    /* of nobody's tenant: a mail, upkeep */
};

/* A payload that is one id, {"name": "…"}: what a job has to know beside its subject. The caller ends the buffer. */
enum err job_payload_of(const char *name, enum id_kind kind, const struct id *id, struct buf *payload) MUST_CHECK;

/*
 * Adds a job of the scope's tenant, or of the service, in the caller's transaction. With `once` and such a job
 * there already it is OK, and `ret_id` (may be NULL) is nil.
 */
enum err job_add(struct ctx *cx, const struct job_new *new, struct id *ret_id) MUST_CHECK;

struct job {
	struct id tenant, id;
	enum job_kind kind;
	int64_t attempts; /* this one counted */
	int64_t lease;
	int64_t until; /* when the lease ends */
	struct opt_id subject;
	struct str payload;
	int64_t created_at;
};

/* The id of such a payload. ERR_INTERNAL when it isn't there. */
enum err job_payload_id(struct arena *arena, const struct job *job, const char *name, enum id_kind kind,
			struct id *ret_id) MUST_CHECK;

/* --- for the worker ------------------------------------------------------------ */

/* Whose turn it is in each queue: the first tenant from that id on, nil at the start. */
struct job_turns {
	struct id from[JOB_QUEUE_COUNT];
	/*
	 * Whether that tenant, which has a job that is due, may have a further one under way; asked in its turn, until
	 * there are as many as a batch. NULL: each may.
	 */
	bool (*admits)(void *arg, enum job_queue queue, const struct id *tenant);
	void *arg;
};

/*
 * Leases up to a batch of due jobs of one queue, an even share of each tenant, in a transaction of its own: each one's
 * first job, then each one's second. Their texts are the arena's. 0 jobs: none is due there. A job whose last worker
 * didn't come back is leased alone: it may be what killed that worker, and others shouldn't lose their tries beside it.
 */
enum err job_claim(struct ctx *cx, enum job_queue queue, struct job_turns *turns, struct str worker,
		   struct job jobs[JOB_BATCH_MAX], size_t *ret_count) MUST_CHECK;

/* Since when the first job that could be begun waits, of the first thousand tenants; not set: none does. */
enum err job_oldest_due(struct ctx *cx, enum job_queue queue, struct opt_int *ret_ms) MUST_CHECK;

/*
 * These are part of the caller's transaction, or a statement of their own. ERR_CONFLICT when the lease
 * is held by somebody else by now: then nothing of the transaction may stay.
 */
enum err job_finish(struct ctx *cx, const struct job *job) MUST_CHECK;
enum err job_retry_later(struct ctx *cx, const struct job *job, int64_t run_at, struct str code,
			 struct str message) MUST_CHECK;
enum err job_bury(struct ctx *cx, const struct job *job, struct str code, struct str message) MUST_CHECK;
/* Not begun after all: the claim doesn't count. */
enum err job_give_back(struct ctx *cx, const struct job *job) MUST_CHECK;
/* It has come further and goes on then; the claim doesn't count. */
enum err job_pause(struct ctx *cx, const struct job *job, int64_t run_at) MUST_CHECK;
/* A job that takes longer: its lease ends later. */
enum err job_renew(struct ctx *cx, const struct job *job, int64_t until_ms) MUST_CHECK;

#endif
