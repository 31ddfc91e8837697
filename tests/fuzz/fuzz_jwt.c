/*
 * Tokens from anywhere. Whatever the text, no token verifies but the ones that the RFC prints, and
 * the reader neither reads past its end nor leaks.
 *
 * The first byte chooses the key: HS256, RS256, ES256 (RFC 7515, appendix A), or makes the input a
 * set of keys, a PEM or a DER.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/json_read.h"
#include "crypt/encode.h"
#include "crypt/jwt.h"
#include "crypt/pubkey.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PAYLOAD                                                                                    \
	"eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290"     \
	"Ijp0cnVlfQ"
#define NOW_MS INT64_C(1300819370000)

static struct jwt_key *key_of_jwk(struct arena *arena, const char *text)
{
	struct jwt_key *key;
	json_t *jwk;

	if (json_read(arena, str_of(text), &jwk, NULL) != OK || jwt_key_from_jwk(jwk, &key) != OK)
		abort();
	return key;
}

static struct jwt_key *key_of_secret(void)
{
	struct secret secret;
	struct jwt_key *key;

	if (secret_new(64, &secret) != OK ||
	    !base64url_decode_to(STR("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3"
				     "Yj0iPS4hcgUuTwjAzZr1Z9CAow"),
				 secret.p, secret.n) ||
	    jwt_key_from_secret(&secret, &key) != OK)
		abort();
	secret_done(&secret);
	return key;
}

static struct jwt_key *keys[3];

static void make_keys(struct arena *arena)
{
	keys[JWT_HS256] = key_of_secret();
	keys[JWT_RS256] = key_of_jwk(
		arena,
		"{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9"
		"k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6"
		"b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2"
		"R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaG"
		"Nj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ\"}");
	keys[JWT_ES256] =
		key_of_jwk(arena, "{\"kty\":\"EC\",\"crv\":\"P-256\","
				  "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
				  "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}");
}

static enum err find(void *context, const struct jwt_hint *hint, struct jwt_trust *ret_trust)
{
	if (hint->kid.n > JWT_KID_MAX)
		abort();
	ret_trust->key = context;
	ret_trust->issuer = STR("joe");
	return OK;
}

static void fuzz_token(struct arena *arena, struct jwt_key *key, struct str token)
{
	struct jwt_policy policy = { find, key, NOW_MS, 0 };
	struct jwt_claims claims;
	struct str rest = token;

	if (jwt_verify(arena, token, &policy, &claims) != OK)
		return;
	/* Only the RFC's own claims can have been signed with these keys. */
	(void)str_cut(&rest, '.');
	if (!str_eq(str_cut(&rest, '.'), STR(PAYLOAD)) || !str_eq(claims.issuer, STR("joe")))
		abort();
}

static void fuzz_jwks(struct arena *arena, struct str text)
{
	struct jwks jwks;
	json_t *document;

	if (json_read(arena, text, &document, NULL) != OK || jwks_parse(document, &jwks) != OK)
		return;
	for (size_t i = 0; i < jwks.n; i++)
		(void)jwks_find(&jwks, str_of(jwks.v[i].kid), jwt_key_algorithm(jwks.v[i].key));
	jwks_done(&jwks);
}

static void fuzz_pubkey(struct str text)
{
	struct pubkey *key;

	if (pubkey_from_pem(text, &key) == OK)
		pubkey_free(key);
	if (pubkey_from_der(text, &key) != OK)
		return;
	/* The key's own bytes as a signature: read, and never right. */
	for (int scheme = SIGNATURE_RSA_SHA256; scheme <= SIGNATURE_ED25519; scheme++)
		(void)pubkey_verify(key, (enum signature_scheme)scheme, text, text);
	pubkey_free(key);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct arena *arena;
	struct str text;

	if (!arena) {
		arena = arena_new(1 << 20);
		if (!arena || json_setup() != OK)
			abort();
		make_keys(arena);
	}
	if (size == 0)
		return 0;
	text = (struct str){ (const char *)data + 1, size - 1 };
	switch (data[0]) {
	case 'R': fuzz_token(arena, keys[JWT_RS256], text); break;
	case 'E': fuzz_token(arena, keys[JWT_ES256], text); break;
	case 'J': fuzz_jwks(arena, text); break;
	case 'P': fuzz_pubkey(text); break;
	default: fuzz_token(arena, keys[JWT_HS256], text); break;
	}
	arena_reset(arena);
	return 0;
}
