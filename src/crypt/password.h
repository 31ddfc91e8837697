/*
 * Passwords: Argon2id (RFC 9106) for new hashes; bcrypt hashes of earlier
 * backends ($2a$ $2b$ $2y$) verify and ask for an upgrade.
 *
 * bcrypt reads 72 bytes at most: such hashes verify as they always did, and the
 * upgrade takes the whole password. It burns CPU on purpose: vault pool only.
 */
#ifndef LW_CRYPT_PASSWORD_H
#define LW_CRYPT_PASSWORD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/secret.h"
#include "base/str.h"

enum { PASSWORD_BYTES_MAX = 1024, PASSWORD_HASH_MAX = 128 };

struct password_cost {
	uint32_t memory_kib;
	uint32_t passes;
	uint32_t lanes;
};

/* 19456 KiB, 2 passes, 1 lane: OWASP Password Storage Cheat Sheet. */
extern const struct password_cost PASSWORD_COST_DEFAULT;

/* A PHC string ($argon2id$v=19$m=…,t=…,p=…$salt$hash), NUL terminated, with a random salt of 16
 * bytes. ERR_BAD_INPUT for a password longer than PASSWORD_BYTES_MAX, ERR_NO_MEMORY, ERR_CRYPTO when
 * the hashing itself fails. */
enum err password_hash(const struct secret *password, const struct password_cost *cost,
		       char ret_hash[PASSWORD_HASH_MAX]) MUST_CHECK;

/* OK: it matches. ERR_BAD_LOGIN: it doesn't. ERR_CRYPTO: nobody knows (a hash that can't be read);
 * ERR_NO_MEMORY. */
enum err password_verify(const struct secret *password, struct str hash) MUST_CHECK;
/* For an account that doesn't exist: takes as long as a verification at that cost. ERR_BAD_LOGIN,
 * ERR_CRYPTO or ERR_NO_MEMORY. */
enum err password_verify_nothing(const struct secret *password,
				 const struct password_cost *cost) MUST_CHECK;

/* Whether the hash should be made anew at the next login: another algorithm, or cheaper than `cost`
 * in any part. */
bool password_needs_upgrade(struct str hash, const struct password_cost *cost);

#endif
