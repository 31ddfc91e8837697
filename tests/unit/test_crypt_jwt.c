/* Tokens that are as they should be: signed, verified, read. */
#include "crypt_jwt_support.h"

#include "base/json_read.h"

static struct jwt_claims some_claims(void)
{
	return (struct jwt_claims){
		.issuer = STR("latchwork"),
		.audience = STR("latchwork"),
		.subject = STR("usr-01h"),
		.tenant = STR("ten-01h"),
		.session = STR("ses-01h"),
		.role = STR("admin"),
		.token = STR("0123"),
		.issued_at = NOW_MS + 999,
		.expires_at = NOW_MS + 900000,
	};
}

static void what_we_sign_we_accept(void **state)
{
	struct fixture fixture = fixture_new();
	struct jwt_claims claims = some_claims();
	BUF_AUTO struct buf token = { 0 };

	(void)state;
	buf_init(&token, JWT_TOKEN_MAX);
	assert_int_equal(jwt_sign(fixture.key, STR("k1"), &claims, &token), OK);
	buf_add_char(&token, '\0');
	assert_int_equal(fixture_verify(&fixture, token.p), OK);
	assert_text(fixture.claims.issuer, "latchwork");
	assert_text(fixture.claims.audience, "latchwork");
	assert_text(fixture.claims.subject, "usr-01h");
	assert_text(fixture.claims.tenant, "ten-01h");
	assert_text(fixture.claims.session, "ses-01h");
	assert_text(fixture.claims.role, "admin");
	assert_text(fixture.claims.token, "0123");
	assert_true(fixture.claims.issued_at == NOW_MS);
	assert_true(fixture.claims.not_before == 0);
	assert_true(fixture.claims.expires_at == NOW_MS + 900000);
	assert_string_equal(fixture.kid, "k1");
	assert_int_equal(fixture.hint.algorithm, JWT_HS256);
	fixture_done(&fixture);
}

/* Others read our tokens too: the form is the RFC's, whatever libjwt makes of it. */
static void our_tokens_have_the_header_that_others_expect(void **state)
{
	struct fixture fixture = fixture_new();
	struct jwt_claims claims = { .subject = STR("\"\\\n\xc3\xa9"), .expires_at = 2000 };
	BUF_AUTO struct buf token = { 0 };
	BUF_AUTO struct buf text = { 0 };
	struct str rest;

	(void)state;
	buf_init(&token, JWT_TOKEN_MAX);
	buf_init(&text, JWT_TOKEN_MAX);
	assert_int_equal(jwt_sign(fixture.key, STR_NONE, &claims, &token), OK);
	rest = buf_str(&token);
	assert_int_equal(base64url_decode(&text, str_cut(&rest, '.')), OK);
	assert_text(buf_str(&text), "{\"alg\":\"HS256\",\"typ\":\"JWT\"}");
	buf_clear(&text);
	assert_int_equal(base64url_decode(&text, str_cut(&rest, '.')), OK);
	assert_text(buf_str(&text), "{\"exp\":2,\"sub\":\"\\\"\\\\\\n\xc3\xa9\"}");
	fixture_done(&fixture);
}

/* RFC 7515, appendix A.1. Its token expired in 2011. */
static void the_rfc_s_hs256_token_verifies_in_its_time(void **state)
{
	struct fixture fixture = fixture_new();
	struct secret secret;

	(void)state;
	assert_int_equal(secret_new(64, &secret), OK);
	assert_true(base64url_decode_to(STR(RFC7515_HS256_KEY), secret.p, secret.n));
	jwt_key_free(fixture.key);
	assert_int_equal(jwt_key_from_secret(&secret, &fixture.key), OK);
	fixture.issuer = STR("joe");
	fixture.audience_count = 0;
	fixture.now_ms = INT64_C(1300819379999) + LEEWAY_MS;
	assert_int_equal(fixture_verify(&fixture, RFC7515_HS256), OK);
	assert_true(str_absent(fixture.hint.kid));
	assert_text(fixture.hint.issuer, "joe");
	fixture.now_ms++;
	assert_int_equal(fixture_verify(&fixture, RFC7515_HS256), ERR_TOKEN_EXPIRED);
	secret_done(&secret);
	fixture_done(&fixture);
}

static void assert_rfc_token(const char *pem, const char *token, enum jwt_algorithm algorithm)
{
	struct fixture fixture = fixture_new();
	bool flag = false;

	jwt_key_free(fixture.key);
	assert_int_equal(jwt_key_from_pem(str_of(pem), &fixture.key), OK);
	assert_int_equal(jwt_key_algorithm(fixture.key), algorithm);
	fixture.issuer = STR("joe");
	fixture.audience_count = 0;
	fixture.now_ms = INT64_C(1300819370000);
	assert_int_equal(fixture_verify(&fixture, token), OK);
	assert_text(fixture.claims.issuer, "joe");
	assert_true(json_bool_of(json_member(fixture.claims.payload, "http://example.com/is_root"),
				 &flag));
	assert_true(flag);
	fixture.now_ms += 100000000;
	assert_int_equal(fixture_verify(&fixture, token), ERR_TOKEN_EXPIRED);
	fixture_done(&fixture);
}

/* RFC 7515, appendices A.2 and A.3. */
static void the_rfc_s_rs256_and_es256_tokens_verify_in_their_time(void **state)
{
	(void)state;
	assert_rfc_token(RFC7515_RSA_PUBLIC, RFC7515_RS256, JWT_RS256);
	assert_rfc_token(RFC7515_P256_PUBLIC, RFC7515_ES256, JWT_ES256);
}

static void a_service_account_s_assertion_verifies_by_its_public_key(void **state)
{
	struct fixture fixture = fixture_new();
	struct secret pem = secret_of(RFC7515_RSA_PRIVATE);
	BUF_AUTO struct buf token = { 0 };

	(void)state;
	buf_init(&token, JWT_TOKEN_MAX);
	jwt_key_free(fixture.key);
	assert_int_equal(jwt_key_from_pem(STR(RFC7515_RSA_PUBLIC), &fixture.key), OK);
	assert_int_equal(jwt_sign_rs256(&pem, STR("key-1"), STR(GOOD_PAYLOAD), &token), OK);
	buf_add_char(&token, '\0');
	assert_int_equal(fixture_verify(&fixture, token.p), OK);
	assert_string_equal(fixture.kid, "key-1");
	secret_done(&pem);
	fixture_done(&fixture);
}

static void what_can_t_be_signed_says_so(void **state)
{
	struct secret pem = secret_of(RFC7515_RSA_PRIVATE), junk = secret_of("junk");
	struct secret nothing = SECRET_EMPTY;
	struct fixture fixture = fixture_new();
	struct jwt_claims claims = some_claims();
	BUF_AUTO struct buf token = { 0 };

	(void)state;
	buf_init(&token, JWT_TOKEN_MAX);
	assert_int_equal(jwt_sign_rs256(&junk, STR_NONE, STR("{}"), &token), ERR_BAD_INPUT);
	assert_int_equal(jwt_sign_rs256(&nothing, STR_NONE, STR("{}"), &token), ERR_BAD_INPUT);
	assert_int_equal(jwt_sign_rs256(&pem, STR_NONE, STR("{"), &token), ERR_BAD_INPUT);
	jwt_key_free(fixture.key);
	assert_int_equal(jwt_key_from_pem(STR(RFC7515_RSA_PUBLIC), &fixture.key), OK);
	assert_int_equal(jwt_sign(fixture.key, STR_NONE, &claims, &token), ERR_CRYPTO);
	assert_int_equal(token.n, 0);
	secret_done(&pem);
	secret_done(&junk);
	fixture_done(&fixture);
}

static void an_audience_may_be_one_of_several(void **state)
{
	struct fixture fixture = fixture_new();

	(void)state;
	fixture.audience_count = 2;
	assert_int_equal(fixture_verify(&fixture, forge(GOOD_HEADER,
							"{\"iss\":\"latchwork\",\"exp\":1800000900,"
							"\"aud\":[\"x\",\"other\"]}")),
			 OK);
	assert_text(fixture.claims.audience, "other");
	fixture_done(&fixture);
}

static void an_issuer_may_use_our_claims_for_its_own_things(void **state)
{
	struct fixture fixture = fixture_new();
	static const char payload[] =
		"{\"iss\":\"latchwork\",\"aud\":\"latchwork\",\"exp\":1800000900,"
		"\"role\":[\"a\"],\"tid\":7,\"sid\":null,\"https://x/org\":\"o\"}";

	(void)state;
	assert_int_equal(fixture_verify(&fixture, forge(GOOD_HEADER, payload)), OK);
	assert_true(str_absent(fixture.claims.role));
	assert_true(str_absent(fixture.claims.tenant));
	assert_true(str_absent(fixture.claims.session));
	assert_text(json_member_text(fixture.claims.payload, "https://x/org"), "o");
	fixture_done(&fixture);
}

static void headers_that_mean_no_harm_are_passed_over(void **state)
{
	static const char *const good[] = {
		"{\"alg\":\"HS256\"}",
		"{\"alg\":\"HS256\",\"typ\":\"jwt\"}",
		"{\"alg\":\"HS256\",\"cat\":\"cl_B7d4PD111AAA\",\"x5t\":\"x\",\"nonce\":1}",
		" {\r\n\"alg\":\"HS256\" } ",
	};
	struct fixture fixture = fixture_new();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_int_equal(fixture_verify(&fixture, forge(good[i], GOOD_PAYLOAD)), OK);
	fixture_done(&fixture);
}

static void clocks_may_differ_by_the_leeway_and_no_more(void **state)
{
	static const struct {
		const char *payload;
		enum err e;
	} cases[] = {
		{ "{\"iss\":\"latchwork\",\"aud\":\"latchwork\",\"exp\":1799999971}", OK },
		{ "{\"iss\":\"latchwork\",\"aud\":\"latchwork\",\"exp\":1799999970}",
		  ERR_TOKEN_EXPIRED },
		{ "{\"iss\":\"latchwork\",\"aud\":\"latchwork\",\"exp\":1800000900,\"nbf\":1800000030}",
		  OK },
		{ "{\"iss\":\"latchwork\",\"aud\":\"latchwork\",\"exp\":1800000900,\"nbf\":1800000031}",
		  ERR_BAD_TOKEN },
		{ "{\"iss\":\"latchwork\",\"aud\":\"latchwork\",\"exp\":1800000900,\"iat\":1800000030}",
		  OK },
		{ "{\"iss\":\"latchwork\",\"aud\":\"latchwork\",\"exp\":1800000900,\"iat\":1800000031}",
		  ERR_BAD_TOKEN },
	};
	struct fixture fixture = fixture_new();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(fixture_verify(&fixture, forge(GOOD_HEADER, cases[i].payload)),
				 cases[i].e);
	fixture_done(&fixture);
}

static void the_key_finder_s_own_trouble_isn_t_the_token_s(void **state)
{
	struct fixture fixture = fixture_new();

	(void)state;
	fixture.answer = ERR_DB_LOST;
	assert_int_equal(fixture_verify(&fixture, forge(GOOD_HEADER, GOOD_PAYLOAD)), ERR_DB_LOST);
	fixture_done(&fixture);
}

/* --- sets of keys -------------------------------------------------------- */

#define JWK_RSA(more) "{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"" RFC7515_RSA_N "\"" more "}"
#define JWK_EC(more)                                                                               \
	"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" RFC7515_P256_X "\",\"y\":\"" RFC7515_P256_Y   \
	"\"" more "}"

static enum err parse(struct arena *arena, const char *text, struct jwks *ret_jwks)
{
	json_t *document;

	assert_int_equal(json_read(arena, str_of(text), &document, NULL), OK);
	return jwks_parse(document, ret_jwks);
}

/* A set of these keys. */
static enum err parse_keys(struct arena *arena, const char *const *keys, size_t n,
			   struct jwks *ret_jwks)
{
	BUF_AUTO struct buf text = { 0 };

	buf_init(&text, 100000);
	buf_add_c(&text, "{\"keys\":[");
	for (size_t i = 0; i < n; i++)
		buf_printf(&text, "%s%s", i > 0 ? "," : "", keys[i]);
	buf_add(&text, "]}", sizeof("]}"));
	assert_int_equal(buf_error(&text), OK);
	return parse(arena, text.p, ret_jwks);
}

static void a_key_set_gives_its_signature_keys_and_passes_over_the_rest(void **state)
{
	static const char *const keys[] = {
		JWK_RSA(",\"kid\":\"r\",\"use\":\"sig\",\"alg\":\"RS256\""),
		JWK_EC(",\"kid\":\"e\",\"key_ops\":[\"verify\"]"),
		JWK_RSA(",\"kid\":\"enc\",\"use\":\"enc\""),
		JWK_RSA(",\"kid\":\"ps\",\"alg\":\"PS256\""),
		JWK_RSA(",\"kid\":\"wrong\",\"alg\":\"HS256\""),
		JWK_EC(",\"kid\":\"op\",\"key_ops\":[\"encrypt\"]"),
		"{\"kty\":\"oct\",\"kid\":\"o\",\"alg\":\"HS256\",\"k\":\"" RFC7515_HS256_KEY "\"}",
		"{}",
		"7",
		"null",
	};
	struct arena *arena = arena_new(1 << 20);
	const struct jwt_key *key;
	struct jwks jwks;

	(void)state;
	assert_int_equal(parse_keys(arena, keys, ARRAY_SIZE(keys), &jwks), OK);
	assert_int_equal(jwks.n, 2);
	key = jwks_find(&jwks, STR("r"), JWT_RS256);
	assert_non_null(key);
	assert_int_equal(jwt_key_algorithm(key), JWT_RS256);
	assert_non_null(jwks_find(&jwks, STR("e"), JWT_ES256));
	/* Its kid, but not its algorithm. */
	assert_null(jwks_find(&jwks, STR("r"), JWT_HS256));
	assert_null(jwks_find(&jwks, STR("r"), JWT_ES256));
	assert_null(jwks_find(&jwks, STR("o"), JWT_HS256));
	assert_null(jwks_find(&jwks, STR("enc"), JWT_RS256));
	/* The only one of its algorithm needs no kid. */
	assert_ptr_equal(jwks_find(&jwks, STR_NONE, JWT_RS256), key);
	jwks_done(&jwks);
	arena_free(arena);
}

static void without_a_kid_two_keys_are_none(void **state)
{
	struct arena *arena = arena_new(1 << 20);
	struct jwks jwks;

	(void)state;
	assert_int_equal(
		parse(arena, "{\"keys\":[" JWK_EC(",\"kid\":\"a\"") "," JWK_EC("") "]}", &jwks),
		OK);
	assert_int_equal(jwks.n, 2);
	assert_null(jwks_find(&jwks, STR_NONE, JWT_ES256));
	assert_non_null(jwks_find(&jwks, STR("a"), JWT_ES256));
	assert_null(jwks_find(&jwks, STR("b"), JWT_ES256));
	jwks_done(&jwks);
	arena_free(arena);
}

static void a_key_set_that_makes_no_sense_is_refused(void **state)
{
	static const char *const bad[] = {
		"[]",
		"{}",
		"7",
		"{\"keys\":{}}",
		"{\"keys\":\"x\"}",
		"{\"keys\":[" JWK_EC(",\"kid\":\"a\"") "," JWK_RSA(",\"kid\":\"a\"") "]}",
	};
	struct arena *arena = arena_new(1 << 20);
	BUF_AUTO struct buf many = { 0 };
	struct jwks jwks;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(parse(arena, bad[i], &jwks), ERR_BAD_INPUT);
		assert_int_equal(jwks.n, 0);
	}
	buf_init(&many, 10000);
	buf_add_c(&many, "{\"keys\":[0");
	for (int i = 0; i < JWKS_KEYS_MAX; i++)
		buf_add_c(&many, ",0");
	buf_add(&many, "]}", 3);
	assert_int_equal(parse(arena, many.p, &jwks), ERR_BAD_INPUT);
	assert_int_equal(parse(arena, "{\"keys\":[]}", &jwks), OK);
	jwks_done(&jwks);
	arena_free(arena);
}

static void keys_that_are_too_weak_are_refused(void **state)
{
	struct secret secret = secret_of("31 bytes are too few for HS256.");
	struct jwt_key *key;

	(void)state;
	assert_int_equal(secret.n, 31);
	assert_int_equal(jwt_key_from_secret(&secret, &key), ERR_BAD_INPUT);
	assert_int_equal(jwt_key_from_secret(&SECRET_EMPTY, &key), ERR_BAD_INPUT);
	assert_int_equal(jwt_key_from_pem(STR(RSA_1024_PUBLIC), &key), ERR_BAD_INPUT);
	assert_int_equal(jwt_key_from_pem(STR(P384_PUBLIC), &key), ERR_BAD_INPUT);
	/* Ed25519 is a key, but not for a token of ours. */
	assert_int_equal(jwt_key_from_pem(STR(RFC8032_PUBLIC), &key), ERR_BAD_INPUT);
	assert_null(key);
	jwt_key_free(NULL);
	secret_done(&secret);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_we_sign_we_accept),
		cmocka_unit_test(our_tokens_have_the_header_that_others_expect),
		cmocka_unit_test(the_rfc_s_hs256_token_verifies_in_its_time),
		cmocka_unit_test(the_rfc_s_rs256_and_es256_tokens_verify_in_their_time),
		cmocka_unit_test(a_service_account_s_assertion_verifies_by_its_public_key),
		cmocka_unit_test(what_can_t_be_signed_says_so),
		cmocka_unit_test(an_audience_may_be_one_of_several),
		cmocka_unit_test(an_issuer_may_use_our_claims_for_its_own_things),
		cmocka_unit_test(headers_that_mean_no_harm_are_passed_over),
		cmocka_unit_test(clocks_may_differ_by_the_leeway_and_no_more),
		cmocka_unit_test(the_key_finder_s_own_trouble_isn_t_the_token_s),
		cmocka_unit_test(a_key_set_gives_its_signature_keys_and_passes_over_the_rest),
		cmocka_unit_test(without_a_kid_two_keys_are_none),
		cmocka_unit_test(a_key_set_that_makes_no_sense_is_refused),
		cmocka_unit_test(keys_that_are_too_weak_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
