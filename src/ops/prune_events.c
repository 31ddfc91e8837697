/*
 * Events that were processed. What jobs are about is looked up first, in one walk through the tenant's jobs: nothing
 * that was processed so long ago can become a new job's subject in between, since who hands it on once more makes it
 * unprocessed.
 */
#include <string.h>

#include "ops/pruning.h"
#include "store/sql_retention.h"

enum { AWAITED_MAX = 1000 };

struct awaited {
	struct id id[AWAITED_MAX];
	size_t n;
	size_t next; /* the first that isn't behind us */
};

static enum err find_awaited(struct ctx *cx, const struct id *after, const struct id *until, struct awaited *awaited)
{
	const struct sql_retention_awaited_in in = { .after = *after, .until = *until, .limit = AWAITED_MAX };
	struct sql_retention_awaited_row row;
	enum err e;

	awaited->n = awaited->next = 0;
	TRY(sql_retention_awaited(cx->db, &in));
	while ((e = sql_retention_awaited_next(cx->db, &row)) == OK)
		awaited->id[awaited->n++] = row.event_id;
	return e == ERR_END ? OK : e;
}

/* Both come in the order of their ids. */
static bool is_awaited(struct awaited *awaited, const struct id *event)
{
	while (awaited->next < awaited->n && memcmp(&awaited->id[awaited->next], event, sizeof(*event)) < 0)
		awaited->next++;
	return awaited->next < awaited->n && id_eq(&awaited->id[awaited->next], event);
}

static enum err take_page(struct ctx *cx, const struct id *until, int64_t before_ms, struct awaited *awaited,
			  struct spans *spans)
{
	const struct sql_retention_events_in in = {
		.after = spans->last, .until = *until, .before = before_ms, .limit = PRUNE_PAGE
	};
	struct sql_retention_events_row row;
	enum err e;

	spans->n = spans->seen = 0;
	spans->open = false;
	TRY(sql_retention_events(cx->db, &in));
	while ((e = sql_retention_events_next(cx->db, &row)) == OK)
		spans_take(spans, &row.event_id, row.is_over && !is_awaited(awaited, &row.event_id));
	return e == ERR_END ? OK : e;
}

static enum err drop_span(struct ctx *cx, struct pruning *p, const struct span *span, int64_t before_ms)
{
	const struct sql_retention_drop_events_in in = { .from = span->from, .to = span->to, .before = before_ms };

	TRY(pruning_next(cx, p));
	return sql_retention_drop_events(cx->db, &in, NULL);
}

static enum err drop_until(struct ctx *cx, struct pruning *p, const struct id *until, int64_t before_ms,
			   struct awaited *awaited, struct spans *spans)
{
	do {
		TRY(take_page(cx, until, before_ms, awaited, spans));
		for (size_t i = 0; i < spans->n; i++)
			TRY(drop_span(cx, p, &spans->span[i], before_ms));
	} while (spans->seen == PRUNE_PAGE);
	return OK;
}

enum err prune_events(struct ctx *cx, struct pruning *p, int64_t before_ms)
{
	const struct id end = id_first_at(before_ms);
	struct spans spans = { .last = ID_NIL };
	struct awaited awaited;
	struct id until;

	/* What was given up so long ago isn't waited for any more. */
	TRY(prune_dead(cx, p, "event", "event_process", before_ms));
	TRY(prune_dead(cx, p, "delivery", "event_deliver", before_ms));
	do {
		TRY(find_awaited(cx, &spans.last, &end, &awaited));
		until = awaited.n == AWAITED_MAX ? awaited.id[AWAITED_MAX - 1] : end;
		TRY(drop_until(cx, p, &until, before_ms, &awaited, &spans));
		spans.last = until;
	} while (!id_eq(&until, &end));
	return OK;
}
