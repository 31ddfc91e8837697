/* One request on its way from admission to its answer: what serve.c and run.c share. */
#ifndef LW_API_VISIT_H
#define LW_API_VISIT_H

#include <stdbool.h>
#include <stdint.h>

#include "api/idempotency.h"
#include "api/route.h"
#include "base/arena.h"
#include "base/attr.h"
#include "base/buf.h"
#include "core/ctx.h"
#include "fcgi/reply.h"
#include "fcgi/request.h"

struct server;

/* The first members are kept for the next request in its place. */
struct visit {
	struct server *server;
	bool under_way;
	struct arena *arena;
	struct buf body; /* wiped after each request: it may carry secrets */
	struct ctx context;

	struct ctx *cx;
	struct request *request;
	struct reply *reply;
	const struct route *route; /* NULL: no such path */
	const void *in;
	struct idempotency idempotency;
	int64_t began_us;
};

/*
 * Runs the handler that the route names, in a transaction with its audit row and its idempotent answer where the route
 * has one, and again when the database asks for that. A handler that may wait for others' writes can hold the request.
 */
enum err visit_run(struct visit *v) MUST_CHECK;
/* What a handler's error means for the request, of one that was held, too: a reply that isn't to be sent is emptied. */
enum err visit_outcome(struct visit *v, enum err e) MUST_CHECK;

#endif
