/*
 * Opaque tokens: 256 random bits as text. The text is shown once, the database
 * keeps its SHA-256 (a fast hash is enough for what can't be guessed).
 *
 * An API token is `lw_<id>_<secret>`: 26 characters of the token's id, as in
 * its public form, and 43 of base64url.
 */
#ifndef LW_CRYPT_TOKEN_H
#define LW_CRYPT_TOKEN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/id.h"
#include "base/secret.h"
#include "base/str.h"

enum {
	TOKEN_HASH_BYTES = 32,
	TOKEN_SECRET_CHARS = 43,
	API_TOKEN_CHARS = 3 + 26 + 1 + TOKEN_SECRET_CHARS
};

/* A new token: the prefix (may be NULL), TOKEN_SECRET_CHARS characters; and the hash to store. */
enum err token_new(const char *prefix, struct secret *ret_text,
		   uint8_t ret_hash[TOKEN_HASH_BYTES]) MUST_CHECK;
/* The hash of a token as it came. */
void token_hash(struct str text, uint8_t ret_hash[TOKEN_HASH_BYTES]);

/* A new API token with that id; the hash is of the whole text. */
enum err api_token_new(const struct id *id, struct secret *ret_text,
		       uint8_t ret_hash[TOKEN_HASH_BYTES]) MUST_CHECK;
/* Whether the text has the form of an API token at all: "lw_" in front. Tells it from a JWT. */
bool api_token_looks_like(struct str text);
/* Its id, to find the row by, and its hash, to compare in constant time. False for another form. */
bool api_token_parse(struct str text, struct id *ret_id,
		     uint8_t ret_hash[TOKEN_HASH_BYTES]) MUST_CHECK;

#endif
