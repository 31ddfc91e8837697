/*
 * The job of an execution: it computes as far as that goes, writes the turn, makes the call that is its own, and so on,
 * until the execution is over or waits, or others have theirs to do.
 */
#include "base/clock.h"
#include "base/crash.h"
#include "base/json_read.h"
#include "base/log.h"
#include "core/metrics.h"
#include "flow/engine.h"
#include "jobs/bell.h"
#include "jobs/loop.h"
#include "jobs/tally.h"
#include "store/sql_execution.h"

enum {
	TELL_CLAIMS_MAX = 3,   /* tries to tell the end; then nobody waits any more */
	CALLING_MS = 20000,    /* how long one job goes from call to call */
	LOST_MAX = 100         /* turns in a row that others were first with */
};

/* What becomes of the job behind a turn that is told first. */
struct handover {
	bool due;
	enum fate fate;
	int64_t run_at;
};

struct carry {
	struct ctx *cx;
	struct run *run;
	struct execution x;
	struct effect effect;
	struct opt_place mine;
	struct turn turn;
	struct handover next;
	int64_t untold; /* the first event that this job may have left untold */
	bool behind;    /* it may have: its worker died, or nginx didn't take it */
	int64_t claims;     /* of the job since its last turn */
	int64_t until_ms;   /* then others have their turn */
	int64_t held_until; /* the lease */
	bool written;       /* the turn: else somebody else has ended the execution */
};

static void carry_done(struct carry *c)
{
	effect_done(&c->effect);
	execution_done(&c->x);
}

/* The job is no longer in our hands. */
static enum err let_go(struct carry *c)
{
	c->run->finished = true;
	if (c->turn.fate == FATE_END)
		tally_add(c->cx->tally, job_kind_facts(c->run->job->kind)->queue, TALLY_DONE, 1);
	return OK;
}

/* --- one turn -------------------------------------------------------------------------------------- */

static enum err look(struct carry *c)
{
	struct execution *x = &c->x;

	if (c->effect.made)
		TRY(effect_apply(x, &c->effect, &c->run->job->id));
	c->mine = place_of_job(x, &c->run->job->id);
	if (!c->mine.set || c->mine.v.is_item || place_state(x, c->mine.v)->status != STEP_WAITING)
		return OK;
	return wait_look(c->cx, x, c->mine.v.step);
}

/* Saved while it is paused, with places left open. */
static enum err give_up_unfinished(struct execution *x)
{
	struct str words = arena_printf(x->arena, "The workflow isn't finished: `%.*s` is to be chosen first.",
					STR_ARG(x->flow->unchosen));

	if (str_absent(words))
		return ERR_NO_MEMORY;
	execution_give_up(x, STEP_FAILED, ERR_STEP_CONFIG, words);
	return OK;
}

static enum err compute(struct carry *c)
{
	struct execution *x = &c->x;

	x->now_ms = clock_now_ms();
	x->until_ms = x->now_ms + TURN_MS;
	if (x->events == 0)
		happened_begin(x);
	if (x->deleted) {
		execution_give_up(x, STEP_CANCELLED, ERR_WORKFLOW_GONE, STR_NONE);
		return OK;
	}
	if (!str_absent(x->only_step) && x->only == x->flow->n) {
		execution_give_up(x, STEP_FAILED, ERR_STEP_CONFIG, STR_NONE);
		return OK;
	}
	/* A person may try its steps one by one, as far as they are made. */
	if (!str_absent(x->flow->unchosen) && x->only == x->flow->n)
		return give_up_unfinished(x);
	TRY(look(c));
	return advance(c->cx, x);
}

/*
 * Who watches may miss something without knowing: the job stays in hand until that is told. Who holds the line isn't
 * left hanging by a worker that dies just then: nginx answers in time that the execution is under way.
 */
static bool is_watched(const struct execution *x) { return x->run.set; }

/* In whose hands the job is after this turn. */
static void decide(struct carry *c)
{
	const struct execution *x = &c->x;
	struct turn *turn = &c->turn;
	bool in_time = clock_now_ms() < c->until_ms && !loop_is_stopping();
	bool call = c->mine.set && turn->kind == JOB_EXECUTION_CALL &&
		    place_state(x, c->mine.v)->status == STEP_RUNNING;
	int64_t lease_ms = job_kind_facts(c->run->job->kind)->lease_ms;

	if (execution_is_over(x)) {
		turn->fate = is_watched(x) ? FATE_HOLD : FATE_END;
		turn->run_at = x->now_ms + lease_ms;
	} else if (x->more) {
		turn->fate = in_time ? FATE_HOLD : FATE_PAUSE;
		turn->kind = JOB_EXECUTION_RUN;
		turn->run_at = x->now_ms + (turn->fate == FATE_HOLD ? lease_ms : 0);
	} else if (!c->mine.set) {
		turn->fate = FATE_END;
	} else if (call && in_time && c->run->job->kind == JOB_EXECUTION_CALL) {
		turn->fate = FATE_HOLD;
		turn->run_at = x->now_ms + place_step(x, c->mine.v)->timeout_ms + LEASE_MARGIN_MS;
	} else {
		turn->fate = FATE_PAUSE;
	}
}

/* Told is what is on record: so a job that goes out of hand does so in a turn of its own, behind the telling. */
static void tell_first(struct carry *c)
{
	struct turn *turn = &c->turn;

	c->next.due = is_watched(&c->x) && c->x.happened > 0 && turn->fate != FATE_HOLD;
	if (!c->next.due)
		return;
	c->next.fate = turn->fate;
	c->next.run_at = turn->run_at;
	turn->fate = FATE_HOLD;
	turn->run_at = c->x.now_ms + job_kind_facts(c->run->job->kind)->lease_ms;
}

static void count_end(const struct carry *c)
{
	static const enum metric METRICS[] = { [STEP_COMPLETED] = METRIC_EXECUTIONS_COMPLETED,
					       [STEP_FAILED] = METRIC_EXECUTIONS_FAILED,
					       [STEP_CANCELLED] = METRIC_EXECUTIONS_CANCELLED };

	if (execution_is_over(&c->x))
		metrics_add(c->cx->metrics, METRICS[c->x.status], 1);
}

static void ring(const struct carry *c)
{
	bool moved = c->turn.fate == FATE_PAUSE && c->turn.run_at <= c->x.now_ms;
	bool ends_for_parent = execution_is_over(&c->x) && c->x.parent.set;

	if (moved || ends_for_parent || c->turn.jobs > 0 || c->x.children > 0 || c->x.stirs)
		bell_ring(c->cx->config->worker_bell);
}

/* What can't be told stays to be told by this job's next turn, or at the execution's end. */
static void tell(struct carry *c)
{
	struct execution *x = &c->x;
	enum err e;

	if (!is_watched(x) || x->happened == 0)
		return;
	e = c->behind ? watched_tell_from(c->cx, x, c->untold) : watched_tell(c->cx, x);
	c->behind = e != OK;
	if (e == OK)
		c->untold = x->events + x->happened + 1;
	else
		log_write(LOG_WARN, "events weren't told to a live run; whoever misses them asks",
			  LOG_FIELDS(log_err(e)));
}

static enum err put(struct carry *c)
{
	enum err e;

	c->turn.tell_from = (struct opt_int){ is_watched(&c->x), c->untold };
	e = turn_write(c->cx, &c->x, c->run->job, &c->turn);
	c->run->lost = e == ERR_CONFLICT;
	return e;
}

static enum err hand_over(struct carry *c)
{
	c->turn.fate = c->next.fate;
	c->turn.run_at = c->next.run_at;
	c->turn.jobs = 0;
	TRY(put(c));
	ring(c);
	return OK;
}

static enum err write_turn(struct carry *c)
{
	TRY(assign(&c->x, c->run->job, &c->mine, &c->turn));
	decide(c);
	tell_first(c);
	if (!c->behind)
		c->untold = c->x.events + 1;
	TRY(put(c));
	metrics_add(c->cx->metrics, METRIC_FLOW_TURNS, 1);
	count_end(c);
	tell(c);
	ring(c);
	if (execution_is_over(&c->x))
		watched_answer(c->cx, &c->x);
	turn_done(&c->x);
	c->effect.made = false;
	c->claims = 1;
	return c->next.due ? hand_over(c) : OK;
}

static enum err reload(struct carry *c)
{
	const struct id id = c->x.id;

	return execution_load(c->cx, &id, &c->x);
}

/* What a call gave is on record before it matters that something else can't be done now. */
static enum err keep_result(struct carry *c, enum err why)
{
	if (!c->effect.made || why == ERR_CONFLICT || why == ERR_PRECONDITION_FAILED)
		return why;
	TRY(reload(c));
	if (execution_is_over(&c->x))
		return ERR_PRECONDITION_FAILED;
	TRY(look(c));
	c->x.more = true;
	c->x.status = STEP_RUNNING;
	return write_turn(c);
}

static enum err take_turn(struct carry *c)
{
	enum err e;

	c->written = false;
	for (int i = 0; i < LOST_MAX && !execution_is_over(&c->x); i++) {
		e = compute(c);
		e = e == OK ? write_turn(c) : keep_result(c, e);
		c->written = e == OK;
		if (e != ERR_PRECONDITION_FAILED)
			return e;
		metrics_add(c->cx->metrics, METRIC_FLOW_TURNS_LOST, 1);
		TRY(reload(c));
	}
	return execution_is_over(&c->x) ? OK : ERR_DB_RETRY;
}

/* --- calls ------------------------------------------------------------------------------------------- */

/* A claim is on record: each one since the last turn was the beginning of a try, whatever became of it. */
static int64_t attempt_of(const struct carry *c)
{
	const struct step_state *state = place_state(&c->x, c->mine.v);

	return state->status == STEP_RUNNING ? state->attempt + c->claims - 1 : state->attempt + c->claims;
}

static bool has_call(const struct carry *c)
{
	const struct step_state *state;

	if (!c->mine.set || step_type_kind(place_step(&c->x, c->mine.v)->type) != STEP_IS_EFFECT)
		return false;
	state = place_state(&c->x, c->mine.v);
	return state->status == STEP_RUNNING ||
	       (state->status == STEP_WAITING && state->wake_at.set && state->wake_at.v <= clock_now_ms());
}

/* A claim's lease is long enough for most calls. */
static enum err renew_lease(struct carry *c)
{
	int64_t ends = clock_now_ms() + place_step(&c->x, c->mine.v)->timeout_ms + LEASE_MARGIN_MS / 2;

	if (c->held_until >= ends)
		return OK;
	TRY(job_renew(c->cx, c->run->job, ends + LEASE_MARGIN_MS / 2));
	c->held_until = ends + LEASE_MARGIN_MS / 2;
	return OK;
}

static enum err make_call(struct carry *c)
{
	TRY(renew_lease(c));
	c->effect.place = c->mine.v;
	c->effect.attempt = attempt_of(c);
	metrics_add(c->cx->metrics, METRIC_FLOW_CALLS, 1);
	return effect_make(c->cx, &c->x, &c->effect);
}

/* --- the job ------------------------------------------------------------------------------------------ */

/* Its call came too late to count. */
static enum err drop_mine(struct ctx *cx, void *arg)
{
	const struct carry *c = arg;
	const struct sql_execution_drop_step_in in = { .execution_id = c->x.id, .job_id = c->run->job->id };

	return sql_execution_drop_step(cx->db, &in, NULL);
}

/* What others did since is told too, if only twice: nobody else knows whether it was. */
static enum err tell_rest(struct carry *c)
{
	if (!is_watched(&c->x) || c->untold > c->x.events)
		return OK;
	TRY(watched_tell_from(c->cx, &c->x, c->untold));
	c->untold = c->x.events + 1;
	c->behind = false;
	return OK;
}

/* Over, by this turn or by somebody else's: what is left is to say so, and the end of the job. */
static enum err finish(struct carry *c)
{
	enum err e = tell_rest(c);

	watched_answer(c->cx, &c->x);
	if (e != OK && c->run->job->attempts < TELL_CLAIMS_MAX)
		return e;
	return run_commit(c->cx, c->run, c->mine.set ? drop_mine : NULL, c);
}

/* A job that wasn't claimed before has left nothing: from here on it says what becomes of its own turns. */
static void catch_up(struct carry *c)
{
	enum err e;

	c->behind = c->run->job->attempts > 1;
	e = c->behind ? tell_rest(c) : OK;
	if (e != OK)
		log_write(LOG_WARN, "a live run waits for what a worker left untold", LOG_FIELDS(log_err(e)));
}

/* From the job: 1 for the first one of an execution. */
static int64_t read_untold(struct ctx *cx, const struct job *job)
{
	json_t *payload;
	int64_t first;

	if (json_read(cx->arena, job->payload, &payload, NULL) == OK &&
	    json_integer_of(json_member(payload, "tell_from"), &first))
		return first;
	return 1;
}

static enum err carry(struct carry *c)
{
	catch_up(c);
	c->mine = place_of_job(&c->x, &c->run->job->id);
	while (!execution_is_over(&c->x)) {
		if (has_call(c))
			TRY(make_call(c));
		TRY(take_turn(c));
		if (c->written && c->turn.fate != FATE_HOLD)
			return let_go(c);
		c->held_until = c->turn.run_at;
	}
	return finish(c);
}

static enum err run_job(struct ctx *cx, struct run *run)
{
	CLEANUP(carry_done) struct carry c = {
		.cx = cx,
		.run = run,
		.claims = run->job->attempts,
		.untold = read_untold(cx, run->job),
		.held_until = run->job->until,
		.until_ms = clock_now_ms() + (run->job->kind == JOB_EXECUTION_CALL ? CALLING_MS : TURN_MS),
	};
	enum err e = execution_load(cx, &run->job->subject.v, &c.x);

	if (e == ERR_NOT_FOUND)
		return OK; /* its day was dropped, or its tenant's own limit has passed since it ended */
	TRY(e);
	lw_crash_point("flow_started");
	return carry(&c);
}

enum err job_execution_run(struct ctx *cx, struct run *run) { return run_job(cx, run); }
enum err job_execution_call(struct ctx *cx, struct run *run) { return run_job(cx, run); }
