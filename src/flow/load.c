/* Reading an execution: its row, its version's graph, and its steps where it has any. */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "flow/engine.h"
#include "store/sql_execution.h"

enum { STATE_ARENA_MAX = 48 << 20 };

void execution_done(struct execution *x)
{
	buf_done(&x->scope);
	buf_done(&x->log);
	arena_free(x->arena);
	*x = (struct execution){ 0 };
}

enum err execution_clear(struct execution *x, const struct id *id)
{
	struct arena *arena = x->arena ? x->arena : arena_new(STATE_ARENA_MAX);

	if (!arena)
		return ERR_NO_MEMORY;
	buf_done(&x->scope);
	buf_done(&x->log);
	arena_reset(arena);
	*x = (struct execution){ .arena = arena, .id = *id };
	buf_init(&x->scope, (8 << 20) + 2);
	buf_init(&x->log, 1 << 20);
	return OK;
}

static struct str keep(struct execution *x, struct str text, bool *lost)
{
	struct str kept = str_absent(text) ? STR_NONE : arena_copy(x->arena, text);

	*lost = *lost || str_absent(kept) != str_absent(text);
	return kept;
}

static enum err take_row(struct execution *x, const struct sql_execution_load_row *row)
{
	bool lost = false;

	x->workflow = row->workflow_id;
	x->version = row->version;
	x->turn = row->turn;
	x->events = row->events;
	x->depth = row->depth;
	x->started_at = row->started_at;
	x->completed_at = row->completed_at;
	x->status = step_status_parse(row->status);
	x->source = keep(x, row->source, &lost);
	x->source_id = row->source_id;
	x->parent = row->parent_id;
	x->parent_step = keep(x, row->parent_step, &lost);
	x->only_step = keep(x, row->only_step, &lost);
	x->run = row->run_id;
	x->awaited = row->awaited;
	x->deleted = row->deleted_at.set;
	x->input = keep(x, row->input_data, &lost);
	x->request = keep(x, row->request, &lost);
	x->output = keep(x, row->output_data, &lost);
	x->output_step = keep(x, row->output_step, &lost);
	x->error_code = keep(x, row->error_code, &lost);
	x->error_message = keep(x, row->error_message, &lost);
	x->error_step = keep(x, row->error_step, &lost);
	return lost ? ERR_NO_MEMORY : OK;
}

static enum err make_states(struct execution *x)
{
	x->step = arena_array(x->arena, x->flow->n + 1, sizeof(*x->step));
	x->each = arena_array(x->arena, x->flow->n + 1, sizeof(*x->each));
	return x->step && x->each ? OK : ERR_NO_MEMORY;
}

/* --- steps --------------------------------------------------------------------------------- */

/* "id" or "id[n]"; false for what the definition doesn't have. */
static bool find_place(const struct execution *x, struct str text, struct place *ret_place)
{
	struct str id = str_cut(&text, '[');
	uint64_t item;

	*ret_place = (struct place){ .step = flow_find(x->flow, id) };
	if (ret_place->step == x->flow->n)
		return false;
	if (str_absent(text))
		return true;
	if (!str_to_u64(str_slice(text, 0, text.n - 1), &item) || item >= FLOW_ITEMS_MAX ||
	    x->flow->step[ret_place->step].type != STEP_FOR_EACH)
		return false;
	ret_place->is_item = true;
	ret_place->item = (size_t)item;
	return true;
}

static enum err take_step(struct execution *x, const struct sql_execution_steps_row *row)
{
	struct place place;
	struct step_state *state;
	bool lost = false;

	if (!find_place(x, row->step_id, &place))
		return OK;
	/* Rows come in the order of their texts: [10] before [2]. */
	if (place.is_item && place.item >= x->each[place.step].n)
		TRY(each_set_items(x, place.step, place.item + 1));
	state = place_state(x, place);
	*state = (struct step_state){
		.status = step_status_parse(row->status),
		.attempt = row->attempt,
		.job = row->job_id,
		.wake_at = row->wake_at,
		.state = keep(x, row->state, &lost),
		.output = keep(x, row->output_data, &lost),
		.error_code = keep(x, row->error_code, &lost),
		.error_message = keep(x, row->error_message, &lost),
		.started_at = row->started_at,
		.completed_at = row->completed_at,
	};
	x->output_bytes += state->output.n;
	if (x->flow->step[place.step].type == STEP_FOR_EACH)
		x->output_bytes += state->state.n;
	return lost ? ERR_NO_MEMORY : OK;
}

/* The output of a for_each that is over is that of its items. */
static enum err make_output(struct execution *x, size_t step)
{
	BUF_AUTO struct buf out = { 0 };

	buf_init(&out, 2 * EXECUTION_TOTAL_MAX);
	TRY(each_output(x, step, &out));
	x->step[step].output = arena_copy(x->arena, buf_str(&out));
	x->output_bytes += out.n;
	return str_absent(x->step[step].output) ? ERR_NO_MEMORY : OK;
}

static enum err complete_each(struct execution *x)
{
	for (size_t i = 0; i < x->flow->n; i++) {
		if (x->flow->step[i].type != STEP_FOR_EACH)
			continue;
		if (x->step[i].status == STEP_COMPLETED)
			TRY(make_output(x, i));
		else if (x->step[i].status == STEP_WAITING)
			TRY(each_read_list(x, i));
	}
	return OK;
}

enum err states_read(struct ctx *cx, struct execution *x)
{
	struct sql_execution_steps_row row;
	enum err e;

	TRY(make_states(x));
	TRY(sql_execution_steps(cx->db, &(struct sql_execution_steps_in){ x->id }));
	while ((e = sql_execution_steps_next(cx->db, &row)) == OK)
		TRY(take_step(x, &row));
	return e == ERR_END ? complete_each(x) : e;
}

enum err execution_load(struct ctx *cx, const struct id *id, struct execution *x)
{
	struct sql_execution_load_row row;

	TRY(execution_clear(x, id));
	TRY(sql_execution_load(cx->db, &(struct sql_execution_load_in){ *id }, &row));
	TRY(take_row(x, &row));
	TRY(flow_version(cx, &x->workflow, x->version, &x->flow));
	x->only = str_absent(x->only_step) ? x->flow->n : flow_find(x->flow, x->only_step);
	x->now_ms = clock_now_ms();
	x->until_ms = x->now_ms + TURN_MS;
	/* Before its first turn it has none. */
	return x->turn > 0 ? states_read(cx, x) : make_states(x);
}
