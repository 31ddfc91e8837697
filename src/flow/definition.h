/*
 * Definitions of workflows: read, checked, and made ready to run.
 *
 *	{"steps": [{"id", "type", "name", "config", "retry": {"attempts", "delay_ms"}, "timeout_ms", "on_error"}],
 *	 "dependencies": {"step": ["steps before it"]}, "conditions": {"step": "jq"}, "triggers": [...]}
 *
 * or the canvas form {"nodes", "edges", "triggers"}: each node is a step (its `data` may hold name, config and the
 * like), each edge a dependency, its `condition` or `sourceHandle` ("true", "false", a branch) a condition of its
 * target. Both become the same graph.
 *
 * An expression sees {"input", "steps": {id: output}, "request", "execution": {"id", "workflow_id"}}, and in a for_each
 * "item" and "index".
 */
#ifndef LW_FLOW_DEFINITION_H
#define LW_FLOW_DEFINITION_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/attr.h"
#include "base/err.h"
#include "base/id.h"
#include "base/str.h"
#include "core/ctx.h"

enum step_type {
#define STEP(name, text, kind, words) STEP_##name,
#include "flow/steps.def"
#undef STEP
	STEP_TYPE_COUNT
};

enum step_kind { STEP_IS_PURE, STEP_IS_EFFECT, STEP_IS_WAIT };

bool step_type_parse(struct str text, enum step_type *ret_type) MUST_CHECK;
enum step_kind step_type_kind(enum step_type type);

enum {
	FLOW_STEPS_MAX = 200,
	FLOW_ITEMS_MAX = 1000,       /* of a for_each */
	FLOW_DEFINITION_MAX = 512 << 10,
	FLOW_EXPRESSION_MAX = 16 << 10,
	FLOW_TRY_MAX = 10,
	FLOW_DEPTH_MAX = 5           /* workflows within workflows */
};

struct flow_step {
	struct str id;
	struct str name; /* the id without one */
	enum step_type type;
	const json_t *config; /* as written; NULL: {} */
	/*
	 * jq that makes the config out of the scope, in one go: the same object, with values where expressions and
	 * templates stand ({"expression": value}, {"items": list}), without for_each's "step"; "cases" of a logic step
	 * becomes the name of the branch, null when no case is true. Absent when the config holds no expression.
	 */
	struct str program;
	bool plain; /* its expressions only say where a value stands */
	/*
	 * jq that has to be neither false nor null; absent: always. Of a drawing whose edges have conditions, it asks
	 * `.steps | has("id")`: so a step that was skipped isn't a member of `steps`.
	 */
	struct str when;
	size_t needs_n;     /* the steps before it */
	const uint16_t *needs;
	size_t next_n;      /* the steps behind it */
	const uint16_t *next;
	int64_t attempts;   /* 0: not said: again when nothing can have happened, or the method is safe to repeat */
	int64_t delay_ms;   /* before the second try; doubled from then on */
	int64_t timeout_ms; /* of one try; never 0 */
	bool goes_on;       /* on_error: "continue": its output is {"error": {code, message}} then */
	const struct flow_step *body; /* for_each's step, under the id of the for_each; else NULL */
};

struct flow {
	size_t n;
	const struct flow_step *step; /* in an order in which each comes behind those that it needs */
	const json_t *triggers;       /* NULL: none */
	/* The place of a required member or an id that is null, to be chosen before it is active; absent: none. */
	struct str unchosen;
};

/*
 * Reads a definition in either form; all of the result is the arena's, and of the definition, which must live as long.
 * ERR_BAD_INPUT with the places below `definition` (ctx_bad_field): unknown members and types, a cycle, a step that
 * isn't there, a limit passed. Expressions aren't looked into.
 */
enum err flow_read(struct ctx *cx, struct arena *arena, const json_t *definition,
		   const struct flow **ret_flow) MUST_CHECK;
/* And its expressions, by latch-expr: ERR_BAD_INPUT with the place and jq's words. For saving. */
enum err flow_check(struct ctx *cx, const json_t *definition, const struct flow **ret_flow) MUST_CHECK;
/* The place of that id in flow->step; flow->n for none. */
size_t flow_find(const struct flow *flow, struct str id);

#endif
