#include "flow/execution_answer.h"

#include "base/json_read.h"
#include "core/answer.h"
#include "store/sql_execution.h"

/* What steps got isn't stored, but what others gave; one output may be many steps' input. */
enum { INPUTS_MAX = 4 << 20 };

void execution_write_error(struct json_writer *w, struct str code, struct str message, struct str step)
{
	if (str_absent(code)) {
		jw_add_null(w);
		return;
	}
	jw_object(w);
	jw_put_text(w, "code", code);
	jw_put_text(w, "message", message);
	jw_put_text(w, "step_id", step);
	jw_object_end(w);
}

static enum id_kind kind_of_source(struct str source)
{
	if (str_eq(source, STR("webhook")))
		return ID_TRIGGER;
	if (str_eq(source, STR("schedule")))
		return ID_SCHEDULE;
	if (str_eq(source, STR("event")))
		return ID_EVENT;
	return str_eq(source, STR("run")) ? ID_RUN : ID_EXECUTION;
}

/* --- steps ------------------------------------------------------------------------------------- */

static void write_input(const struct execution *x, struct place place, size_t since, struct json_writer *w)
{
	const struct each *each = &x->each[place.step];

	jw_key(w, "input_data");
	if (w->out->n - since > INPUTS_MAX || place_state(x, place)->status == STEP_SKIPPED)
		jw_add_null(w);
	else if (!place.is_item)
		scope_input(x, place.step, w);
	else if (each->list)
		jw_add_tree(w, json_item(each->list, place.item));
	else
		jw_add_null(w);
}

static void write_step(const struct execution *x, struct place place, size_t since, struct json_writer *w)
{
	const struct step_state *state = place_state(x, place);
	char text[STEP_TEXT_MAX];

	if (state->status == STEP_NOT_BEGUN)
		return;
	jw_object(w);
	jw_put_text(w, "step_id", place_text(x, place, text));
	jw_put_text(w, "status", str_of(step_status_text(state->status)));
	jw_put_int(w, "attempt", state->attempt);
	write_input(x, place, since, w);
	jw_put_raw(w, "output_data", state->output);
	answer_error(w, "error", state->error_code, state->error_message);
	answer_opt_time(w, "started_at", state->started_at);
	answer_opt_time(w, "completed_at", state->completed_at);
	jw_object_end(w);
}

static void write_steps(const struct execution *x, struct json_writer *w)
{
	size_t since = w->out->n;

	jw_key(w, "step_executions");
	jw_array(w);
	for (size_t i = 0; i < x->flow->n; i++) {
		write_step(x, (struct place){ .step = i }, since, w);
		for (size_t j = 0; j < x->each[i].n; j++)
			write_step(x, (struct place){ .step = i, .is_item = true, .item = j }, since, w);
	}
	jw_array_end(w);
}

/* --- the execution ---------------------------------------------------------------------------------- */

static struct str keep(struct execution *x, struct str text, bool *lost)
{
	struct str kept = str_absent(text) ? STR_NONE : arena_copy(x->arena, text);

	*lost = *lost || str_absent(kept) != str_absent(text);
	return kept;
}

static enum err read_states(struct ctx *cx, struct execution *x, const struct execution_row *row,
			    struct execution_row *ret_kept)
{
	bool lost = false;

	TRY(execution_clear(x, &row->id));
	*ret_kept = *row;
	ret_kept->status = keep(x, row->status, &lost);
	ret_kept->source = keep(x, row->source, &lost);
	ret_kept->request = keep(x, row->request, &lost);
	ret_kept->input = x->input = keep(x, row->input, &lost);
	ret_kept->output = x->output = keep(x, row->output, &lost);
	ret_kept->output_step = x->output_step = keep(x, row->output_step, &lost);
	ret_kept->error_code = keep(x, row->error_code, &lost);
	ret_kept->error_message = keep(x, row->error_message, &lost);
	ret_kept->error_step = keep(x, row->error_step, &lost);
	if (lost)
		return ERR_NO_MEMORY;
	TRY(flow_version(cx, &row->workflow, row->version, &x->flow));
	x->only = x->flow->n;
	TRY(states_read(cx, x));
	return each_read_lists(x);
}

static void write_members(const struct execution *x, const struct execution_row *row, struct json_writer *w)
{
	answer_id(w, "execution_id", ID_EXECUTION, &row->id);
	answer_id(w, "workflow_id", ID_WORKFLOW, &row->workflow);
	jw_put_int(w, "version", row->version);
	jw_put_text(w, "status", row->status);
	jw_put_text(w, "source", row->source);
	answer_opt_id(w, "source_id", kind_of_source(row->source), &row->source_id);
	jw_put_raw(w, "request", row->request);
	jw_put_raw(w, "input_data", row->input);
	jw_put_raw(w, "output_data", execution_output(x));
	jw_key(w, "error");
	execution_write_error(w, row->error_code, row->error_message, row->error_step);
	answer_time(w, "started_at", row->started_at);
	answer_opt_time(w, "completed_at", row->completed_at);
	if (row->completed_at.set)
		jw_put_int(w, "execution_time", row->completed_at.v - row->started_at);
	else
		jw_put_null(w, "execution_time");
}

enum err execution_write(struct ctx *cx, struct execution *x, const struct execution_row *row, struct json_writer *w)
{
	struct execution_row kept;

	TRY(read_states(cx, x, row, &kept));
	jw_object(w);
	write_members(x, &kept, w);
	write_steps(x, w);
	jw_object_end(w);
	return OK;
}
