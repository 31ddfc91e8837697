/*
 * Pulling records: what a provider lists becomes records of the tenant's, page
 * by page, each page in a transaction of its own together with the run's place.
 * A worker that dies leaves a run that the next one goes on with.
 */
#ifndef LW_SYNC_SYNC_H
#define LW_SYNC_SYNC_H

#include "base/attr.h"
#include "base/err.h"
#include "base/id.h"
#include "core/ctx.h"
#include "jobs/runner.h"

/*
 * Queues a run of a connector of the scope's tenant, within the caller's transaction; while one hasn't ended, that one
 * is the answer. ERR_NOT_FOUND, ERR_NO_SYNC, ERR_NEEDS_RECONNECT, ERR_NOT_CONNECTED.
 */
enum err sync_start(struct ctx *cx, const struct id *connector, struct id *ret_sync,
		    struct id *ret_job) MUST_CHECK;
/* Queues the runs of connectors of all tenants whose turn it is, at most `limit`. For the worker. */
enum err sync_start_due(struct ctx *cx, int limit) MUST_CHECK;

/* Of the kinds sync_connector and sync_forget. */
enum err job_sync_connector(struct ctx *cx, struct run *run) MUST_CHECK;
enum err job_sync_forget(struct ctx *cx, struct run *run) MUST_CHECK;

/* Removes the records of the scope's tenant, in the transaction that deletes it. latchctl only. */
enum err sync_forget_tenant(struct ctx *cx) MUST_CHECK;

#endif
