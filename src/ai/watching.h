/* Runs that an answer streams to, of requests that belong to no execution. */
#ifndef LW_AI_WATCHING_H
#define LW_AI_WATCHING_H

#include "ai/speaking.h"
#include "base/attr.h"
#include "base/err.h"
#include "base/id.h"
#include "core/ctx.h"

/* ERR_BAD_INPUT at run_id when it isn't an open run of the tenant's. A run that isn't set has no audience. */
enum err watching_run(struct ctx *cx, struct opt_id run, struct audience *ret_audience) MUST_CHECK;

#endif
