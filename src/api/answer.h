/* The parts of an answer that don't depend on the operation: problems, headers, CORS. */
#ifndef LW_API_ANSWER_H
#define LW_API_ANSWER_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"
#include "core/ctx.h"
#include "core/rate.h"
#include "fcgi/reply.h"
#include "fcgi/request.h"

/*
 * Makes the reply the problem (RFC 9457) of that error: its status, code and words, with the places and the
 * detail from cx->problem. Headers that the reply has already are kept.
 */
void answer_problem(const struct ctx *cx, enum err e, struct reply *reply);

/* X-Request-Id, Cache-Control, and for an allowed origin the CORS headers: on every answer. */
enum err answer_common_headers(const struct ctx *cx, const struct request *request, struct reply *reply) MUST_CHECK;

/* RateLimit-* and Retry-After of a request that was over a limit. */
enum err answer_rate_limited(struct ctx *cx, const struct rate_verdict *verdict, struct reply *reply) MUST_CHECK;

/* A CORS preflight (OPTIONS with Access-Control-Request-Method) of a path with those methods. */
enum err answer_preflight(const struct ctx *cx, const struct request *request, unsigned methods,
			  struct reply *reply) MUST_CHECK;

#endif
