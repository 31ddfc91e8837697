/*
 * The token endpoint of a provider: what is asked (token_request.c, assertion.c), and what its answer means
 * (token_answer.c). All of it is pure but token_fetch.
 */
#ifndef LW_CONNECT_TOKEN_REQUEST_H
#define LW_CONNECT_TOKEN_REQUEST_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/id.h"
#include "base/str.h"
#include "connect/call.h"
#include "connect/type.h"
#include "connect/values.h"

enum { TOKEN_TEXT_MAX = 32 << 10 }; /* of one token: more is no token */

enum token_grant {
	GRANT_CODE,
	GRANT_REFRESH,
	GRANT_CLIENT_CREDENTIALS,
	GRANT_JWT_BEARER
};

/* `values` also hold client_id, client_secret, and refresh_token or access_token where the grant needs them. */
struct token_request {
	const struct connector_type *type;
	enum token_grant grant;
	const struct values *values;
	struct str code, redirect_uri, verifier; /* GRANT_CODE */
	struct str scopes;                       /* separated by one space; absent: the type's */
	int64_t now_ms;
};

/* What a good answer says. Texts are the arena's copies in a wiped arena. */
struct token_answer {
	struct str access_token, refresh_token; /* the latter absent: keep the old one */
	struct str token_type;
	struct str scopes;                /* separated by one space; absent: not told, that is as asked */
	struct opt_int expires_at;        /* ms; not set: it doesn't end, or nobody knows */
	struct opt_int refresh_expires_at;
	const json_t *body;               /* for `keep` */
};

/* Why there is no token. */
struct token_failure {
	bool terminal;           /* asking again is no use: the person has to connect again */
	bool client_wrong;       /* it is the client's id or secret, or the signing key, that the provider refuses */
	bool maybe_done;         /* the provider may have done it: a token that works once may be used up */
	struct opt_int retry_after_s;
	struct str code;         /* INVALID_GRANT, RATE_LIMITED, TIMEOUT, BAD_RESPONSE ...: stable */
	struct str message;      /* safe words: the provider's error code, never its text as it stands */
};

/* How the grant's tokens behave, as the type's file says. */
const struct token_rules *token_rules_of(const struct token_request *request);

/* ERR_BAD_INPUT when a value is missing (`ret_missing`); ERR_HOST_FORBIDDEN. */
enum err token_request_make(const struct token_request *request, struct call *call,
			    struct str *ret_missing) MUST_CHECK;

/*
 * Appends the signed statement of a service account (RFC 7523, section 2.1): of Google's kind, or the short one that
 * calls a GitHub App's endpoint. `audience` is used when the type names none. ERR_BAD_INPUT as above.
 */
enum err token_assertion(const struct token_request *request, struct str audience, struct buf *out,
			 struct str *ret_missing) MUST_CHECK;

/*
 * Reads an answer. OK, or ERR_OAUTH_REFUSED / ERR_UPSTREAM with `ret_failure`. A token with control characters or of
 * more than TOKEN_TEXT_MAX, a missing access token, an expires_in that isn't a number or is negative: BAD_RESPONSE, not
 * terminal. Even then `ret_answer->refresh_token` may be set: the one that was sent is perhaps used up.
 *
 * terminal: GRANT_REFRESH, and invalid_grant or one of the type's terminal_errors, which may name a status, too
 * ("http_404"). An unknown client is the operator's or the tenant's to correct; the connection lives on.
 */
enum err token_answer_read(struct arena *arena, const struct token_request *request,
			   const struct http_answer *answer, struct str body,
			   struct token_answer *ret_answer, struct token_failure *ret_failure) MUST_CHECK;

/* Makes, sends and reads. No transaction may be open. Errors as above, and those of call_send: all with a failure. */
enum err token_fetch(struct ctx *cx, const struct token_request *request, struct buf *body,
		     struct token_answer *ret_answer, struct token_failure *ret_failure) MUST_CHECK;
/* The same in two steps: what can't be asked is known before anything is announced. */
enum err token_send(struct ctx *cx, const struct token_request *request, const struct call *call, struct buf *body,
		    struct token_answer *ret_answer, struct token_failure *ret_failure) MUST_CHECK;
/* A request that can't be made, as a failure. */
void token_request_failed(struct ctx *cx, enum err e, struct str missing, struct token_failure *ret_failure);

#endif
