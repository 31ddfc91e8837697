/* Live runs: what a person may say to an execution, and what becomes of it. */
#ifndef LW_LIVE_RUN_H
#define LW_LIVE_RUN_H

#include <jansson.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/id.h"
#include "base/str.h"
#include "core/ctx.h"

struct run_said {
	struct str type;      /* "session:start", "node:execute", "user:message", "workflow:advance", "session:end" */
	const json_t *data;   /* NULL: nothing */
};

/*
 * Takes what was said, in the caller's transaction: OK is durable with it. `ret_execution` is the run's execution, once
 * there is one. ERR_NOT_FOUND: no such run; ERR_CONFLICT: it has ended, or nothing has begun yet; ERR_BAD_INPUT.
 */
enum err run_say(struct ctx *cx, const struct id *run, const struct run_said *said,
		 struct opt_id *ret_execution) MUST_CHECK;

#endif
