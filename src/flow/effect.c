/* One call of a step that has an effect outside, and what is made of how it went. */
#include <string.h>

#include "base/clock.h"
#include "base/crash.h"
#include "base/json_read.h"
#include "flow/engine.h"
#include "flow/step.h"
#include "store/db.h"

enum {
	CALL_ARENA_MAX = 32 << 20,
	TRIES_USUAL = 3,           /* where the definition doesn't say */
	DELAY_USUAL_MS = 1000,
	DELAY_MOST_MS = 3600 * 1000
};

void effect_done(struct effect *effect) { buf_done(&effect->output); }

/* The words outlive the call's memory. */
static void keep_failure(struct effect *effect, const struct ctx *cx, enum err e)
{
	struct str detail = cx->problem.detail, words = str_absent(detail) ? str_of(err_words(e)) : detail;

	words = str_utf8_cut(words, ERROR_MESSAGE_MAX);
	memcpy(effect->words, words.p, words.n);
	effect->failed = true;
	effect->code = str_of(err_code(e));
	effect->message = (struct str){ effect->words, words.n };
}

static int64_t delay_of(const struct flow_step *step, const struct step_run *run)
{
	int64_t ms = step->delay_ms > 0 ? step->delay_ms : DELAY_USUAL_MS;

	for (int64_t i = 1; i < run->attempt && ms < DELAY_MOST_MS; i++)
		ms *= 2;
	if (ms < run->retry_after_ms)
		ms = run->retry_after_ms;
	return ms < DELAY_MOST_MS ? ms : DELAY_MOST_MS;
}

/* Where nothing is said, again only what can't have happened. */
static bool tries_again(const struct flow_step *step, const struct step_run *run)
{
	if (run->hopeless)
		return false;
	return step->attempts > 0 ? run->attempt < step->attempts : run->unsent && run->attempt < TRIES_USUAL;
}

static void judge(const struct ctx *cx, const struct flow_step *step, const struct step_run *run, enum err e,
		  struct effect *effect)
{
	keep_failure(effect, cx, e);
	effect->again = tries_again(step, run);
	effect->delay_ms = delay_of(step, run);
}

static enum err call(struct ctx *cx, const struct execution *x, struct str config, struct effect *effect)
{
	const struct flow_step *step = place_step(x, effect->place);
	char place[STEP_TEXT_MAX], id[ID_TEXT_MAX];
	struct step_run run = {
		.step = step,
		.workflow = x->workflow,
		.execution = x->id,
		.run = x->run,
		.step_id = place_text(x, effect->place, place),
		.attempt = effect->attempt,
		.deadline_ms = cx->now_ms + step->timeout_ms,
		.retry_after_ms = 0,
	};
	json_t *json;
	enum err e;

	TRY(json_read(cx->arena, config, &json, NULL));
	run.config = json;
	run.effect_key = arena_printf(cx->arena, "%.*s.%.*s", STR_ARG(id_format(ID_EXECUTION, &x->id, id)),
				      STR_ARG(run.step_id));
	if (str_absent(run.effect_key))
		return ERR_NO_MEMORY;
	buf_init(&run.output, EXECUTION_OUTPUT_MAX);
	lw_crash_point("flow_effect_before");
	e = step_function_of(step->type)(cx, &run);
	lw_crash_point("flow_effect_after");
	db_rollback(cx->db);
	buf_done(&effect->output);
	effect->output = run.output;
	if (e == OK)
		e = buf_error(&run.output) == ERR_TOO_BIG ? ERR_STEP_OUTPUT_TOO_LARGE : buf_error(&run.output);
	if (e == ERR_STEP_OUTPUT_TOO_LARGE)
		run.hopeless = true;
	if (e == OK || err_is_outage(e))
		return e;
	judge(cx, step, &run, e, effect);
	return OK;
}

static enum err evaluate_and_call(struct ctx *cx, struct execution *x, struct effect *effect)
{
	struct scope_item item = { NULL, effect->place.item };
	BUF_AUTO struct buf config = { 0 };
	enum err e;

	if (effect->place.is_item)
		item.value = json_item(x->each[effect->place.step].list, effect->place.item);
	buf_init(&config, CONFIG_MAX);
	problem_clear(&cx->problem);
	e = scope_config(cx, x, place_step(x, effect->place), effect->place.is_item ? &item : NULL, CONFIG_MAX,
			 &config);
	if (e == OK)
		return call(cx, x, buf_str(&config), effect);
	if (err_is_outage(e) || e == ERR_EXPRESSION_AWAY)
		return e;
	keep_failure(effect, cx, e);
	return OK;
}

enum err effect_make(struct ctx *cx, struct execution *x, struct effect *effect)
{
	struct arena *outer = cx->arena, *own = arena_new(CALL_ARENA_MAX);
	enum err e;

	if (!own)
		return ERR_NO_MEMORY;
	effect->failed = effect->again = false;
	problem_clear(&cx->problem);
	cx->arena = own;
	cx->now_ms = clock_now_ms();
	ctx_enter(cx);
	if (effect->attempt > FLOW_TRY_MAX) {
		keep_failure(effect, cx, ERR_STEP_LOST);
		e = OK;
	} else {
		e = evaluate_and_call(cx, x, effect);
	}
	/* It would be so each time: what came is larger than a call may hold. */
	if (e == ERR_NO_MEMORY && arena_was_full(own)) {
		problem_clear(&cx->problem);
		keep_failure(effect, cx, ERR_STEP_OUTPUT_TOO_LARGE);
		e = OK;
	}
	effect->made = e == OK;
	cx->arena = outer;
	problem_clear(&cx->problem);
	arena_free(own);
	cx->now_ms = clock_now_ms();
	ctx_enter(cx);
	return e;
}

/* --- what becomes of the step ------------------------------------------------------------------ */

static void wait_for_next_try(struct execution *x, const struct effect *effect)
{
	struct step_state *state = place_state(x, effect->place);

	step_begin(x, effect->place, STEP_WAITING);
	state->attempt = effect->attempt;
	state->wake_at = (struct opt_int){ true, x->now_ms + effect->delay_ms };
	state->error_code = arena_copy(x->arena, effect->code);
	state->error_message = arena_copy(x->arena, effect->message);
}

enum err effect_apply(struct execution *x, const struct effect *effect, const struct id *job)
{
	struct step_state *state = place_state(x, effect->place);
	struct str output = buf_str(&effect->output);

	/* It was cancelled meanwhile, or somebody else has it. */
	if (step_is_over(state) || !state->job.set || !id_eq(&state->job.v, job))
		return OK;
	state->attempt = effect->attempt;
	if (effect->failed && effect->again && !execution_is_over(x)) {
		wait_for_next_try(x, effect);
		return OK;
	}
	if (effect->failed)
		return step_fail(x, effect->place, effect->code, effect->message);
	state->error_code = state->error_message = STR_NONE;
	return step_complete(x, effect->place, output.n > 0 ? output : STR("null"));
}
