#include "identity/signing.h"

#include <string.h>

#include "crypt/envelope.h"

enum { SIGNING_KEY_BYTES = 32 };

static void key_done(struct signing_key *key)
{
	jwt_key_free(key->access);
	secret_done(&key->csrf);
	key->access = NULL;
}

static enum err derive(const struct root_key *root, struct str label, struct secret *ret_key)
{
	return hkdf_sha256(&root->key, STR_NONE, label, SIGNING_KEY_BYTES, ret_key);
}

static enum err key_derive(struct signing_key *key, const struct root_key *root)
{
	SECRET_AUTO struct secret access = SECRET_EMPTY;

	memcpy(key->id, root->id, sizeof(key->id));
	TRY(derive(root, STR("latchwork access token v1"), &access));
	TRY(derive(root, STR("latchwork csrf token v1"), &key->csrf));
	return jwt_key_from_secret(&access, &key->access);
}

static enum err add(struct signing *signing, const struct root_key *root)
{
	enum err e;

	if (signing->n == ARRAY_SIZE(signing->v))
		return ERR_TOO_BIG;
	e = key_derive(&signing->v[signing->n], root);
	if (e != OK) {
		key_done(&signing->v[signing->n]);
		return e;
	}
	signing->n++;
	return OK;
}

enum err signing_init(struct signing *signing, struct keyring *keyring)
{
	struct str current = root_key_id(keyring_current(keyring));

	*signing = (struct signing){ .keyring = keyring };
	for (size_t i = 0; i < keyring_count(keyring); i++) {
		const struct root_key *root = keyring_at(keyring, i);

		if (str_eq(root_key_id(root), current))
			signing->current = signing->n;
		TRY(add(signing, root));
	}
	return OK;
}

void signing_done(struct signing *signing)
{
	for (size_t i = 0; i < signing->n; i++)
		key_done(&signing->v[i]);
	signing->n = 0;
}

enum err signing_sign(const struct signing *signing, const struct jwt_claims *claims,
		      struct buf *out)
{
	const struct signing_key *key = &signing->v[signing->current];

	return jwt_sign(key->access, str_of(key->id), claims, out);
}

static const struct signing_key *loaded(const struct signing *signing, struct str kid)
{
	for (size_t i = 0; i < signing->n; i++)
		if (str_eq(str_of(signing->v[i].id), kid))
			return &signing->v[i];
	return NULL;
}

enum err signing_find(struct signing *signing, struct str kid, const struct jwt_key **ret_key)
{
	const struct signing_key *key = loaded(signing, kid);
	const struct root_key *root;

	*ret_key = NULL;
	if (!key) {
		/* A rotation on another process: its first token may come here before our SIGHUP. */
		if (!keyring_id_valid(kid) ||
		    keyring_find(signing->keyring, kid, NULL, &root) != OK)
			return ERR_BAD_TOKEN;
		TRY(add(signing, root));
		key = &signing->v[signing->n - 1];
	}
	*ret_key = key->access;
	return OK;
}

static void csrf_text(const struct signing_key *key, const struct id *session,
		      char ret_text[CSRF_CHARS + 1])
{
	uint8_t mac[SHA256_BYTES];

	hmac_sha256_of(&key->csrf, BYTES(ID_BYTES(session)), mac);
	base64url_encode_to((struct str){ (const char *)mac, sizeof(mac) }, ret_text);
}

void signing_csrf(const struct signing *signing, const struct id *session,
		  char ret_text[CSRF_CHARS + 1])
{
	csrf_text(&signing->v[signing->current], session, ret_text);
}

bool signing_csrf_good(const struct signing *signing, const struct id *session, struct str text)
{
	char expected[CSRF_CHARS + 1];
	bool good = false;

	if (text.n != CSRF_CHARS)
		return false;
	for (size_t i = 0; i < signing->n; i++) {
		csrf_text(&signing->v[i], session, expected);
		good |= bytes_eq_constant_time(expected, text.p, CSRF_CHARS);
	}
	return good;
}
