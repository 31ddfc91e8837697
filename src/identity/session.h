/*
 * Sessions: a person who is signed in to a tenant, from one device.
 *
 * A session lives in the database. Its access tokens (JWT, minutes) name it with
 * its tenant and role; its refresh token (opaque, used once) gives the next ones.
 * What ends or changes the row ends the tokens at the next request.
 */
#ifndef LW_IDENTITY_SESSION_H
#define LW_IDENTITY_SESSION_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/id.h"
#include "core/ctx.h"
#include "fcgi/reply.h"

/*
 * Signs the user in to the tenant: a new session, its tokens, and the answer (`SignedIn` of the document;
 * as cookies for a console session). cx->who is that user afterwards. ERR_DENIED when the user isn't a member
 * or may not sign in.
 */
enum err session_start(struct ctx *cx, const struct id *user, const struct id *tenant, bool cookie,
		       struct reply *reply) MUST_CHECK;

/*
 * The session goes on with new tokens, in the same tenant or in another one; its role is read anew, and its
 * other refresh tokens stop working. ERR_SESSION_ENDED; ERR_DENIED as above.
 */
enum err session_go_on(struct ctx *cx, const struct id *session, const struct id *user,
		       const struct id *tenant, bool cookie, struct reply *reply) MUST_CHECK;

/*
 * Uses up a refresh token and goes on. A second use ends the session: one of the two users stole it; the
 * changes are kept (cx->keep_changes). ERR_BAD_TOKEN, ERR_TOKEN_EXPIRED, ERR_SESSION_ENDED; ERR_CSRF when it
 * came by cookie from another site's page.
 */
enum err session_refresh(struct ctx *cx, struct str refresh_token, bool cookie,
			 struct reply *reply) MUST_CHECK;

/* Ends all sessions of a user but one (ID_NIL: all). */
enum err session_end_all(struct ctx *cx, const struct id *user, const struct id *but) MUST_CHECK;

#endif
