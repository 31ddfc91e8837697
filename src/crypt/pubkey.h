/*
 * Public keys that check other people's signatures: RSA (PKCS #1 v1.5), ECDSA
 * on P-256, Ed25519. Parsed once, kept, used often.
 *
 * RSA keys below 2048 and above 8192 bits are refused, and points that aren't
 * on the curve.
 */
#ifndef LW_CRYPT_PUBKEY_H
#define LW_CRYPT_PUBKEY_H

#include <jansson.h>
#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/str.h"

struct pubkey;

enum pubkey_type { PUBKEY_RSA, PUBKEY_P256, PUBKEY_ED25519 };

enum signature_scheme {
	SIGNATURE_RSA_SHA256, /* RFC 8017, section 8.2 */
	SIGNATURE_RSA_SHA1,   /* for providers that still sign so */
	SIGNATURE_P256_RAW,   /* SHA-256, r | s of 32 bytes each (JWS) */
	SIGNATURE_P256_DER,   /* SHA-256, SEQUENCE of two INTEGERs (X9.62) */
	SIGNATURE_ED25519     /* RFC 8032 */
};

/* "-----BEGIN PUBLIC KEY-----": SubjectPublicKeyInfo, RFC 5280 section 4.1.2.7. */
enum err pubkey_from_pem(struct str pem, struct pubkey **ret_key) MUST_CHECK;
/* SubjectPublicKeyInfo in DER. */
enum err pubkey_from_der(struct str der, struct pubkey **ret_key) MUST_CHECK;
/* A JSON Web Key (RFC 7517; RFC 7518 section 6; RFC 8037): RSA n e, EC P-256 x y, OKP Ed25519 x. */
enum err pubkey_from_jwk(const json_t *jwk, struct pubkey **ret_key) MUST_CHECK;
/* From the numbers themselves, big-endian: n and e; x and y of 32 bytes; the 32 bytes of RFC 8032.
 * All six: ERR_BAD_INPUT for a key that isn't one or isn't accepted. */
enum err pubkey_from_rsa(struct str n, struct str e, struct pubkey **ret_key) MUST_CHECK;
enum err pubkey_from_p256(struct str x, struct str y, struct pubkey **ret_key) MUST_CHECK;
enum err pubkey_from_ed25519(struct str bytes, struct pubkey **ret_key) MUST_CHECK;
void pubkey_free(struct pubkey *key);

enum pubkey_type pubkey_type(const struct pubkey *key);
/* Whether the signature is this key's over these bytes; false too for another key's scheme. */
bool pubkey_verify(const struct pubkey *key, enum signature_scheme scheme, struct str message,
		   struct str signature);

#endif
