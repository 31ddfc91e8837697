/*
 * The access tokens of ours that this process has verified lately.
 *
 * A client sends the same token with each of its requests, and taking it apart
 * (base64url, two JSON texts, HMAC) is most of what a read costs in this process.
 * What a token says never changes. What can change is not kept: its session is
 * looked up in the database, and its expiry compared, at every request. The keys
 * that tokens are verified by are only added to while an identity lives (SIGHUP
 * makes a new one), so neither does a verification become untrue.
 *
 * A token is known by its SHA-256: nothing in here lets anybody in.
 */
#ifndef LW_IDENTITY_VERIFIED_H
#define LW_IDENTITY_VERIFIED_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/id.h"
#include "base/str.h"
#include "core/principal.h"
#include "crypt/hash.h"

enum { VERIFIED_TOKENS = 512 };

/* What a token of ours says, by the types of what it says. */
struct own_token {
	struct id user, tenant, session;
	enum role role;
	int64_t expires_at;
};

/* All zero: empty. A token has one place; a later one takes it over. */
struct verified_tokens {
	struct {
		uint8_t hash[SHA256_BYTES];
		struct own_token says;
	} v[VERIFIED_TOKENS];
};

/* Whether that token was verified; then what it says, which may have expired meanwhile. */
bool verified_find(const struct verified_tokens *all, struct str token, struct own_token *ret_says) MUST_CHECK;
void verified_keep(struct verified_tokens *all, struct str token, const struct own_token *says);

#endif
