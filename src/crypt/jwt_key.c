/* Keys for tokens, each for one algorithm only, and sets of them. */
#include "crypt/jwt_key.h"

#include <stdlib.h>
#include <string.h>

#include "base/json_read.h"

enum { HS256_BYTES_MIN = 32 };

static const struct {
	struct str text;
	enum jwt_algorithm algorithm;
} ALGORITHMS[] = {
	{ STR("HS256"), JWT_HS256 },
	{ STR("RS256"), JWT_RS256 },
	{ STR("ES256"), JWT_ES256 },
};

const char *jwt_algorithm_text(enum jwt_algorithm algorithm)
{
	for (size_t i = 0; i < ARRAY_SIZE(ALGORITHMS); i++)
		if (ALGORITHMS[i].algorithm == algorithm)
			return ALGORITHMS[i].text.p;
	return "";
}

bool jwt_algorithm_parse(struct str text, enum jwt_algorithm *ret_algorithm)
{
	for (size_t i = 0; i < ARRAY_SIZE(ALGORITHMS); i++) {
		if (!str_eq(ALGORITHMS[i].text, text))
			continue;
		*ret_algorithm = ALGORITHMS[i].algorithm;
		return true;
	}
	return false;
}

enum err jwt_key_from_secret(const struct secret *secret, struct jwt_key **ret_key)
{
	struct jwt_key *key;
	enum err e;

	*ret_key = NULL;
	if (secret->n < HS256_BYTES_MIN)
		return ERR_BAD_INPUT;
	key = calloc(1, sizeof(*key));
	if (!key)
		return ERR_NO_MEMORY;
	key->algorithm = JWT_HS256;
	e = secret_copy(secret->p, secret->n, &key->secret);
	if (e != OK) {
		free(key);
		return e;
	}
	*ret_key = key;
	return OK;
}

/* Takes the public key over, also on failure. */
static enum err key_of_pubkey(struct pubkey *pubkey, struct jwt_key **ret_key)
{
	enum pubkey_type type = pubkey_type(pubkey);
	struct jwt_key *key = NULL;
	enum err e = ERR_BAD_INPUT;

	if (type == PUBKEY_RSA || type == PUBKEY_P256) {
		key = calloc(1, sizeof(*key));
		e = key ? OK : ERR_NO_MEMORY;
	}
	if (e != OK) {
		pubkey_free(pubkey);
		return e;
	}
	key->algorithm = type == PUBKEY_RSA ? JWT_RS256 : JWT_ES256;
	key->pubkey = pubkey;
	*ret_key = key;
	return OK;
}

enum err jwt_key_from_pem(struct str pem, struct jwt_key **ret_key)
{
	struct pubkey *pubkey;

	*ret_key = NULL;
	TRY(pubkey_from_pem(pem, &pubkey));
	return key_of_pubkey(pubkey, ret_key);
}

/* Whether the set's owner meant the key for signatures (RFC 7517, sections 4.2 and 4.3). */
static bool jwk_is_for_verifying(const json_t *jwk)
{
	const json_t *use = json_member(jwk, "use");
	const json_t *operations = json_member(jwk, "key_ops");

	if (use && !str_eq(json_text(use), STR("sig")))
		return false;
	if (!operations)
		return true;
	for (size_t i = 0; i < json_length(operations); i++)
		if (str_eq(json_text(json_item(operations, i)), STR("verify")))
			return true;
	return false;
}

enum err jwt_key_from_jwk(const json_t *jwk, struct jwt_key **ret_key)
{
	const json_t *alg = json_member(jwk, "alg");
	struct pubkey *pubkey;

	*ret_key = NULL;
	if (!jwk_is_for_verifying(jwk))
		return ERR_BAD_INPUT;
	TRY(pubkey_from_jwk(jwk, &pubkey));
	TRY(key_of_pubkey(pubkey, ret_key));
	if (!alg || str_eq(json_text(alg), str_of(jwt_algorithm_text((*ret_key)->algorithm))))
		return OK;
	jwt_key_free(*ret_key);
	*ret_key = NULL;
	return ERR_BAD_INPUT;
}

void jwt_key_free(struct jwt_key *key)
{
	if (!key)
		return;
	secret_done(&key->secret);
	pubkey_free(key->pubkey);
	free(key);
}

enum jwt_algorithm jwt_key_algorithm(const struct jwt_key *key) { return key->algorithm; }

/* --- sets ---------------------------------------------------------------- */

void jwks_done(struct jwks *jwks)
{
	for (size_t i = 0; i < jwks->n; i++) {
		free(jwks->v[i].kid);
		jwt_key_free(jwks->v[i].key);
	}
	free(jwks->v);
	*jwks = (struct jwks){ .n = 0 };
}

static bool has_kid(const struct jwks *jwks, struct str kid)
{
	for (size_t i = 0; i < jwks->n; i++)
		if (!str_absent(kid) && str_eq(str_of(jwks->v[i].kid), kid))
			return true;
	return false;
}

/* Adds the key, unless it is none that we use. */
static enum err jwks_add(struct jwks *jwks, const json_t *jwk)
{
	struct str kid = json_member_text(jwk, "kid");
	struct jwks_entry entry = { NULL, NULL };
	enum err e;

	e = jwt_key_from_jwk(jwk, &entry.key);
	if (e != OK)
		return e == ERR_BAD_INPUT ? OK : e;
	if (has_kid(jwks, kid)) {
		jwt_key_free(entry.key);
		return ERR_BAD_INPUT;
	}
	if (!str_absent(kid)) {
		entry.kid = strndup(kid.p, kid.n);
		if (!entry.kid) {
			jwt_key_free(entry.key);
			return ERR_NO_MEMORY;
		}
	}
	jwks->v[jwks->n++] = entry;
	return OK;
}

enum err jwks_parse(const json_t *document, struct jwks *ret_jwks)
{
	const json_t *keys = json_member(document, "keys");
	size_t n = json_length(keys);
	struct jwks jwks = { .n = 0 };

	*ret_jwks = jwks;
	if (!json_is_kind(keys, JSON_ARRAY) || n > JWKS_KEYS_MAX)
		return ERR_BAD_INPUT;
	jwks.v = calloc(n > 0 ? n : 1, sizeof(jwks.v[0]));
	if (!jwks.v)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < n; i++) {
		enum err e = jwks_add(&jwks, json_item(keys, i));

		if (e != OK) {
			jwks_done(&jwks);
			return e;
		}
	}
	*ret_jwks = jwks;
	return OK;
}

const struct jwt_key *jwks_find(const struct jwks *jwks, struct str kid,
				enum jwt_algorithm algorithm)
{
	const struct jwt_key *found = NULL;

	for (size_t i = 0; i < jwks->n; i++) {
		const struct jwks_entry *entry = &jwks->v[i];

		if (entry->key->algorithm != algorithm)
			continue;
		if (!str_absent(kid)) {
			if (str_eq(str_of(entry->kid), kid))
				return entry->key;
			continue;
		}
		if (found)
			return NULL;
		found = entry->key;
	}
	return found;
}
