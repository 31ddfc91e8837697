/*
 * Tools of an agent: each is a connector that it may call, by requests below
 * the address of its type. The model chooses method, path and body; the secret
 * is put in at the wire, and blotted out of what comes back.
 */
#ifndef LW_AI_TOOL_H
#define LW_AI_TOOL_H

#include "ai/model.h"
#include "base/attr.h"
#include "base/err.h"
#include "base/id.h"
#include "connect/type.h"
#include "core/ctx.h"

enum { AGENT_TOOLS_MAX = 50, TOOL_RESULT_MAX = 32 << 10 };

struct tool {
	struct id connector;
	struct opt_id credential;
	const struct connector_type *type;
	const struct auth_way *way;
	struct str name; /* of the function: "xero", "stripe_2" */
	struct str description;
};

struct tools {
	size_t n;
	struct tool v[AGENT_TOOLS_MAX];
	struct model_tool model[AGENT_TOOLS_MAX]; /* the same, for a request */
};

/* One call as it was made. */
struct tool_done {
	const struct tool *tool; /* NULL: there is no such tool */
	struct str method, path; /* absent: the model's arguments weren't any */
	int status;              /* 0: no answer */
};

/* Asked before a connector's credential is used; anything but OK ends the work. */
typedef enum err (*tool_guard)(struct ctx *cx, void *arg, const struct tool *tool);

/*
 * The connectors as tools; texts are the arena's. One that is gone, disabled or has no address to call is left out:
 * the agent goes on with the others.
 */
enum err tools_load(struct ctx *cx, const struct id *connector, size_t n,
		    struct tools *ret_tools) MUST_CHECK;
struct tool_order {
	const struct tools *tools;
	const struct model_call *call;
	struct str key;      /* goes along as Idempotency-Key where something may be changed */
	int64_t deadline_ms; /* on the clock of cx->now_ms; 0: none */
	tool_guard guard;    /* may be NULL */
	void *arg;
};

/*
 * Does one call. What goes wrong outside, or with what the model wants, is a result for the model; an error is ours, or
 * ERR_AI_TIMEOUT: the deadline has passed.
 */
enum err tool_call(struct ctx *cx, const struct tool_order *order, struct tool_done *ret_done,
		   struct model_result *ret_result) MUST_CHECK;

#endif
