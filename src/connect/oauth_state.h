/*
 * Consents under way. The state that travels through the provider is 256 random bits; the database keeps its hash,
 * what the consent is for, and the hash of the cookie of the browser that began it.
 */
#ifndef LW_CONNECT_OAUTH_STATE_H
#define LW_CONNECT_OAUTH_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/id.h"
#include "base/secret.h"
#include "base/str.h"
#include "core/ctx.h"
#include "core/principal.h"
#include "crypt/keyring.h"
#include "crypt/token.h"
#include "fcgi/reply.h"

/* Lax: it has to come back with a navigation that begins at the provider. */
#define COOKIE_OAUTH "__Host-latchwork-oauth"

enum { OAUTH_CHALLENGE_CHARS = 43, OAUTH_FIELDS_MAX = 4096 };

/* What begins a consent. */
struct oauth_flow {
	struct secret state; /* text */
	struct secret
		browser; /* the cookie's text: the one that the browser has, so that several tabs can be at it */
	uint8_t state_hash[TOKEN_HASH_BYTES], browser_hash[TOKEN_HASH_BYTES];
	char root_key_id[KEYRING_ID_MAX + 1];
	char challenge[OAUTH_CHALLENGE_CHARS + 1]; /* of PKCE, S256 (RFC 7636, section 4.2) */
};

enum err oauth_flow_new(struct ctx *cx, struct oauth_flow *ret_flow) MUST_CHECK;
void oauth_flow_done(struct oauth_flow *flow);
/* Gives the browser its cookie, for as long as the consent may take. */
enum err oauth_flow_cookie(struct ctx *cx, const struct oauth_flow *flow,
			   struct reply *reply) MUST_CHECK;

/*
 * The PKCE verifier of a state: derived under a root key of the vault, so that it is stored nowhere. ERR_NO_KEY when
 * that root key isn't here any more.
 */
enum err oauth_verifier(struct ctx *cx, struct str root_key_id, struct str state,
			struct secret *ret_verifier) MUST_CHECK;

/* What is kept of a consent. */
struct oauth_state {
	struct id tenant, user;
	enum role role; /* of the user, now; ROLE_NONE: not a member any more. Not written. */
	struct str type;
	struct str root_key_id;
	struct opt_id
		client; /* the tenant's credential with the OAuth client; not set: the operator's */
	struct opt_id connector; /* set: that one is connected again */
	struct str fields;       /* JSON object: the values of the URLs' placeholders */
	struct str scopes;       /* asked for, separated by one space; may be empty */
	struct str return_to;    /* a whole URL that was checked; absent: none */
	int64_t expires_at;
	bool used; /* not written */
	uint8_t hash[TOKEN_HASH_BYTES], browser_hash[TOKEN_HASH_BYTES];
};

/* Stores it for the context's user, within a transaction. Hashes and root key come from the flow. */
enum err oauth_state_insert(struct ctx *cx, const struct oauth_flow *flow,
			    const struct oauth_state *state) MUST_CHECK;
/* By the state as it came, in no tenant's scope. Texts are the arena's. ERR_STATE_UNKNOWN. */
enum err oauth_state_find(struct ctx *cx, struct str state,
			  struct oauth_state *ret_state) MUST_CHECK;
/* Whether this request comes from the browser that began it. */
bool oauth_state_is_of_browser(const struct ctx *cx, const struct oauth_state *state);
/* Uses it up, within a transaction: ERR_STATE_UNKNOWN for whoever comes second, ERR_STATE_EXPIRED. */
enum err oauth_state_use(struct ctx *cx, const struct oauth_state *state) MUST_CHECK;

#endif
