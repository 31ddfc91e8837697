/* The event triggers of a workflow's newest version, where the arrival of an event finds them. Of this room. */
#ifndef LW_FLOW_LISTENER_H
#define LW_FLOW_LISTENER_H

#include "base/attr.h"
#include "base/err.h"
#include "base/id.h"
#include "core/ctx.h"
#include "flow/definition.h"

/* In the transaction of the save: those of the version before are gone. */
enum err listeners_save(struct ctx *cx, const struct id *workflow, const struct flow *flow) MUST_CHECK;

#endif
