/* Telling whoever watches, or waits for the answer. What is told is on record already. */
#include "base/crash.h"
#include "base/json_write.h"
#include "base/log.h"
#include "core/answer.h"
#include "flow/execution_answer.h"
#include "live/live.h"
#include "store/sql_execution.h"

static void note(const char *words, enum err e)
{
	log_write(LOG_WARN, words, LOG_FIELDS(log_err(e)));
}

void watched_tell(struct ctx *cx, struct execution *x)
{
	enum err e;

	if (!x->run.set || x->happened == 0)
		return;
	e = live_tell(cx, &x->run.v, buf_str(&x->log));
	if (e != OK)
		note("events weren't told to a live run; whoever misses them asks", e);
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
		note("an execution's end wasn't told to who waits for it", e);
}

/* The last row of its events: of the turn that ended it. */
enum err watched_end(struct ctx *cx, const struct execution *x)
{
	struct sql_execution_last_events_row row;
	enum err e;

	if (!x->run.set)
		return OK;
	lw_crash_point("flow_told_before");
	e = sql_execution_last_events(cx->db, &(struct sql_execution_last_events_in){ x->id }, &row);
	if (e != OK)
		return e == ERR_NOT_FOUND ? OK : e;
	TRY(live_tell(cx, &x->run.v, row.events));
	lw_crash_point("flow_told");
	return OK;
}
