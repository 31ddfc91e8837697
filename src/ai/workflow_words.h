/* What a model is told of workflows, and of what it got wrong. */
#ifndef LW_AI_WORKFLOW_WORDS_H
#define LW_AI_WORKFLOW_WORDS_H

#include "base/attr.h"
#include "base/err.h"
#include "base/str.h"
#include "core/ctx.h"

/* The format of definitions, every type of step, and the tenant's connectors; the arena's. */
enum err workflow_words(struct ctx *cx, struct str *ret_words) MUST_CHECK;
/* The places of cx->problem in words for the model; the arena's. */
enum err workflow_faults(struct ctx *cx, struct str *ret_words) MUST_CHECK;

#endif
