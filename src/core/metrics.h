/*
 * Counters that the workers of a pool share, and the text that Prometheus reads.
 * The series are in metrics.def.
 */
#ifndef LW_CORE_METRICS_H
#define LW_CORE_METRICS_H

#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"

enum metric {
#define METRIC(name, series, kind, words) METRIC_##name,
#include "core/metrics.def"
#undef METRIC
	METRIC_COUNT
};

struct metrics;

/* Shared, anonymous memory: make it in the master, before the fork. */
enum err metrics_new(struct metrics **ret_metrics) MUST_CHECK;
void metrics_add(struct metrics *metrics, enum metric metric, int64_t n);
/* One answered request: its status and how long it took. */
void metrics_request(struct metrics *metrics, int status, int64_t micros);
/* Prometheus' text format, version 0.0.4. */
void metrics_write(const struct metrics *metrics, const char *pool, struct buf *out);

#endif
