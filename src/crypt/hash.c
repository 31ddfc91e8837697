/* Hashes, MACs and key derivation, on Nettle. Contexts hold key material: they are wiped. */
#include "crypt/hash.h"

#include <nettle/hkdf.h>
#include <nettle/hmac.h>
#include <nettle/pbkdf2.h>
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

void hmac_sha1_of(const struct secret *key, struct byte_parts data, uint8_t ret_mac[SHA1_BYTES])
{
	struct hmac_sha1_ctx hmac;

	hmac_sha1_set_key(&hmac, key->n, key->p);
	for (size_t i = 0; i < data.n; i++)
		hmac_sha1_update(&hmac, data.v[i].n, bytes_of(data.v[i]));
	hmac_sha1_digest(&hmac, SHA1_BYTES, ret_mac);
	wipe(&hmac, sizeof(hmac));
}

void hmac_sha512_of(const struct secret *key, struct byte_parts data, uint8_t ret_mac[SHA512_BYTES])
{
	struct hmac_sha512_ctx hmac;

	hmac_sha512_set_key(&hmac, key->n, key->p);
	for (size_t i = 0; i < data.n; i++)
		hmac_sha512_update(&hmac, data.v[i].n, bytes_of(data.v[i]));
	hmac_sha512_digest(&hmac, SHA512_BYTES, ret_mac);
	wipe(&hmac, sizeof(hmac));
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
