/* Who may come in: limits, token, role and scope. */
#ifndef LW_API_ADMIT_H
#define LW_API_ADMIT_H

#include "api/route.h"
#include "base/attr.h"
#include "base/err.h"
#include "core/ctx.h"
#include "core/rate.h"
#include "fcgi/reply.h"

/*
 * Checks the request against its route: rate limits of the address, then the token, then of token and tenant,
 * then role and scope, then the CSRF token of a console session. On OK cx->who and the database scope are set.
 * A GET's check that the session is live may still be owed (cx->who.live is false).
 */
enum err admit(struct ctx *cx, struct rate_table *rates, const struct route *route, struct reply *reply) MUST_CHECK;

#endif
