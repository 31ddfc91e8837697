/*
 * Live runs: what happens in an execution, told to browsers as it happens.
 *
 * nginx (nchan) holds the connections and the last messages of each channel;
 * we publish to it over a socket of its own. The record is the database's: an
 * event is told after its turn is committed, at least once, whatever dies in
 * between. Each has an id, so that a client drops what it has, and a number, so
 * that it can ask for what it missed when nginx has lost something.
 */
#ifndef LW_LIVE_LIVE_H
#define LW_LIVE_LIVE_H

#include "base/attr.h"
#include "base/err.h"
#include "base/id.h"
#include "base/str.h"
#include "core/ctx.h"
#include "fcgi/reply.h"

/*
 * Publishes events, a JSON list of ExecutionEvents, to whoever watches the run, one message each. ERR_IO, ERR_UPSTREAM
 * when nginx doesn't take them: whoever must be sure tries again.
 */
enum err live_tell(struct ctx *cx, const struct id *run, struct str events) MUST_CHECK;
/* What a trigger's client that holds the line is answered: the JSON of a TriggerAnswer. Errors as above. */
enum err live_answer(struct ctx *cx, const struct id *execution, struct str answer) MUST_CHECK;

/*
 * Hands the client over to nginx (X-Accel-Redirect), which holds the line until live_answer, or answers by itself after
 * 55 s that the execution is under way.
 */
enum err live_await(struct ctx *cx, const struct id *execution, struct reply *reply) MUST_CHECK;
/*
 * The same for whoever watches a run. What comes over the socket is brought to POST /runs/{id}/socket, with the ticket.
 */
enum err live_stream(struct ctx *cx, const struct id *run, struct reply *reply) MUST_CHECK;
enum err live_socket(struct ctx *cx, const struct id *run, struct str ticket, struct reply *reply) MUST_CHECK;

#endif
