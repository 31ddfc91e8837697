/* What the tests of tokens share: forging them by hand, and a policy to check them by. */
#ifndef LW_TESTS_CRYPT_JWT_SUPPORT_H
#define LW_TESTS_CRYPT_JWT_SUPPORT_H

#include <stdio.h>

#include "base/arena.h"
#include "crypt/hash.h"
#include "crypt/jwt.h"
#include "crypt_keys.h"
#include "crypt_support.h"

#define NOW_S 1800000000 /* 15 January 2027 */
#define NOW_MS (INT64_C(1000) * NOW_S)
#define LEEWAY_MS 30000

#define HS256_SECRET "an HS256 secret of 32 bytes or so"
#define GOOD_HEADER "{\"alg\":\"HS256\",\"typ\":\"JWT\",\"kid\":\"k1\"}"
#define GOOD_PAYLOAD                                                                               \
	"{\"iss\":\"latchwork\",\"aud\":\"latchwork\",\"sub\":\"usr-1\",\"iat\":1799999990,"       \
	"\"exp\":1800000900,\"jti\":\"t1\"}"

/* The token of a header and a payload as they are, signed by HMAC. */
static inline const char *forge_bytes(struct str header, struct str payload, const char *secret)
{
	static struct buf token;
	struct secret key = secret_of(secret);
	uint8_t mac[SHA256_BYTES];

	buf_done(&token);
	buf_init(&token, 32 << 20);
	base64url_encode(&token, header);
	buf_add_char(&token, '.');
	base64url_encode(&token, payload);
	hmac_sha256_of(&key, BYTES(buf_str(&token)), mac);
	buf_add_char(&token, '.');
	base64url_encode(&token, (struct str){ (const char *)mac, sizeof(mac) });
	buf_add_char(&token, '\0');
	assert_int_equal(buf_error(&token), OK);
	secret_done(&key);
	return token.p;
}

static inline const char *forge(const char *header, const char *payload)
{
	return forge_bytes(str_of(header), str_of(payload), HS256_SECRET);
}

/* One key and what its issuer may say; what the token said of itself is kept. */
struct fixture {
	struct jwt_key *key;
	struct str issuer;
	struct str audiences[2];
	size_t audience_count;
	enum err answer;
	size_t asked;
	struct jwt_hint hint;
	char kid[JWT_KID_MAX + 1];
	int64_t now_ms;
	struct arena *arena;
	struct jwt_claims claims;
};

static inline enum err fixture_find(void *context, const struct jwt_hint *hint,
				    struct jwt_trust *ret_trust)
{
	struct fixture *fixture = context;

	fixture->asked++;
	fixture->hint = *hint;
	snprintf(fixture->kid, sizeof(fixture->kid), "%.*s", STR_ARG(hint->kid));
	*ret_trust = (struct jwt_trust){
		.key = fixture->key,
		.issuer = fixture->issuer,
		.audiences = fixture->audiences,
		.audience_count = fixture->audience_count,
	};
	return fixture->answer;
}

static inline struct fixture fixture_new(void)
{
	struct secret secret = secret_of(HS256_SECRET);
	struct fixture fixture = {
		.issuer = STR("latchwork"),
		.audiences = { STR("latchwork"), STR("other") },
		.audience_count = 1,
		.now_ms = NOW_MS,
		.arena = arena_new(1 << 20),
	};

	assert_int_equal(jwt_key_from_secret(&secret, &fixture.key), OK);
	secret_done(&secret);
	return fixture;
}

static inline void fixture_done(struct fixture *fixture)
{
	jwt_key_free(fixture->key);
	arena_free(fixture->arena);
}

static inline enum err fixture_verify(struct fixture *fixture, const char *token)
{
	struct jwt_policy policy = {
		.find_key = fixture_find,
		.context = fixture,
		.now_ms = fixture->now_ms,
		.leeway_ms = LEEWAY_MS,
	};

	arena_reset(fixture->arena);
	fixture->asked = 0;
	return jwt_verify(fixture->arena, str_of(token), &policy, &fixture->claims);
}

#endif
