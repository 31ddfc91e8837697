/* Public keys: which are taken, and which signatures they accept. */
#include "crypt/pubkey.h"

#include "base/arena.h"
#include "base/json_read.h"
#include "crypt_keys.h"
#include "crypt_support.h"

static struct pubkey *key_of_pem(const char *pem)
{
	struct pubkey *key;

	assert_int_equal(pubkey_from_pem(str_of(pem), &key), OK);
	return key;
}

/* The signing input and the signature of a token. */
static void take_apart(const char *token, struct str *ret_message, struct buf *ret_signature)
{
	struct str rest = str_of(token);
	size_t n;

	(void)str_cut(&rest, '.');
	(void)str_cut(&rest, '.');
	n = strlen(token) - rest.n - 1;
	*ret_message = (struct str){ token, n };
	assert_int_equal(base64url_decode(ret_signature, rest), OK);
}

static void assert_token_verifies(const struct pubkey *key, enum signature_scheme scheme,
				  const char *token)
{
	BUF_AUTO struct buf signature = { 0 };
	struct str message;

	buf_init(&signature, 1000);
	take_apart(token, &message, &signature);
	assert_true(pubkey_verify(key, scheme, message, buf_str(&signature)));
	assert_false(
		pubkey_verify(key, scheme, str_slice(message, 1, message.n), buf_str(&signature)));
	for (size_t i = 0; i < signature.n; i++) {
		signature.p[i] ^= 4;
		assert_false(pubkey_verify(key, scheme, message, buf_str(&signature)));
		signature.p[i] ^= 4;
	}
	assert_false(pubkey_verify(key, scheme, message,
				   str_slice(buf_str(&signature), 0, signature.n - 1)));
	buf_add_char(&signature, '\0');
	assert_false(pubkey_verify(key, scheme, message, buf_str(&signature)));
	assert_false(pubkey_verify(key, scheme, message, STR_NONE));
}

static void rsa_is_rfc_7515(void **state)
{
	struct pubkey *key = key_of_pem(RFC7515_RSA_PUBLIC);

	(void)state;
	assert_int_equal(pubkey_type(key), PUBKEY_RSA);
	assert_token_verifies(key, SIGNATURE_RSA_SHA256, RFC7515_RS256);
	pubkey_free(key);
}

static void p256_is_rfc_7515(void **state)
{
	struct pubkey *key = key_of_pem(RFC7515_P256_PUBLIC);

	(void)state;
	assert_int_equal(pubkey_type(key), PUBKEY_P256);
	assert_token_verifies(key, SIGNATURE_P256_RAW, RFC7515_ES256);
	pubkey_free(key);
}

static void ed25519_is_rfc_8032(void **state)
{
	struct pubkey *key = key_of_pem(RFC8032_PUBLIC);
	struct secret signature = secret_of_hex(RFC8032_SIGNATURE);

	(void)state;
	assert_true(pubkey_verify(key, SIGNATURE_ED25519, STR("\x72"), secret_str(&signature)));
	assert_false(pubkey_verify(key, SIGNATURE_ED25519, STR("\x73"), secret_str(&signature)));
	assert_false(pubkey_verify(key, SIGNATURE_ED25519, STR("\x72"),
				   str_slice(secret_str(&signature), 0, 63)));
	secret_done(&signature);
	pubkey_free(key);
}

/* Made by another library (OpenSSL) with keys thrown away since, and with the RFC's. */
static void signatures_of_other_libraries_verify(void **state)
{
	struct pubkey *p256 =
		key_of_pem("-----BEGIN PUBLIC KEY-----\r\n"
			   "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE/ehzAd0NTyOX0ZFMQTsRzOPeVNx0\r\n"
			   "x+cmVRV6FqRFMuOZKbc8flrg9PugY5+xMdfbCTq/az/N3qB72VUhpGtSgw==\r\n"
			   "-----END PUBLIC KEY-----\r\n");
	struct pubkey *rsa = key_of_pem(RFC7515_RSA_PUBLIC);
	struct secret der = secret_of_hex(
		"3046022100d155590c01cef4ff1a416aca500d1e9d081eaaa6ac75d52bf595dbfa3ab212bd"
		"022100e0a964fa1cb8f47d3fc74d0108e0cbef82c23fbfdaa46b6c49255823ba31471e");
	struct secret sha1 = secret_of_hex(
		"934cf78bfb1a6ba3d08bc3d48d7c2a00aeced09f0b0787ea72627eb0a0efe6d1f865f5da368ad6be"
		"72c9029d56b7bc50f8aeed32311c111645bd25e92743ef8327509a6bcfdc8b28f3bb178238bb8824"
		"cac9dd7ca84e76eb1f0d37bdbf5bc9c1bd073aea59d8592d8c66e63c8bb19ead354bde407bbf3398"
		"9b70f978530114293ee40ee233ed2b1cf32c20fb923e5466427bfae7e559a06f49a96662245d6db9"
		"c866d323fb9ca38c74a4373cf2e14f1a900704cd80bc58a907d86c39a72090db7fcd3a8dc4a63cf0"
		"ea5fb5f096ec152723dddcc30401eed4f97f3896d025f13473e8a22b513ab62decbb2a1826031ce7"
		"20275158532fcf8f0e999e072ba763f7");

	(void)state;
	assert_true(pubkey_verify(p256, SIGNATURE_P256_DER, STR("hello"), secret_str(&der)));
	assert_false(pubkey_verify(p256, SIGNATURE_P256_DER, STR("hellp"), secret_str(&der)));
	assert_false(pubkey_verify(p256, SIGNATURE_P256_RAW, STR("hello"), secret_str(&der)));
	assert_true(pubkey_verify(rsa, SIGNATURE_RSA_SHA1, STR("hello"), secret_str(&sha1)));
	assert_false(pubkey_verify(rsa, SIGNATURE_RSA_SHA256, STR("hello"), secret_str(&sha1)));
	assert_false(pubkey_verify(rsa, SIGNATURE_P256_DER, STR("hello"), secret_str(&der)));
	assert_false(pubkey_verify(p256, SIGNATURE_RSA_SHA1, STR("hello"), secret_str(&sha1)));
	assert_false(pubkey_verify(p256, SIGNATURE_ED25519, STR("hello"), secret_str(&der)));
	/* One text for a signature: no longer length, no padding, nothing behind. */
	for (size_t bit = 0; bit < der.n * 8; bit++) {
		der.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_false(
			pubkey_verify(p256, SIGNATURE_P256_DER, STR("hello"), secret_str(&der)));
		der.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	pubkey_free(p256);
	pubkey_free(rsa);
	secret_done(&der);
	secret_done(&sha1);
}

static void a_zero_in_front_of_a_number_makes_no_second_signature(void **state)
{
	struct pubkey *rsa = key_of_pem(RFC7515_RSA_PUBLIC);
	struct pubkey *p256 =
		key_of_pem("-----BEGIN PUBLIC KEY-----\n"
			   "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE/ehzAd0NTyOX0ZFMQTsRzOPeVNx0\n"
			   "x+cmVRV6FqRFMuOZKbc8flrg9PugY5+xMdfbCTq/az/N3qB72VUhpGtSgw==\n"
			   "-----END PUBLIC KEY-----\n");
	/* The signature of "hello" above, with one more zero before its r. */
	struct secret der = secret_of_hex(
		"304702220000d155590c01cef4ff1a416aca500d1e9d081eaaa6ac75d52bf595dbfa3ab212bd"
		"022100e0a964fa1cb8f47d3fc74d0108e0cbef82c23fbfdaa46b6c49255823ba31471e");
	BUF_AUTO struct buf signature = { 0 };
	struct str message;

	(void)state;
	buf_init(&signature, 1000);
	buf_add_char(&signature, '\0');
	take_apart(RFC7515_RS256, &message, &signature);
	assert_false(pubkey_verify(rsa, SIGNATURE_RSA_SHA256, message, buf_str(&signature)));
	assert_true(pubkey_verify(rsa, SIGNATURE_RSA_SHA256, message,
				  str_slice(buf_str(&signature), 1, signature.n)));
	assert_false(pubkey_verify(p256, SIGNATURE_P256_DER, STR("hello"), secret_str(&der)));
	secret_done(&der);
	pubkey_free(rsa);
	pubkey_free(p256);
}

static void weak_and_foreign_keys_are_refused(void **state)
{
	static const char *const bad[] = {
		RSA_1024_PUBLIC,
		P384_PUBLIC,
		RFC7515_RSA_PRIVATE,
		"",
		"-----BEGIN PUBLIC KEY-----",
		"-----BEGIN PUBLIC KEY----------END PUBLIC KEY-----",
		"-----BEGIN PUBLIC KEY-----\n!!!!\n-----END PUBLIC KEY-----\n",
		"-----BEGIN PUBLIC KEY-----\nMFkw\n-----END PUBLIC KEY-----\n",
		/* a point off the curve: the last digit of y differs */
		"-----BEGIN PUBLIC KEY-----\n"
		"MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEf83OJ3D2xF1Bg8vub9tLe1gHMzV7\n"
		"6e8Tus9uPHvRVEXH8UTNG72bfocs3+257rn0s2ldbqkLJK2KRiMohYjlrg==\n"
		"-----END PUBLIC KEY-----\n",
		RFC7515_P256_PUBLIC RFC7515_P256_PUBLIC,
	};
	struct pubkey *key;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(pubkey_from_pem(str_of(bad[i]), &key), ERR_BAD_INPUT);
		assert_null(key);
	}
	assert_int_equal(pubkey_from_ed25519(STR("short"), &key), ERR_BAD_INPUT);
}

static void a_damaged_der_never_crashes_the_reader(void **state)
{
	BUF_AUTO struct buf der = { 0 };
	struct pubkey *key;

	(void)state;
	buf_init(&der, 1000);
	assert_int_equal(
		base64_decode(&der,
			      STR("MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEf83OJ3D2xF1Bg8vub9tLe1gHMzV7"
				  "6e8Tus9uPHvRVEXH8UTNG72bfocs3+257rn0s2ldbqkLJK2KRiMohYjlrQ==")),
		OK);
	assert_int_equal(pubkey_from_der(buf_str(&der), &key), OK);
	pubkey_free(key);
	for (size_t n = 0; n < der.n; n++) {
		/* A copy of that size: a read past it is one that AddressSanitizer sees. */
		struct secret cut;

		assert_int_equal(secret_copy(der.p, n, &cut), OK);
		assert_int_equal(pubkey_from_der(secret_str(&cut), &key), ERR_BAD_INPUT);
		secret_done(&cut);
	}
	/* One element more in the sequence, and one behind it. */
	buf_add(&der, "\5\0", 2);
	assert_int_equal(pubkey_from_der(buf_str(&der), &key), ERR_BAD_INPUT);
	der.p[1] += 2;
	assert_int_equal(pubkey_from_der(buf_str(&der), &key), ERR_BAD_INPUT);
	der.p[1] -= 2;
	der.n -= 2;
	for (size_t bit = 0; bit < der.n * 8; bit++) {
		der.p[bit / 8] ^= (char)(1 << bit % 8);
		assert_int_equal(pubkey_from_der(buf_str(&der), &key), ERR_BAD_INPUT);
		der.p[bit / 8] ^= (char)(1 << bit % 8);
	}
}

static enum err key_of_jwk(struct arena *arena, const char *text, struct pubkey **ret_key)
{
	json_t *jwk;

	assert_int_equal(json_read(arena, str_of(text), &jwk, NULL), OK);
	return pubkey_from_jwk(jwk, ret_key);
}

static void json_web_keys_are_the_same_keys(void **state)
{
	struct arena *arena = arena_new(1 << 20);
	struct secret signature = secret_of_hex(RFC8032_SIGNATURE);
	struct pubkey *key;

	(void)state;
	assert_int_equal(key_of_jwk(arena,
				    "{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"" RFC7515_RSA_N "\"}",
				    &key),
			 OK);
	assert_token_verifies(key, SIGNATURE_RSA_SHA256, RFC7515_RS256);
	pubkey_free(key);
	assert_int_equal(key_of_jwk(arena,
				    "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" RFC7515_P256_X
				    "\",\"y\":\"" RFC7515_P256_Y "\"}",
				    &key),
			 OK);
	assert_token_verifies(key, SIGNATURE_P256_RAW, RFC7515_ES256);
	pubkey_free(key);
	assert_int_equal(key_of_jwk(arena,
				    "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"" RFC8032_X "\"}",
				    &key),
			 OK);
	assert_true(pubkey_verify(key, SIGNATURE_ED25519, STR("\x72"), secret_str(&signature)));
	pubkey_free(key);
	secret_done(&signature);
	arena_free(arena);
}

static void bad_json_web_keys_are_refused(void **state)
{
	static const char *const bad[] = {
		"{}",
		"[]",
		"{\"kty\":\"oct\",\"k\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}",
		"{\"kty\":\"RSA\",\"e\":\"AQAB\"}",
		"{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"AQAB\"}",
		"{\"kty\":\"RSA\",\"e\":\"AQ\",\"n\":\"" RFC7515_RSA_N "\"}",
		"{\"kty\":\"RSA\",\"e\":\"AA\",\"n\":\"" RFC7515_RSA_N "\"}",
		"{\"kty\":\"RSA\",\"e\":\"AQAA\",\"n\":\"" RFC7515_RSA_N "\"}",
		"{\"kty\":\"RSA\",\"e\":\"AQAAAAAB\",\"n\":\"" RFC7515_RSA_N "\"}",
		"{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"" RFC7515_RSA_N "==\"}",
		"{\"kty\":\"RSA\",\"e\":65537,\"n\":\"" RFC7515_RSA_N "\"}",
		"{\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":\"" RFC7515_P256_X
		"\",\"y\":\"" RFC7515_P256_Y "\"}",
		"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" RFC7515_P256_Y
		"\",\"y\":\"" RFC7515_P256_X "\"}",
		"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\",\"y\":\"" RFC7515_P256_Y "\"}",
		"{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"" RFC8032_X "\"}",
		"{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AAAA\"}",
	};
	struct arena *arena = arena_new(1 << 20);
	struct pubkey *key;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(key_of_jwk(arena, bad[i], &key), ERR_BAD_INPUT);
		assert_null(key);
	}
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rsa_is_rfc_7515),
		cmocka_unit_test(p256_is_rfc_7515),
		cmocka_unit_test(ed25519_is_rfc_8032),
		cmocka_unit_test(signatures_of_other_libraries_verify),
		cmocka_unit_test(a_zero_in_front_of_a_number_makes_no_second_signature),
		cmocka_unit_test(weak_and_foreign_keys_are_refused),
		cmocka_unit_test(a_damaged_der_never_crashes_the_reader),
		cmocka_unit_test(json_web_keys_are_the_same_keys),
		cmocka_unit_test(bad_json_web_keys_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
