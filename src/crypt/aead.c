/* AES-256-GCM on Nettle. */
#include "crypt/aead.h"

#include <nettle/gcm.h>

#include "base/random.h"

static void gcm_start(struct gcm_aes256_ctx *gcm, const struct secret *key, const uint8_t *nonce,
		      struct str aad)
{
	gcm_aes256_set_key(gcm, key->p);
	gcm_aes256_set_iv(gcm, AEAD_NONCE_BYTES, nonce);
	gcm_aes256_update(gcm, aad.n, (const uint8_t *)aad.p);
}

enum err aead_seal(const struct secret *key, struct str aad, struct str plain, struct buf *out)
{
	struct gcm_aes256_ctx gcm;
	uint8_t *nonce, *body;

	if (key->n != AEAD_KEY_BYTES)
		return ERR_CRYPTO;
	if (plain.n > SIZE_MAX - AEAD_OVERHEAD)
		return ERR_TOO_BIG;
	nonce = buf_reserve(out, plain.n + AEAD_OVERHEAD);
	if (!nonce)
		return buf_error(out);
	TRY(random_bytes(nonce, AEAD_NONCE_BYTES));
	body = nonce + AEAD_NONCE_BYTES;
	gcm_start(&gcm, key, nonce, aad);
	gcm_aes256_encrypt(&gcm, plain.n, body, (const uint8_t *)plain.p);
	gcm_aes256_digest(&gcm, AEAD_TAG_BYTES, body + plain.n);
	wipe(&gcm, sizeof(gcm));
	buf_advance(out, plain.n + AEAD_OVERHEAD);
	return OK;
}

enum err aead_open(const struct secret *key, struct str aad, struct str sealed,
		   struct secret *ret_plain)
{
	const uint8_t *nonce = (const uint8_t *)sealed.p;
	struct gcm_aes256_ctx gcm;
	uint8_t tag[AEAD_TAG_BYTES];
	SECRET_AUTO struct secret plain = SECRET_EMPTY;

	*ret_plain = SECRET_EMPTY;
	if (key->n != AEAD_KEY_BYTES || sealed.n < AEAD_OVERHEAD)
		return ERR_UNREADABLE;
	TRY(secret_new(sealed.n - AEAD_OVERHEAD, &plain));
	gcm_start(&gcm, key, nonce, aad);
	gcm_aes256_decrypt(&gcm, plain.n, plain.p, nonce + AEAD_NONCE_BYTES);
	gcm_aes256_digest(&gcm, AEAD_TAG_BYTES, tag);
	wipe(&gcm, sizeof(gcm));
	if (!bytes_eq_constant_time(tag, nonce + sealed.n - AEAD_TAG_BYTES, AEAD_TAG_BYTES))
		return ERR_UNREADABLE;
	*ret_plain = plain;
	plain = SECRET_EMPTY;
	return OK;
}
