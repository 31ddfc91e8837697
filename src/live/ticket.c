#include "live/ticket.h"

#include <string.h>

#include "crypt/encode.h"
#include "crypt/hash.h"
#include "crypt/keyring.h"
#include "identity/authenticate.h"

/* "<root key's id>.<base64url of what it says and its MAC>" */
struct claims {
	struct id run, tenant, user, session, token;
	uint8_t who, role;
	uint8_t expires_at[8]; /* ms, big-endian */
	uint8_t scopes[4];
};
struct signed_claims {
	struct claims claims;
	uint8_t mac[SHA256_BYTES];
};
_Static_assert(sizeof(struct claims) == 94 && sizeof(struct signed_claims) == 94 + SHA256_BYTES,
	       "no gaps");

enum { TEXT_MAX = BASE64URL_CHARS(sizeof(struct signed_claims)) };

static void put_number(uint8_t *bytes, size_t n, uint64_t number)
{
	for (size_t i = n; i-- > 0; number >>= 8)
		bytes[i] = (uint8_t)number;
}

static uint64_t number_of(const uint8_t *bytes, size_t n)
{
	uint64_t number = 0;

	for (size_t i = 0; i < n; i++)
		number = number << 8 | bytes[i];
	return number;
}

static enum err sign(const struct root_key *root, const struct claims *claims,
		     uint8_t ret_mac[SHA256_BYTES])
{
	SECRET_AUTO struct secret key = SECRET_EMPTY;

	TRY(hkdf_sha256(&root->key, STR_NONE, STR("latchwork live ticket v1"), SHA256_BYTES, &key));
	hmac_sha256_of(&key, BYTES((struct str){ (const char *)claims, sizeof(*claims) }), ret_mac);
	return OK;
}

enum err ticket_new(struct ctx *cx, const struct id *run, int64_t expires_at,
		    struct str *ret_ticket)
{
	const struct root_key *root = keyring_current(cx->front_keys);
	struct signed_claims s = { .claims = { .run = *run,
					       .tenant = cx->who.tenant,
					       .user = cx->who.user,
					       .session = cx->who.session,
					       .token = cx->who.token,
					       .who = (uint8_t)cx->who.who,
					       .role = (uint8_t)cx->who.role } };
	char text[TEXT_MAX + 1];

	put_number(s.claims.expires_at, sizeof(s.claims.expires_at), (uint64_t)expires_at);
	put_number(s.claims.scopes, sizeof(s.claims.scopes), cx->who.scopes);
	TRY(sign(root, &s.claims, s.mac));
	base64url_encode_to((struct str){ (const char *)&s, sizeof(s) }, text);
	*ret_ticket = arena_printf(cx->arena, "%s.%s", root->id, text);
	return str_absent(*ret_ticket) ? ERR_NO_MEMORY : OK;
}

static enum err open_ticket(struct ctx *cx, struct str ticket, struct claims *ret_claims)
{
	struct str rest = ticket, root_id = str_cut(&rest, '.');
	uint8_t mac[SHA256_BYTES];
	const struct root_key *root;
	struct signed_claims s;
	enum err e;

	if (str_absent(rest) || !base64url_decode_to(rest, &s, sizeof(s)))
		return ERR_BAD_TOKEN;
	e = keyring_find(cx->front_keys, root_id, NULL, &root);
	if (e == ERR_NO_KEY)
		return ERR_BAD_TOKEN;
	TRY(e);
	TRY(sign(root, &s.claims, mac));
	if (!bytes_eq_constant_time(mac, s.mac, sizeof(mac)))
		return ERR_BAD_TOKEN;
	*ret_claims = s.claims;
	return OK;
}

enum err ticket_enter(struct ctx *cx, const struct id *run, struct str ticket)
{
	struct claims claims;

	TRY(open_ticket(cx, ticket, &claims));
	if (!id_eq(&claims.run, run))
		return ERR_BAD_TOKEN;
	if ((int64_t)number_of(claims.expires_at, sizeof(claims.expires_at)) <= cx->now_ms)
		return ERR_TOKEN_EXPIRED;
	cx->who = (struct principal){ .who = (enum who)claims.who,
				      .tenant = claims.tenant,
				      .user = claims.user,
				      .session = claims.session,
				      .token = claims.token,
				      .role = (enum role)claims.role,
				      .scopes = (scopes)number_of(claims.scopes,
								  sizeof(claims.scopes)),
				      .live = false };
	ctx_enter(cx);
	TRY(identity_confirm_again(cx));
	ctx_enter(cx);
	return OK;
}
