/*
 * Single-use links that are mailed: they prove that an address is somebody's.
 *
 * The token stands behind the '#' of the link, which browsers don't send: it is
 * in no log of a server. The database keeps its hash.
 */
#ifndef LW_IDENTITY_LINK_H
#define LW_IDENTITY_LINK_H

#include "base/attr.h"
#include "base/err.h"
#include "base/id.h"
#include "base/str.h"
#include "core/ctx.h"

enum link_purpose { LINK_RESET, LINK_VERIFY };

/* Makes a token for the user and mails the link. */
enum err link_send(struct ctx *cx, enum link_purpose purpose, const struct id *user,
		   struct str email) MUST_CHECK;
/* Uses a token up: of any number of tries at once, one succeeds. `ret_email_key` (may be NULL; may become
 * absent) is the arena's. ERR_LINK_USED: it is unknown, used, too old, or its user is disabled. */
enum err link_redeem(struct ctx *cx, enum link_purpose purpose, struct str token,
		     struct id *ret_user, struct str *ret_email_key) MUST_CHECK;
/* The user's other links of that purpose stop working. */
enum err link_retire(struct ctx *cx, enum link_purpose purpose, const struct id *user) MUST_CHECK;

#endif
