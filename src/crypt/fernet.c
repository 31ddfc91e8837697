/* Fernet, as github.com/fernet/spec/blob/master/Spec.md has it. */
#include "crypt/fernet.h"

#include <nettle/aes.h>
#include <nettle/cbc.h>
#include <string.h>

#include "base/buf.h"
#include "crypt/encode.h"
#include "crypt/hash.h"

enum {
	VERSION_BYTE = 0x80,
	TIME_AT = 1,
	IV_AT = 9,
	BODY_AT = IV_AT + AES_BLOCK_SIZE,
	LEAST_BYTES = BODY_AT + AES_BLOCK_SIZE + SHA256_BYTES,
	TOKEN_BYTES_MAX = 16 << 20,
	HALF_KEY = FERNET_KEY_BYTES / 2, /* the first half signs, the second encrypts */
	SKEW_S = 60
};

/* Fernet's base64url is padded; encode.h's is not. False when the padding is wrong. */
static bool padding_cut(struct str *text)
{
	if (text->n == 0 || text->n % 4 != 0)
		return false;
	for (int i = 0; i < 2 && text->p[text->n - 1] == '='; i++)
		text->n--;
	return true;
}

enum err fernet_key_parse(struct str text, struct secret *ret_key)
{
	*ret_key = SECRET_EMPTY;
	if (text.n % 4 == 0 && !padding_cut(&text))
		return ERR_BAD_INPUT;
	TRY(secret_new(FERNET_KEY_BYTES, ret_key));
	if (base64url_decode_to(text, ret_key->p, FERNET_KEY_BYTES))
		return OK;
	secret_done(ret_key);
	return ERR_BAD_INPUT;
}

enum err fernet_key_derive(const struct secret *passphrase, struct str salt, uint32_t iterations,
			   struct secret *ret_key)
{
	return pbkdf2_sha256(passphrase, salt, iterations, FERNET_KEY_BYTES, ret_key);
}

static bool signature_good(const struct secret *key, struct str bytes)
{
	struct secret signing = { key->p, HALF_KEY };
	uint8_t mac[SHA256_BYTES];

	hmac_sha256_of(&signing, BYTES(str_slice(bytes, 0, bytes.n - SHA256_BYTES)), mac);
	return bytes_eq_constant_time(mac, bytes.p + bytes.n - SHA256_BYTES, SHA256_BYTES);
}

static bool time_good(struct str bytes, int64_t now_ms, int64_t ttl_s)
{
	uint64_t made = 0;
	uint64_t now = (uint64_t)(now_ms / 1000);

	for (int i = 0; i < 8; i++)
		made = made << 8 | (uint8_t)bytes.p[TIME_AT + i];
	if (ttl_s <= 0)
		return true;
	if (made > now)
		return made - now <= SKEW_S;
	return now - made <= (uint64_t)ttl_s;
}

/* Cuts the padding of PKCS #7 off (RFC 5652, section 6.3). It was authenticated: no oracle here. */
static bool unpad(struct secret *plain)
{
	uint8_t n = plain->p[plain->n - 1];

	if (n == 0 || n > AES_BLOCK_SIZE)
		return false;
	for (size_t i = plain->n - n; i < plain->n; i++)
		if (plain->p[i] != n)
			return false;
	secret_cut(plain, plain->n - n);
	return true;
}

static enum err decrypt(const struct secret *key, struct str bytes, struct secret *ret_plain)
{
	SECRET_AUTO struct secret plain = SECRET_EMPTY;
	struct aes128_ctx aes;
	uint8_t iv[AES_BLOCK_SIZE];

	TRY(secret_new(bytes.n - BODY_AT - SHA256_BYTES, &plain));
	memcpy(iv, bytes.p + IV_AT, sizeof(iv));
	aes128_set_decrypt_key(&aes, key->p + HALF_KEY);
	cbc_decrypt(&aes, (nettle_cipher_func *)aes128_decrypt, AES_BLOCK_SIZE, iv, plain.n,
		    plain.p, (const uint8_t *)bytes.p + BODY_AT);
	wipe(&aes, sizeof(aes));
	if (!unpad(&plain))
		return ERR_UNREADABLE;
	*ret_plain = plain;
	plain = SECRET_EMPTY;
	return OK;
}

enum err fernet_open(const struct secret *key, struct str token, int64_t now_ms, int64_t ttl_s,
		     struct secret *ret_plain)
{
	BUF_AUTO struct buf decoded = { 0 };
	struct str bytes;

	*ret_plain = SECRET_EMPTY;
	buf_init(&decoded, TOKEN_BYTES_MAX);
	if (key->n != FERNET_KEY_BYTES || !padding_cut(&token) ||
	    base64url_decode(&decoded, token) != OK)
		return ERR_UNREADABLE;
	bytes = buf_str(&decoded);
	if (bytes.n < LEAST_BYTES || (bytes.n - LEAST_BYTES) % AES_BLOCK_SIZE != 0 ||
	    (uint8_t)bytes.p[0] != VERSION_BYTE || !signature_good(key, bytes) ||
	    !time_good(bytes, now_ms, ttl_s))
		return ERR_UNREADABLE;
	return decrypt(key, bytes, ret_plain);
}
