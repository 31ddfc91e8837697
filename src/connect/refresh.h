/*
 * Renewing a token exactly once. Of this room; everybody else calls token_give.
 *
 *	plan      what would be asked, and by which client; nothing is written or sent
 *	claim     a transaction announces the exchange: the intent, with its end
 *	exchange  the provider is asked, and no transaction is open
 *	settle    a transaction stores what came, if the refresh token that was used is still the stored one
 *
 * An intent that lives keeps everybody else from asking the provider. One that ran out is taken for dead, and its
 * answer for lost: the next one tries the same refresh token again, and says so when that fails.
 */
#ifndef LW_CONNECT_REFRESH_H
#define LW_CONNECT_REFRESH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/id.h"
#include "connect/call.h"
#include "connect/token_request.h"
#include "connect/token_source.h"
#include "connect/type.h"
#include "connect/values.h"
#include "core/ctx.h"
#include "store/sql_token_refresh.h"

enum {
	REFRESH_MARGIN_MS = 5000,      /* an intent outlives its call by so much ... */
	REFRESH_SEND_WITHIN_MS = 2500, /* ... and the call is begun so soon after it, or not at all */
};

enum renewal_state {
	RENEWAL_AGAIN, /* something changed: look again */
	RENEWAL_MINE,  /* the intent is ours */
	RENEWAL_DONE,  /* new tokens are stored */
	RENEWAL_DEAD,  /* the person has to connect again */
	RENEWAL_FAILED /* not now */
};

struct renewal {
	struct token_source source; /* the generation that is exchanged */
	struct sql_token_refresh_get_row row;
	bool has_row;
	int64_t at; /* the database's clock when the row was read */

	const struct connector_type *type; /* the catalogue's, or one that the credential itself describes */
	enum token_grant grant;
	bool exchanged; /* the access token takes the refresh token's place */
	struct values values;
	struct opt_id client;
	struct token_request request;
	struct call call;

	struct id intent;
	bool uncertain;
	int64_t claimed_us; /* monotonic */
	enum renewal_state state;
	int64_t stored_version; /* when it is DONE: that of the new tokens */
	struct buf body; /* of the answer */
	struct token_answer answer;
	struct token_failure failure;
};

void renewal_init(struct renewal *renewal);
void renewal_done(struct renewal *renewal);
#define RENEWAL_AUTO CLEANUP(renewal_done)

/* Whether the type has a way of that mode that keeps its secrets in this kind of credential. */
bool connector_has_way(const struct connector_type *type, enum auth_mode mode, struct str credential);

/* Reads the row, and the database's clock. */
enum err renewal_look(struct ctx *cx, struct renewal *renewal) MUST_CHECK;
/* A consent or an exchange has been there. Else the tokens are what a person brought along, from whichever client. */
bool renewal_knows_client(const struct sql_token_refresh_get_row *row);
/* Somebody's exchange is under way. */
bool renewal_is_claimed(const struct renewal *renewal);

/*
 * How this source would be renewed. ERR_NO_TOKEN_HERE: not at all. Otherwise errors of the request in the making, with
 * `failure`; ERR_OAUTH_NO_CLIENT. Needs renewal_look before.
 */
enum err renewal_plan(struct ctx *cx, struct renewal *renewal) MUST_CHECK;
/* Announces it: MINE or AGAIN. */
enum err renewal_claim(struct ctx *cx, struct renewal *renewal) MUST_CHECK;
/* Asks the provider and writes down what came: any state but MINE. Errors are the database's, or ours. */
enum err renewal_exchange(struct ctx *cx, struct renewal *renewal) MUST_CHECK;
/* Writes down a failure that came before a claim, so that the background leaves it alone for a while. */
enum err renewal_note_failure(struct ctx *cx, const struct renewal *renewal) MUST_CHECK;

#endif
