/*
 * Steps that have an effect outside. Each is a function: its config, evaluated,
 * goes in, its output comes out. It holds no transaction, and it may be run
 * again after a crash with the same effect key: whoever is called can tell.
 *
 * A secret is put in at the wire and nowhere else: not in the config, not in
 * the output, not in an error. What comes back is searched for the secrets that
 * went out; they are blotted out before it is kept.
 */
#ifndef LW_FLOW_STEP_H
#define LW_FLOW_STEP_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/id.h"
#include "base/str.h"
#include "core/ctx.h"
#include "flow/definition.h"

struct step_run {
	const struct flow_step *step;
	struct id workflow, execution;
	struct opt_id run;        /* who watches: what streams goes there */
	struct str step_id;       /* of the definition; of an item of a for_each: id[n] */
	const json_t *config;     /* its texts evaluated */
	int64_t attempt;          /* from 1 on */
	struct str effect_key;    /* "<execution id>.<step id>": the same at each try */
	int64_t deadline_ms;      /* on the clock of cx->now_ms */
	/* What the step says of itself. */
	struct buf output;        /* JSON, at most EXECUTION_OUTPUT_MAX; empty: null */
	bool hopeless;            /* with an error: trying again is no use */
	bool unsent;              /* with an error: trying again is safe: nothing has left, or it may come twice */
	int64_t retry_after_ms;   /* with an error: the other side asked for that much patience; 0: it didn't */
};

/* Errors go into the history with their code and cx->problem.detail: words that hold no secret and no foreign text. */
typedef enum err (*step_function)(struct ctx *cx, struct step_run *run);

enum err step_http(struct ctx *cx, struct step_run *run) MUST_CHECK;
enum err step_email(struct ctx *cx, struct step_run *run) MUST_CHECK;
enum err step_database(struct ctx *cx, struct step_run *run) MUST_CHECK;
enum err step_integration(struct ctx *cx, struct step_run *run) MUST_CHECK;
enum err step_ai(struct ctx *cx, struct step_run *run) MUST_CHECK;
enum err step_agent(struct ctx *cx, struct step_run *run) MUST_CHECK;

/* NULL for types that aren't an EFFECT. */
step_function step_function_of(enum step_type type);

#endif
