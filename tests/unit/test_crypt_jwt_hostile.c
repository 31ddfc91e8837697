/* Tokens of people who want in. Each of these that verifies is somebody else's account. */
#include "crypt_jwt_support.h"

static void assert_bad(struct fixture *fixture, const char *token)
{
	enum err e = fixture_verify(fixture, token);

	if (e != ERR_BAD_TOKEN)
		fail_msg("%.200s: %s", token, err_code(e));
	assert_true(str_absent(fixture->claims.subject));
	assert_null(fixture->claims.payload);
}

/* Every header is signed rightly: only the header is wrong. */
static void assert_bad_header(const char *header)
{
	struct fixture fixture = fixture_new();

	assert_bad(&fixture, forge(header, GOOD_PAYLOAD));
	fixture_done(&fixture);
}

static void assert_bad_payload(const char *payload)
{
	struct fixture fixture = fixture_new();

	assert_bad(&fixture, forge(GOOD_HEADER, payload));
	/* It got as far as its claims: the same key and header with good ones pass. */
	assert_int_equal(fixture_verify(&fixture, forge(GOOD_HEADER, GOOD_PAYLOAD)), OK);
	fixture_done(&fixture);
}

static void alg_none_is_refused_in_every_spelling(void **state)
{
	static const char *const algs[] = {
		"none",   "None",    "NONE",         "nOnE",         "none ", "",
		"hs256",  "Hs256",   "HS256 ",       " HS256",       "HS384", "HS512",
		"HS2560", "HS25",    "RS256",        "ES256",        "PS256", "EdDSA",
		"dir",    "A256GCM", "HS256\\u0000", "\\u0048S256x",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(algs); i++) {
		char header[100], token[300];
		const char *forged;

		snprintf(header, sizeof(header), "{\"alg\":\"%s\",\"typ\":\"JWT\"}", algs[i]);
		assert_bad_header(header);
		/* and without a signature, with and without the last dot */
		forged = forge(header, GOOD_PAYLOAD);
		snprintf(token, sizeof(token), "%.*s", (int)(strrchr(forged, '.') + 1 - forged),
			 forged);
		struct fixture fixture = fixture_new();
		assert_bad(&fixture, token);
		token[strlen(token) - 1] = '\0';
		assert_bad(&fixture, token);
		fixture_done(&fixture);
	}
	assert_bad_header("{\"typ\":\"JWT\"}");
	assert_bad_header("{\"alg\":null}");
	assert_bad_header("{\"alg\":256}");
	assert_bad_header("{\"alg\":[\"HS256\"]}");
	assert_bad_header("{\"alg\":{\"HS256\":1}}");
	assert_bad_header("{\"ALG\":\"HS256\"}");
}

/* The classic: the public key, which everybody has, taken for an HMAC secret (RFC 8725, 2.1). */
static void a_public_key_isn_t_an_hmac_secret(void **state)
{
	struct fixture fixture = fixture_new();

	(void)state;
	jwt_key_free(fixture.key);
	assert_int_equal(jwt_key_from_pem(STR(RFC7515_RSA_PUBLIC), &fixture.key), OK);
	assert_bad(&fixture, forge_bytes(STR("{\"alg\":\"HS256\",\"typ\":\"JWT\"}"),
					 STR(GOOD_PAYLOAD), RFC7515_RSA_PUBLIC));
	assert_bad(&fixture, forge_bytes(STR("{\"alg\":\"RS256\",\"typ\":\"JWT\"}"),
					 STR(GOOD_PAYLOAD), RFC7515_RSA_PUBLIC));
	assert_int_equal(fixture.asked, 1);
	fixture_done(&fixture);
}

static void a_key_is_good_for_its_own_algorithm_only(void **state)
{
	static const struct {
		const char *pem, *token;
	} crossed[] = {
		{ RFC7515_RSA_PUBLIC, RFC7515_ES256 },
		{ RFC7515_RSA_PUBLIC, RFC7515_HS256 },
		{ RFC7515_P256_PUBLIC, RFC7515_RS256 },
		{ RFC7515_P256_PUBLIC, RFC7515_HS256 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(crossed); i++) {
		struct fixture fixture = fixture_new();

		jwt_key_free(fixture.key);
		assert_int_equal(jwt_key_from_pem(str_of(crossed[i].pem), &fixture.key), OK);
		fixture.now_ms = INT64_C(1300819370000);
		assert_bad(&fixture, crossed[i].token);
		fixture_done(&fixture);
	}
}

static void another_s_signature_is_refused(void **state)
{
	struct fixture fixture = fixture_new();

	(void)state;
	assert_bad(&fixture, forge_bytes(STR(GOOD_HEADER), STR(GOOD_PAYLOAD),
					 "another HS256 secret of 32 bytes."));
	assert_bad(&fixture, forge_bytes(STR(GOOD_HEADER), STR(GOOD_PAYLOAD), ""));
	fixture_done(&fixture);
}

static void a_finder_that_gives_no_key_lets_nobody_in(void **state)
{
	struct fixture fixture = fixture_new();
	struct jwt_key *key = fixture.key;

	(void)state;
	fixture.key = NULL;
	assert_bad(&fixture, forge(GOOD_HEADER, GOOD_PAYLOAD));
	fixture.key = key;
	fixture.answer = ERR_BAD_TOKEN;
	assert_bad(&fixture, forge(GOOD_HEADER, GOOD_PAYLOAD));
	fixture_done(&fixture);
}

static void headers_that_bring_their_own_key_or_rules_are_refused(void **state)
{
	static const char *const members[] = {
		"\"crit\":[\"exp\"]",
		"\"crit\":[]",
		"\"crit\":null",
		"\"jku\":\"https://evil.example/jwks\"",
		"\"jwk\":{\"kty\":\"oct\",\"k\":\"AAAA\"}",
		"\"x5u\":\"https://evil.example/cert\"",
		"\"x5c\":[\"AAAA\"]",
		"\"b64\":false",
		"\"b64\":true",
		"\"zip\":\"DEF\"",
		"\"enc\":\"A256GCM\"",
		"\"typ\":\"JOSE\"",
		"\"typ\":\"\"",
		"\"typ\":7",
		"\"typ\":null",
		"\"typ\":\"secevent+jwt\"",
		"\"typ\":\"JWT \"",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
		char header[200];

		snprintf(header, sizeof(header), "{\"alg\":\"HS256\",%s}", members[i]);
		assert_bad_header(header);
	}
}

static void a_kid_is_a_name_and_nothing_else(void **state)
{
	static const char *const kids[] = {
		"\"\"",
		"\"../../../../dev/null\"",
		"\"/etc/passwd\"",
		"\"x' OR 1=1 -- \"",
		"\"a b\"",
		"\"a\\u0000b\"",
		"\"a\\nb\"",
		"\"\\u00e9\"",
		"7",
		"null",
		"[\"k1\"]",
		"{\"k1\":1}",
		"true",
	};
	struct fixture fixture = fixture_new();
	char header[400], kid[JWT_KID_MAX + 2];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kids); i++) {
		snprintf(header, sizeof(header), "{\"alg\":\"HS256\",\"kid\":%s}", kids[i]);
		assert_bad(&fixture, forge(header, GOOD_PAYLOAD));
		assert_int_equal(fixture.asked, 0);
	}
	memset(kid, 'k', sizeof(kid));
	kid[JWT_KID_MAX + 1] = '\0';
	snprintf(header, sizeof(header), "{\"alg\":\"HS256\",\"kid\":\"%s\"}", kid);
	assert_bad(&fixture, forge(header, GOOD_PAYLOAD));
	kid[JWT_KID_MAX] = '\0';
	snprintf(header, sizeof(header), "{\"alg\":\"HS256\",\"kid\":\"%s\"}", kid);
	assert_int_equal(fixture_verify(&fixture, forge(header, GOOD_PAYLOAD)), OK);
	assert_int_equal(fixture_verify(&fixture, forge("{\"alg\":\"HS256\",\"kid\":\"A.z_0:9-\"}",
							GOOD_PAYLOAD)),
			 OK);
	fixture_done(&fixture);
}

static void a_member_that_is_there_twice_is_refused(void **state)
{
	(void)state;
	assert_bad_header("{\"alg\":\"none\",\"alg\":\"HS256\"}");
	assert_bad_header("{\"alg\":\"HS256\",\"alg\":\"HS256\"}");
	assert_bad_header("{\"alg\":\"HS256\",\"kid\":\"a\",\"kid\":\"b\"}");
	assert_bad_payload("{\"iss\":\"latchwork\",\"aud\":\"latchwork\",\"exp\":1800000900,"
			   "\"sub\":\"me\",\"sub\":\"you\"}");
	assert_bad_payload("{\"iss\":\"latchwork\",\"aud\":\"latchwork\",\"exp\":1,"
			   "\"exp\":1800000900}");
}

#define REST ",\"iss\":\"latchwork\",\"aud\":\"latchwork\"}"

static void a_time_is_a_whole_number_of_this_era(void **state)
{
	static const char *const values[] = {
		"\"1800000900\"",
		"1800000900.0",
		"1800000900.5",
		"1.8e9",
		"-1",
		"-1800000900",
		"0",
		"253402300800",
		"9223372036854775807",
		"9223372036854775",
		"-9223372036854775808",
		"18446744073709551616",
		"1e400",
		"null",
		"true",
		"[1800000900]",
		"{}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		char payload[200];

		snprintf(payload, sizeof(payload), "{\"exp\":%s" REST, values[i]);
		assert_bad_payload(payload);
		snprintf(payload, sizeof(payload), "{\"exp\":1800000900,\"nbf\":%s" REST,
			 values[i]);
		assert_bad_payload(payload);
		snprintf(payload, sizeof(payload), "{\"exp\":1800000900,\"iat\":%s" REST,
			 values[i]);
		assert_bad_payload(payload);
	}
	assert_bad_payload("{\"nbf\":1" REST);
}

static void another_issuer_or_audience_is_refused(void **state)
{
	static const char *const payloads[] = {
		"{\"exp\":1800000900,\"aud\":\"latchwork\"}",
		"{\"exp\":1800000900,\"aud\":\"latchwork\",\"iss\":\"latchwork2\"}",
		"{\"exp\":1800000900,\"aud\":\"latchwork\",\"iss\":\"\"}",
		"{\"exp\":1800000900,\"aud\":\"latchwork\",\"iss\":[\"latchwork\"]}",
		"{\"exp\":1800000900,\"aud\":\"latchwork\",\"iss\":null}",
		"{\"exp\":1800000900,\"iss\":\"latchwork\"}",
		"{\"exp\":1800000900,\"iss\":\"latchwork\",\"aud\":\"latchwor\"}",
		"{\"exp\":1800000900,\"iss\":\"latchwork\",\"aud\":\"\"}",
		"{\"exp\":1800000900,\"iss\":\"latchwork\",\"aud\":null}",
		"{\"exp\":1800000900,\"iss\":\"latchwork\",\"aud\":[]}",
		"{\"exp\":1800000900,\"iss\":\"latchwork\",\"aud\":[\"a\",\"b\"]}",
		"{\"exp\":1800000900,\"iss\":\"latchwork\",\"aud\":[\"latchwork\",7]}",
		"{\"exp\":1800000900,\"iss\":\"latchwork\",\"aud\":[[\"latchwork\"]]}",
		"{\"exp\":1800000900,\"iss\":\"latchwork\",\"aud\":{\"latchwork\":1}}",
		/* only the first of the fixture's audiences is expected here */
		"{\"exp\":1800000900,\"iss\":\"latchwork\",\"aud\":\"other\"}",
		/* a subject or an id that isn't a text */
		"{\"exp\":1800000900,\"iss\":\"latchwork\",\"aud\":\"latchwork\",\"sub\":7}",
		"{\"exp\":1800000900,\"iss\":\"latchwork\",\"aud\":\"latchwork\",\"jti\":{}}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(payloads); i++)
		assert_bad_payload(payloads[i]);
}

static void what_isn_t_an_object_is_no_claims_and_no_header(void **state)
{
	static const char *const texts[] = {
		"",
		" ",
		"7",
		"\"x\"",
		"[]",
		"null",
		"true",
		"{",
		"{}}",
		"{} {}",
		"{\"a\":}",
		"{'a':1}",
		"\xef\xbb\xbf{}",
		"{\"a\":\"\xff\"}",
		"{\"a\":NaN}",
		"{\"a\":\"\\ud800\"}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		assert_bad_header(texts[i]);
		assert_bad_payload(texts[i]);
	}
}

static void a_payload_that_is_nested_deeply_is_refused(void **state)
{
	char payload[2500];

	(void)state;
	memset(payload, '[', sizeof(payload));
	memcpy(payload, "{\"a\":", 5);
	payload[sizeof(payload) - 1] = '\0';
	assert_bad_payload(payload);
}

/* --- the text itself ----------------------------------------------------- */

static void every_changed_character_is_noticed(void **state)
{
	struct fixture fixture = fixture_new();
	char token[400];
	size_t n;

	(void)state;
	snprintf(token, sizeof(token), "%s", forge(GOOD_HEADER, GOOD_PAYLOAD));
	assert_int_equal(fixture_verify(&fixture, token), OK);
	n = strlen(token);
	for (size_t i = 0; i < n; i++) {
		char was = token[i];

		/* the neighbour: also one that only changes bits that the decoder drops */
		token[i] = was == 'Z' || was == 'z' || was == '9' ? '-' : (char)(was + 1);
		assert_bad(&fixture, token);
		token[i] = '=';
		assert_bad(&fixture, token);
		token[i] = ' ';
		assert_bad(&fixture, token);
		token[i] = was;
	}
	for (size_t i = 0; i < n; i++) {
		char was = token[i];

		token[i] = '\0';
		assert_bad(&fixture, token);
		token[i] = was;
	}
	fixture_done(&fixture);
}

static void a_signature_has_one_spelling(void **state)
{
	struct fixture fixture = fixture_new();
	char token[400];
	size_t n;

	(void)state;
	snprintf(token, sizeof(token), "%s", forge(GOOD_HEADER, GOOD_PAYLOAD));
	n = strlen(token);
	token[n] = '=';
	token[n + 1] = '\0';
	assert_bad(&fixture, token);
	token[n] = '\n';
	assert_bad(&fixture, token);
	token[n] = 'A';
	assert_bad(&fixture, token);
	/* The last of 43 characters carries two bits that mean nothing. */
	token[n] = '\0';
	for (const char *c = "BCDFGHJKLNOPRSTVWXZ"; *c; c++) {
		token[n - 1] = *c;
		assert_bad(&fixture, token);
	}
	fixture_done(&fixture);
}

static void parts_are_three_and_none_is_empty(void **state)
{
	static const char *const tokens[] = {
		"",
		".",
		"..",
		"...",
		"....",
		"a",
		"a.b",
		"a.b.",
		".b.c",
		"a..c",
		"a.b.c.d",
		"e30.e30.",
		"e30..e30",
		".e30.e30",
		"e30.e30.e30.e30.e30",
		" e30.e30.e30",
		"e30.e30.e30 ",
		"Bearer e30.e30.e30",
		"e30.e30.\xff",
		"{}.{}.x",
		"{\"payload\":\"e30\",\"signatures\":[]}",
	};
	struct fixture fixture = fixture_new();
	char token[400];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(tokens); i++)
		assert_bad(&fixture, tokens[i]);
	snprintf(token, sizeof(token), "%s.", forge(GOOD_HEADER, GOOD_PAYLOAD));
	assert_bad(&fixture, token);
	snprintf(token, sizeof(token), "%s.x", forge(GOOD_HEADER, GOOD_PAYLOAD));
	assert_bad(&fixture, token);
	snprintf(token, sizeof(token), ".%s", forge(GOOD_HEADER, GOOD_PAYLOAD));
	assert_bad(&fixture, token);
	fixture_done(&fixture);
}

static void a_token_that_is_too_long_is_never_looked_at(void **state)
{
	struct fixture fixture = fixture_new();
	char *payload = malloc(10 << 20);
	static const size_t sizes[] = { 6200, 9000, 10 << 20 };

	(void)state;
	assert_non_null(payload);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		memset(payload, ' ', sizes[i]);
		memcpy(payload, GOOD_PAYLOAD, sizeof(GOOD_PAYLOAD) - 1);
		assert_bad(&fixture, forge_bytes(STR(GOOD_HEADER),
						 (struct str){ payload, sizes[i] }, HS256_SECRET));
		assert_int_equal(fixture.asked, 0);
	}
	/* Just below the cap it is a token like any other. */
	assert_int_equal(
		fixture_verify(&fixture, forge_bytes(STR(GOOD_HEADER),
						     (struct str){ payload, 6000 }, HS256_SECRET)),
		OK);
	free(payload);
	fixture_done(&fixture);
}

static void a_bad_token_stays_bad_when_it_has_expired_too(void **state)
{
	static const char expired[] = "{\"exp\":1000,\"iss\":\"latchwork\",\"aud\":\"latchwork\"}";
	struct fixture fixture = fixture_new();

	(void)state;
	assert_int_equal(fixture_verify(&fixture, forge(GOOD_HEADER, expired)), ERR_TOKEN_EXPIRED);
	assert_bad(&fixture, forge_bytes(STR(GOOD_HEADER), str_of(expired),
					 "another HS256 secret of 32 bytes."));
	fixture.issuer = STR("someone else");
	assert_bad(&fixture, forge(GOOD_HEADER, expired));
	fixture_done(&fixture);
}

static void an_arena_without_room_is_no_verdict_on_the_token(void **state)
{
	struct fixture fixture = fixture_new();

	(void)state;
	arena_free(fixture.arena);
	fixture.arena = arena_new(64);
	assert_int_equal(fixture_verify(&fixture, forge(GOOD_HEADER, GOOD_PAYLOAD)), ERR_NO_MEMORY);
	fixture_done(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(alg_none_is_refused_in_every_spelling),
		cmocka_unit_test(a_public_key_isn_t_an_hmac_secret),
		cmocka_unit_test(a_key_is_good_for_its_own_algorithm_only),
		cmocka_unit_test(another_s_signature_is_refused),
		cmocka_unit_test(a_finder_that_gives_no_key_lets_nobody_in),
		cmocka_unit_test(headers_that_bring_their_own_key_or_rules_are_refused),
		cmocka_unit_test(a_kid_is_a_name_and_nothing_else),
		cmocka_unit_test(a_member_that_is_there_twice_is_refused),
		cmocka_unit_test(a_time_is_a_whole_number_of_this_era),
		cmocka_unit_test(another_issuer_or_audience_is_refused),
		cmocka_unit_test(what_isn_t_an_object_is_no_claims_and_no_header),
		cmocka_unit_test(a_payload_that_is_nested_deeply_is_refused),
		cmocka_unit_test(every_changed_character_is_noticed),
		cmocka_unit_test(a_signature_has_one_spelling),
		cmocka_unit_test(parts_are_three_and_none_is_empty),
		cmocka_unit_test(a_token_that_is_too_long_is_never_looked_at),
		cmocka_unit_test(a_bad_token_stays_bad_when_it_has_expired_too),
		cmocka_unit_test(an_arena_without_room_is_no_verdict_on_the_token),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
