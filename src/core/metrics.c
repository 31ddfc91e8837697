#include "core/metrics.h"

#include <inttypes.h>
#include <stdatomic.h>

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

static const struct {
	const char *series, *kind, *words;
} SERIES[] = {
#define METRIC(name, series, kind, words) { series, kind, words },
#include "core/metrics.def"
#undef METRIC
};

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

static void write_head(struct buf *out, const char *series, const char *kind, const char *words)
{
	buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", series, words, series, kind);
}

static void write_durations(const struct metrics *metrics, const char *pool, struct buf *out)
{
	static const char SERIES_NAME[] = "latchwork_request_duration_seconds";
	int64_t below = 0;

	write_head(out, SERIES_NAME, "histogram", "How long requests took");
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
		write_head(out, SERIES[i].series, SERIES[i].kind, SERIES[i].words);
		buf_printf(out, "%s{pool=\"%s\"} %" PRId64 "\n", SERIES[i].series, pool,
			   atomic_load(&metrics->value[i]));
	}
	write_head(out, "latchwork_requests_total", "counter", "Answered requests");
	for (int class = 2; class < 6; class++)
		buf_printf(out, "latchwork_requests_total{pool=\"%s\",status=\"%dxx\"} %" PRId64 "\n", pool, class,
			   atomic_load(&metrics->by_status[class]));
	write_durations(metrics, pool, out);
}
