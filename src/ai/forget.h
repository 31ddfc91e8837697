/* The end of a tenant's agents. */
#ifndef LW_AI_FORGET_H
#define LW_AI_FORGET_H

#include "base/attr.h"
#include "base/err.h"
#include "core/ctx.h"

/* Removes agents, conversations and usage of the scope's tenant, in the transaction that deletes it. latchctl only. */
enum err ai_forget_tenant(struct ctx *cx) MUST_CHECK;

#endif
