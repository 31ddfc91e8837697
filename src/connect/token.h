/*
 * Tokens that work: handing out the access token of a credential, renewed once
 * however many ask (refresh.c).
 */
#ifndef LW_CONNECT_TOKEN_H
#define LW_CONNECT_TOKEN_H

#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/id.h"
#include "base/secret.h"
#include "base/str.h"
#include "connect/token_request.h"
#include "connect/type.h"
#include "connect/values.h"
#include "core/ctx.h"

/* How long a token that is handed out works at least, when its provider tells its end. */
enum { TOKEN_VALID_MS = 300000 };

struct token {
	struct secret text;
	struct opt_int expires_at;
	int64_t version; /* of the credential that it is stored in */
};

/*
 * An access token of a credential of the scope's tenant that works for TOKEN_VALID_MS more: renewed now if
 * need be, exactly once for each generation whoever asks. No transaction may be open. ERR_NOT_FOUND,
 * ERR_NO_TOKEN_HERE, ERR_NEEDS_RECONNECT, ERR_UPSTREAM, ERR_UPSTREAM_TIMEOUT, ERR_PROVIDER_BUSY with cx->problem.
 */
enum err token_give(struct ctx *cx, const struct id *credential, struct token *ret_token) MUST_CHECK;

/*
 * Stores what a consent brought: a new credential of type oauth2 for that service, or a new version of
 * `credential` when it is set; and its token_refresh row. Within the caller's transaction.
 */
struct token_store {
	struct opt_id credential;        /* set: connect again */
	struct opt_id client_credential; /* the tenant's own client; not set: the operator's */
	const struct connector_type *type;
	struct str name;                 /* of a new credential */
	const struct token_answer *answer;
	const struct values *kept;       /* goes to `extra`: callback parameters, placeholders; may be NULL */
	struct str scopes;               /* granted, or as asked */
};
enum err token_store(struct ctx *cx, const struct token_store *store, struct id *ret_credential) MUST_CHECK;

/* Renews what is due in the background: at most `limit` credentials of all tenants. For the worker. */
enum err token_refresh_due(struct ctx *cx, int limit, int *ret_renewed) MUST_CHECK;

/*
 * The client of a type for the scope's tenant, put into `values` as client_id and client_secret: that credential,
 * or the one that the tenant's service setting names, or the operator's. ERR_OAUTH_NO_CLIENT.
 */
enum err oauth_client(struct ctx *cx, const struct connector_type *type, struct opt_id credential,
		      struct values *values, struct opt_id *ret_credential) MUST_CHECK;
/*
 * The same for a consent or a connection that began with a certain client: that credential, or, when it isn't set, the
 * operator's. What the tenant has set since doesn't count: a provider takes a code or a refresh token from the client
 * that it gave it to, and from no other.
 */
enum err oauth_client_again(struct ctx *cx, const struct connector_type *type, struct opt_id credential,
			    struct values *values) MUST_CHECK;

#endif
