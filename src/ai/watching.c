#include "ai/watching.h"

#include "store/sql_live_run.h"

enum err watching_run(struct ctx *cx, struct opt_id run, struct audience *ret_audience)
{
	const struct sql_live_run_get_in query = { .run_id = run.v };
	struct sql_live_run_get_row row;
	enum err e;

	*ret_audience = (struct audience){ .run = run };
	if (!run.set)
		return OK;
	e = sql_live_run_get(cx->db, &query, &row);
	if (e == ERR_NOT_FOUND)
		return ctx_bad_field(cx, "run_id", "NOT_FOUND",
				     "isn't one of the tenant's live runs");
	TRY(e);
	if (!str_eq(row.status, STR("open")))
		return ctx_bad_field(cx, "run_id", "NOT_ALLOWED", "has ended");
	return OK;
}
