/* Steps that wait: for a time, for a person, for another workflow. */
#include "base/clock.h"
#include "base/json_read.h"
#include "base/json_write.h"
#include "core/answer.h"
#include "flow/engine.h"
#include "store/sql_execution.h"

static const int64_t DAY_MS = 24 * 60 * 60 * 1000LL, LISTEN_MS = 60 * 60 * 1000LL;
enum { WAIT_DAYS_MAX = 30 };

static enum err wait_until(const struct ctx *cx, struct execution *x, size_t step, int64_t until_ms)
{
	/* Its rows are dropped with their day: it has to be over by then. A tenant's own limit counts from its end. */
	int64_t last = x->started_at + (cx->config->retention_execution_days - 1) * DAY_MS;

	if (until_ms > x->now_ms + WAIT_DAYS_MAX * DAY_MS || until_ms > last)
		return ERR_WAIT_TOO_LONG;
	step_begin(x, (struct place){ .step = step }, STEP_WAITING);
	x->step[step].wake_at = (struct opt_int){ true, until_ms };
	return OK;
}

/* --- delay ------------------------------------------------------------------------------- */

static enum err begin_delay(struct ctx *cx, struct execution *x, size_t step, const json_t *config)
{
	struct str until = json_member_text(config, "until");
	int64_t ms = 0;

	if (!str_absent(until)) {
		if (!time_parse(until, &ms))
			return ctx_fail(cx, ERR_STEP_CONFIG, "`until` isn't a time as in RFC 3339.");
	} else {
		if (!json_integer_of(json_member(config, "delay_ms"), &ms) || ms < 0)
			return ctx_fail(cx, ERR_STEP_CONFIG, "There is neither `delay_ms` nor `until`.");
		ms += x->now_ms;
	}
	if (ms <= x->now_ms)
		return step_complete(x, (struct place){ .step = step }, STR("null"));
	return wait_until(cx, x, step, ms);
}

/* --- listen ------------------------------------------------------------------------------- */

static bool is_taken(const struct execution *x, const struct id *signal)
{
	for (size_t i = 0; i < x->signals; i++)
		if (id_eq(&x->signal[i], signal))
			return true;
	return false;
}

/* What somebody has said already, to this step or to whichever waits, and no other step of this turn took. */
static enum err take_signal(struct ctx *cx, struct execution *x, size_t step)
{
	struct sql_execution_signal_next_in in = {
		.execution_id = x->id,
		.after = ID_NIL,
		.step_id = x->flow->step[step].id,
	};
	struct sql_execution_signal_next_row row;
	enum err e;

	/* An older one may be for this step, though a newer one is taken. */
	while ((e = sql_execution_signal_next(cx->db, &in, &row)) == OK && is_taken(x, &row.signal_id))
		in.after = row.signal_id;
	if (e == ERR_NOT_FOUND)
		return OK;
	TRY(e);
	x->signal[x->signals++] = row.signal_id;
	return step_complete(x, (struct place){ .step = step }, row.payload);
}

static enum err begin_listen(struct ctx *cx, struct execution *x, size_t step, const json_t *config)
{
	int64_t ms;

	if (!json_integer_of(json_member(config, "wait_ms"), &ms))
		ms = LISTEN_MS;
	TRY(wait_until(cx, x, step, x->now_ms + ms));
	happened_listening(x, x->flow->step[step].id, json_member_text(config, "prompt"));
	return take_signal(cx, x, step);
}

/* --- workflow ------------------------------------------------------------------------------ */

static enum err write_state(struct execution *x, size_t step, const struct id *child)
{
	BUF_AUTO struct buf out = { 0 };
	struct json_writer w;

	buf_init(&out, 256);
	jw_start(&w, &out);
	jw_object(&w);
	answer_id(&w, "execution_id", ID_EXECUTION, child);
	jw_object_end(&w);
	TRY(buf_error(&out));
	x->step[step].state = arena_copy(x->arena, buf_str(&out));
	return str_absent(x->step[step].state) ? ERR_NO_MEMORY : OK;
}

static enum err write_input(struct execution *x, size_t step, const json_t *config, struct str *ret_input)
{
	BUF_AUTO struct buf out = { 0 };
	struct json_writer w;
	const json_t *input = json_member(config, "input");

	buf_init(&out, 2 * EXECUTION_TOTAL_MAX);
	jw_start(&w, &out);
	if (input)
		jw_add_tree(&w, input);
	else
		scope_input(x, step, &w);
	TRY(buf_error(&out));
	if (out.n > EXECUTION_INPUT_MAX)
		return ERR_INPUT_TOO_LARGE;
	*ret_input = arena_copy(x->arena, buf_str(&out));
	return str_absent(*ret_input) ? ERR_NO_MEMORY : OK;
}

/* It is put on record by the turn: this execution waits for it from then on. */
static enum err begin_workflow(struct ctx *cx, struct execution *x, size_t step, const json_t *config)
{
	struct sql_workflow_is_there_row row;
	struct sql_execution_family_row family;
	struct sql_execution_count_row count;
	struct execution_new *child = ARENA_NEW(x->arena, struct execution_new);
	enum err e;

	if (!child)
		return ERR_NO_MEMORY;
	if (x->depth >= FLOW_DEPTH_MAX)
		return ERR_WORKFLOW_TOO_DEEP;
	if (!id_parse(ID_WORKFLOW, json_member_text(config, "workflow_id"), &child->workflow))
		return ERR_WORKFLOW_GONE;
	e = sql_workflow_is_there(cx->db, &(struct sql_workflow_is_there_in){ child->workflow }, &row);
	if (e != OK)
		return e == ERR_NOT_FOUND ? ERR_WORKFLOW_GONE : e;
	TRY(sql_execution_family(cx->db, &(struct sql_execution_family_in){ x->id }, &family));
	if (family.begun + (int64_t)x->children >= EXECUTION_FAMILY_MAX)
		return ERR_TOO_MANY_EXECUTIONS;
	/* Twice as many as may be begun from outside: what was let in comes to its end, and there is a bound to it. */
	TRY(sql_execution_count(cx->db, &count));
	if (count.live + (int64_t)x->children >= 2 * cx->config->limits_live_executions)
		return ERR_EXECUTIONS_FULL;
	TRY(write_input(x, step, config, &child->input));
	child->source = EXECUTION_WORKFLOW;
	child->source_id = child->parent = (struct opt_id){ true, x->id };
	child->parent_step = x->flow->step[step].id;
	child->depth = x->depth + 1;
	child->id.set = true;
	TRY(id_new(&child->id.v));
	TRY(write_state(x, step, &child->id.v));
	x->child[x->children++] = child;
	step_begin(x, (struct place){ .step = step }, STEP_WAITING);
	return OK;
}

bool wait_child(struct arena *arena, const struct step_state *state, struct id *ret_child)
{
	json_t *json;

	return !str_absent(state->state) && json_read(arena, state->state, &json, NULL) == OK &&
	       id_parse(ID_EXECUTION, json_member_text(json, "execution_id"), ret_child);
}

static enum err fail_as(struct ctx *cx, struct execution *x, size_t step, const struct execution *child)
{
	struct str words = child->status == STEP_CANCELLED
				   ? STR("The workflow was stopped.")
				   : arena_printf(cx->arena, "%.*s: %.*s", STR_ARG(child->error_code),
						  STR_ARG(child->error_message));

	return step_fail(x, (struct place){ .step = step }, str_of(err_code(ERR_WORKFLOW_FAILED)), words);
}

static enum err look_at_child(struct ctx *cx, struct execution *x, size_t step)
{
	CLEANUP(execution_done) struct execution child = { 0 };
	struct id id;
	enum err e = wait_child(cx->arena, &x->step[step], &id) ? execution_load(cx, &id, &child) : ERR_NOT_FOUND;

	if (e == ERR_NOT_FOUND)
		return step_fail_by(cx, x, (struct place){ .step = step }, ERR_WORKFLOW_GONE);
	TRY(e);
	if (!execution_is_over(&child))
		return OK;
	if (child.status != STEP_COMPLETED)
		return fail_as(cx, x, step, &child);
	struct str output = execution_output(&child);

	return step_complete(x, (struct place){ .step = step }, str_absent(output) ? STR("null") : output);
}

/* --- all of them ------------------------------------------------------------------------------ */

enum err wait_begin(struct ctx *cx, struct execution *x, size_t step)
{
	BUF_AUTO struct buf text = { 0 };
	json_t *config;
	enum err e;

	buf_init(&text, CONFIG_MAX);
	e = scope_config(cx, x, &x->flow->step[step], NULL, CONFIG_MAX, &text);
	if (e == OK)
		e = json_read(x->arena, buf_str(&text), &config, NULL);
	if (e == OK) {
		switch (x->flow->step[step].type) {
		case STEP_DELAY: e = begin_delay(cx, x, step, config); break;
		case STEP_LISTEN: e = begin_listen(cx, x, step, config); break;
		default: e = begin_workflow(cx, x, step, config); break;
		}
	}
	return e == OK ? OK : step_fail_by(cx, x, (struct place){ .step = step }, e);
}

enum err wait_look(struct ctx *cx, struct execution *x, size_t step)
{
	struct step_state *state = &x->step[step];
	bool due = state->wake_at.set && state->wake_at.v <= x->now_ms;

	switch (x->flow->step[step].type) {
	case STEP_DELAY:
		return due ? step_complete(x, (struct place){ .step = step }, STR("null")) : OK;
	case STEP_LISTEN:
		TRY(take_signal(cx, x, step));
		if (state->status != STEP_WAITING || !due)
			return OK;
		return step_fail_by(cx, x, (struct place){ .step = step }, ERR_LISTEN_TIMEOUT);
	case STEP_WORKFLOW: return look_at_child(cx, x, step);
	default: return OK;
	}
}
