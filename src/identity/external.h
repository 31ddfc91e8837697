/*
 * People of external issuers: a verified token of theirs becomes a user, a
 * tenant and a role.
 *
 * The person is found by (issuer, subject) and never by the mail address: that
 * an issuer calls somebody ada@example.com doesn't make them our Ada.
 */
#ifndef LW_IDENTITY_EXTERNAL_H
#define LW_IDENTITY_EXTERNAL_H

#include "base/attr.h"
#include "base/err.h"
#include "core/ctx.h"
#include "crypt/jwt.h"
#include "identity/issuer.h"

/*
 * Sets cx->who: one statement. At first sight it makes, in one transaction with its audit row, the person and
 * the membership, and the tenant when nobody of it came before. Where the issuer names the role, its word
 * counts: a membership that says something else is brought up to date.
 * ERR_BAD_TOKEN for claims of the wrong form; ERR_DENIED for somebody who was disabled here or removed from
 * the tenant.
 */
enum err external_enter(struct ctx *cx, const struct issuer *issuer,
			const struct jwt_claims *claims) MUST_CHECK;

#endif
