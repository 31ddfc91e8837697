#include "jobs/queue_stat.h"

#include <inttypes.h>

#include "jobs/queue.h"
#include "jobs/tally.h"
#include "store/sql_queue.h"

enum { COUNTED_MAX = 100000 };

/* --- the worker's part ---------------------------------------------------------- */

static enum err measure(struct ctx *cx, enum job_queue queue, struct sql_queue_note_in *ret_note)
{
	struct sql_queue_measure_row row;

	ret_note->queue = str_of(job_queue_text(queue));
	TRY(sql_queue_measure(cx->db, &(struct sql_queue_measure_in){ ret_note->queue, COUNTED_MAX }, &row));
	ret_note->waiting = row.waiting;
	ret_note->dead = row.dead;
	return job_oldest_due(cx, queue, &ret_note->oldest_due_at);
}

static enum err write_queue(struct ctx *cx, enum job_queue queue)
{
	struct sql_queue_note_in note = { 0 };
	enum err e;

	TRY(measure(cx, queue, &note));
	note.done = tally_take(cx->tally, queue, TALLY_DONE);
	note.failed = tally_take(cx->tally, queue, TALLY_FAILED);
	note.buried = tally_take(cx->tally, queue, TALLY_BURIED);
	e = sql_queue_note(cx->db, &note, NULL);
	if (e != OK) {
		tally_add(cx->tally, queue, TALLY_DONE, note.done);
		tally_add(cx->tally, queue, TALLY_FAILED, note.failed);
		tally_add(cx->tally, queue, TALLY_BURIED, note.buried);
	}
	return e;
}

enum err queue_stat_write(struct ctx *cx)
{
	for (int queue = 0; queue < JOB_QUEUE_COUNT; queue++)
		TRY(write_queue(cx, (enum job_queue)queue));
	return OK;
}

/* --- the front's part ------------------------------------------------------------- */

enum figure { WAITING, OLDEST, DEAD, DONE, FAILED, BURIED, MEASURED, FIGURES };

static const struct {
	const char *series, *kind, *words;
} SERIES[] = {
	[WAITING] = { "latchwork_queue_waiting", "gauge", "Jobs that aren't done, those at work among them; counted up to 100000" },
	[OLDEST] = { "latchwork_queue_oldest_seconds", "gauge", "How long the first job that could be begun has waited" },
	[DEAD] = { "latchwork_queue_dead", "gauge", "Jobs that were given up and wait for a person; counted up to 100000" },
	[DONE] = { "latchwork_jobs_done_total", "counter", "Jobs that were finished" },
	[FAILED] = { "latchwork_jobs_failed_total", "counter", "Runs of jobs that failed and are tried again" },
	[BURIED] = { "latchwork_jobs_dead_total", "counter", "Jobs that were given up" },
	[MEASURED] = { "latchwork_queue_measured_seconds", "gauge", "How old the figures of the queue are: large when no worker runs" },
};

struct shown {
	const char *queue;
	int64_t figure[FIGURES];
};

static int64_t seconds_since(int64_t ms, int64_t now_ms) { return now_ms > ms ? (now_ms - ms) / 1000 : 0; }

static enum err read_figures(struct db *db, int64_t now_ms, struct shown shown[JOB_QUEUE_COUNT], size_t *ret_count)
{
	struct sql_queue_figures_row row;
	enum job_queue queue;
	enum err e;

	*ret_count = 0;
	TRY(sql_queue_figures(db));
	while ((e = sql_queue_figures_next(db, &row)) == OK) {
		if (!job_queue_parse(row.queue, &queue) || *ret_count == JOB_QUEUE_COUNT)
			continue; /* another version's */
		shown[(*ret_count)++] = (struct shown){
			job_queue_text(queue),
			{ [WAITING] = row.waiting,
			  [OLDEST] = row.oldest_due_at.set ? seconds_since(row.oldest_due_at.v, now_ms) : 0,
			  [DEAD] = row.dead,
			  [DONE] = row.done_total,
			  [FAILED] = row.failed_total,
			  [BURIED] = row.buried_total,
			  [MEASURED] = seconds_since(row.measured_at, now_ms) },
		};
	}
	return e == ERR_END ? OK : e;
}

enum err queue_stat_show(struct db *db, int64_t now_ms, struct buf *out)
{
	struct shown shown[JOB_QUEUE_COUNT];
	size_t count;

	TRY(read_figures(db, now_ms, shown, &count));
	for (size_t i = 0; i < FIGURES; i++) {
		buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", SERIES[i].series, SERIES[i].words, SERIES[i].series,
			   SERIES[i].kind);
		for (size_t q = 0; q < count; q++)
			buf_printf(out, "%s{queue=\"%s\"} %" PRId64 "\n", SERIES[i].series, shown[q].queue,
				   shown[q].figure[i]);
	}
	return OK;
}
