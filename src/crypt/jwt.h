/*
 * JSON Web Tokens (RFC 7519, 7515; the rules of RFC 8725): the wall around libjwt.
 *
 * libjwt 1.10 believes the token's own `alg`, takes an empty key, checks no `exp`, copies the token
 * to the stack and parses its JSON before it looks at the signature. So it makes our tokens, and
 * those of service accounts, and never sees a token of somebody else. Tokens are verified here, one
 * way for all three algorithms: we read the header ourselves and believe nothing that we haven't
 * checked (size, alphabet, the header's members, the algorithm that the key stands for, each claim
 * by its type), and the signature is Nettle's work, with keys that were parsed once. It is simpler,
 * and it costs half: of 18 us for an HS256 token libjwt took 10, where Nettle takes 0.7; for RS256
 * libjwt would read a PEM each time.
 *
 * Times are milliseconds since the epoch here, as everywhere, and whole seconds in the token.
 */
#ifndef LW_CRYPT_JWT_H
#define LW_CRYPT_JWT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/secret.h"
#include "base/str.h"

enum { JWT_TOKEN_MAX = 8192, JWT_KID_MAX = 128, JWKS_KEYS_MAX = 64 };

enum jwt_algorithm { JWT_HS256, JWT_RS256, JWT_ES256 };

const char *jwt_algorithm_text(enum jwt_algorithm algorithm);
/* Exactly "HS256", "RS256" or "ES256". */
bool jwt_algorithm_parse(struct str text, enum jwt_algorithm *ret_algorithm) MUST_CHECK;

/* A key, and the only algorithm that it is for. */
struct jwt_key;

/* At least 32 bytes (RFC 7518, section 3.2), copied. ERR_BAD_INPUT for less. */
enum err jwt_key_from_secret(const struct secret *secret, struct jwt_key **ret_key) MUST_CHECK;
/* A public key: RSA gives RS256, P-256 gives ES256; ERR_BAD_INPUT for others. */
enum err jwt_key_from_pem(struct str pem, struct jwt_key **ret_key) MUST_CHECK;
/* As above from a JSON Web Key; one that is for something else (use, key_ops, alg) is
 * ERR_BAD_INPUT. */
enum err jwt_key_from_jwk(const json_t *jwk, struct jwt_key **ret_key) MUST_CHECK;
void jwt_key_free(struct jwt_key *key);
enum jwt_algorithm jwt_key_algorithm(const struct jwt_key *key);

struct jwks_entry {
	char *kid; /* NULL when the set doesn't name it */
	struct jwt_key *key;
};

/* The public keys of an issuer. */
struct jwks {
	size_t n;
	struct jwks_entry *v;
};

/* Takes the usable signature keys of a JWK set (RFC 7517, section 5) and passes over the others,
 * secrets among them. ERR_BAD_INPUT when it isn't a JWK set, has more than JWKS_KEYS_MAX keys or
 * names one kid twice. */
enum err jwks_parse(const json_t *document, struct jwks *ret_jwks) MUST_CHECK;
void jwks_done(struct jwks *jwks);
/* The key for a token's header; with an absent kid only when the set has one key for that
 * algorithm. NULL: none. */
const struct jwt_key *jwks_find(const struct jwks *jwks, struct str kid,
				enum jwt_algorithm algorithm);

struct jwt_claims {
	struct str issuer;     /* iss */
	struct str audience;   /* aud; after a verification the one that was expected, if one was */
	struct str subject;    /* sub */
	struct str tenant;     /* tid */
	struct str session;    /* sid */
	struct str role;       /* role */
	struct str token;      /* jti */
	int64_t issued_at;     /* iat; 0: absent */
	int64_t not_before;    /* nbf; 0: absent */
	int64_t expires_at;    /* exp */
	const json_t *payload; /* after a verification: all of it, the arena's */
};

/* Appends the token, HS256. Absent texts and zero times are left out; `payload` isn't looked at.
 * ERR_CRYPTO when the key isn't for HS256. */
enum err jwt_sign(const struct jwt_key *key, struct str kid, const struct jwt_claims *claims,
		  struct buf *out) MUST_CHECK;
/* Appends a token of that JSON object, RS256, with a private key in PEM (PKCS #8 or PKCS #1), as
 * Google's service accounts sign theirs (RFC 7523). An absent kid is left out. ERR_BAD_INPUT for a
 * bad key or payload. */
enum err jwt_sign_rs256(const struct secret *private_pem, struct str kid, struct str payload_json,
			struct buf *out) MUST_CHECK;

/* What an unverified token says of itself: enough to choose a key, not to be believed. */
struct jwt_hint {
	enum jwt_algorithm algorithm;
	struct str kid;    /* absent when the token names none */
	struct str issuer; /* the same */
};

/* The key to check it by, and what that key's issuer is allowed to say. */
struct jwt_trust {
	const struct jwt_key *key;
	struct str issuer;           /* `iss` must equal it; absent: not looked at */
	const struct str *audiences; /* `aud` must hold one of them; none: not looked at */
	size_t audience_count;
};

struct jwt_policy {
	/* ERR_BAD_TOKEN when nobody is trusted; other errors (the database is away) go to the
	 * caller as they are. */
	enum err (*find_key)(void *context, const struct jwt_hint *hint,
			     struct jwt_trust *ret_trust);
	void *context;
	int64_t now_ms;
	int64_t leeway_ms; /* how far clocks may differ */
};

/*
 * ERR_TOKEN_EXPIRED for a token that is good but for its age; ERR_BAD_TOKEN for all else that is
 * wrong with it. The claims' texts live in the arena.
 */
enum err jwt_verify(struct arena *arena, struct str token, const struct jwt_policy *policy,
		    struct jwt_claims *ret_claims) MUST_CHECK;

#endif
