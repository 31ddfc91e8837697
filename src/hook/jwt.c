/* A delivery whose proof is a JSON Web Token under a shared key, HS256 (RFC 7515, appendix A.1). */
#include "base/json_read.h"
#include "base/secret.h"
#include "crypt/encode.h"
#include "crypt/hash.h"
#include "hook/signature.h"

enum { TOKEN_MAX = 8192, LEEWAY_MS = 60000 };

struct token {
	struct str signing_input; /* header.payload */
	struct str header, payload, mac;
};

static bool split(struct str text, struct token *ret_token)
{
	struct str rest = text;

	if (text.n > TOKEN_MAX)
		return false;
	ret_token->header = str_cut(&rest, '.');
	ret_token->payload = str_cut(&rest, '.');
	ret_token->mac = rest;
	if (str_absent(rest))
		return false;
	ret_token->signing_input = str_slice(text, 0, ret_token->header.n + 1 + ret_token->payload.n);
	return true;
}

static json_t *part_of(const struct hook_delivery *delivery, struct str part)
{
	BUF_AUTO struct buf text = { 0 };
	json_t *json = NULL;

	buf_init(&text, TOKEN_MAX);
	if (base64url_decode(&text, part) != OK || buf_error(&text) != OK)
		return NULL;
	return json_read(delivery->arena, buf_str(&text), &json, NULL) == OK ? json : NULL;
}

/* The algorithm is ours to say, not the token's. */
static bool is_hs256(const struct hook_delivery *delivery, const struct token *token)
{
	const json_t *header = part_of(delivery, token->header);

	return header && str_eq(json_member_text(header, "alg"), STR("HS256")) && !json_member(header, "crit");
}

static bool mac_fits(const struct hook_proof *proof, const struct hook_keys *keys, const struct token *token)
{
	uint8_t mac[SHA256_BYTES], sent[SHA256_BYTES];
	bool fits = false;

	if (!base64url_decode_to(token->mac, sent, sizeof(sent)))
		return false;
	for (size_t i = 0; i < keys->n; i++) {
		if (!str_eq(keys->v[i].field, proof->key_field) || keys->v[i].bytes.n != HMAC_SHA256_STATES)
			continue;
		hmac_sha256_from((const uint8_t *)keys->v[i].bytes.p, BYTES(token->signing_input), mac);
		fits |= bytes_eq_constant_time(mac, sent, sizeof(mac));
	}
	wipe(mac, sizeof(mac));
	return fits;
}

/* It must end, and, if it says for whom it is, be for this address. */
static bool claims_hold(const struct hook_delivery *delivery, const struct token *token)
{
	const json_t *claims = part_of(delivery, token->payload);
	struct str audience = json_member_text(claims, "aud");
	int64_t expires_s, begins_s = 0;

	if (!claims || !json_integer_of(json_member(claims, "exp"), &expires_s))
		return false;
	if (json_member(claims, "nbf") && !json_integer_of(json_member(claims, "nbf"), &begins_s))
		return false;
	if (!str_absent(audience) && !str_eq(audience, delivery->url))
		return false;
	return expires_s > (delivery->now_ms - LEEWAY_MS) / 1000 && begins_s <= (delivery->now_ms + LEEWAY_MS) / 1000;
}

bool hook_jwt_holds(const struct hook_proof *proof, const struct hook_delivery *delivery,
		    const struct hook_keys *keys, const char **ret_why)
{
	struct token token;

	*ret_why = "the token can't be read";
	if (!str_starts(delivery->signature, proof->prefix) ||
	    !split(str_slice(delivery->signature, proof->prefix.n, delivery->signature.n), &token) ||
	    !is_hs256(delivery, &token))
		return false;
	*ret_why = "the token is of another key";
	if (!mac_fits(proof, keys, &token))
		return false;
	*ret_why = "the token has ended, or is for another address";
	return claims_hold(delivery, &token);
}
