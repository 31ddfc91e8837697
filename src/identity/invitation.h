/* Invitations: a role in a tenant, for whoever holds the mailed link. */
#ifndef LW_IDENTITY_INVITATION_H
#define LW_IDENTITY_INVITATION_H

#include "base/attr.h"
#include "base/err.h"
#include "base/id.h"
#include "base/str.h"
#include "core/ctx.h"
#include "core/principal.h"
#include "fcgi/reply.h"

struct invitation {
	struct id id;
	struct str email;
	enum role role;
	struct id invited_by;
	int64_t created_at;
	int64_t expires_at;
};

/*
 * Invites to cx->who's tenant and mails the link. An open invitation of the same address is replaced: the
 * newest link counts. ERR_CONFLICT for somebody who is a member; ERR_DENIED when somebody else than an owner
 * invites an owner.
 */
enum err invitation_make(struct ctx *cx, struct str email, enum role role,
			 struct invitation *ret_invitation) MUST_CHECK;
/* Makes one and answers it: POST /invitations and POST /members. */
enum err invitation_answer_new(struct ctx *cx, struct str email, struct str role,
			       struct reply *reply) MUST_CHECK;

/* An open invitation, locked until the transaction ends; its texts live until the next call. ERR_NOT_FOUND. */
enum err invitation_take(struct ctx *cx, const struct id *id,
			 struct invitation *ret_invitation) MUST_CHECK;

/* What a link leads to. The texts are the arena's. */
struct invited {
	struct id tenant;
	struct id invitation;
	struct str email;
	enum role role;
};
/* Finds and locks it; of any number of tries at once, one gets it. ERR_LINK_USED for a used, unknown or old one. */
enum err invitation_find(struct ctx *cx, struct str token, struct invited *ret_invited) MUST_CHECK;
/* Uses it up and makes the user a member. cx->who is the user in that tenant afterwards. ERR_CONFLICT when
 * they are a member already. */
enum err invitation_join(struct ctx *cx, const struct invited *invited,
			 const struct id *user) MUST_CHECK;

#endif
