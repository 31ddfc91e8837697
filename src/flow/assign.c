/* Which job carries what: each step under way that doesn't carry itself has exactly one. */
#include "flow/engine.h"

static bool is_under_way(const struct step_state *state)
{
	return state->status == STEP_RUNNING || state->status == STEP_WAITING;
}

/* The next place under way, items too; a for_each is carried by its items. */
static bool next_place(const struct execution *x, struct place *place, bool *started)
{
	struct place p = *place;

	for (;; ) {
		if (!*started) {
			p = (struct place){ 0 };
			*started = true;
		} else if (p.is_item ? p.item + 1 < x->each[p.step].n : x->each[p.step].n > 0) {
			p.item = p.is_item ? p.item + 1 : 0;
			p.is_item = true;
		} else {
			p = (struct place){ .step = p.step + 1 };
		}
		if (p.step >= x->flow->n)
			return false;
		*place = p;
		if (place_step(x, p)->type != STEP_FOR_EACH && is_under_way(place_state(x, p)))
			return true;
	}
}

struct opt_place place_of_job(const struct execution *x, const struct id *job)
{
	struct place place = { 0 };
	bool started = false;

	while (next_place(x, &place, &started)) {
		const struct step_state *state = place_state(x, place);

		if (state->job.set && id_eq(&state->job.v, job))
			return (struct opt_place){ true, place };
	}
	return (struct opt_place){ 0 };
}

static bool is_call(const struct execution *x, struct place place)
{
	return step_type_kind(place_step(x, place)->type) == STEP_IS_EFFECT;
}

/* A call before a wait: that one needs no hands. */
static struct opt_place choose(const struct execution *x)
{
	struct opt_place first = { 0 };
	struct place place = { 0 };
	bool started = false;

	while (next_place(x, &place, &started)) {
		if (place_state(x, place)->job.set)
			continue;
		if (is_call(x, place))
			return (struct opt_place){ true, place };
		if (!first.set)
			first = (struct opt_place){ true, place };
	}
	return first;
}

/* When whoever carries it has to look. */
static int64_t due_at(const struct execution *x, struct place place)
{
	const struct step_state *state = place_state(x, place);

	if (state->status == STEP_RUNNING)
		return x->now_ms;
	return state->wake_at.set ? state->wake_at.v : x->now_ms + CHILD_POLL_MS;
}

static void carry_by(struct execution *x, struct place place, const struct id *job)
{
	struct step_state *state = place_state(x, place);

	state->job = (struct opt_id){ true, *job };
	state->changed = true;
}

static enum err add_job(struct execution *x, struct place place, struct turn *turn)
{
	struct id id;

	if (turn->jobs == TURN_JOBS_MAX)
		return ERR_TOO_BIG;
	TRY(id_new(&id));
	carry_by(x, place, &id);
	turn->job[turn->jobs].id = id;
	turn->job[turn->jobs].kind = is_call(x, place) ? JOB_EXECUTION_CALL : JOB_EXECUTION_RUN;
	turn->job[turn->jobs++].run_at = due_at(x, place);
	return OK;
}

enum err assign(struct execution *x, const struct job *job, struct opt_place *mine, struct turn *turn)
{
	struct place place = { 0 };
	bool started = false;

	turn->jobs = 0;
	/* There is more to compute: this job does that, and its step gets another one. */
	if (mine->set && x->more && is_under_way(place_state(x, mine->v)))
		place_state(x, mine->v)->job = (struct opt_id){ 0 };
	if (mine->set && (x->more || !is_under_way(place_state(x, mine->v))))
		*mine = (struct opt_place){ 0 };
	if (execution_is_over(x))
		return OK;
	if (!mine->set && !x->more)
		*mine = choose(x);
	if (mine->set && !place_state(x, mine->v)->job.set)
		carry_by(x, mine->v, &job->id);
	while (next_place(x, &place, &started))
		if (!place_state(x, place)->job.set)
			TRY(add_job(x, place, turn));
	if (mine->set) {
		turn->kind = is_call(x, mine->v) ? JOB_EXECUTION_CALL : JOB_EXECUTION_RUN;
		turn->run_at = due_at(x, mine->v);
	}
	return OK;
}
