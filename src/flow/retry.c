/* POST /executions/{id}/retry: a new execution that takes over what was done, and does the rest. */
#include "core/answer.h"
#include "core/operations.h"
#include "flow/execution_answer.h"
#include "store/sql_execution.h"

/* Which steps run again: flags by place, and all behind them. */
static void spread(const struct flow *flow, bool *again)
{
	for (size_t i = 0; i < flow->n; i++)
		for (size_t j = 0; again[i] && j < flow->step[i].next_n; j++)
			again[flow->step[i].next[j]] = true;
}

/* Such a row means that the execution can't come to a good end, wherever it begins again. */
static bool stands_in_the_way(const struct execution *x, size_t step)
{
	const struct step_state *state = &x->step[step];

	return state->status != STEP_SKIPPED && !step_is_done(&x->flow->step[step], state);
}

/* Without a step said: those that didn't come to a good end. */
static bool choose(const struct execution *x, size_t from, bool *again)
{
	bool any = false;

	for (size_t i = 0; i < x->flow->n; i++) {
		enum step_status status = x->step[i].status;

		again[i] = from < x->flow->n ? i == from || stands_in_the_way(x, i)
					     : status != STEP_COMPLETED && status != STEP_SKIPPED;
		any = any || again[i];
	}
	spread(x->flow, again);
	return any;
}

static void add_name(const struct execution *x, struct place place, struct json_writer *w)
{
	char text[STEP_TEXT_MAX];

	jw_add_text(w, place_text(x, place, text));
}

/* Its list is made anew of something else. */
static bool needs_again(const struct flow_step *step, const bool *again)
{
	for (size_t i = 0; i < step->needs_n; i++)
		if (again[step->needs[i]])
			return true;
	return false;
}

/* Of a for_each that failed half-way the items that are done stay so; of one that is to run again, none. */
static void write_kept(const struct execution *x, size_t from, const bool *again, struct json_writer *w)
{
	jw_array(w);
	for (size_t i = 0; i < x->flow->n; i++) {
		bool begins_here = again[i] && (from < x->flow->n || x->step[i].status == STEP_COMPLETED ||
						needs_again(&x->flow->step[i], again));

		if (!again[i])
			add_name(x, (struct place){ .step = i }, w);
		for (size_t j = 0; j < x->each[i].n && !begins_here; j++)
			if (x->each[i].item[j].status == STEP_COMPLETED)
				add_name(x, (struct place){ .step = i, .is_item = true, .item = j }, w);
	}
	jw_array_end(w);
}

static enum err read_old(struct ctx *cx, const struct id *id, struct execution *x, struct execution_new *new)
{
	struct sql_execution_repeat_row row;

	TRY(sql_execution_repeat(cx->db, &(struct sql_execution_repeat_in){ *id }, &row));
	if (!row.completed_at.set) {
		cx->problem.detail = STR("The execution is still under way.");
		return ERR_CONFLICT;
	}
	TRY(execution_clear(x, id));
	new->workflow = row.workflow_id;
	new->version = (struct opt_int){ true, row.version };
	new->input = arena_copy(x->arena, row.input_data);
	new->request = str_absent(row.request) ? STR_NONE : arena_copy(x->arena, row.request);
	new->only_step = str_absent(row.only_step) ? STR_NONE : arena_copy(x->arena, row.only_step);
	TRY(flow_version(cx, &row.workflow_id, row.version, &x->flow));
	x->only = x->flow->n;
	return states_read(cx, x);
}

static enum err copy_steps(struct ctx *cx, const struct execution *x, size_t from, const struct id *to)
{
	struct sql_execution_copy_steps_in in = { .execution_id = *to, .from_execution_id = x->id };
	BUF_AUTO struct buf names = { 0 };
	bool again[FLOW_STEPS_MAX] = { false };
	struct json_writer w;

	if (!choose(x, from, again))
		return ctx_fail(cx, ERR_CONFLICT, "Every step has come to its end: say from which one to run again.");
	buf_init(&names, 512 << 10);
	jw_start(&w, &names);
	write_kept(x, from, again, &w);
	TRY(buf_error(&names));
	in.steps = buf_str(&names);
	TRY(sql_execution_copy_steps(cx->db, &in, NULL));
	return sql_execution_mark_copied(cx->db, &(struct sql_execution_mark_copied_in){ *to }, NULL);
}

enum err execution_retry(struct ctx *cx, const struct execution_retry_in *in, struct reply *reply)
{
	CLEANUP(execution_done) struct execution x = { 0 };
	struct execution_new new = { .source = EXECUTION_RETRY, .source_id = { true, in->execution_id } };
	struct id execution;
	size_t from;

	ctx_audit_target(cx, ID_EXECUTION, &in->execution_id);
	TRY(read_old(cx, &in->execution_id, &x, &new));
	from = str_absent(in->from_step) ? x.flow->n : flow_find(x.flow, in->from_step);
	if (!str_absent(in->from_step) && from == x.flow->n)
		return ctx_bad_field(cx, "from_step", "UNKNOWN_STEP", "isn't a step of that version");
	TRY(execution_start(cx, &new, &execution));
	TRY(copy_steps(cx, &x, from, &execution));
	return execution_answer_queued(&execution, &new.workflow, reply);
}
