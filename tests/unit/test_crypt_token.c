/* Opaque tokens, API tokens, and the Fernet tokens that the import reads. */
#include "crypt/token.h"

#include "base/clock.h"
#include "crypt/fernet.h"
#include "crypt/hash.h"
#include "crypt_support.h"

static void a_new_token_is_256_bits_and_its_hash_finds_it(void **state)
{
	uint8_t hash[TOKEN_HASH_BYTES], again[TOKEN_HASH_BYTES], bytes[32];
	struct secret text, other;

	(void)state;
	assert_int_equal(token_new("rt_", &text, hash), OK);
	assert_int_equal(text.n, 3 + TOKEN_SECRET_CHARS);
	assert_true(str_starts(secret_str(&text), STR("rt_")));
	assert_true(base64url_decode_to(str_slice(secret_str(&text), 3, text.n), bytes, 32));
	token_hash(secret_str(&text), again);
	assert_memory_equal(hash, again, sizeof(hash));
	assert_int_equal(token_new(NULL, &other, again), OK);
	assert_int_equal(other.n, TOKEN_SECRET_CHARS);
	assert_memory_not_equal(hash, again, sizeof(hash));
	secret_done(&text);
	secret_done(&other);
}

static void a_token_s_hash_is_plain_sha256(void **state)
{
	uint8_t hash[TOKEN_HASH_BYTES];

	(void)state;
	token_hash(STR("abc"), hash);
	assert_bytes(hash, 32, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void an_api_token_gives_back_its_id_and_hash(void **state)
{
	uint8_t hash[TOKEN_HASH_BYTES], parsed_hash[TOKEN_HASH_BYTES];
	struct id id, parsed;
	struct secret text;

	(void)state;
	for (int i = 0; i < 100; i++) {
		assert_int_equal(id_new(&id), OK);
		assert_int_equal(api_token_new(&id, &text, hash), OK);
		assert_int_equal(text.n, API_TOKEN_CHARS);
		assert_true(api_token_looks_like(secret_str(&text)));
		assert_true(api_token_parse(secret_str(&text), &parsed, parsed_hash));
		assert_true(id_eq(&id, &parsed));
		assert_memory_equal(hash, parsed_hash, sizeof(hash));
		secret_done(&text);
	}
}

static void other_texts_are_no_api_tokens(void **state)
{
	uint8_t hash[TOKEN_HASH_BYTES];
	struct id id;
	struct secret text;

	(void)state;
	assert_int_equal(id_new(&id), OK);
	assert_int_equal(api_token_new(&id, &text, hash), OK);
	for (size_t n = 0; n < text.n; n++)
		assert_false(api_token_parse(str_slice(secret_str(&text), 0, n), &id, hash));
	BUF_AUTO struct buf longer = { 0 };
	buf_init(&longer, 200);
	buf_add_str(&longer, secret_str(&text));
	buf_add_char(&longer, 'A');
	assert_false(api_token_parse(buf_str(&longer), &id, hash));
	/* No place takes any character: '!' is in none of the alphabets. */
	for (size_t i = 0; i < text.n; i++) {
		uint8_t was = text.p[i];

		text.p[i] = '!';
		assert_false(api_token_parse(secret_str(&text), &id, hash));
		text.p[i] = was;
	}
	/* An id in upper case would be a second name for the token. */
	text.p[4] = 'A';
	assert_false(api_token_parse(secret_str(&text), &id, hash));
	assert_false(api_token_parse(STR_NONE, &id, hash));
	assert_false(api_token_looks_like(STR("eyJhbGciOiJIUzI1NiJ9.e30.x")));
	assert_false(api_token_looks_like(STR("LW_")));
	secret_done(&text);
}

static void the_last_character_of_a_token_has_one_form(void **state)
{
	uint8_t hash[TOKEN_HASH_BYTES];
	struct id id;
	struct secret text;

	(void)state;
	assert_int_equal(id_new(&id), OK);
	assert_int_equal(api_token_new(&id, &text, hash), OK);
	/* 43 characters hold 258 bits; the last two are zero. 'B' would set one. */
	text.p[text.n - 1] = 'B';
	assert_false(api_token_parse(secret_str(&text), &id, hash));
	secret_done(&text);
}

/* --- Fernet -------------------------------------------------------------- */

#define SPEC_SECRET "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4="
#define SPEC_TOKEN                                                                                 \
	"gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ_eEwCGM4BLLF_5CV9dOPmrhuVUPgJobwOz7JcbmrR64j" \
	"VmpU4IwqDA=="

#define PYTHON_TOKEN                                                                               \
	"gAAAAABrACx8GVmUHOjMJEFiAbUkqqeJJiv4lsoBdzKEXW6nOY7O0v7d4XobfsTu8csEySCglwMHvA9dyOOK"     \
	"wJ1fnghiTr0YaxkGUP75z9RzS9OB9cDc134="

static enum err fernet(const char *token, const char *now, int64_t ttl_s, struct secret *ret_plain)
{
	struct secret key;
	int64_t now_ms;
	enum err e;

	assert_true(time_parse(str_of(now), &now_ms));
	assert_int_equal(fernet_key_parse(STR(SPEC_SECRET), &key), OK);
	e = fernet_open(&key, str_of(token), now_ms, ttl_s, ret_plain);
	secret_done(&key);
	return e;
}

/* verify.json of the Fernet specification. */
static void fernet_opens_the_specification_s_token(void **state)
{
	struct secret plain;

	(void)state;
	assert_int_equal(fernet(SPEC_TOKEN, "1985-10-26T01:20:01-07:00", 60, &plain), OK);
	assert_text(secret_str(&plain), "hello");
	secret_done(&plain);
	/* decades later, without a time to live */
	assert_int_equal(fernet(SPEC_TOKEN, "2026-11-20T00:00:00Z", 0, &plain), OK);
	assert_text(secret_str(&plain), "hello");
	secret_done(&plain);
}

static void fernet_keeps_the_time_to_live(void **state)
{
	struct secret plain;

	(void)state;
	assert_int_equal(fernet(SPEC_TOKEN, "1985-10-26T01:21:00-07:00", 60, &plain), OK);
	secret_done(&plain);
	assert_int_equal(fernet(SPEC_TOKEN, "1985-10-26T01:21:01-07:00", 60, &plain),
			 ERR_UNREADABLE);
	assert_int_equal(fernet(SPEC_TOKEN, "1985-10-26T01:19:00-07:00", 60, &plain), OK);
	secret_done(&plain);
	assert_int_equal(fernet(SPEC_TOKEN, "1985-10-26T01:18:59-07:00", 60, &plain),
			 ERR_UNREADABLE);
}

/* invalid.json of the Fernet specification, but for the two that are about time. */
static void fernet_refuses_the_specification_s_bad_tokens(void **state)
{
	static const char *const bad[] = {
		/* incorrect mac; too short; invalid base64 */
		"gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAl1-szkFVzXTuGb4hR8AKtwcaX1YdykQU"
		"FBQUFBQUFBQQ==",
		"gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPA==",
		"%%%%%%%%%%%%%AECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAl1-szkFVzXTuGb4hR8AKtwcaX1YdykRt"
		"fsH-p1YsUD2Q==",
		/* payload size not multiple of block size; payload padding error */
		"gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPOm73QeoCk9uGib28Xe5vz6oxq5nmxbx_v"
		"7mrfyudzUm",
		"gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0ODz4LEpdELGQAad7aNEHbf-JkLPIpuiYRLQ3RtXatOYREu2FWke6CnJ"
		"NYIbkuKNqOhw==",
		"",
		"====",
		"gAAA",
	};
	struct secret plain;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(fernet(bad[i], "1985-10-26T01:20:01-07:00", 0, &plain),
				 ERR_UNREADABLE);
		assert_null(plain.p);
	}
}

static void no_changed_character_of_a_fernet_token_opens(void **state)
{
	char token[] = SPEC_TOKEN;
	struct secret plain;

	(void)state;
	for (size_t i = 0; i < sizeof(token) - 1; i++) {
		char was = token[i];

		token[i] = was == 'A' ? 'B' : 'A';
		assert_int_equal(fernet(token, "1985-10-26T01:20:01-07:00", 0, &plain),
				 ERR_UNREADABLE);
		token[i] = was;
	}
}

/* Whoever has the key could sign one of another version: its layout would be another too. */
static void fernet_refuses_another_version_even_when_it_is_signed(void **state)
{
	BUF_AUTO struct buf bytes = { 0 };
	BUF_AUTO struct buf token = { 0 };
	struct secret key, signing, plain;
	size_t n;

	(void)state;
	buf_init(&bytes, 200);
	buf_init(&token, 200);
	assert_int_equal(fernet_key_parse(STR(SPEC_SECRET), &key), OK);
	signing = (struct secret){ key.p, 16 };
	assert_int_equal(
		base64url_decode(&bytes, str_slice(STR(SPEC_TOKEN), 0, sizeof(SPEC_TOKEN) - 1 - 2)),
		OK);
	n = bytes.n - SHA256_BYTES;
	for (int version = 0x80; version <= 0x81; version++) {
		bytes.p[0] = (char)version;
		hmac_sha256_of(&signing, BYTES(str_slice(buf_str(&bytes), 0, n)),
			       (uint8_t *)bytes.p + n);
		buf_clear(&token);
		base64url_encode(&token, buf_str(&bytes));
		buf_add_c(&token, "==");
		assert_int_equal(fernet_open(&key, buf_str(&token), 0, 0, &plain),
				 version == 0x80 ? OK : ERR_UNREADABLE);
		secret_done(&plain);
	}
	secret_done(&key);
}

static void fernet_keys_are_32_bytes_of_base64url(void **state)
{
	struct secret key;

	(void)state;
	assert_int_equal(fernet_key_parse(STR("cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4"), &key),
			 OK);
	secret_done(&key);
	assert_int_equal(
		fernet_key_parse(STR("cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=="), &key),
		ERR_BAD_INPUT);
	assert_int_equal(
		fernet_key_parse(STR("cw/0x689RpI+jtRR7oE8h/eQsKImvJapLeSbXpwF4e4="), &key),
		ERR_BAD_INPUT);
	assert_int_equal(fernet_key_parse(STR("AAAA"), &key), ERR_BAD_INPUT);
	assert_int_equal(fernet_key_parse(STR(""), &key), ERR_BAD_INPUT);
	assert_null(key.p);
}

/* Made by Python's cryptography 48: PBKDF2HMAC(SHA256, 32, b"salt-of-16-bytes", 1000), Fernet. */
static void a_key_derived_as_in_the_python_recipe_opens_its_tokens(void **state)
{
	struct secret passphrase = secret_of("an old passphrase");
	struct secret key, plain;

	(void)state;
	assert_int_equal(fernet_key_derive(&passphrase, STR("salt-of-16-bytes"), 1000, &key), OK);
	assert_int_equal(fernet_open(&key, STR(PYTHON_TOKEN), 0, 0, &plain), OK);
	assert_text(secret_str(&plain), "{\"api_key\": \"sk_test_1\"}");
	secret_done(&plain);
	secret_done(&key);
	secret_done(&passphrase);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_token_is_256_bits_and_its_hash_finds_it),
		cmocka_unit_test(a_token_s_hash_is_plain_sha256),
		cmocka_unit_test(an_api_token_gives_back_its_id_and_hash),
		cmocka_unit_test(other_texts_are_no_api_tokens),
		cmocka_unit_test(the_last_character_of_a_token_has_one_form),
		cmocka_unit_test(fernet_opens_the_specification_s_token),
		cmocka_unit_test(fernet_keeps_the_time_to_live),
		cmocka_unit_test(fernet_refuses_the_specification_s_bad_tokens),
		cmocka_unit_test(no_changed_character_of_a_fernet_token_opens),
		cmocka_unit_test(fernet_refuses_another_version_even_when_it_is_signed),
		cmocka_unit_test(fernet_keys_are_32_bytes_of_base64url),
		cmocka_unit_test(a_key_derived_as_in_the_python_recipe_opens_its_tokens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
