/*
 * Executions that have ended go first, and in the same transaction it is written down which they were: nobody sees one
 * without its steps, and whoever goes on after an interruption knows what is left.
 */
#include "base/crash.h"
#include "ops/pruning.h"
#include "store/db.h"
#include "store/sql_retention.h"

struct dropping {
	struct pruning *p;
	const struct span *span;
	int64_t before_ms, lease;
};

/* --- what belongs to them ----------------------------------------------------------------------- */

#define DROP(what)                                                                                              \
	static enum err drop_##what(struct ctx *cx, const void *arg, int64_t *ret_rows)                         \
	{                                                                                                       \
		const struct span *span = arg;                                                                  \
		const struct sql_retention_drop_##what##_in in = { .from = span->from, .to = span->to,          \
								   .limit = PRUNE_BATCH };                      \
		return sql_retention_drop_##what(cx->db, &in, ret_rows);                                        \
	}
DROP(steps)
DROP(happened)
DROP(signals)

static enum err sweep(struct ctx *cx, struct pruning *p, const struct span *span)
{
	TRY(pruning_all(cx, p, drop_steps, span));
	TRY(pruning_all(cx, p, drop_happened, span));
	return pruning_all(cx, p, drop_signals, span);
}

static enum err sweep_done(struct ctx *cx, struct pruning *p)
{
	const struct sql_retention_sweep_done_in in = { .seen_at = p->lease, .lease = pruning_lease() };
	int64_t rows;

	TRY(sql_retention_sweep_done(cx->db, &in, &rows));
	if (rows == 0)
		return ERR_CONFLICT;
	p->lease = in.lease;
	return OK;
}

enum err prune_swept(struct ctx *cx, struct pruning *p)
{
	TRY(sweep(cx, p, &(struct span){ p->sweep_from.v, p->sweep_to.v }));
	return sweep_done(cx, p);
}

/* --- themselves ------------------------------------------------------------------------------------ */

static enum err drop_and_note(struct db *db, void *arg)
{
	const struct dropping *d = arg;
	const struct sql_retention_sweep_set_in note = { .seen_at = d->p->lease,
							 .lease = d->lease,
							 .sweep_from = d->span->from,
							 .sweep_to = d->span->to };
	const struct sql_retention_drop_executions_in drop = { .from = d->span->from,
							       .to = d->span->to,
							       .ended_before = d->before_ms };
	int64_t rows;

	TRY(sql_retention_sweep_set(db, &note, &rows));
	return rows == 0 ? ERR_CONFLICT : sql_retention_drop_executions(db, &drop, NULL);
}

static enum err drop_span(struct ctx *cx, struct pruning *p, const struct span *span, int64_t before_ms)
{
	struct dropping d = { .p = p, .span = span, .before_ms = before_ms };

	TRY(pruning_next(cx, p));
	d.lease = pruning_lease();
	TRY(db_run(cx->db, drop_and_note, &d));
	p->lease = d.lease;
	p->has_swept = true;
	lw_crash_point("prune_executions_gone");
	return sweep(cx, p, span);
}

static enum err take_page(struct ctx *cx, int64_t before_ms, struct spans *spans)
{
	const struct sql_retention_executions_in in = { .after = spans->last,
							.until = id_first_at(before_ms),
							.ended_before = before_ms,
							.limit = PRUNE_PAGE };
	struct sql_retention_executions_row row;
	enum err e;

	spans->n = spans->seen = 0;
	spans->open = false;
	TRY(sql_retention_executions(cx->db, &in));
	while ((e = sql_retention_executions_next(cx->db, &row)) == OK)
		spans_take(spans, &row.execution_id, row.is_over);
	return e == ERR_END ? OK : e;
}

static enum err drop_runs(struct ctx *cx, const void *arg, int64_t *ret_rows)
{
	int64_t before_ms = *(const int64_t *)arg;
	const struct sql_retention_drop_runs_in in = { .until = id_first_at(before_ms),
						       .used_before = before_ms,
						       .limit = PRUNE_BATCH };

	return sql_retention_drop_runs(cx->db, &in, ret_rows);
}

enum err prune_executions(struct ctx *cx, struct pruning *p, int64_t before_ms)
{
	struct spans spans = { .last = ID_NIL };

	do {
		TRY(take_page(cx, before_ms, &spans));
		for (size_t i = 0; i < spans.n; i++)
			TRY(drop_span(cx, p, &spans.span[i], before_ms));
	} while (spans.seen == PRUNE_PAGE);
	if (p->has_swept)
		TRY(sweep_done(cx, p));
	TRY(prune_dead(cx, p, "automation", "execution_run", before_ms));
	TRY(prune_dead(cx, p, "call", "execution_call", before_ms));
	return pruning_all(cx, p, drop_runs, &before_ms);
}
