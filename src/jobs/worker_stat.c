#include "jobs/worker_stat.h"

#include <inttypes.h>

#include "core/metrics.h"
#include "store/sql_queue.h"

static enum err write_counter(struct ctx *cx, enum metric metric)
{
	const struct sql_worker_note_in note = {
		.series = str_of(metric_facts(metric)->series),
		.counted = metrics_take(cx->metrics, metric),
	};
	enum err e = sql_worker_note(cx->db, &note, NULL);

	if (e != OK)
		metrics_add(cx->metrics, metric, note.counted);
	return e;
}

enum err worker_stat_write(struct ctx *cx)
{
	for (int metric = 0; metric < METRIC_COUNT; metric++)
		if (metric_is_counter((enum metric)metric))
			TRY(write_counter(cx, (enum metric)metric));
	return OK;
}

static bool find_metric(struct str series, enum metric *ret_metric)
{
	for (int metric = 0; metric < METRIC_COUNT; metric++) {
		if (!str_eq(series, str_of(metric_facts((enum metric)metric)->series)))
			continue;
		*ret_metric = (enum metric)metric;
		return true;
	}
	return false;
}

static enum err read_totals(struct db *db, struct opt_int totals[METRIC_COUNT])
{
	struct sql_worker_figures_row row;
	enum metric metric;
	enum err e;

	TRY(sql_worker_figures(db));
	while ((e = sql_worker_figures_next(db, &row)) == OK)
		if (find_metric(row.series, &metric)) /* else another version's */
			totals[metric] = (struct opt_int){ true, row.total };
	return e == ERR_END ? OK : e;
}

enum err worker_stat_show(struct db *db, struct buf *out)
{
	struct opt_int totals[METRIC_COUNT] = { 0 };

	TRY(read_totals(db, totals));
	for (int metric = 0; metric < METRIC_COUNT; metric++) {
		const struct metric_facts *facts = metric_facts((enum metric)metric);

		if (!totals[metric].set)
			continue;
		metrics_write_head(out, facts);
		buf_printf(out, "%s{pool=\"worker\"} %" PRId64 "\n", facts->series, totals[metric].v);
	}
	return OK;
}
