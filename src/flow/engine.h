/*
 * An execution in the hands of a worker: what is known of it in memory, and
 * what the files of the engine do with that.
 *
 *	load.c      reads it
 *	advance.c   computes what can be computed and says what begins now
 *	pure.c each.c wait.c   do so for the kinds of steps
 *	effect.c    makes one call, and judges how it went
 *	turn.c      writes what has changed, all of it or nothing
 *	carry.c     the job: load, advance, write, call, and again
 *
 * Everything here lives in the execution's own arena and is thrown away and read anew when somebody else was first.
 */
#ifndef LW_FLOW_ENGINE_H
#define LW_FLOW_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/id.h"
#include "base/json_write.h"
#include "base/str.h"
#include "core/ctx.h"
#include "flow/definition.h"
#include "flow/execution.h"
#include "jobs/queue.h"

enum {
	ERROR_MESSAGE_MAX = 500,
	STEP_TEXT_MAX = 128,         /* "id[999]" */
	EVENT_OUTPUT_MAX = 4 << 10, /* of an output in an event; a longer one is left out */
	TURN_OUTPUT_MAX = 1 << 20,  /* what one turn writes of outputs, about; what is left is the next one's */
	TURN_EVENTS_MAX = 512 << 10,
	TURN_MS = 2000,             /* how long one job computes before others have their turn */
	LEASE_MARGIN_MS = 30000,    /* on top of a call's own time limit */
	CHILD_POLL_MS = 600000,     /* the end of a child wakes its parent; should that be missed */
	CONFIG_MAX = EXECUTION_INPUT_MAX + (64 << 10)
};

enum step_status {
	STEP_NOT_BEGUN, /* has no row */
	STEP_RUNNING,
	STEP_WAITING,
	STEP_COMPLETED,
	STEP_FAILED,
	STEP_SKIPPED,
	STEP_CANCELLED
};
const char *step_status_text(enum step_status status);
enum step_status step_status_parse(struct str text);

struct step_state {
	enum step_status status;
	bool changed;    /* to be written */
	bool in_scope;   /* expressions see it already */
	int64_t attempt; /* of a running one: the number of its try; of a waiting one: of the last */
	struct opt_id job; /* who carries it; not set: who does is to be found */
	struct opt_int wake_at;
	struct str state;  /* JSON, kept by a step that waits */
	struct str output; /* JSON */
	struct str error_code, error_message;
	struct opt_int started_at, completed_at;
};

/* Of a for_each. */
struct each {
	size_t n;           /* items */
	size_t room;        /* states there is memory for */
	struct step_state *item;
	const json_t *list; /* while it is under way */
	int64_t at_once;
	bool failed;        /* one has: no further one begins */
};

/* One step or one item of it. */
struct place {
	size_t step;
	bool is_item;
	size_t item;
};

struct execution {
	struct arena *arena;
	struct id id, workflow;
	int64_t version, turn, events, depth, started_at;
	enum step_status status; /* STEP_NOT_BEGUN: queued */
	struct str source;
	struct opt_id source_id, parent, run;
	struct str parent_step, only_step;
	bool awaited, deleted; /* deleted: its workflow is */
	struct str input, request; /* request: absent for none */
	const struct flow *flow;
	size_t only;              /* of only_step; flow->n: all */
	struct step_state *step; /* by the place in flow->step */
	struct each *each;       /* the same; of other types empty */
	size_t output_bytes;     /* of all outputs, and of the lists of each for_each */
	/* --- this turn --- */
	int64_t now_ms, until_ms; /* computing goes on until then, on the clock of clock_now_ms */
	struct buf scope;         /* what expressions see; empty: not made yet */
	size_t scope_members;     /* of its `steps` */
	struct buf log;           /* its events */
	int64_t happened;         /* how many */
	size_t pending_bytes;     /* outputs that are to be written */
	size_t begun;             /* what may need a job of its own */
	bool more;                /* there is more to compute than fits */
	bool stirs;               /* what carries steps that wait is to look */
	/* --- its end --- */
	struct str output;        /* absent: output_step's, or none */
	struct str output_step;
	struct str error_code, error_message, error_step;
	struct opt_int completed_at;
	/* Executions that begin with this turn: of `workflow` steps. */
	struct execution_new *child[FLOW_STEPS_MAX];
	size_t children;
	/* Signals that this turn takes. */
	struct id signal[FLOW_STEPS_MAX];
	size_t signals;
	/* Executions that end with it. */
	struct id stop[FLOW_STEPS_MAX];
	size_t stops;
};

struct step_state *place_state(const struct execution *x, struct place place);
const struct flow_step *place_step(const struct execution *x, struct place place);
struct str place_text(const struct execution *x, struct place place, char text[STEP_TEXT_MAX]);
/* Over in a way that those behind it may begin. */
bool step_is_done(const struct flow_step *step, const struct step_state *state);
bool step_is_over(const struct step_state *state);
bool execution_is_over(const struct execution *x);
/* Of one that is over; absent: none. */
struct str execution_output(const struct execution *x);

/* --- load.c, version.c ------------------------------------------------------------------ */
/* ERR_NOT_FOUND: its time is over. Memory: the arena is emptied first. */
enum err execution_load(struct ctx *cx, const struct id *id, struct execution *x) MUST_CHECK;
/* Nothing is known of it yet; the arena is emptied, or made. */
enum err execution_clear(struct execution *x, const struct id *id) MUST_CHECK;
void execution_done(struct execution *x);
/*
 * A version's graph; kept for the next time, and good until a dozen others were asked for. ERR_BAD_INPUT: this build
 * can't read it.
 */
enum err flow_version(struct ctx *cx, const struct id *workflow, int64_t version,
		      const struct flow **ret_flow) MUST_CHECK;
/* The states of `flow` from the rows of execution_steps. Memory: the arena's. */
enum err states_read(struct ctx *cx, struct execution *x) MUST_CHECK;

/* --- scope.c ---------------------------------------------------------------------------- */
struct scope_item {
	const json_t *value;
	size_t index;
};
/*
 * The config, its expressions evaluated: JSON, at most `max` bytes. ERR_STEP_OUTPUT_TOO_LARGE past that;
 * ERR_EXPRESSION_* with words in cx->problem.detail.
 */
enum err scope_config(struct ctx *cx, struct execution *x, const struct flow_step *step, const struct scope_item *item,
		      size_t max, struct buf *out) MUST_CHECK;
enum err scope_is_true(struct ctx *cx, struct execution *x, struct str program, bool *ret_true) MUST_CHECK;
/*
 * The same of a plain config, without latch-expr. ERR_END: it is to be asked after all, since what stands there isn't
 * what a path can be followed in, holds a fraction, or is too much.
 */
enum err plain_config(const struct execution *x, const struct flow_step *step, const struct scope_item *item,
		      size_t max, struct buf *out) MUST_CHECK;
/* All JSON but false and null. */
bool json_is_truth(struct str json);
/* The step's input: what it needs gave. */
void scope_input(const struct execution *x, size_t step, struct json_writer *w);
/* What any of them sees of the execution itself. */
void scope_execution(const struct execution *x, struct json_writer *w);
/* What those behind a step see of it. */
void scope_output(struct json_writer *w, const struct step_state *state);

/* --- advance.c ---------------------------------------------------------------------------- */
/* A turn has an end, in what it writes and in time: others wait for theirs. */
bool turn_is_full(const struct execution *x);
/* Computes until nothing can be computed any more, or x->more. */
enum err advance(struct ctx *cx, struct execution *x) MUST_CHECK;
/* The step is over; the texts are copied. An output past the limits is a failure. */
enum err step_complete(struct execution *x, struct place place, struct str output) MUST_CHECK;
enum err step_fail(struct execution *x, struct place place, struct str code, struct str message) MUST_CHECK;
/* By an error: its code, and cx->problem's words. Errors that are ours are returned: nothing has changed. */
enum err step_fail_by(struct ctx *cx, struct execution *x, struct place place, enum err e) MUST_CHECK;
void step_begin(struct execution *x, struct place place, enum step_status status);
void step_skip(struct execution *x, size_t step);
void step_cancel(struct execution *x, struct place place);
/* Nothing is under way any more: completed or failed, with its output. */
enum err conclude(struct execution *x) MUST_CHECK;
/* It ends here, whatever is under way. Without words of its own, by the error's. */
void execution_give_up(struct execution *x, enum step_status status, enum err e, struct str words);

/* --- kinds of steps ------------------------------------------------------------------------ */
enum err pure_run(struct ctx *cx, struct execution *x, struct place place, const struct scope_item *item) MUST_CHECK;
enum err each_begin(struct ctx *cx, struct execution *x, size_t step) MUST_CHECK;
/* Begins further items, unless the execution is to end; concludes when all are over. */
enum err each_advance(struct ctx *cx, struct execution *x, size_t step, bool ends) MUST_CHECK;
/* The list of its items' outputs; of one that is over it has no row of its own. */
enum err each_output(const struct execution *x, size_t step, struct buf *out) MUST_CHECK;
/* States for so many items; those that there are stay. */
enum err each_set_items(struct execution *x, size_t step, size_t n) MUST_CHECK;
/* The elements, from the state of one that is under way. */
enum err each_read_list(struct execution *x, size_t step) MUST_CHECK;
/* Of all of them, those that are over too. */
enum err each_read_lists(struct execution *x) MUST_CHECK;
enum err wait_begin(struct ctx *cx, struct execution *x, size_t step) MUST_CHECK;
/* Which execution a `workflow` step waits for. */
bool wait_child(struct arena *arena, const struct step_state *state, struct id *ret_child) MUST_CHECK;
/* It was woken: over, or it goes on waiting. */
enum err wait_look(struct ctx *cx, struct execution *x, size_t step) MUST_CHECK;

/* --- effect.c ------------------------------------------------------------------------------- */
struct effect {
	struct place place;
	int64_t attempt;
	bool made;          /* what follows is its result */
	struct buf output;
	bool failed, again; /* again: after delay_ms */
	int64_t delay_ms;
	struct str code, message; /* static, or in `words` */
	char words[4 * ERROR_MESSAGE_MAX];
};
void effect_done(struct effect *effect);
/* Makes the call; an error is ours, not the step's. */
enum err effect_make(struct ctx *cx, struct execution *x, struct effect *effect) MUST_CHECK;
/* Its result becomes part of the turn, if the step still waits for it. */
enum err effect_apply(struct execution *x, const struct effect *effect, const struct id *job) MUST_CHECK;

/* --- happened.c ------------------------------------------------------------------------------ */
void happened_begin(struct execution *x);
void happened_activated(struct execution *x, struct str step);
void happened_over(struct execution *x, struct str step, const struct step_state *state);
void happened_listening(struct execution *x, struct str step, struct str prompt);
void happened_end(struct execution *x);
/* The events of this turn as a list, for their row and for whoever watches; once, at its end. */
struct str happened_list(struct execution *x);
/* "id" and "number" of an event: the number counts up from 1 in its execution, the id is the only one of its kind. */
void event_put_id(struct json_writer *w, const struct id *execution, int64_t number);

/* --- assign.c, turn.c -------------------------------------------------------------------------- */
enum fate { FATE_END, FATE_HOLD, FATE_PAUSE };
/* What a turn may begin before it is full, the step of the job in hand, and room. */
enum { TURN_BEGINS_MAX = 200, TURN_JOBS_MAX = TURN_BEGINS_MAX + 8 };

struct turn {
	enum fate fate;     /* of the job in hand */
	enum job_kind kind; /* FATE_PAUSE: what it becomes */
	int64_t run_at;     /* FATE_HOLD: when its lease ends */
	/* Of a watched execution: from which event on a worker tells that takes the job over from a dead one. */
	struct opt_int tell_from;
	struct {
		struct id id;
		enum job_kind kind;
		int64_t run_at;
	} job[TURN_JOBS_MAX]; /* new ones */
	size_t jobs;
};

struct opt_place {
	bool set;
	struct place v;
};
/* What that job carries. */
struct opt_place place_of_job(const struct execution *x, const struct id *job);
/* Who carries on what is under way: the job in hand goes on with `mine`, if that is set; others get their own. */
enum err assign(struct execution *x, const struct job *job, struct opt_place *mine, struct turn *turn) MUST_CHECK;
/* ERR_PRECONDITION_FAILED: somebody else was first; ERR_CONFLICT: the lease is over. */
enum err turn_write(struct ctx *cx, struct execution *x, const struct job *job, const struct turn *turn) MUST_CHECK;
/* It is on record: the next turn begins with nothing changed. */
void turn_done(struct execution *x);

/* --- watched.c ------------------------------------------------------------------------------- */
/* Whoever watches is told what this turn did; it is on record already. Errors of live_tell. */
enum err watched_tell(struct ctx *cx, const struct execution *x) MUST_CHECK;
/* The same for all that is on record from that event on, the first one of a turn. */
enum err watched_tell_from(struct ctx *cx, const struct execution *x, int64_t first) MUST_CHECK;
/* The answer for who holds the line. */
void watched_answer(struct ctx *cx, const struct execution *x);

#endif
