/* The forms that public keys come in: PEM, DER, JSON Web Keys. */
#include <string.h>

#include "base/buf.h"
#include "base/json_read.h"
#include "crypt/der.h"
#include "crypt/encode.h"
#include "crypt/pubkey.h"

enum {
	P256_BYTES = 32,
	POINT_UNCOMPRESSED = 4,
	DER_BYTES_MAX = 4096,
	JWK_NUMBER_BYTES_MAX = 1024 + 1 /* some issuers write a zero in front */
};

/* The contents of the object identifiers. */
#define OID_RSA "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01" /* 1.2.840.113549.1.1.1 */
#define OID_EC "\x2a\x86\x48\xce\x3d\x02\x01"          /* 1.2.840.10045.2.1 */
#define OID_P256 "\x2a\x86\x48\xce\x3d\x03\x01\x07"    /* 1.2.840.10045.3.1.7 */
#define OID_ED25519 "\x2b\x65\x70"                     /* 1.3.101.112 */

enum err pubkey_from_der(struct str der, struct pubkey **ret_key)
{
	struct der_key_info info;
	struct str n, e;

	*ret_key = NULL;
	if (!der_key_info(der, &info))
		return ERR_BAD_INPUT;
	if (str_eq(info.algorithm, STR(OID_RSA)) && str_absent(info.parameters) &&
	    der_integer_pair(info.key, &n, &e))
		return pubkey_from_rsa(n, e, ret_key);
	if (str_eq(info.algorithm, STR(OID_EC)) && str_eq(info.parameters, STR(OID_P256)) &&
	    info.key.n == 1 + 2 * P256_BYTES && info.key.p[0] == POINT_UNCOMPRESSED)
		return pubkey_from_p256(str_slice(info.key, 1, P256_BYTES),
					str_slice(info.key, 1 + P256_BYTES, P256_BYTES), ret_key);
	if (str_eq(info.algorithm, STR(OID_ED25519)) && str_absent(info.parameters))
		return pubkey_from_ed25519(info.key, ret_key);
	return ERR_BAD_INPUT;
}

/* The base64 between the two lines, without its line ends. */
static enum err pem_digits(struct str pem, struct buf *out)
{
	struct str begin = STR("-----BEGIN PUBLIC KEY-----");
	struct str end = STR("-----END PUBLIC KEY-----");

	pem = str_trim(pem);
	if (pem.n < begin.n + end.n || !str_starts(pem, begin) || !str_ends(pem, end))
		return ERR_BAD_INPUT;
	pem = str_slice(pem, begin.n, pem.n - begin.n - end.n);
	for (size_t i = 0; i < pem.n; i++)
		if (!strchr(" \t\r\n", pem.p[i]) || pem.p[i] == '\0')
			buf_add_char(out, pem.p[i]);
	return buf_error(out);
}

enum err pubkey_from_pem(struct str pem, struct pubkey **ret_key)
{
	BUF_AUTO struct buf digits = { 0 };
	BUF_AUTO struct buf der = { 0 };

	*ret_key = NULL;
	buf_init(&digits, BASE64_CHARS(DER_BYTES_MAX));
	buf_init(&der, DER_BYTES_MAX);
	if (pem_digits(pem, &digits) != OK || base64_decode(&der, buf_str(&digits)) != OK)
		return ERR_BAD_INPUT;
	return pubkey_from_der(buf_str(&der), ret_key);
}

/* A number of a JWK (RFC 7518, section 2: Base64urlUInt); false when it is missing or malformed. */
static bool jwk_number(const json_t *jwk, const char *name, uint8_t bytes[JWK_NUMBER_BYTES_MAX],
		       struct str *ret_number)
{
	struct str text = json_member_text(jwk, name);
	size_t n = text.n * 3 / 4;

	if (text.n == 0 || n > JWK_NUMBER_BYTES_MAX || !base64url_decode_to(text, bytes, n))
		return false;
	*ret_number = (struct str){ (const char *)bytes, n };
	return true;
}

enum err pubkey_from_jwk(const json_t *jwk, struct pubkey **ret_key)
{
	uint8_t first[JWK_NUMBER_BYTES_MAX], second[JWK_NUMBER_BYTES_MAX];
	struct str kty = json_member_text(jwk, "kty");
	struct str crv = json_member_text(jwk, "crv");
	struct str a, b;

	*ret_key = NULL;
	if (str_eq(kty, STR("RSA")) && jwk_number(jwk, "n", first, &a) &&
	    jwk_number(jwk, "e", second, &b))
		return pubkey_from_rsa(a, b, ret_key);
	if (str_eq(kty, STR("EC")) && str_eq(crv, STR("P-256")) &&
	    jwk_number(jwk, "x", first, &a) && jwk_number(jwk, "y", second, &b))
		return pubkey_from_p256(a, b, ret_key);
	if (str_eq(kty, STR("OKP")) && str_eq(crv, STR("Ed25519")) &&
	    jwk_number(jwk, "x", first, &a))
		return pubkey_from_ed25519(a, ret_key);
	return ERR_BAD_INPUT;
}
