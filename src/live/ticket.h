/*
 * Tickets: what opens one run's stream and socket for clients that can't send a header (a browser's EventSource and
 * WebSocket). Stored nowhere: a ticket says whose it is and until when, under a key that is derived from the front's
 * root key, and is good for one run.
 */
#ifndef LW_LIVE_TICKET_H
#define LW_LIVE_TICKET_H

#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/id.h"
#include "base/str.h"
#include "core/ctx.h"

/* A ticket of who asks; the arena's. */
enum err ticket_new(struct ctx *cx, const struct id *run, int64_t expires_at, struct str *ret_ticket) MUST_CHECK;
/*
 * Becomes whoever the ticket was given to (cx->who), in that run alone. ERR_BAD_TOKEN, ERR_TOKEN_EXPIRED;
 * ERR_SESSION_ENDED when what it was made with has ended: the session, the API token, the membership.
 */
enum err ticket_enter(struct ctx *cx, const struct id *run, struct str ticket) MUST_CHECK;

#endif
