/*
 * The keys behind our own tokens: for each root key of the front one that signs
 * access tokens, and one that makes CSRF tokens. The current root key makes new
 * ones; those of the others are still accepted.
 */
#ifndef LW_IDENTITY_SIGNING_H
#define LW_IDENTITY_SIGNING_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/id.h"
#include "base/secret.h"
#include "crypt/encode.h"
#include "crypt/hash.h"
#include "crypt/jwt.h"
#include "crypt/keyring.h"

enum { CSRF_CHARS = BASE64URL_CHARS(SHA256_BYTES) };

struct signing_key {
	char id[KEYRING_ID_MAX + 1];
	struct jwt_key *access;
	struct secret csrf;
};

struct signing {
	struct keyring *keyring; /* borrowed: where a key that isn't known yet is looked for */
	size_t current;
	size_t n;
	struct signing_key v[KEYRING_KEYS_MAX];
};

/* Derives the keys of every root key that is loaded. */
enum err signing_init(struct signing *signing, struct keyring *keyring) MUST_CHECK;
void signing_done(struct signing *signing);

/* Appends an access token with these claims, by the current key. */
enum err signing_sign(const struct signing *signing, const struct jwt_claims *claims,
		      struct buf *out) MUST_CHECK;
/* The key of that id (a token's kid), after a look at the disk for a new one. ERR_BAD_TOKEN: there is none. */
enum err signing_find(struct signing *signing, struct str kid,
		      const struct jwt_key **ret_key) MUST_CHECK;

/* The CSRF token of a session: base64url(HMAC-SHA256(key, session id)). */
void signing_csrf(const struct signing *signing, const struct id *session,
		  char ret_text[CSRF_CHARS + 1]);
/* Whether it is one, by any of the keys; in constant time. */
bool signing_csrf_good(const struct signing *signing, const struct id *session, struct str text);

#endif
