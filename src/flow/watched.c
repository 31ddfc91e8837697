/* Telling whoever watches, or waits for the answer. What is told is on record already. */
#include "base/crash.h"
#include "base/json_write.h"
#include "base/log.h"
#include "core/answer.h"
#include "flow/execution_answer.h"
#include "live/live.h"
#include "store/sql_execution.h"

/* Rows of events that are in memory at once: each may hold some hundred KiB. */
enum { TOLD_ROWS = 4, TOLD_ARENA_MAX = 32 << 20 };

enum err watched_tell(struct ctx *cx, const struct execution *x)
{
	lw_crash_point("flow_told_before");
	TRY(live_tell(cx, &x->run.v, buf_str(&x->log)));
	lw_crash_point("flow_told");
	return OK;
}

/* The next few rows; ERR_END behind the last one. */
static enum err tell_rows(struct ctx *cx, const struct execution *x, struct sql_execution_event_list_in *query)
{
	struct sql_execution_event_list_row row;
	size_t rows = 0;
	enum err e;

	TRY(sql_execution_event_list(cx->db, query));
	while ((e = sql_execution_event_list_next(cx->db, &row)) == OK) {
		arena_reset(cx->arena);
		TRY(live_tell(cx, &x->run.v, row.events));
		query->from = row.first + 1;
		rows++;
	}
	return e == ERR_END && rows == TOLD_ROWS ? OK : e;
}

enum err watched_tell_from(struct ctx *cx, const struct execution *x, int64_t first)
{
	struct sql_execution_event_list_in query = { .execution_id = x->id, .from = first, .limit = TOLD_ROWS };
	struct arena *outer = cx->arena, *own = arena_new(TOLD_ARENA_MAX);
	enum err e;

	if (!own)
		return ERR_NO_MEMORY;
	lw_crash_point("flow_told_before");
	cx->arena = own;
	do
		e = tell_rows(cx, x, &query);
	while (e == OK);
	cx->arena = outer;
	arena_free(own);
	lw_crash_point("flow_told");
	return e == ERR_END ? OK : e;
}

static void write_answer(const struct execution *x, struct buf *out)
{
	struct json_writer w;
	bool completed = x->status == STEP_COMPLETED;
	struct str words = str_absent(x->error_message) ? STR("The workflow was stopped.") : x->error_message;

	jw_start(&w, out);
	jw_object(&w);
	jw_put_bool(&w, "success", completed);
	answer_id(&w, "execution_id", ID_EXECUTION, &x->id);
	jw_put_text(&w, "status", str_of(step_status_text(x->status)));
	jw_put_text(&w, "message", completed ? STR("The workflow has been completed.") : words);
	jw_put_raw(&w, "output_data", execution_output(x));
	jw_key(&w, "error");
	execution_write_error(&w, x->error_code, x->error_message, x->error_step);
	jw_object_end(&w);
}

static enum err answer(struct ctx *cx, const struct execution *x)
{
	BUF_AUTO struct buf text = { 0 };

	buf_init(&text, 2 * EXECUTION_TOTAL_MAX);
	write_answer(x, &text);
	TRY(buf_error(&text));
	return live_answer(cx, &x->id, buf_str(&text));
}

void watched_answer(struct ctx *cx, const struct execution *x)
{
	enum err e;

	if (!x->awaited)
		return;
	lw_crash_point("flow_answer_before");
	e = answer(cx, x);
	if (e != OK)
		log_write(LOG_WARN, "an execution's end wasn't told to who waits for it", LOG_FIELDS(log_err(e)));
}
