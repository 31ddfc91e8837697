/* API tokens: a program's access to one tenant, with scopes. */
#ifndef LW_IDENTITY_API_TOKEN_H
#define LW_IDENTITY_API_TOKEN_H

#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/id.h"
#include "base/secret.h"
#include "base/str.h"
#include "core/ctx.h"
#include "core/principal.h"

enum { SCOPES_TEXT_MAX = 512 };

/* Sets cx->who from a token of a request: one statement, and once a minute one more for the time of its use.
 * ERR_BAD_TOKEN for every token that isn't good, ERR_TOKEN_EXPIRED. */
enum err api_token_enter(struct ctx *cx, struct str token) MUST_CHECK;

/*
 * Makes a token of cx->who's tenant in the name of its user. A token can't give away scopes that it lacks
 * itself: ERR_SCOPE_MISSING. ERR_BAD_INPUT for an expiry in the past. The text is shown once and never again.
 */
enum err api_token_make(struct ctx *cx, struct str name, scopes wanted, struct opt_int expires_at,
			struct id *ret_id, struct secret *ret_text) MUST_CHECK;
/* Takes effect with the commit. ERR_NOT_FOUND. */
enum err api_token_end(struct ctx *cx, const struct id *id) MUST_CHECK;

/* "credentials:read audit:read" and back; unknown words are passed over (they came from a newer version). */
struct str scopes_format(scopes set, char text[SCOPES_TEXT_MAX]);
scopes scopes_parse(struct str text);

#endif
