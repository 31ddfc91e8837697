/* Text forms of bytes. A second text for the same bytes would be a second token for one secret. */
#include "crypt_support.h"

static const struct {
	const char *bytes, *base64, *base64url;
} RFC4648[] = {
	/* RFC 4648, section 10 */
	{ "", "", "" },
	{ "f", "Zg==", "Zg" },
	{ "fo", "Zm8=", "Zm8" },
	{ "foo", "Zm9v", "Zm9v" },
	{ "foob", "Zm9vYg==", "Zm9vYg" },
	{ "fooba", "Zm9vYmE=", "Zm9vYmE" },
	{ "foobar", "Zm9vYmFy", "Zm9vYmFy" },
	{ "\xfb\xff\xbf", "+/+/", "-_-_" },
};

static void base64_is_what_the_rfc_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(RFC4648); i++) {
		BUF_AUTO struct buf out;
		char text[32];

		buf_init(&out, 100);
		base64_encode(&out, str_of(RFC4648[i].bytes));
		assert_text(buf_str(&out), RFC4648[i].base64);
		buf_clear(&out);
		base64url_encode(&out, str_of(RFC4648[i].bytes));
		assert_text(buf_str(&out), RFC4648[i].base64url);
		assert_text(base64_encode_to(str_of(RFC4648[i].bytes), text), RFC4648[i].base64);
		assert_text(base64url_encode_to(str_of(RFC4648[i].bytes), text),
			    RFC4648[i].base64url);
		assert_int_equal(BASE64_CHARS(strlen(RFC4648[i].bytes)), strlen(RFC4648[i].base64));
		assert_int_equal(BASE64URL_CHARS(strlen(RFC4648[i].bytes)),
				 strlen(RFC4648[i].base64url));
	}
}

static void base64_reads_back_what_it_wrote(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(RFC4648); i++) {
		BUF_AUTO struct buf out;
		char bytes[8];
		size_t n = strlen(RFC4648[i].bytes);

		buf_init(&out, 100);
		buf_add_c(&out, ">");
		assert_int_equal(base64_decode(&out, str_of(RFC4648[i].base64)), OK);
		assert_int_equal(base64url_decode(&out, str_of(RFC4648[i].base64url)), OK);
		assert_int_equal(buf_str(&out).n, 1 + 2 * n);
		assert_memory_equal(buf_str(&out).p + 1, RFC4648[i].bytes, n);
		assert_memory_equal(buf_str(&out).p + 1 + n, RFC4648[i].bytes, n);
		assert_true(base64url_decode_to(str_of(RFC4648[i].base64url), bytes, n));
		assert_memory_equal(bytes, RFC4648[i].bytes, n);
	}
}

static void one_text_only_stands_for_some_bytes(void **state)
{
	static const char *const bad_base64[] = {
		"Zg",       "Zg=",  "Zg===",    "Z===",  "====",   "=",
		"Zh==",     "Zm9=", "Zm9v=",    " Zg==", "Zg==\n", "Zm\n9v",
		"Zm9v\r\n", "-_-_", "Zg==Zg==", "Zm9vZ", "Zm9*",   "Zm\xc3\xa9",
	};
	static const char *const bad_base64url[] = {
		"A",     "Zm9vA", "Zg==",  "Zm8=",  "Zh",     "Zm9",
		"Zm9vY", "+/+/",  "Zm9v ", "Zm.9v", "Zm9v\n", "Z",
	};
	BUF_AUTO struct buf out;

	(void)state;
	buf_init(&out, 100);
	for (size_t i = 0; i < ARRAY_SIZE(bad_base64); i++)
		assert_int_equal(base64_decode(&out, str_of(bad_base64[i])), ERR_BAD_INPUT);
	for (size_t i = 0; i < ARRAY_SIZE(bad_base64url); i++)
		assert_int_equal(base64url_decode(&out, str_of(bad_base64url[i])), ERR_BAD_INPUT);
	/* What it wrote before it noticed isn't there. */
	assert_int_equal(buf_str(&out).n, 0);
}

static void a_text_with_a_nul_in_it_is_refused(void **state)
{
	BUF_AUTO struct buf out;

	(void)state;
	buf_init(&out, 100);
	assert_int_equal(base64_decode(&out, (struct str){ "Zm\0v", 4 }), ERR_BAD_INPUT);
	assert_int_equal(hex_decode(&out, (struct str){ "0\0", 2 }), ERR_BAD_INPUT);
}

static void an_array_gets_exactly_its_bytes_or_zeros(void **state)
{
	char bytes[4] = "xyz";

	(void)state;
	assert_false(base64url_decode_to(STR("Zm9vYg"), bytes, 3));
	assert_memory_equal(bytes, "\0\0\0", 3);
	memcpy(bytes, "xyz", 3);
	assert_false(hex_decode_to(STR("61626"), bytes, 3));
	assert_memory_equal(bytes, "\0\0\0", 3);
	assert_true(hex_decode_to(STR("616263"), bytes, 3));
	assert_memory_equal(bytes, "abc", 3);
}

static void hex_is_lower_case_and_read_in_both_cases(void **state)
{
	BUF_AUTO struct buf out;
	char text[9];

	(void)state;
	buf_init(&out, 100);
	assert_text(hex_encode_to((struct str){ "\x00\xff\x1a\xB2", 4 }, text), "00ff1ab2");
	hex_encode(&out, (struct str){ "\x00\xff", 2 });
	assert_text(buf_str(&out), "00ff");
	buf_clear(&out);
	assert_int_equal(hex_decode(&out, STR("00fFAb")), OK);
	assert_int_equal(buf_str(&out).n, 3);
	assert_memory_equal(buf_str(&out).p, "\x00\xff\xab", 3);
	assert_int_equal(hex_decode(&out, STR("0")), ERR_BAD_INPUT);
	assert_int_equal(hex_decode(&out, STR("0g")), ERR_BAD_INPUT);
	assert_int_equal(hex_decode(&out, STR("0x00")), ERR_BAD_INPUT);
}

static void every_length_and_byte_makes_the_way_there_and_back(void **state)
{
	uint8_t bytes[67], back[67];
	char text[BASE64_CHARS(sizeof(bytes)) + 1];

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 151 + 7);
	for (size_t n = 0; n <= sizeof(bytes); n++) {
		struct str in = { (const char *)bytes, n };

		assert_true(base64_decode_to(base64_encode_to(in, text), back, n));
		assert_memory_equal(bytes, back, n);
		assert_true(base64url_decode_to(base64url_encode_to(in, text), back, n));
		assert_memory_equal(bytes, back, n);
	}
}

static void a_full_buffer_says_so(void **state)
{
	BUF_AUTO struct buf out;

	(void)state;
	buf_init(&out, 4);
	assert_int_equal(base64_decode(&out, STR("Zm9vYmFy")), ERR_TOO_BIG);
	base64_encode(&out, STR("foobar"));
	assert_int_equal(buf_error(&out), ERR_TOO_BIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(base64_is_what_the_rfc_says),
		cmocka_unit_test(base64_reads_back_what_it_wrote),
		cmocka_unit_test(one_text_only_stands_for_some_bytes),
		cmocka_unit_test(a_text_with_a_nul_in_it_is_refused),
		cmocka_unit_test(an_array_gets_exactly_its_bytes_or_zeros),
		cmocka_unit_test(hex_is_lower_case_and_read_in_both_cases),
		cmocka_unit_test(every_length_and_byte_makes_the_way_there_and_back),
		cmocka_unit_test(a_full_buffer_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
