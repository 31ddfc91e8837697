/*
 * Hashes, message authentication codes and key derivation.
 *
 * Compare codes with bytes_eq_constant_time (base/secret.h). SHA-1 is here for
 * providers that sign their webhooks with it, and for nothing of our own.
 */
#ifndef LW_CRYPT_HASH_H
#define LW_CRYPT_HASH_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/secret.h"
#include "base/str.h"

enum { SHA1_BYTES = 20, SHA256_BYTES = 32 };

/* Pieces taken one after the other, as if they were joined: BYTES(timestamp, STR("."), body). */
struct byte_parts {
	const struct str *v;
	size_t n;
};
#define BYTES(...)                                                                                 \
	((struct byte_parts){ (const struct str[]){ __VA_ARGS__ },                                 \
			      sizeof((const struct str[]){ __VA_ARGS__ }) / sizeof(struct str) })

/* FIPS 180-4. */
void sha256_of(struct byte_parts data, uint8_t ret_hash[SHA256_BYTES]);

/* HMAC, RFC 2104. The key may have any length. */
void hmac_sha256_of(const struct secret *key, struct byte_parts data,
		    uint8_t ret_mac[SHA256_BYTES]);

/*
 * HKDF-SHA256, RFC 5869: a new secret of n bytes (1 to 255 * 32, else ERR_CRYPTO) out of a strong
 * key. An absent salt is RFC 5869's default, zeros. `info` names what the new key is for.
 */
enum err hkdf_sha256(const struct secret *key, struct str salt, struct str info, size_t n,
		     struct secret *ret_key) MUST_CHECK;

/*
 * The two hash states that an HMAC's key leads to, inner then outer: enough to make and check MACs, and no way
 * back to the key, which may be good for more than that. Who checks the signatures of others holds these.
 */
enum { HMAC_SHA256_STATES = 2 * SHA256_BYTES, HMAC_SHA1_STATES = 2 * SHA1_BYTES };
void hmac_sha256_states(struct str key, uint8_t ret_states[HMAC_SHA256_STATES]);
void hmac_sha1_states(struct str key, uint8_t ret_states[HMAC_SHA1_STATES]);
/* The MAC that the key itself would give. */
void hmac_sha256_from(const uint8_t states[HMAC_SHA256_STATES], struct byte_parts data,
		      uint8_t ret_mac[SHA256_BYTES]);
void hmac_sha1_from(const uint8_t states[HMAC_SHA1_STATES], struct byte_parts data,
		    uint8_t ret_mac[SHA1_BYTES]);

/* PBKDF2-HMAC-SHA256, RFC 8018 section 5.2: a new secret of n bytes out of a passphrase. ERR_CRYPTO
 * for 0 iterations. */
enum err pbkdf2_sha256(const struct secret *passphrase, struct str salt, uint32_t iterations,
		       size_t n, struct secret *ret_key) MUST_CHECK;

#endif
