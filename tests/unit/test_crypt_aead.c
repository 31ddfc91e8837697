/* AES-256-GCM: known answers, and what must never open. */
#include "crypt/aead.h"

#include "crypt_support.h"

/* The GCM specification's test cases 13 to 16 (McGrew and Viega, appendix B; the AES-256 ones). */
static const struct {
	const char *key, *nonce, *aad, *plain, *sealed;
} GCM_SPEC[] = {
	{ "0000000000000000000000000000000000000000000000000000000000000000",
	  "000000000000000000000000", "", "", "530f8afbc74536b9a963b4f1c4cb738b" },
	{ "0000000000000000000000000000000000000000000000000000000000000000",
	  "000000000000000000000000", "", "00000000000000000000000000000000",
	  "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919" },
	{ "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
	  "cafebabefacedbaddecaf888", "",
	  "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
	  "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255",
	  "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
	  "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad"
	  "b094dac5d93471bdec1a502270e3cc6c" },
	{ "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
	  "cafebabefacedbaddecaf888", "feedfacedeadbeeffeedfacedeadbeefabaddad2",
	  "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
	  "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
	  "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
	  "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
	  "76fc6ece0f4e1768cddf8853bb2d551b" },
};

static void it_opens_what_others_sealed_by_the_specification(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(GCM_SPEC); i++) {
		BUF_AUTO struct buf sealed;
		struct secret key = secret_of_hex(GCM_SPEC[i].key);
		struct secret aad = secret_of_hex(GCM_SPEC[i].aad);
		struct secret plain;

		buf_init(&sealed, 1000);
		assert_int_equal(hex_decode(&sealed, str_of(GCM_SPEC[i].nonce)), OK);
		assert_int_equal(hex_decode(&sealed, str_of(GCM_SPEC[i].sealed)), OK);
		assert_int_equal(aead_open(&key, secret_str(&aad), buf_str(&sealed), &plain), OK);
		assert_bytes(plain.p, plain.n, GCM_SPEC[i].plain);
		secret_done(&plain);
		secret_done(&aad);
		secret_done(&key);
	}
}

static void what_was_sealed_opens_and_never_looks_the_same_twice(void **state)
{
	struct secret key = secret_of("0123456789abcdef0123456789abcdef");
	BUF_AUTO struct buf first;
	BUF_AUTO struct buf second;
	struct secret plain;

	(void)state;
	buf_init(&first, 1000);
	buf_init(&second, 1000);
	assert_int_equal(aead_seal(&key, STR("aad"), STR("hello"), &first), OK);
	assert_int_equal(aead_seal(&key, STR("aad"), STR("hello"), &second), OK);
	assert_int_equal(first.n, 5 + AEAD_OVERHEAD);
	assert_memory_not_equal(first.p, second.p, AEAD_NONCE_BYTES);
	assert_int_equal(aead_open(&key, STR("aad"), buf_str(&first), &plain), OK);
	assert_text(secret_str(&plain), "hello");
	secret_done(&plain);
	secret_done(&key);
}

static void no_flipped_bit_and_no_cut_opens(void **state)
{
	struct secret key = secret_of("0123456789abcdef0123456789abcdef");
	BUF_AUTO struct buf sealed;
	struct secret plain;

	(void)state;
	buf_init(&sealed, 1000);
	assert_int_equal(aead_seal(&key, STR("aad"), STR("hello"), &sealed), OK);
	for (size_t bit = 0; bit < sealed.n * 8; bit++) {
		sealed.p[bit / 8] ^= (char)(1 << bit % 8);
		assert_int_equal(aead_open(&key, STR("aad"), buf_str(&sealed), &plain),
				 ERR_UNREADABLE);
		assert_null(plain.p);
		sealed.p[bit / 8] ^= (char)(1 << bit % 8);
	}
	for (size_t n = 0; n < sealed.n; n++)
		assert_int_equal(
			aead_open(&key, STR("aad"), str_slice(buf_str(&sealed), 0, n), &plain),
			ERR_UNREADABLE);
	assert_int_equal(aead_open(&key, STR("aae"), buf_str(&sealed), &plain), ERR_UNREADABLE);
	assert_int_equal(aead_open(&key, STR_NONE, buf_str(&sealed), &plain), ERR_UNREADABLE);
	key.p[31] ^= 1;
	assert_int_equal(aead_open(&key, STR("aad"), buf_str(&sealed), &plain), ERR_UNREADABLE);
	secret_done(&key);
}

static void a_key_of_another_size_is_none(void **state)
{
	struct secret key = secret_of("0123456789abcdef");
	BUF_AUTO struct buf sealed;
	struct secret plain;

	(void)state;
	buf_init(&sealed, 1000);
	assert_int_equal(aead_seal(&key, STR(""), STR("x"), &sealed), ERR_CRYPTO);
	assert_int_equal(sealed.n, 0);
	buf_add(&sealed, "0123456789012345678901234567890123456789", 40);
	assert_int_equal(aead_open(&key, STR(""), buf_str(&sealed), &plain), ERR_UNREADABLE);
	secret_done(&key);
}

static void a_buffer_without_room_gets_nothing(void **state)
{
	struct secret key = secret_of("0123456789abcdef0123456789abcdef");
	BUF_AUTO struct buf sealed;

	(void)state;
	buf_init(&sealed, AEAD_OVERHEAD + 4);
	assert_int_equal(aead_seal(&key, STR(""), STR("hello"), &sealed), ERR_TOO_BIG);
	assert_int_equal(sealed.n, 0);
	secret_done(&key);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_opens_what_others_sealed_by_the_specification),
		cmocka_unit_test(what_was_sealed_opens_and_never_looks_the_same_twice),
		cmocka_unit_test(no_flipped_bit_and_no_cut_opens),
		cmocka_unit_test(a_key_of_another_size_is_none),
		cmocka_unit_test(a_buffer_without_room_gets_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
