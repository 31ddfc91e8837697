#include "core/metrics.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <string.h>

#include "core/shared.h"

/* Upper bounds of the latency histogram, in microseconds: from a cached read to a slow provider. */
static const int64_t BOUNDS_US[] = { 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 1000000, 5000000 };

enum { BOUNDS = ARRAY_SIZE(BOUNDS_US) };

struct metrics {
	_Atomic int64_t value[METRIC_COUNT];
	_Atomic int64_t by_status[6]; /* 1xx to 5xx */
	_Atomic int64_t by_time[BOUNDS + 1];
	_Atomic int64_t time_us;
};

static const struct metric_facts SERIES[] = {
#define METRIC(name, series, kind, words) { series, kind, words },
#include "core/metrics.def"
#undef METRIC
};

const struct metric_facts *metric_facts(enum metric metric) { return &SERIES[metric]; }
bool metric_is_counter(enum metric metric) { return strcmp(SERIES[metric].kind, "counter") == 0; }

enum err metrics_new(struct metrics **ret_metrics)
{
	*ret_metrics = shared_new(sizeof **ret_metrics);
	return *ret_metrics ? OK : ERR_NO_MEMORY;
}

void metrics_add(struct metrics *metrics, enum metric metric, int64_t n)
{
	if (metrics)
		atomic_fetch_add_explicit(&metrics->value[metric], n, memory_order_relaxed);
}

int64_t metrics_take(struct metrics *metrics, enum metric metric)
{
	return metrics ? atomic_exchange_explicit(&metrics->value[metric], 0, memory_order_relaxed) : 0;
}

void metrics_request(struct metrics *metrics, int status, int64_t micros)
{
	size_t i = 0;

	if (!metrics)
		return;
	while (i < BOUNDS && micros > BOUNDS_US[i])
		i++;
	atomic_fetch_add_explicit(&metrics->by_time[i], 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&metrics->time_us, micros, memory_order_relaxed);
	if (status >= 100 && status < 600)
		atomic_fetch_add_explicit(&metrics->by_status[status / 100], 1, memory_order_relaxed);
}

void metrics_write_head(struct buf *out, const struct metric_facts *facts)
{
	buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", facts->series, facts->words, facts->series, facts->kind);
}

static void write_durations(const struct metrics *metrics, const char *pool, struct buf *out)
{
	static const char SERIES_NAME[] = "latchwork_request_duration_seconds";
	int64_t below = 0;

	metrics_write_head(out, &(struct metric_facts){ SERIES_NAME, "histogram", "How long requests took" });
	for (size_t i = 0; i < BOUNDS; i++) {
		below += atomic_load(&metrics->by_time[i]);
		buf_printf(out, "%s_bucket{pool=\"%s\",le=\"%g\"} %" PRId64 "\n", SERIES_NAME, pool,
			   (double)BOUNDS_US[i] / 1e6, below);
	}
	below += atomic_load(&metrics->by_time[BOUNDS]);
	buf_printf(out, "%s_bucket{pool=\"%s\",le=\"+Inf\"} %" PRId64 "\n", SERIES_NAME, pool, below);
	buf_printf(out, "%s_sum{pool=\"%s\"} %.6f\n", SERIES_NAME, pool, (double)atomic_load(&metrics->time_us) / 1e6);
	buf_printf(out, "%s_count{pool=\"%s\"} %" PRId64 "\n", SERIES_NAME, pool, below);
}

void metrics_write(const struct metrics *metrics, const char *pool, struct buf *out)
{
	for (size_t i = 0; i < METRIC_COUNT; i++) {
		metrics_write_head(out, &SERIES[i]);
		buf_printf(out, "%s{pool=\"%s\"} %" PRId64 "\n", SERIES[i].series, pool,
			   atomic_load(&metrics->value[i]));
	}
	metrics_write_head(out, &(struct metric_facts){ "latchwork_requests_total", "counter", "Answered requests" });
	for (int class = 2; class < 6; class++)
		buf_printf(out, "latchwork_requests_total{pool=\"%s\",status=\"%dxx\"} %" PRId64 "\n", pool, class,
			   atomic_load(&metrics->by_status[class]));
	write_durations(metrics, pool, out);
}
