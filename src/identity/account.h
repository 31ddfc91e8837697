/* Making accounts: a person, a tenant of their own, a membership. */
#ifndef LW_IDENTITY_ACCOUNT_H
#define LW_IDENTITY_ACCOUNT_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/id.h"
#include "base/str.h"
#include "core/ctx.h"
#include "core/principal.h"

struct new_account {
	struct str email;         /* as it was typed */
	struct str name;          /* may be absent */
	struct str password_hash; /* absent: nobody signs in until a reset link sets a password */
	bool email_verified;      /* a mailed link has shown that it is theirs */
};

/* ERR_EMAIL_TAKEN, also when the other one came at the same moment. */
enum err account_make_user(struct ctx *cx, const struct new_account *account,
			   struct id *ret_user) MUST_CHECK;
/* A tenant that the user owns. cx->who is the user (or still the operator) in it afterwards, without a session. */
enum err account_make_tenant(struct ctx *cx, const struct id *user, struct str name,
			     struct id *ret_tenant) MUST_CHECK;
/* Mails a link that confirms the user's address. */
enum err account_send_verification(struct ctx *cx, const struct id *user,
				   struct str email) MUST_CHECK;

#endif
