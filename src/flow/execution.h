/*
 * Executions: one run of a version of a workflow.
 *
 * An execution moves in turns. A turn is one transaction: the steps that are
 * over, those that begin now, the events of it, and one more in `turn`, which
 * only the first of two that saw the same one can write. So each change is on
 * record before anybody can see what it leads to, and whoever dies between two
 * turns loses nothing but work that nobody saw.
 */
#ifndef LW_FLOW_EXECUTION_H
#define LW_FLOW_EXECUTION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/id.h"
#include "base/str.h"
#include "core/ctx.h"
#include "jobs/runner.h"

enum {
	EXECUTION_INPUT_MAX = 512 << 10,
	EXECUTION_OUTPUT_MAX = 256 << 10, /* of one step */
	EXECUTION_TOTAL_MAX = 4 << 20,    /* of all steps */
	EXECUTIONS_FULL_RETRY_S = 10,
	EXECUTION_FAMILY_MAX = 200        /* that one starts in all, those that they start with them; as in lw_start */
};

enum execution_source {
	EXECUTION_MANUAL,
	EXECUTION_WEBHOOK,
	EXECUTION_SCHEDULE,
	EXECUTION_EVENT,
	EXECUTION_WORKFLOW,
	EXECUTION_RUN,
	EXECUTION_RETRY
};

struct execution_new {
	struct id workflow;
	struct opt_int version;      /* not set: the newest */
	enum execution_source source;
	struct opt_id source_id;
	struct opt_id id;            /* chosen by the caller; not set: a new one */
	struct str input;            /* JSON; absent: null */
	struct str request;          /* JSON; absent: none */
	struct opt_id run;           /* a live run that watches */
	struct opt_id parent;        /* the execution whose step waits for it */
	struct str parent_step;
	int64_t depth;               /* workflows around it */
	struct str only_step;        /* this one alone is run, with `input` as its input; absent: all of them */
	bool awaited;                /* a client holds the line: live_answer when it is over */
};

/*
 * Puts it on record and queues it, in the caller's transaction or as one statement of its own; OK is durable after the
 * commit. ERR_NOT_FOUND: no such workflow; ERR_CONFLICT: it is paused and no person asks; ERR_INPUT_TOO_LARGE;
 * ERR_TOO_MANY_EXECUTIONS: those above it have started so many; ERR_EXECUTIONS_FULL: as many of the tenant's as may be
 * are under way, and cx->problem says when to try again. What an execution starts itself is looked at before (wait.c).
 */
enum err execution_start(struct ctx *cx, const struct execution_new *new, struct id *ret_execution) MUST_CHECK;
/* In the caller's transaction: what is under way of it starts no further step. OK when it is over already. */
enum err execution_stop(struct ctx *cx, const struct id *execution) MUST_CHECK;
/*
 * In the caller's transaction: what a person says ("message" or "advance"), to that step or to whichever waits, which
 * goes on at once. `payload` is JSON. ERR_NOT_FOUND, ERR_CONFLICT: it is over.
 */
enum err execution_tell(struct ctx *cx, const struct id *execution, struct str kind, struct str step,
			struct str payload) MUST_CHECK;

/* Of a workflow that is deleted in the same transaction: what is under way of it looks at once, and ends. */
enum err execution_stop_workflow(struct ctx *cx, const struct id *workflow) MUST_CHECK;
struct reply;
/* 202: it is queued. */
enum err execution_answer_queued(const struct id *execution, const struct id *workflow, struct reply *reply) MUST_CHECK;

/* Of the kinds execution_run and execution_call: carries one execution, or one branch of it, as far as it goes. */
enum err job_execution_run(struct ctx *cx, struct run *run) MUST_CHECK;
enum err job_execution_call(struct ctx *cx, struct run *run) MUST_CHECK;
/* Such a job was given up: its step and the execution fail with it, and a new job tells so. */
enum err execution_buried(struct ctx *cx, const struct job *job) MUST_CHECK;

/*
 * The executions of workflows whose triggers wait for that event, in the transaction that hands it on. With
 * ERR_EXECUTIONS_FULL none of them may stay: they wait together.
 */
struct flow_event {
	struct id id, connector;
	struct str provider, type;
	struct str body; /* the normalised event, as subscriptions get it */
};
enum err flow_event_arrived(struct ctx *cx, const struct flow_event *event) MUST_CHECK;
/* Whether any workflow of the tenant waits for events of that connector and type: then the body is worth making. */
enum err flow_event_is_wanted(struct ctx *cx, const struct flow_event *event, bool *ret_wanted) MUST_CHECK;

/* Starts what the clock says, of all tenants, at most `limit`. For the worker's chore. */
enum err flow_schedules_due(struct ctx *cx, int limit) MUST_CHECK;

/* Removes all of the scope's tenant, in the transaction that deletes it. latchctl only. */
enum err flow_forget_tenant(struct ctx *cx) MUST_CHECK;

#endif
