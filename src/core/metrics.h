/*
 * Counters that the workers of a pool share, and the text that Prometheus reads.
 * The series are in metrics.def.
 */
#ifndef LW_CORE_METRICS_H
#define LW_CORE_METRICS_H

#include <stdbool.h>
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

struct metric_facts {
	const char *series, *kind, *words;
};

const struct metric_facts *metric_facts(enum metric metric);
/* A gauge says how things are in one process of one host: unlike counters, they can't be added up. */
bool metric_is_counter(enum metric metric);

/* Shared, anonymous memory: make it in the master, before the fork. */
enum err metrics_new(struct metrics **ret_metrics) MUST_CHECK;
void metrics_add(struct metrics *metrics, enum metric metric, int64_t n);
/* The value, which is 0 from then on: for somebody who keeps the sum elsewhere. */
int64_t metrics_take(struct metrics *metrics, enum metric metric);
/* One answered request: its status and how long it took. */
void metrics_request(struct metrics *metrics, int status, int64_t micros);
/* The two lines above a series. */
void metrics_write_head(struct buf *out, const struct metric_facts *facts);
/* Prometheus' text format, version 0.0.4. */
void metrics_write(const struct metrics *metrics, const char *pool, struct buf *out);

#endif
