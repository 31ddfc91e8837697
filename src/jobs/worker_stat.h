/* What the worker's processes count, for monitoring: they write it down, the front shows it. */
#ifndef LW_JOBS_WORKER_STAT_H
#define LW_JOBS_WORKER_STAT_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "core/ctx.h"

/* Adds what cx->metrics has counted since the last time to what is written. */
enum err worker_stat_write(struct ctx *cx) MUST_CHECK;

/* What is written, in Prometheus' text format: one statement. With an error nothing of it is in `out`. */
enum err worker_stat_show(struct db *db, struct buf *out) MUST_CHECK;

#endif
