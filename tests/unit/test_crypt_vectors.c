/*
 * Other people's vectors (Wycheproof, the RFCs as JSON, Fernet), when LATCHWORK_VECTORS names the
 * folder that holds them; skipped without. They aren't part of this repository.
 */
#include <jansson.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/json_read.h"
#include "crypt/aead.h"
#include "crypt/fernet.h"
#include "crypt/hash.h"
#include "crypt/jwt.h"
#include "crypt/pubkey.h"
#include "crypt_support.h"

/* --- reading them -------------------------------------------------------- */

static json_t *load(const char *file)
{
	const char *folder = getenv("LATCHWORK_VECTORS");
	char path[512];
	json_error_t at;
	json_t *document;

	if (!folder || !*folder)
		return NULL;
	snprintf(path, sizeof(path), "%s/%s", folder, file);
	document = json_load_file(path, 0, &at);
	if (!document)
		fail_msg("%s: %s", path, at.text);
	return document;
}

static const char *text_of(const json_t *test, const char *name)
{
	const char *text = json_string_value(json_object_get(test, name));

	if (!text)
		fail_msg("a test has no %s", name);
	return text;
}

static int64_t int_of(const json_t *test, const char *name)
{
	return json_integer_value(json_object_get(test, name));
}

static struct secret hex_of(const json_t *test, const char *name)
{
	return secret_of_hex(text_of(test, name));
}

/* "acceptable" stands for what some accept for old times' sake; either answer is right. */
static void assert_result(const json_t *test, bool accepted)
{
	const char *result = text_of(test, "result");

	if (!strcmp(result, "acceptable") || accepted == !strcmp(result, "valid"))
		return;
	fail_msg("test %d (%s) is %s", (int)int_of(test, "tcId"), text_of(test, "comment"), result);
}

/* Calls check for each test of each group of a Wycheproof file, of which there is at least one. */
static void each_test(const char *file, bool (*wanted)(const json_t *group),
		      void (*check)(const json_t *group, const json_t *test))
{
	json_t *document = load(file);
	const json_t *group, *test;
	size_t i, j, count = 0;

	if (!document)
		skip();
	json_array_foreach(json_object_get(document, "testGroups"), i, group)
	{
		if (wanted && !wanted(group))
			continue;
		json_array_foreach(json_object_get(group, "tests"), j, test)
		{
			check(group, test);
			count++;
		}
	}
	assert_true(count > 0);
	json_decref(document);
}

/* --- symmetric ----------------------------------------------------------- */

static bool is_our_gcm(const json_t *group)
{
	return int_of(group, "keySize") == 256 && int_of(group, "ivSize") == 96 &&
	       int_of(group, "tagSize") == 128;
}

static void check_gcm(const json_t *group, const json_t *test)
{
	struct secret key = hex_of(test, "key"), aad = hex_of(test, "aad"), plain;
	BUF_AUTO struct buf sealed = { 0 };
	enum err e;

	(void)group;
	buf_init(&sealed, 100000);
	assert_int_equal(hex_decode(&sealed, str_of(text_of(test, "iv"))), OK);
	assert_int_equal(hex_decode(&sealed, str_of(text_of(test, "ct"))), OK);
	assert_int_equal(hex_decode(&sealed, str_of(text_of(test, "tag"))), OK);
	e = aead_open(&key, secret_str(&aad), buf_str(&sealed), &plain);
	assert_result(test, e == OK);
	if (e == OK)
		assert_bytes(plain.p, plain.n, text_of(test, "msg"));
	secret_done(&plain);
	secret_done(&key);
	secret_done(&aad);
}

static void wycheproof_aes_gcm(void **state)
{
	(void)state;
	each_test("wycheproof/aes_gcm_test.json", is_our_gcm, check_gcm);
}

static void check_hkdf(const json_t *group, const json_t *test)
{
	struct secret ikm = hex_of(test, "ikm"), salt = hex_of(test, "salt");
	struct secret info = hex_of(test, "info"), okm;
	enum err e = hkdf_sha256(&ikm, secret_str(&salt), secret_str(&info),
				 (size_t)int_of(test, "size"), &okm);

	(void)group;
	assert_result(test, e == OK);
	if (e == OK)
		assert_bytes(okm.p, okm.n, text_of(test, "okm"));
	secret_done(&okm);
	secret_done(&ikm);
	secret_done(&salt);
	secret_done(&info);
}

static void wycheproof_hkdf(void **state)
{
	(void)state;
	each_test("wycheproof/hkdf_sha256_test.json", NULL, check_hkdf);
}

static void check_mac(const json_t *test, const uint8_t *mac, size_t mac_bytes)
{
	struct secret tag = hex_of(test, "tag");

	assert_true(tag.n <= mac_bytes);
	assert_result(test, bytes_eq_constant_time(mac, tag.p, tag.n));
	secret_done(&tag);
}

static void check_hmac_sha256(const json_t *group, const json_t *test)
{
	struct secret key = hex_of(test, "key"), message = hex_of(test, "msg");
	uint8_t mac[SHA256_BYTES];

	(void)group;
	hmac_sha256_of(&key, BYTES(secret_str(&message)), mac);
	check_mac(test, mac, sizeof(mac));
	secret_done(&key);
	secret_done(&message);
}

static void check_hmac_sha1(const json_t *group, const json_t *test)
{
	struct secret key = hex_of(test, "key"), message = hex_of(test, "msg");
	uint8_t states[HMAC_SHA1_STATES], mac[SHA1_BYTES];

	(void)group;
	hmac_sha1_states(secret_str(&key), states);
	hmac_sha1_from(states, BYTES(secret_str(&message)), mac);
	check_mac(test, mac, sizeof(mac));
	secret_done(&key);
	secret_done(&message);
}

static void wycheproof_hmac(void **state)
{
	(void)state;
	each_test("wycheproof/hmac_sha256_test.json", NULL, check_hmac_sha256);
	each_test("wycheproof/hmac_sha1_test.json", NULL, check_hmac_sha1);
}

static void check_pbkdf2(const json_t *group, const json_t *test)
{
	struct secret password = hex_of(test, "password"), salt = hex_of(test, "salt"), key;
	enum err e = pbkdf2_sha256(&password, secret_str(&salt),
				   (uint32_t)int_of(test, "iterationCount"),
				   (size_t)int_of(test, "dkLen"), &key);

	(void)group;
	assert_int_equal(e, OK);
	assert_bytes(key.p, key.n, text_of(test, "dk"));
	secret_done(&key);
	secret_done(&password);
	secret_done(&salt);
}

static void wycheproof_pbkdf2(void **state)
{
	(void)state;
	each_test("wycheproof/pbkdf2_hmacsha256_test.json", NULL, check_pbkdf2);
}

/* --- signatures ---------------------------------------------------------- */

/* The key by its PEM, its DER and its JWK, which must be one and the same. */
static void check_signature(const json_t *group, const json_t *test, const char *jwk_name,
			    enum signature_scheme scheme)
{
	struct secret message = hex_of(test, "msg"), signature = hex_of(test, "sig");
	struct secret der = hex_of(group, "publicKeyDer");
	const json_t *jwk = json_object_get(group, jwk_name);
	struct pubkey *keys[3] = { NULL, NULL, NULL };

	assert_int_equal(pubkey_from_pem(str_of(text_of(group, "publicKeyPem")), &keys[0]), OK);
	assert_int_equal(pubkey_from_der(secret_str(&der), &keys[1]), OK);
	if (jwk)
		assert_int_equal(pubkey_from_jwk(jwk, &keys[2]), OK);
	for (size_t i = 0; i < ARRAY_SIZE(keys) && keys[i]; i++) {
		assert_result(test, pubkey_verify(keys[i], scheme, secret_str(&message),
						  secret_str(&signature)));
		pubkey_free(keys[i]);
	}
	secret_done(&message);
	secret_done(&signature);
	secret_done(&der);
}

static void check_rsa(const json_t *group, const json_t *test)
{
	check_signature(group, test, "keyJwk", SIGNATURE_RSA_SHA256);
}

/*
 * Nettle 3.8 doesn't add a point to itself when it verifies, and so refuses a signature whose two
 * points are equal. It takes a key made for the purpose to have one, and refusing it is harmless.
 */
static bool is_point_duplication(const json_t *test)
{
	const json_t *flag;
	size_t i;

	json_array_foreach(
		json_object_get(test, "flags"), i,
		flag) if (!strcmp(json_string_value(flag),
				  "PointDuplication")) return !strcmp(text_of(test, "result"),
								      "valid");
	return false;
}

static void check_p256(const json_t *group, const json_t *test)
{
	if (!is_point_duplication(test))
		check_signature(group, test, "publicKeyJwk", SIGNATURE_P256_RAW);
}

static void check_ed25519(const json_t *group, const json_t *test)
{
	check_signature(group, test, "publicKeyJwk", SIGNATURE_ED25519);
}

static void wycheproof_rsa(void **state)
{
	(void)state;
	each_test("wycheproof/rsa_signature_2048_sha256_test.json", NULL, check_rsa);
}

static void wycheproof_p256(void **state)
{
	(void)state;
	each_test("wycheproof/ecdsa_secp256r1_sha256_p1363_test.json", NULL, check_p256);
}

static void wycheproof_ed25519(void **state)
{
	(void)state;
	each_test("wycheproof/ed25519_test.json", NULL, check_ed25519);
}

/* --- tokens -------------------------------------------------------------- */

/* The key of a group, ours to free: public, or the secret of HS256. NULL when it isn't accepted. */
static struct jwt_key *key_of(const json_t *group)
{
	const json_t *jwk = json_object_get(group, "public");
	struct jwt_key *key = NULL;

	if (jwk)
		return jwt_key_from_jwk(jwk, &key) == OK ? key : NULL;
	jwk = json_object_get(group, "private");
	if (str_eq(json_member_text(jwk, "alg"), STR("HS256"))) {
		struct str k = json_member_text(jwk, "k");
		struct secret secret;

		assert_int_equal(secret_new(k.n * 3 / 4, &secret), OK);
		if (base64url_decode_to(k, secret.p, secret.n) &&
		    jwt_key_from_secret(&secret, &key) != OK)
			key = NULL;
		secret_done(&secret);
	}
	return key;
}

static enum err find(void *context, const struct jwt_hint *hint, struct jwt_trust *ret_trust)
{
	(void)hint;
	ret_trust->key = context;
	return OK;
}

/*
 * These files sign texts like "foo", which are no claims: not even a valid one is a token to us.
 * What they can show here is that nothing is accepted that shouldn't be, and that nothing crashes;
 * the good signatures of RS256 and ES256 are checked beneath the claims.
 */
static void check_jws(const json_t *group, const json_t *test)
{
	const char *jws = json_string_value(json_object_get(test, "jws"));
	struct arena *arena = arena_new(1 << 20);
	struct jwt_key *key = key_of(group);
	struct jwt_policy policy = { find, key, 1000, 0 };
	struct jwt_claims claims;

	assert_true(jws || !strcmp(text_of(test, "result"), "invalid"));
	if (jws)
		assert_int_equal(jwt_verify(arena, str_of(jws), &policy, &claims), ERR_BAD_TOKEN);
	jwt_key_free(key);
	arena_free(arena);
}

static bool is_jws(const json_t *group)
{
	return !json_object_get(json_array_get(json_object_get(group, "tests"), 0), "jwe");
}

static bool is_public_256(const json_t *group)
{
	struct str alg = json_member_text(json_object_get(group, "public"), "alg");

	return str_eq(alg, STR("RS256")) || str_eq(alg, STR("ES256"));
}

static void check_jws_signature(const json_t *group, const json_t *test)
{
	const json_t *jwk = json_object_get(group, "public");
	bool rsa = str_eq(json_member_text(jwk, "kty"), STR("RSA"));
	struct str rest = str_of(text_of(test, "jws"));
	struct str whole = rest, message;
	struct pubkey *key;
	uint8_t signature[1024];
	bool good;

	(void)str_cut(&rest, '.');
	(void)str_cut(&rest, '.');
	if (str_absent(rest) || strcmp(text_of(test, "result"), "valid") != 0)
		return;
	message = str_slice(whole, 0, whole.n - rest.n - 1);
	assert_int_equal(pubkey_from_jwk(jwk, &key), OK);
	good = base64url_decode_to(rest, signature, rest.n * 3 / 4) &&
	       pubkey_verify(key, rsa ? SIGNATURE_RSA_SHA256 : SIGNATURE_P256_RAW, message,
			     (struct str){ (const char *)signature, rest.n * 3 / 4 });
	assert_result(test, good);
	pubkey_free(key);
}

static void wycheproof_json_web_signature(void **state)
{
	(void)state;
	each_test("wycheproof/json_web_signature_test.json", NULL, check_jws);
	each_test("wycheproof/json_web_crypto_test.json", is_jws, check_jws);
	each_test("wycheproof/json_web_signature_test.json", is_public_256, check_jws_signature);
}

/* --- the RFCs and Fernet ------------------------------------------------- */

static void rfc_files(void **state)
{
	json_t *document = load("rfc/rfc4231-hmac-sha256.json");
	const json_t *test;
	size_t i;

	(void)state;
	if (!document)
		skip();
	json_array_foreach(document, i, test)
	{
		struct secret key = hex_of(test, "key"), data = hex_of(test, "data");
		uint8_t mac[SHA256_BYTES];

		hmac_sha256_of(&key, BYTES(secret_str(&data)), mac);
		assert_bytes(mac, sizeof(mac), text_of(test, "mac"));
		secret_done(&key);
		secret_done(&data);
	}
	json_decref(document);
	document = load("rfc/rfc5869-hkdf.json");
	json_array_foreach(document, i, test)
	{
		struct secret ikm, salt, info, okm;

		if (strcmp(text_of(test, "hash"), "sha256") != 0)
			continue;
		ikm = hex_of(test, "ikm");
		salt = hex_of(test, "salt");
		info = hex_of(test, "info");
		assert_int_equal(hkdf_sha256(&ikm, secret_str(&salt), secret_str(&info),
					     (size_t)int_of(test, "L"), &okm),
				 OK);
		assert_bytes(okm.p, okm.n, text_of(test, "okm"));
		secret_done(&okm);
		secret_done(&ikm);
		secret_done(&salt);
		secret_done(&info);
	}
	json_decref(document);
}

static enum err open_fernet(const json_t *test, struct secret *ret_plain)
{
	struct secret key;
	int64_t now_ms;
	enum err e;

	assert_int_equal(fernet_key_parse(str_of(text_of(test, "secret")), &key), OK);
	assert_true(time_parse(str_of(text_of(test, "now")), &now_ms));
	e = fernet_open(&key, str_of(text_of(test, "token")), now_ms, int_of(test, "ttl_sec"),
			ret_plain);
	secret_done(&key);
	return e;
}

static void fernet_files(void **state)
{
	static const char *const good[] = { "fernet/verify.json", "fernet/generate.json" };
	const json_t *test;
	json_t *document;
	struct secret plain;
	size_t i;

	(void)state;
	for (size_t file = 0; file < ARRAY_SIZE(good); file++) {
		document = load(good[file]);
		if (!document)
			skip();
		json_array_foreach(document, i, test)
		{
			assert_int_equal(open_fernet(test, &plain), OK);
			assert_text(secret_str(&plain), text_of(test, "src"));
			secret_done(&plain);
		}
		json_decref(document);
	}
	document = load("fernet/invalid.json");
	json_array_foreach(document, i, test)
	{
		if (open_fernet(test, &plain) != ERR_UNREADABLE)
			fail_msg("%s opens", text_of(test, "desc"));
		assert_null(plain.p);
	}
	json_decref(document);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wycheproof_aes_gcm),
		cmocka_unit_test(wycheproof_hkdf),
		cmocka_unit_test(wycheproof_hmac),
		cmocka_unit_test(wycheproof_pbkdf2),
		cmocka_unit_test(wycheproof_rsa),
		cmocka_unit_test(wycheproof_p256),
		cmocka_unit_test(wycheproof_ed25519),
		cmocka_unit_test(wycheproof_json_web_signature),
		cmocka_unit_test(rfc_files),
		cmocka_unit_test(fernet_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
