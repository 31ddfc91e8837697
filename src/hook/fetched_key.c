#include "hook/fetched_key.h"

#include "connect/pattern.h"
#include "crypt/hash.h"
#include "hook/signature.h"
#include "jobs/bell.h"
#include "store/sql_hook_key.h"

enum {
	WISHES_OF_TYPE = 256,
	WISHES_OF_CONNECTOR = 4,
	WISH_AGAIN_MS = 1000,       /* a wish is written at most once in that time */
	FETCH_AGAIN_MS = 3600000,   /* a key in use is fetched anew, so that one that is taken back ends */
	LOOK_AGAIN_MS = 60000,      /* for a key that a set doesn't hold */
	SEND_AGAIN_S = 5
};

static bool is_fetched(const struct hook_proof *proof)
{
	return proof->kind == HOOK_CERTIFICATE || proof->kind == HOOK_JWT_RS256;
}

static bool is_address(const struct hook_proof *proof, struct str address)
{
	if (str_absent(address) || address.n > HOOK_KEY_ADDRESS_MAX)
		return false;
	return proof->kind == HOOK_CERTIFICATE ? pattern_holds(proof->key_address, address)
					       : str_eq(proof->key_url, address);
}

const struct hook_proof *hook_proof_of_address(const struct hook_scheme *scheme, struct str address)
{
	for (size_t i = 0; i < scheme->proofs; i++)
		if (is_fetched(&scheme->proof[i]) && is_address(&scheme->proof[i], address))
			return &scheme->proof[i];
	return NULL;
}

/* --- asking for one ----------------------------------------------------------------------- */

static enum err may_wish(struct ctx *cx, const struct hook *hook, bool *ret_may)
{
	const struct sql_hook_key_wishes_in in = { hook->type, hook->connector };
	struct sql_hook_key_wishes_row row;

	TRY(sql_hook_key_wishes(cx->db, &in, &row));
	*ret_may = row.of_type < WISHES_OF_TYPE && row.of_connector < WISHES_OF_CONNECTOR;
	return OK;
}

/* The same wish again keeps its row; a new one needs room. */
static enum err want(struct ctx *cx, const struct hook *hook, struct str address, struct str hash)
{
	struct sql_hook_key_wish_row row;
	bool may = true;
	enum err e = sql_hook_key_wish(cx->db, &(struct sql_hook_key_wish_in){ hook->type, hash }, &row);

	if (e == OK && row.wanted_at > cx->now_ms - WISH_AGAIN_MS)
		return OK;
	if (e == ERR_NOT_FOUND)
		e = may_wish(cx, hook, &may);
	TRY(e);
	if (!may)
		return OK;
	const struct sql_hook_key_want_in in = { hook->type, hash, address, hook->connector, cx->now_ms };

	TRY(sql_hook_key_want(cx->db, &in, NULL));
	bell_ring(cx->config->worker_bell);
	return OK;
}

static enum err send_again(struct ctx *cx)
{
	cx->problem.retry_after_s = SEND_AGAIN_S;
	return ERR_NO_HOOK_KEY;
}

/* --- having one ----------------------------------------------------------------------------- */

static enum err add(struct ctx *cx, struct str address, struct str document, struct key_list *list)
{
	struct hook_key key = { address, arena_copy(cx->arena, document) };

	if (str_absent(key.bytes))
		return ERR_NO_MEMORY;
	if (list->n == HOOK_KEYS_MAX)
		return ERR_TOO_BIG;
	list->v[list->n++] = key;
	return OK;
}

static enum err use(struct ctx *cx, const struct hook *hook, const struct hook_proof *proof,
		    const struct hook_delivery *delivery, struct str address, struct key_list *list)
{
	uint8_t bytes[SHA256_BYTES];
	const struct str hash = { (const char *)bytes, sizeof(bytes) };
	struct sql_hook_key_get_row row;
	bool missed, old;
	enum err e;

	sha256_of(BYTES(address), bytes);
	e = sql_hook_key_get(cx->db, &(struct sql_hook_key_get_in){ hook->type, hash }, &row);
	if (e != OK && e != ERR_NOT_FOUND)
		return e;
	if (e == ERR_NOT_FOUND || row.expires_at <= cx->now_ms) {
		TRY(want(cx, hook, address, hash));
		return send_again(cx);
	}
	if (str_absent(row.document))
		return OK;
	/* A stranger may name a key that was never there: the set is fetched again, but not all the time. */
	missed = proof->kind == HOOK_JWT_RS256 && row.fetched_at <= cx->now_ms - LOOK_AGAIN_MS &&
		 hook_jwt_rs256_misses(proof, delivery, row.document);
	old = row.fetched_at <= cx->now_ms - FETCH_AGAIN_MS;
	TRY(add(cx, address, row.document, list));
	if (missed || old)
		TRY(want(cx, hook, address, hash));
	return missed ? send_again(cx) : OK;
}

enum err hook_add_fetched_keys(struct ctx *cx, const struct hook *hook, const struct hook_scheme *scheme,
			       const struct hook_delivery *delivery, struct key_list *list)
{
	for (size_t i = 0; i < scheme->proofs; i++) {
		const struct hook_proof *proof = &scheme->proof[i];
		struct str address;

		if (!is_fetched(proof) || str_absent(hook_value(delivery, proof->source)))
			continue;
		address = proof->kind == HOOK_CERTIFICATE ? hook_value(delivery, proof->key_url) : proof->key_url;
		if (is_address(proof, address))
			TRY(use(cx, hook, proof, delivery, address, list));
	}
	return OK;
}
