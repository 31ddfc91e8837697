/* What a new password must be, and how it is stored. */
#ifndef LW_IDENTITY_PASSWORD_RULES_H
#define LW_IDENTITY_PASSWORD_RULES_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/str.h"
#include "core/ctx.h"
#include "crypt/password.h"

/*
 * Any characters, any mixture; only what attackers try first is refused: a common password in whatever case,
 * or the account's own address. (The least length is in the document: 8 characters.) Notes the member `field`
 * and returns ERR_BAD_INPUT.
 */
enum err password_check_new(struct ctx *cx, const char *field, struct str password,
			    struct str email_key) MUST_CHECK;
/* Whether it is in the list of common ones, or up to four bytes over and over. */
bool password_is_common(struct str password);
/* The hash to store, at the configured cost. Burns CPU: vault pool and latchctl only. */
enum err password_make_hash(const struct config *config, struct str password,
			    char ret_hash[PASSWORD_HASH_MAX]) MUST_CHECK;
/* The configured cost. */
struct password_cost password_cost_now(const struct config *config);

#endif
