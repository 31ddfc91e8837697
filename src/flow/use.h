/* The audit trail of what steps open. */
#ifndef LW_FLOW_USE_H
#define LW_FLOW_USE_H

#include "base/attr.h"
#include "base/err.h"
#include "base/id.h"
#include "base/str.h"
#include "core/ctx.h"
#include "flow/step.h"

/* A step is about to use that credential, of that service (may be absent): a row of its own. No row, no use. */
enum err step_note_use(struct ctx *cx, const struct step_run *run, const struct id *credential,
		       struct str service) MUST_CHECK;

#endif
