/* What becomes of a consent: a connector, made or connected again. */
#ifndef LW_CONNECT_OAUTH_CONNECT_H
#define LW_CONNECT_OAUTH_CONNECT_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/id.h"
#include "connect/oauth_state.h"
#include "connect/token_request.h"
#include "connect/type.h"
#include "connect/values.h"
#include "connect/verify.h"
#include "core/ctx.h"

struct oauth_connect {
	const struct connector_type *type;
	const struct auth_way *way;
	const struct oauth_state *state;
	const struct token_answer *answer;
	const struct values *values; /* everything that a request to the provider needs */
	const struct values *kept;   /* what of it goes into the credential besides the tokens */
	/* Results. */
	struct verify_outcome outcome; /* whose account it is; a failure connects, too, and shows */
	struct id connector;
	bool limited; /* fewer scopes were granted than asked for */
};

/*
 * Asks the provider whose account it is, then stores tokens and connector in one transaction with the audit row: the
 * connector that the consent was for, else the tenant's one of the same account, else a new one. ERR_OTHER_ACCOUNT when
 * the first isn't provably for the same account; ERR_NOT_FOUND when it is gone.
 */
enum err oauth_connect(struct ctx *cx, struct oauth_connect *connect) MUST_CHECK;

#endif
