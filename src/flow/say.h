/* What a step says while it is at work: on record at once, and told to whoever watches. */
#ifndef LW_FLOW_SAY_H
#define LW_FLOW_SAY_H

#include "base/attr.h"
#include "base/err.h"
#include "base/id.h"
#include "base/str.h"
#include "core/ctx.h"

struct said {
	const char *type; /* "ai:chunk" */
	struct str data;  /* JSON: an object */
};

/*
 * Adds events to those of an execution, in a transaction of its own: nobody may have one open. ERR_CONFLICT: it is
 * over, so nothing that the step does will count. What can't be told to the run is on record all the same.
 */
enum err execution_say(struct ctx *cx, const struct id *execution, struct opt_id run,
		       const struct said *said, size_t n) MUST_CHECK;

#endif
