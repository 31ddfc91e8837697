/* How executions begin, are stopped and are spoken to. */
#include "base/clock.h"
#include "base/json_write.h"
#include "core/metrics.h"
#include "flow/engine.h"
#include "store/sql_execution.h"

static const char *const SOURCES[] = {
	[EXECUTION_MANUAL] = "manual", [EXECUTION_WEBHOOK] = "webhook",   [EXECUTION_SCHEDULE] = "schedule",
	[EXECUTION_EVENT] = "event",   [EXECUTION_WORKFLOW] = "workflow", [EXECUTION_RUN] = "run",
	[EXECUTION_RETRY] = "retry",
};

/* A paused workflow is started by people, and by a workflow that needs it. */
static bool is_by_hand(enum execution_source source)
{
	return source != EXECUTION_WEBHOOK && source != EXECUTION_SCHEDULE && source != EXECUTION_EVENT;
}

enum err execution_start(struct ctx *cx, const struct execution_new *new, struct id *ret_execution)
{
	struct sql_execution_begin_in in = {
		.workflow_id = new->workflow,
		.version = new->version,
		.by_hand = is_by_hand(new->source),
		.source = str_of(SOURCES[new->source]),
		.source_id = new->source_id,
		.parent_id = new->parent,
		.parent_step = new->parent_step,
		.depth = new->depth,
		.only_step = new->only_step,
		.run_id = new->run,
		.awaited = new->awaited,
		.input_data = str_absent(new->input) ? STR("null") : new->input,
		.request = new->request,
		.started_by = { !id_is_nil(&cx->who.user), cx->who.user },
		.most = cx->config->limits_live_executions,
	};
	struct sql_execution_begin_row row;

	if (in.input_data.n > EXECUTION_INPUT_MAX)
		return ERR_INPUT_TOO_LARGE;
	in.execution_id = new->id.v;
	if (!new->id.set)
		TRY(id_new(&in.execution_id));
	TRY(sql_execution_begin(cx->db, &in));
	TRY(sql_execution_begin_next(cx->db, &row));
	if (!row.started.set)
		return ERR_NOT_FOUND;
	if (row.started.v == 0)
		return ctx_fail(cx, ERR_CONFLICT, "The workflow is paused.");
	if (row.started.v == 2)
		return ERR_TOO_MANY_EXECUTIONS;
	if (row.started.v == 3) {
		cx->problem.retry_after_s = EXECUTIONS_FULL_RETRY_S;
		return ERR_EXECUTIONS_FULL;
	}
	*ret_execution = in.execution_id;
	cx->job_added = true;
	metrics_add(cx->metrics, METRIC_EXECUTIONS_STARTED, 1);
	return OK;
}

/* --- stopping --------------------------------------------------------------------------------- */

/* How an execution ends that doesn't end by itself. */
struct ending {
	enum step_status status;
	struct str code, message; /* absent: a person's wish */
};

static enum err write_event(struct ctx *cx, const struct id *execution, int64_t events, const struct ending *ending)
{
	struct execution x = {
		.id = *execution,
		.events = events,
		.now_ms = cx->now_ms,
		.status = ending->status,
		.error_code = ending->code,
		.error_message = ending->message,
	};
	struct sql_execution_event_insert_in in = { .execution_id = *execution, .first = events + 1 };
	enum err e;

	buf_init(&x.log, EVENT_OUTPUT_MAX);
	happened_end(&x);
	in.events = happened_list(&x);
	e = buf_error(&x.log);
	if (e == OK)
		e = sql_execution_event_insert(cx->db, &in, NULL);
	buf_done(&x.log);
	return e;
}

/* The executions that its steps wait for. */
static enum err stop_children(struct ctx *cx, const struct id *execution)
{
	struct sql_execution_waiting_for_row row;
	struct id child[FLOW_STEPS_MAX];
	size_t n = 0;
	enum err e;

	TRY(sql_execution_waiting_for(cx->db, &(struct sql_execution_waiting_for_in){ *execution }));
	while (n < FLOW_STEPS_MAX && (e = sql_execution_waiting_for_next(cx->db, &row)) == OK) {
		const struct step_state state = { .state = row.state };

		n += wait_child(cx->arena, &state, &child[n]);
	}
	if (n < FLOW_STEPS_MAX && e != ERR_END)
		return e;
	for (size_t i = 0; i < n; i++) {
		e = execution_stop(cx, &child[i]);
		if (e != OK && e != ERR_NOT_FOUND)
			return e;
	}
	return OK;
}

/* Whoever carries it looks at once. */
static enum err stir(struct ctx *cx, const struct id *execution)
{
	TRY(sql_execution_stir(cx->db, &(struct sql_execution_stir_in){ *execution }, NULL));
	return sql_execution_wake(cx->db, &(struct sql_execution_wake_in){ *execution }, NULL);
}

static enum err end_row(struct ctx *cx, const struct id *execution, const struct ending *ending)
{
	const struct sql_execution_end_in in = {
		.execution_id = *execution,
		.status = str_of(step_status_text(ending->status)),
		.error_code = ending->code,
		.error_message = ending->message,
	};

	return sql_execution_end(cx->db, &in, NULL);
}

/* What carries it is woken while its steps say who that is. */
static enum err end(struct ctx *cx, const struct id *execution, const struct ending *ending)
{
	struct sql_execution_lock_row row;

	TRY(sql_execution_lock(cx->db, &(struct sql_execution_lock_in){ *execution }, &row));
	if (row.completed_at.set)
		return OK;
	const struct opt_id parent = row.parent_id;
	const int64_t events = row.events;

	TRY(stop_children(cx, execution));
	TRY(sql_execution_wake(cx->db, &(struct sql_execution_wake_in){ *execution }, NULL));
	TRY(end_row(cx, execution, ending));
	TRY(sql_execution_cancel_steps(cx->db, &(struct sql_execution_cancel_steps_in){ *execution }, NULL));
	TRY(write_event(cx, execution, events, ending));
	if (parent.set)
		TRY(stir(cx, &parent.v));
	cx->job_added = true;
	metrics_add(cx->metrics,
		    ending->status == STEP_FAILED ? METRIC_EXECUTIONS_FAILED : METRIC_EXECUTIONS_CANCELLED, 1);
	return OK;
}

enum err execution_stop(struct ctx *cx, const struct id *execution)
{
	return end(cx, execution, &(struct ending){ .status = STEP_CANCELLED });
}

enum err execution_buried(struct ctx *cx, const struct job *job)
{
	const struct id *id = &job->subject.v;
	const struct ending ending = { STEP_FAILED, str_of(err_code(ERR_EXECUTION_GAVE_UP)),
				       str_of(err_words(ERR_EXECUTION_GAVE_UP)) };
	const struct sql_execution_fail_step_in step = { *id, job->id, ending.code, ending.message };
	const struct job_new told = { .kind = JOB_EXECUTION_RUN, .subject = { true, *id }, .payload = job->payload };
	struct sql_execution_lock_row row;
	enum err e = sql_execution_lock(cx->db, &(struct sql_execution_lock_in){ *id }, &row);

	if (e != OK)
		return e == ERR_NOT_FOUND ? OK : e;
	const bool was_over = row.completed_at.set;

	TRY(sql_execution_fail_step(cx->db, &step, NULL));
	if (was_over)
		return OK;
	TRY(end(cx, id, &ending));
	/* It finds the execution over, and tells who watches or holds the line. */
	return job_add(cx, &told, NULL);
}

enum err execution_stop_workflow(struct ctx *cx, const struct id *workflow)
{
	cx->job_added = true;
	return sql_execution_wake_workflow(cx->db, &(struct sql_execution_wake_workflow_in){ *workflow }, NULL);
}

/* --- speaking ------------------------------------------------------------------------------------ */

enum err execution_tell(struct ctx *cx, const struct id *execution, struct str kind, struct str step,
			struct str payload)
{
	struct sql_execution_signal_insert_in in = {
		.execution_id = *execution,
		.kind = kind,
		.step_id = step,
		.payload = str_absent(payload) ? STR("null") : payload,
	};
	struct sql_execution_lock_row row;

	if (in.payload.n > EXECUTION_OUTPUT_MAX)
		return ERR_INPUT_TOO_LARGE;
	TRY(sql_execution_lock(cx->db, &(struct sql_execution_lock_in){ *execution }, &row));
	if (row.completed_at.set)
		return ctx_fail(cx, ERR_CONFLICT, "The execution is over.");
	TRY(id_new(&in.signal_id));
	TRY(sql_execution_signal_insert(cx->db, &in, NULL));
	cx->job_added = true;
	return stir(cx, execution);
}
