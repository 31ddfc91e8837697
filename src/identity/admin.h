/*
 * People and tenants as the operator handles them (latchctl): the rules, without
 * HTTP and without the operator's words.
 *
 * Each function belongs into a transaction of the caller, who also writes the
 * audit row (cx->audit holds its target). cx->who is WHO_SYSTEM.
 */
#ifndef LW_IDENTITY_ADMIN_H
#define LW_IDENTITY_ADMIN_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/id.h"
#include "base/secret.h"
#include "base/str.h"
#include "core/ctx.h"
#include "core/principal.h"

struct admin_new_user {
	struct str email;
	struct str name;               /* may be absent */
	const struct secret *password; /* NULL: one is generated */
	struct opt_id
		tenant; /* join this one; not set: a new one, of which the user is the owner */
	struct str tenant_name; /* of the new one; absent: the address up to its @ */
	enum role role;         /* in a tenant that exists */
};

struct admin_made_user {
	struct id user;
	struct id tenant;
	struct secret
		generated; /* to be shown once; empty when a password was given. The caller wipes it. */
};

/* Makes an account. cx->who is in its tenant afterwards. ERR_EMAIL_TAKEN, ERR_BAD_INPUT (the password is a common
 * one: see cx->problem), ERR_NOT_FOUND (no such tenant). */
enum err identity_user_create(struct ctx *cx, const struct admin_new_user *wanted,
			      struct admin_made_user *ret_made) MUST_CHECK;
/* The account of that address. ERR_NOT_FOUND. */
enum err identity_user_find(struct ctx *cx, struct str email, struct id *ret_user) MUST_CHECK;
/* Sets a password (NULL: generates one) and ends all sessions. */
enum err identity_user_set_password(struct ctx *cx, const struct id *user,
				    const struct secret *password,
				    struct secret *ret_generated) MUST_CHECK;
/* No sign-in, no session and no API token of theirs works from the commit on. ERR_NOT_FOUND. */
enum err identity_user_disable(struct ctx *cx, const struct id *user) MUST_CHECK;
/* They may sign in again; what was revoked stays revoked. ERR_NOT_FOUND. */
enum err identity_user_enable(struct ctx *cx, const struct id *user) MUST_CHECK;

/* A tenant of an existing user, who owns it. cx->who is in it afterwards. ERR_NOT_FOUND. */
enum err identity_tenant_create(struct ctx *cx, const struct id *owner, struct str name,
				struct id *ret_tenant) MUST_CHECK;
/* Marks cx->who's tenant as deleted and ends its sessions and API tokens; destroying its keys is the vault's
 * part. ERR_NOT_FOUND when it is deleted already. */
enum err identity_tenant_end(struct ctx *cx) MUST_CHECK;

#endif
