/*
 * Who belongs to a tenant, as what.
 *
 * Only an owner makes, changes or removes an owner, and one owner always stays.
 * Somebody who may no longer invite takes back what they sent out, and somebody
 * who leaves takes their API tokens along: no way back is left open.
 */
#ifndef LW_IDENTITY_MEMBER_H
#define LW_IDENTITY_MEMBER_H

#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/id.h"
#include "core/ctx.h"
#include "core/principal.h"
#include "store/sql_member.h"

/* ERR_DENIED unless who asks may give that role, or change somebody (an invitation) of it. */
enum err member_may_touch(struct ctx *cx, enum role role) MUST_CHECK;

/* Takes the tenant's turn and reads the member as it is now; the texts live until the next call. Call it
 * before a change. ERR_NOT_FOUND. */
enum err member_take(struct ctx *cx, const struct id *user,
		     struct sql_member_get_row *ret_member) MUST_CHECK;
/* Their sessions carry the new role from the commit on, and tokens with the old one stop. ERR_DENIED,
 * ERR_LAST_OWNER. */
enum err member_change_role(struct ctx *cx, const struct id *user, enum role from,
			    enum role to) MUST_CHECK;
/* The membership, their sessions in this tenant, their API tokens and invitations. ERR_DENIED, ERR_LAST_OWNER. */
enum err member_expel(struct ctx *cx, const struct id *user, enum role role) MUST_CHECK;

/* For entity tags: changes when the role does. */
int64_t member_state(int64_t created_at, enum role role);

#endif
