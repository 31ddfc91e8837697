/* What is known of the steps of an execution. */
#include <stdio.h>

#include "flow/engine.h"

static const char *const STATUS[] = {
	[STEP_NOT_BEGUN] = "queued",   [STEP_RUNNING] = "running", [STEP_WAITING] = "waiting",
	[STEP_COMPLETED] = "completed", [STEP_FAILED] = "failed",   [STEP_SKIPPED] = "skipped",
	[STEP_CANCELLED] = "cancelled",
};

const char *step_status_text(enum step_status status) { return STATUS[status]; }

enum step_status step_status_parse(struct str text)
{
	for (size_t i = 0; i < ARRAY_SIZE(STATUS); i++)
		if (str_eq(text, str_of(STATUS[i])))
			return (enum step_status)i;
	return STEP_CANCELLED;
}

struct step_state *place_state(const struct execution *x, struct place place)
{
	return place.is_item ? &x->each[place.step].item[place.item] : &x->step[place.step];
}

const struct flow_step *place_step(const struct execution *x, struct place place)
{
	const struct flow_step *step = &x->flow->step[place.step];

	return place.is_item ? step->body : step;
}

struct str place_text(const struct execution *x, struct place place, char text[STEP_TEXT_MAX])
{
	struct str id = x->flow->step[place.step].id;
	int n = place.is_item ? snprintf(text, STEP_TEXT_MAX, "%.*s[%zu]", STR_ARG(id), place.item)
			      : snprintf(text, STEP_TEXT_MAX, "%.*s", STR_ARG(id));

	return (struct str){ text, (size_t)n };
}

bool step_is_over(const struct step_state *state)
{
	return state->status >= STEP_COMPLETED;
}

bool step_is_done(const struct flow_step *step, const struct step_state *state)
{
	return state->status == STEP_COMPLETED || (state->status == STEP_FAILED && step->goes_on);
}

bool execution_is_over(const struct execution *x) { return x->status >= STEP_COMPLETED; }

/* --- how a step's status changes ------------------------------------------------------------ */

void step_begin(struct execution *x, struct place place, enum step_status status)
{
	struct step_state *state = place_state(x, place);
	char text[STEP_TEXT_MAX];

	if (!state->started_at.set)
		happened_activated(x, place_text(x, place, text));
	if (!state->started_at.set &&
	    (status == STEP_WAITING || step_type_kind(place_step(x, place)->type) == STEP_IS_EFFECT))
		x->begun++;
	state->status = status;
	state->changed = true;
	if (!state->started_at.set)
		state->started_at = (struct opt_int){ true, x->now_ms };
	if (state->attempt == 0)
		state->attempt = 1;
}

static void end(struct execution *x, struct place place, enum step_status status)
{
	struct step_state *state = place_state(x, place);
	char text[STEP_TEXT_MAX];

	state->status = status;
	state->changed = true;
	state->completed_at = (struct opt_int){ true, x->now_ms };
	state->job = (struct opt_id){ 0 };
	state->wake_at = (struct opt_int){ 0 };
	happened_over(x, place_text(x, place, text), state);
}

void step_cancel(struct execution *x, struct place place)
{
	x->stirs = true;
	if (!place.is_item && place_step(x, place)->type == STEP_WORKFLOW &&
	    wait_child(x->arena, place_state(x, place), &x->stop[x->stops]))
		x->stops++;
	end(x, place, STEP_CANCELLED);
}

void step_skip(struct execution *x, size_t step) { end(x, (struct place){ .step = step }, STEP_SKIPPED); }

static enum err keep(struct execution *x, struct str text, struct str *ret_text)
{
	*ret_text = arena_copy(x->arena, text);
	return str_absent(*ret_text) ? ERR_NO_MEMORY : OK;
}

enum err step_fail(struct execution *x, struct place place, struct str code, struct str message)
{
	struct step_state *state = place_state(x, place);

	step_begin(x, place, STEP_RUNNING);
	TRY(keep(x, code, &state->error_code));
	TRY(keep(x, str_utf8_cut(message, ERROR_MESSAGE_MAX), &state->error_message));
	end(x, place, STEP_FAILED);
	return OK;
}

static enum err fail(struct execution *x, struct place place, enum err e)
{
	return step_fail(x, place, str_of(err_code(e)), str_of(err_words(e)));
}

enum err step_complete(struct execution *x, struct place place, struct str output)
{
	struct step_state *state = place_state(x, place);

	if (output.n > EXECUTION_OUTPUT_MAX)
		return fail(x, place, ERR_STEP_OUTPUT_TOO_LARGE);
	if (x->output_bytes + output.n > EXECUTION_TOTAL_MAX)
		return fail(x, place, ERR_EXECUTION_TOO_LARGE);
	step_begin(x, place, STEP_RUNNING);
	TRY(keep(x, output, &state->output));
	x->output_bytes += output.n;
	x->pending_bytes += output.n;
	end(x, place, STEP_COMPLETED);
	return OK;
}

enum err step_fail_by(struct ctx *cx, struct execution *x, struct place place, enum err e)
{
	struct str words = cx->problem.detail;

	if (err_is_outage(e) || e == ERR_DB_RETRY || e == ERR_EXPRESSION_AWAY)
		return e;
	return step_fail(x, place, str_of(err_code(e)), str_absent(words) ? str_of(err_words(e)) : words);
}
