/* The end of records: with their connector, a batch at a time, and with their tenant. */
#include "base/clock.h"
#include "jobs/loop.h"
#include "store/sql_sync.h"
#include "sync/sync.h"

enum { BATCH = 500, BATCHES = 20 };

static enum err forget_batch(struct ctx *cx, const struct id *connector, bool *ret_more)
{
	const struct sql_record_forget_in records = { .connector_id = *connector, .limit = BATCH };
	const struct sql_sync_forget_in runs = { .connector_id = *connector, .limit = BATCH };
	int64_t rows;

	TRY(sql_record_forget(cx->db, &records, &rows));
	*ret_more = rows == BATCH;
	if (*ret_more)
		return OK;
	TRY(sql_sync_forget(cx->db, &runs, &rows));
	*ret_more = rows == BATCH;
	return OK;
}

/* The connector's row is gone, and each page of a run needs it: nothing is added behind this. */
enum err job_sync_forget(struct ctx *cx, struct run *run)
{
	bool more = true;

	for (int i = 0; i < BATCHES && more && !loop_is_stopping(); i++)
		TRY(forget_batch(cx, &run->job->subject.v, &more));
	if (!more)
		return OK;
	TRY(job_pause(cx, run->job, clock_now_ms()));
	run->finished = true;
	return OK;
}

enum err sync_forget_tenant(struct ctx *cx)
{
	TRY(sql_record_forget_all(cx->db, NULL));
	return sql_sync_forget_all(cx->db, NULL);
}
