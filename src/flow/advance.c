/* From what is over to what begins now. */
#include "base/clock.h"
#include "flow/engine.h"

enum may { NOT_YET, SKIPPED, MAY_BEGIN };

static enum may may_begin(const struct execution *x, size_t step)
{
	const struct flow_step *s = &x->flow->step[step];
	bool one_is_done = s->needs_n == 0;

	if (x->only < x->flow->n)
		return MAY_BEGIN;
	for (size_t i = 0; i < s->needs_n; i++) {
		const struct step_state *needed = &x->step[s->needs[i]];

		if (!step_is_over(needed))
			return NOT_YET;
		one_is_done = one_is_done || step_is_done(&x->flow->step[s->needs[i]], needed);
	}
	return one_is_done ? MAY_BEGIN : SKIPPED;
}

/* A step that fails and isn't meant to go on: the others under way come to their end, and nothing new begins. */
static bool has_failed(const struct execution *x)
{
	for (size_t i = 0; i < x->flow->n; i++)
		if ((x->step[i].status == STEP_FAILED && !x->flow->step[i].goes_on) ||
		    x->step[i].status == STEP_CANCELLED)
			return true;
	return false;
}

static enum err begin(struct ctx *cx, struct execution *x, size_t step)
{
	const struct flow_step *s = &x->flow->step[step];
	struct place place = { .step = step };

	if (s->type == STEP_FOR_EACH)
		return each_begin(cx, x, step);
	switch (step_type_kind(s->type)) {
	case STEP_IS_PURE: return pure_run(cx, x, place, NULL);
	case STEP_IS_EFFECT: step_begin(x, place, STEP_RUNNING); return OK;
	case STEP_IS_WAIT: break;
	}
	return wait_begin(cx, x, step);
}

static enum err consider(struct ctx *cx, struct execution *x, size_t step)
{
	const struct flow_step *s = &x->flow->step[step];
	enum may may = may_begin(x, step);
	bool wanted = may == MAY_BEGIN;
	enum err e;

	if (may == NOT_YET)
		return OK;
	if (wanted && !str_absent(s->when) && x->only == x->flow->n) {
		e = scope_is_true(cx, x, s->when, &wanted);
		if (e != OK)
			return step_fail_by(cx, x, (struct place){ .step = step }, e);
	}
	if (wanted)
		return begin(cx, x, step);
	step_skip(x, step);
	return OK;
}

bool turn_is_full(const struct execution *x)
{
	return x->pending_bytes > TURN_OUTPUT_MAX || x->log.n > TURN_EVENTS_MAX || x->begun >= TURN_BEGINS_MAX ||
	       clock_now_ms() > x->until_ms;
}

static enum err compute(struct ctx *cx, struct execution *x)
{
	bool failed = has_failed(x);

	for (size_t i = 0; i < x->flow->n; i++) {
		if (x->only < x->flow->n && i != x->only)
			continue;
		if (turn_is_full(x)) {
			x->more = true;
			return OK;
		}
		if (x->step[i].status == STEP_NOT_BEGUN && !failed)
			TRY(consider(cx, x, i));
		if (x->step[i].status == STEP_WAITING && x->flow->step[i].type == STEP_FOR_EACH)
			TRY(each_advance(cx, x, i, failed));
		failed = failed || (x->step[i].status == STEP_FAILED && !x->flow->step[i].goes_on);
	}
	return OK;
}

static bool is_under_way(const struct execution *x)
{
	for (size_t i = 0; i < x->flow->n; i++)
		if (x->step[i].status == STEP_RUNNING || x->step[i].status == STEP_WAITING)
			return true;
	return false;
}

/* Nothing waits for anything but somebody outside, or the clock. */
static bool only_waits(const struct execution *x)
{
	for (size_t i = 0; i < x->flow->n; i++) {
		if (x->step[i].status == STEP_RUNNING)
			return false;
		for (size_t j = 0; j < x->each[i].n; j++)
			if (x->each[i].item[j].status == STEP_RUNNING)
				return false;
	}
	return true;
}

/* Of an execution that has failed: what only waits isn't waited for. */
static void stop_waiting(struct execution *x)
{
	for (size_t i = 0; i < x->flow->n; i++) {
		enum step_type type = x->flow->step[i].type;

		if (x->step[i].status == STEP_WAITING && type != STEP_FOR_EACH && type != STEP_WORKFLOW)
			step_cancel(x, (struct place){ .step = i });
	}
}

enum err advance(struct ctx *cx, struct execution *x)
{
	TRY(compute(cx, x));
	if (has_failed(x))
		stop_waiting(x);
	if (x->more)
		x->status = STEP_RUNNING;
	else if (is_under_way(x))
		x->status = only_waits(x) ? STEP_WAITING : STEP_RUNNING;
	else
		return conclude(x);
	return OK;
}
