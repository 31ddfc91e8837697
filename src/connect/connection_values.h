/* What a stored connection is used with: its values, with a token that works, and which of them are secret. */
#ifndef LW_CONNECT_CONNECTION_VALUES_H
#define LW_CONNECT_CONNECTION_VALUES_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/id.h"
#include "base/str.h"
#include "connect/call.h"
#include "connect/type.h"
#include "connect/values.h"
#include "core/ctx.h"

enum { CONNECTION_SECRETS_MAX = 40 };

/*
 * The values of a credential of the scope's tenant, used that way; where the way fetches tokens, access_token is one
 * that works (token.h, whose errors these are). No transaction may be open. ERR_NOT_CONNECTED when the credential is
 * gone. `ret_version` is the credential's that they come from. `way` may be NULL: then no token is fetched.
 */
enum err connection_values(struct ctx *cx, const struct connector_type *type,
			   const struct auth_way *way, struct opt_id credential,
			   struct values *values, struct opt_int *ret_version) MUST_CHECK;
/* What must not come back in an answer; texts of the values and of the call (may be NULL), some of them absent. */
struct texts connection_secrets(const struct connector_type *type, const struct values *values,
				const struct call *call, struct str secret[CONNECTION_SECRETS_MAX]);
/* Whether one of them is in the text. One of a few characters is in too many others to mean a secret. */
bool connection_holds_secret(struct str text, struct texts secrets);

#endif
