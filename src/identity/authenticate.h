/*
 * Who asks: from the token of a request to cx->who.
 *
 * What it costs, in round trips to the database: none for a GET with our own
 * access token on a connection that is bound to the token's tenant (the
 * handler's statement carries `:live`); else one, whichever kind of token it is.
 * An external issuer's keys are read once a minute, an API token's last use is
 * written once a minute, and a person is made at first sight.
 */
#ifndef LW_IDENTITY_AUTHENTICATE_H
#define LW_IDENTITY_AUTHENTICATE_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"
#include "core/ctx.h"

/*
 * Finds the token (Authorization: Bearer, else the console's cookie), checks it, sets cx->who and enters its
 * scope. Without a token: OK, and WHO_NOBODY. With `may_defer` (reads) the check that a session of ours is
 * live may be left to the handler's statement: cx->who.live is false then. Call it outside of a transaction.
 * ERR_BAD_TOKEN, ERR_TOKEN_EXPIRED, ERR_SESSION_ENDED, ERR_DENIED (a person who was disabled or removed),
 * or the database's errors; cx->who is nobody then.
 */
enum err identity_authenticate(struct ctx *cx, bool may_defer) MUST_CHECK;

/* The check that was left, unless a statement with `:live` found a row meanwhile. ERR_SESSION_ENDED; who asks
 * is nobody then. */
enum err identity_confirm_live(struct ctx *cx) MUST_CHECK;

/*
 * For who asks by something else than the token itself (a ticket that was made with it): the session, the API token, or
 * the membership behind it is still good. ERR_SESSION_ENDED; who asks is nobody then.
 */
enum err identity_confirm_again(struct ctx *cx) MUST_CHECK;

/*
 * ERR_CSRF when the token came by cookie and the request isn't provably the console's own: it lacks the
 * session's X-CSRF-Token, or the browser says that another site sent it. For methods that change things.
 */
enum err identity_check_csrf(struct ctx *cx) MUST_CHECK;
/* The same for a session that the caller found by itself (a refresh by cookie). */
enum err identity_check_csrf_of(struct ctx *cx, const struct id *session) MUST_CHECK;

#endif
