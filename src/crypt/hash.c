/* Hashes, MACs and key derivation, on Nettle. Contexts hold key material: they are wiped. */
#include "crypt/hash.h"

#include <nettle/hkdf.h>
#include <nettle/hmac.h>
#include <nettle/pbkdf2.h>
#include <nettle/sha1.h>
#include <nettle/sha2.h>

static const uint8_t *bytes_of(struct str s) { return (const uint8_t *)s.p; }

void sha256_of(struct byte_parts data, uint8_t ret_hash[SHA256_BYTES])
{
	struct sha256_ctx sha256;

	sha256_init(&sha256);
	for (size_t i = 0; i < data.n; i++)
		sha256_update(&sha256, data.v[i].n, bytes_of(data.v[i]));
	sha256_digest(&sha256, SHA256_BYTES, ret_hash);
	wipe(&sha256, sizeof(sha256));
}

void hmac_sha256_of(const struct secret *key, struct byte_parts data, uint8_t ret_mac[SHA256_BYTES])
{
	struct hmac_sha256_ctx hmac;

	hmac_sha256_set_key(&hmac, key->n, key->p);
	for (size_t i = 0; i < data.n; i++)
		hmac_sha256_update(&hmac, data.v[i].n, bytes_of(data.v[i]));
	hmac_sha256_digest(&hmac, SHA256_BYTES, ret_mac);
	wipe(&hmac, sizeof(hmac));
}

/* --- an HMAC without its key (RFC 2104, section 4: "the intermediate results can be precomputed") --- */

static void write_words(const uint32_t *words, size_t n, uint8_t *bytes)
{
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < 4; k++)
			bytes[4 * i + k] = (uint8_t)(words[i] >> (24 - 8 * k));
}

static void read_words(const uint8_t *bytes, size_t n, uint32_t *words)
{
	for (size_t i = 0; i < n; i++)
		words[i] = (uint32_t)bytes[4 * i] << 24 | (uint32_t)bytes[4 * i + 1] << 16 |
			   (uint32_t)bytes[4 * i + 2] << 8 | bytes[4 * i + 3];
}

void hmac_sha256_states(struct str key, uint8_t ret_states[HMAC_SHA256_STATES])
{
	struct hmac_sha256_ctx hmac;

	hmac_sha256_set_key(&hmac, key.n, bytes_of(key));
	write_words(hmac.inner.state, 8, ret_states);
	write_words(hmac.outer.state, 8, ret_states + SHA256_BYTES);
	wipe(&hmac, sizeof(hmac));
}

void hmac_sha1_states(struct str key, uint8_t ret_states[HMAC_SHA1_STATES])
{
	struct hmac_sha1_ctx hmac;

	hmac_sha1_set_key(&hmac, key.n, bytes_of(key));
	write_words(hmac.inner.state, 5, ret_states);
	write_words(hmac.outer.state, 5, ret_states + SHA1_BYTES);
	wipe(&hmac, sizeof(hmac));
}

/* A hash that has taken one block, the padded key. */
static void sha256_behind_key(const uint8_t *state, struct sha256_ctx *ret_ctx)
{
	sha256_init(ret_ctx);
	read_words(state, 8, ret_ctx->state);
	ret_ctx->count = 1;
}

static void sha1_behind_key(const uint8_t *state, struct sha1_ctx *ret_ctx)
{
	sha1_init(ret_ctx);
	read_words(state, 5, ret_ctx->state);
	ret_ctx->count = 1;
}

void hmac_sha256_from(const uint8_t states[HMAC_SHA256_STATES], struct byte_parts data,
		      uint8_t ret_mac[SHA256_BYTES])
{
	struct sha256_ctx sha256;

	sha256_behind_key(states, &sha256);
	for (size_t i = 0; i < data.n; i++)
		sha256_update(&sha256, data.v[i].n, bytes_of(data.v[i]));
	sha256_digest(&sha256, SHA256_BYTES, ret_mac);
	sha256_behind_key(states + SHA256_BYTES, &sha256);
	sha256_update(&sha256, SHA256_BYTES, ret_mac);
	sha256_digest(&sha256, SHA256_BYTES, ret_mac);
	wipe(&sha256, sizeof(sha256));
}

void hmac_sha1_from(const uint8_t states[HMAC_SHA1_STATES], struct byte_parts data,
		    uint8_t ret_mac[SHA1_BYTES])
{
	struct sha1_ctx sha1;

	sha1_behind_key(states, &sha1);
	for (size_t i = 0; i < data.n; i++)
		sha1_update(&sha1, data.v[i].n, bytes_of(data.v[i]));
	sha1_digest(&sha1, SHA1_BYTES, ret_mac);
	sha1_behind_key(states + SHA1_BYTES, &sha1);
	sha1_update(&sha1, SHA1_BYTES, ret_mac);
	sha1_digest(&sha1, SHA1_BYTES, ret_mac);
	wipe(&sha1, sizeof(sha1));
}

/* RFC 5869, section 2.2: the pseudorandom key. */
static void hkdf_start(const struct secret *key, struct str salt, uint8_t ret_prk[SHA256_BYTES])
{
	static const uint8_t no_salt[SHA256_BYTES];
	struct hmac_sha256_ctx hmac;

	if (salt.n > 0)
		hmac_sha256_set_key(&hmac, salt.n, bytes_of(salt));
	else
		hmac_sha256_set_key(&hmac, sizeof(no_salt), no_salt);
	hkdf_extract(&hmac, (nettle_hash_update_func *)hmac_sha256_update,
		     (nettle_hash_digest_func *)hmac_sha256_digest, SHA256_BYTES, key->n, key->p,
		     ret_prk);
	wipe(&hmac, sizeof(hmac));
}

enum err hkdf_sha256(const struct secret *key, struct str salt, struct str info, size_t n,
		     struct secret *ret_key)
{
	struct hmac_sha256_ctx hmac;
	uint8_t prk[SHA256_BYTES];

	*ret_key = SECRET_EMPTY;
	if (n == 0 || n > 255 * SHA256_BYTES)
		return ERR_CRYPTO;
	TRY(secret_new(n, ret_key));
	hkdf_start(key, salt, prk);
	hmac_sha256_set_key(&hmac, sizeof(prk), prk);
	hkdf_expand(&hmac, (nettle_hash_update_func *)hmac_sha256_update,
		    (nettle_hash_digest_func *)hmac_sha256_digest, SHA256_BYTES, info.n,
		    bytes_of(info), n, ret_key->p);
	wipe(&hmac, sizeof(hmac));
	wipe(prk, sizeof(prk));
	return OK;
}

enum err pbkdf2_sha256(const struct secret *passphrase, struct str salt, uint32_t iterations,
		       size_t n, struct secret *ret_key)
{
	*ret_key = SECRET_EMPTY;
	if (iterations == 0 || n == 0)
		return ERR_CRYPTO;
	TRY(secret_new(n, ret_key));
	pbkdf2_hmac_sha256(passphrase->n, passphrase->p, iterations, salt.n, bytes_of(salt), n,
			   ret_key->p);
	return OK;
}
