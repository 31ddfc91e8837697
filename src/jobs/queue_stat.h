/* Figures of the queues for monitoring: the worker measures, whoever is asked by Prometheus shows. */
#ifndef LW_JOBS_QUEUE_STAT_H
#define LW_JOBS_QUEUE_STAT_H

#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "core/ctx.h"

/* Measures every queue and writes it down, with what cx->tally has counted since the last time. */
enum err queue_stat_write(struct ctx *cx) MUST_CHECK;

/*
 * What was written last, in Prometheus' text format: one statement. With an error nothing of it is in `out`.
 * Queues that no worker has measured yet are missing.
 */
enum err queue_stat_show(struct db *db, int64_t now_ms, struct buf *out) MUST_CHECK;

#endif
