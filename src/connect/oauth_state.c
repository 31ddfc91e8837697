#include "connect/oauth_state.h"

#include <string.h>

#include "crypt/encode.h"
#include "crypt/hash.h"
#include "identity/cookie.h"
#include "store/sql_oauth.h"

enum { STATE_BYTES = 32 };

static struct str hash_text(const uint8_t hash[TOKEN_HASH_BYTES])
{
	return (struct str){ (const char *)hash, TOKEN_HASH_BYTES };
}

/* --- PKCE -------------------------------------------------------------------- */

static enum err derive(const struct root_key *root, struct str state, struct secret *ret_verifier)
{
	SECRET_AUTO struct secret key = SECRET_EMPTY;
	uint8_t mac[SHA256_BYTES];
	char text[BASE64URL_CHARS(SHA256_BYTES) + 1];
	enum err e;

	TRY(hkdf_sha256(&root->key, STR_NONE, STR("latchwork oauth pkce v1"), SHA256_BYTES, &key));
	hmac_sha256_of(&key, BYTES(state), mac);
	base64url_encode_to((struct str){ (const char *)mac, sizeof(mac) }, text);
	e = secret_copy(text, sizeof(text) - 1, ret_verifier);
	wipe(mac, sizeof(mac));
	wipe(text, sizeof(text));
	return e;
}

enum err oauth_verifier(struct ctx *cx, struct str root_key_id, struct str state,
			struct secret *ret_verifier)
{
	const struct root_key *root;

	TRY(keyring_find(cx->vault_keys, root_key_id, NULL, &root));
	return derive(root, state, ret_verifier);
}

/* --- a new one ---------------------------------------------------------------- */

/* The browser's cookie when it has one of our form; a copy is set anew, with a new end. */
static enum err find_browser(struct ctx *cx, struct oauth_flow *flow)
{
	uint8_t bytes[STATE_BYTES];
	struct str cookie;
	bool ours = cookie_get(cx, STR(COOKIE_OAUTH), &cookie) == OK &&
		    base64url_decode_to(cookie, bytes, sizeof(bytes));

	wipe(bytes, sizeof(bytes));
	if (!ours)
		return token_new(NULL, &flow->browser, flow->browser_hash);
	token_hash(cookie, flow->browser_hash);
	return secret_copy(cookie.p, cookie.n, &flow->browser);
}

enum err oauth_flow_new(struct ctx *cx, struct oauth_flow *ret_flow)
{
	const struct root_key *root = keyring_current(cx->vault_keys);
	SECRET_AUTO struct secret verifier = SECRET_EMPTY;
	uint8_t hash[SHA256_BYTES];

	*ret_flow = (struct oauth_flow){ .state = SECRET_EMPTY, .browser = SECRET_EMPTY };
	TRY(find_browser(cx, ret_flow));
	TRY(token_new(NULL, &ret_flow->state, ret_flow->state_hash));
	TRY(derive(root, secret_str(&ret_flow->state), &verifier));
	sha256_of(BYTES(secret_str(&verifier)), hash);
	base64url_encode_to((struct str){ (const char *)hash, sizeof(hash) }, ret_flow->challenge);
	memcpy(ret_flow->root_key_id, root->id, sizeof(ret_flow->root_key_id));
	return OK;
}

void oauth_flow_done(struct oauth_flow *flow)
{
	secret_done(&flow->state);
	secret_done(&flow->browser);
}

enum err oauth_flow_cookie(struct ctx *cx, const struct oauth_flow *flow, struct reply *reply)
{
	return cookie_set_lax(reply, COOKIE_OAUTH, secret_str(&flow->browser),
			      cx->config->oauth_state_ms);
}

enum err oauth_state_insert(struct ctx *cx, const struct oauth_flow *flow,
			    const struct oauth_state *state)
{
	const struct sql_oauth_state_insert_in in = {
		.state_hash = hash_text(flow->state_hash),
		.connector_type = state->type,
		.browser_hash = hash_text(flow->browser_hash),
		.root_key_id = str_of(flow->root_key_id),
		.client_credential_id = state->client,
		.connector_id = state->connector,
		.field_values = state->fields,
		.scopes = state->scopes,
		.return_to = state->return_to,
		.expires_at = state->expires_at,
	};

	return sql_oauth_state_insert(cx->db, &in, NULL);
}

/* --- one that comes back -------------------------------------------------------- */

/* Statements come and go with the connection; what is read here is needed to the end of the request. */
static enum err keep(struct ctx *cx, struct str *text)
{
	if (str_absent(*text))
		return OK;
	*text = arena_copy(cx->arena, *text);
	return str_absent(*text) ? ERR_NO_MEMORY : OK;
}

static enum err keep_texts(struct ctx *cx, struct oauth_state *state)
{
	TRY(keep(cx, &state->type));
	TRY(keep(cx, &state->root_key_id));
	TRY(keep(cx, &state->fields));
	TRY(keep(cx, &state->scopes));
	return keep(cx, &state->return_to);
}

enum err oauth_state_find(struct ctx *cx, struct str state, struct oauth_state *ret_state)
{
	uint8_t hash[TOKEN_HASH_BYTES];
	const struct sql_oauth_state_find_in in = { .state_hash = hash_text(hash) };
	struct sql_oauth_state_find_row row;
	enum err e;

	if (state.n != TOKEN_SECRET_CHARS)
		return ERR_STATE_UNKNOWN;
	token_hash(state, hash);
	e = sql_oauth_state_find(cx->db, &in, &row);
	if (e == ERR_NOT_FOUND)
		return ERR_STATE_UNKNOWN;
	TRY(e);
	if (row.browser_hash.n != TOKEN_HASH_BYTES)
		return ERR_INTERNAL;
	*ret_state = (struct oauth_state){
		.tenant = row.tenant_id,
		.user = row.user_id,
		.role = str_absent(row.role) ? ROLE_NONE : role_parse(row.role),
		.type = row.connector_type,
		.root_key_id = row.root_key_id,
		.client = row.client_credential_id,
		.connector = row.connector_id,
		.fields = row.field_values,
		.scopes = row.scopes,
		.return_to = row.return_to,
		.expires_at = row.expires_at,
		.used = row.used,
	};
	memcpy(ret_state->hash, hash, sizeof(hash));
	memcpy(ret_state->browser_hash, row.browser_hash.p, sizeof(ret_state->browser_hash));
	return keep_texts(cx, ret_state);
}

bool oauth_state_is_of_browser(const struct ctx *cx, const struct oauth_state *state)
{
	uint8_t hash[TOKEN_HASH_BYTES];
	struct str cookie;

	if (cookie_get(cx, STR(COOKIE_OAUTH), &cookie) != OK || str_absent(cookie))
		return false;
	token_hash(cookie, hash);
	return bytes_eq_constant_time(hash, state->browser_hash, sizeof(hash));
}

enum err oauth_state_use(struct ctx *cx, const struct oauth_state *state)
{
	const struct sql_oauth_state_use_in in = { .state_hash = hash_text(state->hash) };
	int64_t rows;

	if (state->used)
		return ERR_STATE_UNKNOWN;
	if (state->expires_at <= cx->now_ms)
		return ERR_STATE_EXPIRED;
	TRY(sql_oauth_state_use(cx->db, &in, &rows));
	return rows == 1 ? OK : ERR_STATE_UNKNOWN;
}
