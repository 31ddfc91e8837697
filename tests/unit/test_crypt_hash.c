/* Hashes, MACs and key derivation, against the vectors of their own documents. */
#include "crypt/hash.h"

#include "crypt_support.h"

static struct str hex_bytes(const char *hex, char *bytes)
{
	size_t n = strlen(hex) / 2;

	assert_true(hex_decode_to(str_of(hex), bytes, n));
	return (struct str){ bytes, n };
}

static void sha256_is_fips_180(void **state)
{
	uint8_t hash[SHA256_BYTES];

	(void)state;
	sha256_of(BYTES(STR("abc")), hash);
	assert_bytes(hash, 32, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	sha256_of(BYTES(STR("")), hash);
	assert_bytes(hash, 32, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

/* There is no other way to it than by the states. */
static void hmac_sha1(struct str key, struct byte_parts data, uint8_t mac[SHA1_BYTES])
{
	uint8_t states[HMAC_SHA1_STATES];

	hmac_sha1_states(key, states);
	hmac_sha1_from(states, data, mac);
}

static void parts_count_as_if_they_were_joined(void **state)
{
	struct secret key = secret_of("key");
	uint8_t whole[SHA256_BYTES], parts[SHA256_BYTES];

	(void)state;
	sha256_of(BYTES(STR("1700000000.{}")), whole);
	sha256_of(BYTES(STR("1700000000"), STR("."), STR(""), STR("{}")), parts);
	assert_memory_equal(whole, parts, SHA256_BYTES);
	hmac_sha256_of(&key, BYTES(STR("1700000000.{}")), whole);
	hmac_sha256_of(&key, BYTES(STR("1700000000"), STR("."), STR_NONE, STR("{}")), parts);
	assert_memory_equal(whole, parts, SHA256_BYTES);
	hmac_sha1(STR("key"), BYTES(STR("ab")), whole);
	hmac_sha1(STR("key"), BYTES(STR("a"), STR("b")), parts);
	assert_memory_equal(whole, parts, SHA1_BYTES);
	secret_done(&key);
}

/* RFC 4231, section 4 */
static void hmac_is_rfc_4231(void **state)
{
	static const char filler[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
				     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
				     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
				     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
				     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
				     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
				     "aaaaaaaaaaaaaaaaaaaaaa"; /* 131 bytes */
	static const struct {
		const char *key, *data, *sha256;
	} cases[] = {
		{ "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "Hi There",
		  "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7" },
		{ "4a656665", "what do ya want for nothing?",
		  "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843" },
		{ filler, "Test Using Larger Than Block-Size Key - Hash Key First",
		  "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54" },
		{ filler,
		  "This is a test using a larger than block-size key and a larger than "
		  "block-size data. The key needs to be hashed before being used by the HMAC "
		  "algorithm.",
		  "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2" },
	};
	uint8_t mac[SHA256_BYTES];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct secret key = secret_of_hex(cases[i].key);

		hmac_sha256_of(&key, BYTES(str_of(cases[i].data)), mac);
		assert_bytes(mac, SHA256_BYTES, cases[i].sha256);
		secret_done(&key);
	}
}

/* RFC 2202, section 3, case 2. */
static void hmac_sha1_is_rfc_2202(void **state)
{
	uint8_t mac[SHA1_BYTES];

	(void)state;
	hmac_sha1(STR("Jefe"), BYTES(STR("what do ya want for nothing?")), mac);
	assert_bytes(mac, SHA1_BYTES, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
}

/* RFC 5869, appendix A. */
static void hkdf_is_rfc_5869(void **state)
{
	char salt[16], info[16];
	struct secret key = secret_of_hex("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b");
	struct secret out;

	(void)state;
	assert_int_equal(hkdf_sha256(&key, hex_bytes("000102030405060708090a0b0c", salt),
				     hex_bytes("f0f1f2f3f4f5f6f7f8f9", info), 42, &out),
			 OK);
	assert_bytes(out.p, out.n,
		     "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"
		     "34007208d5b887185865");
	secret_done(&out);
	assert_int_equal(hkdf_sha256(&key, STR_NONE, STR(""), 42, &out), OK);
	assert_bytes(out.p, out.n,
		     "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"
		     "9d201395faa4b61a96c8");
	secret_done(&out);
	secret_done(&key);
}

static void hkdf_makes_no_more_than_it_can(void **state)
{
	struct secret key = secret_of("k");
	struct secret out;

	(void)state;
	assert_int_equal(hkdf_sha256(&key, STR_NONE, STR(""), 255 * 32, &out), OK);
	secret_done(&out);
	assert_int_equal(hkdf_sha256(&key, STR_NONE, STR(""), 255 * 32 + 1, &out), ERR_CRYPTO);
	assert_int_equal(hkdf_sha256(&key, STR_NONE, STR(""), 0, &out), ERR_CRYPTO);
	assert_null(out.p);
	secret_done(&key);
}

/* RFC 7914, section 11. */
static void pbkdf2_is_rfc_7914(void **state)
{
	struct secret password = secret_of("passwd");
	struct secret out;

	(void)state;
	assert_int_equal(pbkdf2_sha256(&password, STR("salt"), 1, 64, &out), OK);
	assert_bytes(out.p, out.n,
		     "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc"
		     "49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783");
	secret_done(&out);
	secret_done(&password);
	password = secret_of("Password");
	assert_int_equal(pbkdf2_sha256(&password, STR("NaCl"), 80000, 64, &out), OK);
	assert_bytes(out.p, out.n,
		     "4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56"
		     "a1d425a1225833549adb841b51c9b3176a272bdebba1d078478f62b397f33c8d");
	secret_done(&out);
	assert_int_equal(pbkdf2_sha256(&password, STR("NaCl"), 0, 32, &out), ERR_CRYPTO);
	secret_done(&password);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sha256_is_fips_180),
		cmocka_unit_test(parts_count_as_if_they_were_joined),
		cmocka_unit_test(hmac_is_rfc_4231),
		cmocka_unit_test(hmac_sha1_is_rfc_2202),
		cmocka_unit_test(hkdf_is_rfc_5869),
		cmocka_unit_test(hkdf_makes_no_more_than_it_can),
		cmocka_unit_test(pbkdf2_is_rfc_7914),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
