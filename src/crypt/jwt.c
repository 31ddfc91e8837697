/*
 * Verifying tokens. Order matters: size and alphabet, then the header, then the
 * key that we choose, then the signature, and only then the claims. The payload
 * is parsed before the signature is known (its issuer helps to choose the key),
 * by base's parser with its limits, and not believed until afterwards.
 */
#include "crypt/jwt.h"

#include "base/json_read.h"
#include "crypt/encode.h"
#include "crypt/hash.h"
#include "crypt/jwt_key.h"

/* The end of the year 9999 in seconds: a later one is a mistake or an attack on our arithmetic. */
#define NUMERIC_DATE_MAX INT64_C(253402300799)

enum { SIGNATURE_BYTES_MAX = 1024 };

struct parsed {
	struct str signing_input; /* header.payload */
	struct str signature;     /* bytes */
	json_t *header;
	json_t *payload;
};

/* --- taking it apart ----------------------------------------------------- */

/* The bytes of one part; ERR_BAD_TOKEN when it is empty or not canonical base64url. */
static enum err part_decode(struct arena *arena, struct str text, struct str *ret_bytes)
{
	size_t n = text.n * 3 / 4;
	char *bytes;

	if (n == 0)
		return ERR_BAD_TOKEN;
	bytes = arena_alloc(arena, n);
	if (!bytes)
		return ERR_NO_MEMORY;
	if (!base64url_decode_to(text, bytes, n))
		return ERR_BAD_TOKEN;
	*ret_bytes = (struct str){ bytes, n };
	return OK;
}

static enum err part_decode_object(struct arena *arena, struct str text, json_t **ret_object)
{
	struct str bytes;
	enum err e;

	TRY(part_decode(arena, text, &bytes));
	e = json_read(arena, bytes, ret_object, NULL);
	if (e == ERR_BAD_JSON || (e == OK && !json_is_kind(*ret_object, JSON_OBJECT)))
		return ERR_BAD_TOKEN;
	return e;
}

static enum err token_take_apart(struct arena *arena, struct str token, struct parsed *parsed)
{
	struct str rest = token;
	struct str header, payload;

	if (token.n > JWT_TOKEN_MAX)
		return ERR_BAD_TOKEN;
	header = str_cut(&rest, '.');
	if (str_absent(rest))
		return ERR_BAD_TOKEN;
	payload = str_cut(&rest, '.');
	if (str_absent(rest) || rest.n * 3 / 4 > SIGNATURE_BYTES_MAX)
		return ERR_BAD_TOKEN;
	/* A further dot isn't in the alphabet. */
	parsed->signing_input = str_slice(token, 0, header.n + 1 + payload.n);
	TRY(part_decode_object(arena, header, &parsed->header));
	TRY(part_decode_object(arena, payload, &parsed->payload));
	return part_decode(arena, rest, &parsed->signature);
}

/* --- the header ---------------------------------------------------------- */

/* Names its own key, changes how the text is signed, or is an encrypted token (RFC 8725, 3.10). */
static bool member_forbidden(struct str name)
{
	static const struct str forbidden[] = { STR("crit"), STR("jku"), STR("jwk"), STR("x5u"),
						STR("x5c"),  STR("b64"), STR("zip"), STR("enc") };

	for (size_t i = 0; i < ARRAY_SIZE(forbidden); i++)
		if (str_eq(name, forbidden[i]))
			return true;
	return false;
}

/* [A-Za-z0-9._:-]{1,128}: it goes into look-ups and logs. */
static bool kid_good(struct str kid)
{
	if (kid.n == 0 || kid.n > JWT_KID_MAX)
		return false;
	for (size_t i = 0; i < kid.n; i++) {
		char c = kid.p[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		      c == '.' || c == '_' || c == ':' || c == '-'))
			return false;
	}
	return true;
}

/* Absent, or one of the two that an access token may say (RFC 7519 section 5.1, RFC 9068). */
static bool typ_good(const json_t *typ)
{
	struct str text = json_text(typ);

	return !typ || str_eq_nocase(text, STR("JWT")) || str_eq_nocase(text, STR("at+jwt"));
}

static bool header_read(const json_t *header, struct jwt_hint *hint)
{
	const json_t *kid = json_member(header, "kid");

	for (void *i = json_first(header); i; i = json_next(header, i))
		if (member_forbidden(json_iter_key(i)))
			return false;
	hint->kid = json_text(kid);
	if (kid && !kid_good(hint->kid))
		return false;
	return typ_good(json_member(header, "typ")) &&
	       jwt_algorithm_parse(json_member_text(header, "alg"), &hint->algorithm);
}

/* --- the signature ------------------------------------------------------- */

static bool hs256_good(const struct secret *key, const struct parsed *parsed)
{
	uint8_t mac[SHA256_BYTES];

	hmac_sha256_of(key, BYTES(parsed->signing_input), mac);
	return parsed->signature.n == sizeof(mac) &&
	       bytes_eq_constant_time(mac, parsed->signature.p, sizeof(mac));
}

static bool signature_good(const struct jwt_key *key, const struct parsed *parsed)
{
	switch (key->algorithm) {
	case JWT_HS256: return hs256_good(&key->secret, parsed);
	case JWT_RS256:
		return pubkey_verify(key->pubkey, SIGNATURE_RSA_SHA256, parsed->signing_input,
				     parsed->signature);
	case JWT_ES256:
		return pubkey_verify(key->pubkey, SIGNATURE_P256_RAW, parsed->signing_input,
				     parsed->signature);
	}
	return false;
}

/* --- the claims ---------------------------------------------------------- */

/* A text or absent; false when it is there as something else. */
static bool text_claim(const json_t *payload, const char *name, struct str *ret_text)
{
	const json_t *claim = json_member(payload, name);

	*ret_text = json_text(claim);
	return !claim || !str_absent(*ret_text);
}

/* Whole seconds of this era, in milliseconds; 0 when absent. False for anything else. */
static bool time_claim(const json_t *payload, const char *name, int64_t *ret_ms)
{
	const json_t *claim = json_member(payload, name);
	int64_t seconds;

	*ret_ms = 0;
	if (!claim)
		return true;
	if (!json_integer_of(claim, &seconds) || seconds <= 0 || seconds > NUMERIC_DATE_MAX)
		return false;
	*ret_ms = seconds * 1000;
	return true;
}

static bool claims_read(const json_t *payload, struct jwt_claims *claims)
{
	/* An external issuer may use these three for things of its own. */
	claims->tenant = json_member_text(payload, "tid");
	claims->session = json_member_text(payload, "sid");
	claims->role = json_member_text(payload, "role");
	claims->payload = payload;
	return text_claim(payload, "iss", &claims->issuer) &&
	       text_claim(payload, "sub", &claims->subject) &&
	       text_claim(payload, "jti", &claims->token) &&
	       time_claim(payload, "iat", &claims->issued_at) &&
	       time_claim(payload, "nbf", &claims->not_before) &&
	       time_claim(payload, "exp", &claims->expires_at) && claims->expires_at != 0;
}

static bool audience_expected(struct str audience, const struct jwt_trust *trust,
			      struct jwt_claims *claims)
{
	for (size_t i = 0; i < trust->audience_count; i++) {
		if (str_absent(audience) || !str_eq(trust->audiences[i], audience))
			continue;
		claims->audience = audience;
		return true;
	}
	return false;
}

/* `aud` is one text or an array of texts (RFC 7519, section 4.1.3). */
static bool audience_check(const json_t *payload, const struct jwt_trust *trust,
			   struct jwt_claims *claims)
{
	const json_t *aud = json_member(payload, "aud");
	bool expected = trust->audience_count == 0;

	claims->audience = STR_NONE;
	if (!aud)
		return expected;
	if (!json_is_kind(aud, JSON_ARRAY))
		return !str_absent(json_text(aud)) &&
		       (audience_expected(json_text(aud), trust, claims) || expected);
	for (size_t i = 0; i < json_length(aud); i++) {
		struct str one = json_text(json_item(aud, i));

		if (str_absent(one))
			return false;
		if (!expected)
			expected = audience_expected(one, trust, claims);
	}
	return expected;
}

static enum err claims_check(const json_t *payload, const struct jwt_trust *trust,
			     const struct jwt_policy *policy, struct jwt_claims *claims)
{
	int64_t latest = policy->now_ms + policy->leeway_ms;

	if (!claims_read(payload, claims) || !audience_check(payload, trust, claims))
		return ERR_BAD_TOKEN;
	if (!str_absent(trust->issuer) && !str_eq(trust->issuer, claims->issuer))
		return ERR_BAD_TOKEN;
	if (claims->not_before > latest || claims->issued_at > latest)
		return ERR_BAD_TOKEN;
	if (claims->expires_at <= policy->now_ms - policy->leeway_ms)
		return ERR_TOKEN_EXPIRED;
	return OK;
}

enum err jwt_verify(struct arena *arena, struct str token, const struct jwt_policy *policy,
		    struct jwt_claims *ret_claims)
{
	struct jwt_trust trust = { .key = NULL };
	struct jwt_claims claims = { .expires_at = 0 };
	struct jwt_hint hint;
	struct parsed parsed;

	*ret_claims = claims;
	TRY(token_take_apart(arena, token, &parsed));
	if (!header_read(parsed.header, &hint))
		return ERR_BAD_TOKEN;
	hint.issuer = json_member_text(parsed.payload, "iss");
	TRY(policy->find_key(policy->context, &hint, &trust));
	if (!trust.key || trust.key->algorithm != hint.algorithm)
		return ERR_BAD_TOKEN;
	if (!signature_good(trust.key, &parsed))
		return ERR_BAD_TOKEN;
	TRY(claims_check(parsed.payload, &trust, policy, &claims));
	*ret_claims = claims;
	return OK;
}
