/* A delivery whose proof is a token of the provider's own issuer (OpenID Connect Core, section 3.1.3.7). */
#include "base/json_read.h"
#include "crypt/jwt.h"
#include "hook/signature.h"

enum { LEEWAY_MS = 60000 };

/* What a verification is about. */
struct bearer {
	const struct hook_proof *proof;
	const struct hook_delivery *delivery;
	struct jwks keys;
	bool missed; /* the token's key isn't among them */
};

static bool parse(const struct hook_delivery *delivery, struct str document, struct jwks *ret_keys)
{
	json_t *json;

	return json_read(delivery->arena, document, &json, NULL) == OK && jwks_parse(json, ret_keys) == OK;
}

static enum err find_key(void *context, const struct jwt_hint *hint, struct jwt_trust *ret_trust)
{
	struct bearer *bearer = context;

	if (hint->algorithm != JWT_RS256)
		return ERR_BAD_TOKEN;
	*ret_trust = (struct jwt_trust){
		.key = jwks_find(&bearer->keys, hint->kid, JWT_RS256),
		.issuer = bearer->proof->issuer,
		.audiences = &bearer->delivery->url,
		.audience_count = 1,
	};
	bearer->missed = !ret_trust->key;
	return bearer->missed ? ERR_BAD_TOKEN : OK;
}

/* Looks for the key, and no further. */
static enum err only_find_key(void *context, const struct jwt_hint *hint, struct jwt_trust *ret_trust)
{
	(void)!find_key(context, hint, ret_trust);
	return ERR_BAD_TOKEN;
}

static enum err verify(struct bearer *bearer,
		       enum err (*find)(void *context, const struct jwt_hint *hint, struct jwt_trust *ret_trust),
		       struct jwt_claims *ret_claims)
{
	const struct hook_delivery *delivery = bearer->delivery;
	const struct jwt_policy policy = {
		.find_key = find,
		.context = bearer,
		.now_ms = delivery->now_ms,
		.leeway_ms = LEEWAY_MS,
	};
	struct str text = hook_value(delivery, bearer->proof->source), prefix = bearer->proof->prefix;

	*ret_claims = (struct jwt_claims){ 0 };
	if (str_absent(text) || !str_starts(text, prefix))
		return ERR_BAD_TOKEN;
	return jwt_verify(delivery->arena, str_slice(text, prefix.n, text.n), &policy, ret_claims);
}

bool hook_jwt_rs256_misses(const struct hook_proof *proof, const struct hook_delivery *delivery, struct str jwks)
{
	struct bearer bearer = { .proof = proof, .delivery = delivery };
	struct jwt_claims claims;

	if (!parse(delivery, jwks, &bearer.keys))
		return true;
	(void)!verify(&bearer, only_find_key, &claims);
	jwks_done(&bearer.keys);
	return bearer.missed;
}

/* An address that the issuer hasn't verified is nobody's. */
static bool pin_holds(const struct hook_proof *proof, const struct hook_keys *keys, const json_t *claims)
{
	struct str value = str_absent(proof->pin) ? STR_NONE : json_member_text(claims, proof->pin.p);
	bool verified = true;

	if (str_eq(proof->pin, STR("email")) &&
	    (!json_bool_of(json_member(claims, "email_verified"), &verified) || !verified))
		value = STR_NONE;
	return hook_pin_holds(proof, keys, value);
}

static bool token_holds(struct bearer *bearer, const struct hook_keys *keys, const char **ret_why)
{
	struct jwt_claims claims;
	enum err e = verify(bearer, find_key, &claims);

	*ret_why = bearer->missed	   ? "the token is of a key that its issuer doesn't show"
		   : e == ERR_TOKEN_EXPIRED ? "the token has ended"
					   : "the token isn't of that issuer, or is for another address";
	if (e != OK)
		return false;
	*ret_why = "it is genuine, but not from where it was said to come";
	return pin_holds(bearer->proof, keys, claims.payload);
}

bool hook_jwt_rs256_holds(const struct hook_proof *proof, const struct hook_delivery *delivery,
			  const struct hook_keys *keys, const char **ret_why)
{
	struct bearer bearer = { .proof = proof, .delivery = delivery };
	bool holds = false;

	*ret_why = "there are no keys of that issuer";
	for (size_t i = 0; i < keys->n && !holds; i++) {
		if (!str_eq(keys->v[i].field, proof->key_url) || !parse(delivery, keys->v[i].bytes, &bearer.keys))
			continue;
		holds = token_holds(&bearer, keys, ret_why);
		jwks_done(&bearer.keys);
	}
	return holds;
}
