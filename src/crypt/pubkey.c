/* Public keys and the signatures that they check, on Nettle. */
#include "crypt/pubkey.h"

#include <nettle/bignum.h>
#include <nettle/dsa.h>
#include <nettle/ecc-curve.h>
#include <nettle/ecc.h>
#include <nettle/ecdsa.h>
#include <nettle/eddsa.h>
#include <nettle/rsa.h>
#include <nettle/sha1.h>
#include <nettle/sha2.h>
#include <stdlib.h>
#include <string.h>

#include "crypt/der.h"
#include "crypt/hash.h"

enum {
	RSA_BITS_MIN = 2048, /* NIST SP 800-131A */
	RSA_BITS_MAX = 8192, /* more would make a verification a way to stall us */
	RSA_EXPONENT_BYTES_MAX = 4,
	P256_BYTES = 32
};

struct pubkey {
	enum pubkey_type type;
	union {
		struct rsa_public_key rsa;
		struct ecc_point p256;
		uint8_t ed25519[ED25519_KEY_SIZE];
	};
};

static const uint8_t *bytes_of(struct str s) { return (const uint8_t *)s.p; }

static enum err pubkey_new(enum pubkey_type type, struct pubkey **ret_key)
{
	struct pubkey *key = calloc(1, sizeof(*key));

	*ret_key = key;
	if (!key)
		return ERR_NO_MEMORY;
	key->type = type;
	return OK;
}

void pubkey_free(struct pubkey *key)
{
	if (!key)
		return;
	if (key->type == PUBKEY_RSA)
		rsa_public_key_clear(&key->rsa);
	else if (key->type == PUBKEY_P256)
		ecc_point_clear(&key->p256);
	free(key);
}

enum pubkey_type pubkey_type(const struct pubkey *key) { return key->type; }

/* --- keys from their numbers --------------------------------------------- */

static struct str without_zeros(struct str number)
{
	while (number.n > 0 && number.p[0] == 0)
		number = str_slice(number, 1, number.n);
	return number;
}

static bool is_odd(struct str number) { return number.n > 0 && (number.p[number.n - 1] & 1) != 0; }

static size_t bits_of(struct str number)
{
	size_t bits = number.n * 8;

	for (int top = 0x80; number.n > 0 && (number.p[0] & top) == 0; top >>= 1)
		bits--;
	return bits;
}

enum err pubkey_from_rsa(struct str n, struct str e, struct pubkey **ret_key)
{
	*ret_key = NULL;
	n = without_zeros(n);
	e = without_zeros(e);
	/* An exponent of 1 would make every message its own signature. */
	if (bits_of(n) < RSA_BITS_MIN || bits_of(n) > RSA_BITS_MAX || !is_odd(n) || !is_odd(e) ||
	    bits_of(e) < 2 || e.n > RSA_EXPONENT_BYTES_MAX)
		return ERR_BAD_INPUT;
	TRY(pubkey_new(PUBKEY_RSA, ret_key));
	rsa_public_key_init(&(*ret_key)->rsa);
	nettle_mpz_set_str_256_u((*ret_key)->rsa.n, n.n, bytes_of(n));
	nettle_mpz_set_str_256_u((*ret_key)->rsa.e, e.n, bytes_of(e));
	if (rsa_public_key_prepare(&(*ret_key)->rsa))
		return OK;
	pubkey_free(*ret_key);
	*ret_key = NULL;
	return ERR_BAD_INPUT;
}

/* False for a point that isn't on the curve, or isn't reduced. */
static bool point_set(struct ecc_point *point, struct str x, struct str y)
{
	mpz_t x_number, y_number;
	int good;

	nettle_mpz_init_set_str_256_u(x_number, x.n, bytes_of(x));
	nettle_mpz_init_set_str_256_u(y_number, y.n, bytes_of(y));
	good = ecc_point_set(point, x_number, y_number);
	mpz_clear(x_number);
	mpz_clear(y_number);
	return good != 0;
}

enum err pubkey_from_p256(struct str x, struct str y, struct pubkey **ret_key)
{
	*ret_key = NULL;
	if (x.n != P256_BYTES || y.n != P256_BYTES)
		return ERR_BAD_INPUT;
	TRY(pubkey_new(PUBKEY_P256, ret_key));
	ecc_point_init(&(*ret_key)->p256, nettle_get_secp_256r1());
	if (point_set(&(*ret_key)->p256, x, y))
		return OK;
	pubkey_free(*ret_key);
	*ret_key = NULL;
	return ERR_BAD_INPUT;
}

enum err pubkey_from_ed25519(struct str bytes, struct pubkey **ret_key)
{
	*ret_key = NULL;
	if (bytes.n != ED25519_KEY_SIZE)
		return ERR_BAD_INPUT;
	TRY(pubkey_new(PUBKEY_ED25519, ret_key));
	memcpy((*ret_key)->ed25519, bytes.p, ED25519_KEY_SIZE);
	return OK;
}

/* --- signatures ---------------------------------------------------------- */

static bool verify_rsa_sha256(const struct rsa_public_key *key, struct str message,
			      struct str signature)
{
	struct sha256_ctx sha256;
	mpz_t number;
	int good;

	/* Exactly as long as the modulus: the same number with zeros in front isn't a signature. */
	if (signature.n != key->size)
		return false;
	sha256_init(&sha256);
	sha256_update(&sha256, message.n, bytes_of(message));
	nettle_mpz_init_set_str_256_u(number, signature.n, bytes_of(signature));
	good = rsa_sha256_verify(key, &sha256, number);
	mpz_clear(number);
	return good != 0;
}

static bool verify_rsa_sha1(const struct rsa_public_key *key, struct str message,
			    struct str signature)
{
	struct sha1_ctx sha1;
	mpz_t number;
	int good;

	if (signature.n != key->size)
		return false;
	sha1_init(&sha1);
	sha1_update(&sha1, message.n, bytes_of(message));
	nettle_mpz_init_set_str_256_u(number, signature.n, bytes_of(signature));
	good = rsa_sha1_verify(key, &sha1, number);
	mpz_clear(number);
	return good != 0;
}

static bool verify_p256(const struct ecc_point *key, struct str message, struct str r, struct str s)
{
	struct dsa_signature numbers;
	uint8_t hash[SHA256_BYTES];
	int good;

	/* Nettle checks that both are between 1 and the order of the curve. */
	if (r.n > P256_BYTES || s.n > P256_BYTES)
		return false;
	sha256_of(BYTES(message), hash);
	dsa_signature_init(&numbers);
	nettle_mpz_set_str_256_u(numbers.r, r.n, bytes_of(r));
	nettle_mpz_set_str_256_u(numbers.s, s.n, bytes_of(s));
	good = ecdsa_verify(key, sizeof(hash), hash, &numbers);
	dsa_signature_clear(&numbers);
	return good != 0;
}

static bool verify_p256_raw(const struct ecc_point *key, struct str message, struct str signature)
{
	return signature.n == 2 * P256_BYTES &&
	       verify_p256(key, message, str_slice(signature, 0, P256_BYTES),
			   str_slice(signature, P256_BYTES, P256_BYTES));
}

static bool verify_p256_der(const struct ecc_point *key, struct str message, struct str signature)
{
	struct str r, s;

	return der_integer_pair(signature, &r, &s) && verify_p256(key, message, r, s);
}

static bool verify_ed25519(const uint8_t key[ED25519_KEY_SIZE], struct str message,
			   struct str signature)
{
	return signature.n == ED25519_SIGNATURE_SIZE &&
	       ed25519_sha512_verify(key, message.n, bytes_of(message), bytes_of(signature)) != 0;
}

bool pubkey_verify(const struct pubkey *key, enum signature_scheme scheme, struct str message,
		   struct str signature)
{
	switch (scheme) {
	case SIGNATURE_RSA_SHA256:
		return key->type == PUBKEY_RSA && verify_rsa_sha256(&key->rsa, message, signature);
	case SIGNATURE_RSA_SHA1:
		return key->type == PUBKEY_RSA && verify_rsa_sha1(&key->rsa, message, signature);
	case SIGNATURE_P256_RAW:
		return key->type == PUBKEY_P256 && verify_p256_raw(&key->p256, message, signature);
	case SIGNATURE_P256_DER:
		return key->type == PUBKEY_P256 && verify_p256_der(&key->p256, message, signature);
	case SIGNATURE_ED25519:
		return key->type == PUBKEY_ED25519 &&
		       verify_ed25519(key->ed25519, message, signature);
	}
	return false;
}
