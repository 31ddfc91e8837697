/*
 * Whether a delivery is genuine: decided on its raw bytes, in constant time,
 * and closed: what can't be decided is refused.
 *
 * The front, which decides, never holds a provider's secret. For an HMAC it has
 * the two hash states that the key leads to (hmac_midstate in crypt/hash.h), for a
 * shared text its hash, else a public key.
 */
#ifndef LW_HOOK_SIGNATURE_H
#define LW_HOOK_SIGNATURE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "hook/delivery.h"
#include "hook/scheme.h"

/* What a field's value becomes for the front. */
struct hook_key {
	struct str field;
	struct str bytes;
};

struct hook_keys {
	const struct hook_key *v; /* several of one field: an old one and a new one, while they are changed */
	size_t n;
};

enum { HOOK_KEY_BYTES_MAX = 4096 };

/*
 * Appends the front's form of a field's value to `out` (wiped by its owner). ERR_BAD_INPUT when it can't be a key of
 * that proof (not base64, not a public key).
 */
enum err hook_key_make(const struct hook_proof *proof, struct str value, struct buf *out) MUST_CHECK;

/* OK when one of the scheme's proofs holds; ERR_BAD_SIGNATURE with static words for the log. */
enum err hook_check(const struct hook_scheme *scheme, struct hook_delivery *delivery,
		    const struct hook_keys *keys, const char **ret_why) MUST_CHECK;

/* Whether the delivery's time is within the proof's tolerance; true without one. */
bool hook_is_timely(const struct hook_proof *proof, const struct hook_delivery *delivery, const char **ret_why);
/* Whether `value` is the proof's pinned one; true when the field has no value. */
bool hook_pin_holds(const struct hook_proof *proof, const struct hook_keys *keys, struct str value);

/* Proofs of the kinds that have a file of their own; delivery->signature is the header's text. */
bool hook_certificate_holds(const struct hook_proof *proof, const struct hook_delivery *delivery,
			    const struct hook_keys *keys, const char **ret_why);
bool hook_jwt_rs256_holds(const struct hook_proof *proof, const struct hook_delivery *delivery,
			  const struct hook_keys *keys, const char **ret_why);
/* Whether the token names a key that isn't in that JWK set: it may have been made since. */
bool hook_jwt_rs256_misses(const struct hook_proof *proof, const struct hook_delivery *delivery, struct str jwks);
bool hook_jwt_holds(const struct hook_proof *proof, const struct hook_delivery *delivery,
		    const struct hook_keys *keys, const char **ret_why);

/* Whether that form of a key is the field's. */
bool hook_has_key(const struct hook_keys *keys, struct str field, struct str bytes);
/* Whether `value` is what the field holds: of a shared text. */
bool hook_key_is(const struct hook_keys *keys, struct str field, struct str value);
/* The HMAC of a text under the key of that field; false when there is none. */
bool hook_key_hmac(const struct hook_keys *keys, const struct hook_proof *proof, struct str text, struct buf *out);

#endif
