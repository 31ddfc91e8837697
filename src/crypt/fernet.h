/*
 * Fernet tokens of the earlier backends (github.com/fernet/spec): AES-128-CBC
 * and HMAC-SHA256. Opened for the import, never made.
 */
#ifndef LW_CRYPT_FERNET_H
#define LW_CRYPT_FERNET_H

#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/secret.h"
#include "base/str.h"

enum { FERNET_KEY_BYTES = 32 };

/* The key from its base64url form, as Fernet.generate_key() prints it. ERR_BAD_INPUT for anything
 * else. */
enum err fernet_key_parse(struct str text, struct secret *ret_key) MUST_CHECK;
/* The key from a passphrase, as in the recipe of Python's cryptography: PBKDF2-HMAC-SHA256. */
enum err fernet_key_derive(const struct secret *passphrase, struct str salt, uint32_t iterations,
			   struct secret *ret_key) MUST_CHECK;
/* The plain bytes of a token. With ttl_s > 0 a token that is older, or more than a minute ahead of
 * now, is refused; with 0 its time isn't looked at. ERR_UNREADABLE for every failure. */
enum err fernet_open(const struct secret *key, struct str token, int64_t now_ms, int64_t ttl_s,
		     struct secret *ret_plain) MUST_CHECK;

#endif
