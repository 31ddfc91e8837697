/* AES-256-GCM (NIST SP 800-38D) with a random 96-bit nonce in front. */
#ifndef LW_CRYPT_AEAD_H
#define LW_CRYPT_AEAD_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/secret.h"
#include "base/str.h"

enum {
	AEAD_KEY_BYTES = 32,
	AEAD_NONCE_BYTES = 12,
	AEAD_TAG_BYTES = 16,
	AEAD_OVERHEAD = AEAD_NONCE_BYTES + AEAD_TAG_BYTES
};

/*
 * Appends nonce | ciphertext | tag to `out`. The same key may seal 2^32 messages at most (SP
 * 800-38D, section 8.3): keys for more than that are derived one a message (envelope.h). ERR_CRYPTO
 * for a key of another size; random or memory errors.
 */
enum err aead_seal(const struct secret *key, struct str aad, struct str plain,
		   struct buf *out) MUST_CHECK;

/*
 * The plain bytes as a new secret. ERR_UNREADABLE for everything that isn't what aead_seal made
 * with this key and this AAD, whatever the reason; nothing of the plain text leaves the function
 * then.
 */
enum err aead_open(const struct secret *key, struct str aad, struct str sealed,
		   struct secret *ret_plain) MUST_CHECK;

#endif
