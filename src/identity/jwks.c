#include "identity/jwks.h"

#include "base/arena.h"
#include "base/json_read.h"
#include "base/json_write.h"
#include "crypt/jwt.h"
#include "store/sql_issuer.h"

enum { TRY_AGAIN_MS = 60000, FETCH_AGAIN_MS = 3600000, TREE_MAX = 8 << 20 };

/* --- when ---------------------------------------------------------------- */
/* When the stored keys were fetched; 0: there are none. */
static enum err fetched_at(struct db *db, struct str issuer, int64_t *ret_at)
{
	struct sql_jwks_get_in in = { .issuer = issuer };
	struct sql_jwks_get_row row;
	enum err e = sql_jwks_get(db, &in, &row);

	*ret_at = e == OK ? row.fetched_at : 0;
	return e == ERR_NOT_FOUND ? OK : e;
}

static enum err is_due(struct db *db, struct str issuer, int64_t now_ms, bool *ret_due)
{
	struct sql_jwks_state_in in = { .issuer = issuer };
	struct sql_jwks_state_row row;
	int64_t fetched;
	enum err e = sql_jwks_state(db, &in, &row);

	*ret_due = e == ERR_NOT_FOUND;
	if (e != OK)
		return e == ERR_NOT_FOUND ? OK : e;
	if (now_ms - row.tried_at < TRY_AGAIN_MS)
		return OK;
	TRY(fetched_at(db, issuer, &fetched));
	*ret_due = row.wanted_at > fetched || now_ms - fetched >= FETCH_AGAIN_MS;
	return OK;
}

enum err identity_jwks_due(struct db *db, const struct config *config, int64_t now_ms,
			   const struct config_issuer *ret_due[CONFIG_ISSUERS_MAX],
			   size_t *ret_count)
{
	*ret_count = 0;
	for (size_t i = 0; i < config->issuer_count; i++) {
		const struct config_issuer *issuer = &config->issuer[i];
		struct sql_jwks_try_in try = { .issuer = str_of(issuer->issuer),
					       .tried_at = now_ms };
		bool due;

		if (!issuer->jwks_url || !issuer->jwks_url[0])
			continue;
		TRY(is_due(db, try.issuer, now_ms, &due));
		if (!due)
			continue;
		TRY(sql_jwks_try(db, &try, NULL));
		ret_due[(*ret_count)++] = issuer;
	}
	return OK;
}

/* --- what ---------------------------------------------------------------- */
static bool is_public(struct str member)
{
	static const struct str PUBLIC[] = { STR("kty"), STR("kid"), STR("use"), STR("key_ops"),
					     STR("alg"), STR("n"),   STR("e"),   STR("crv"),
					     STR("x"),   STR("y") };

	for (size_t i = 0; i < ARRAY_SIZE(PUBLIC); i++)
		if (str_eq(member, PUBLIC[i]))
			return true;
	return false;
}

static void write_key(struct json_writer *w, const json_t *jwk)
{
	jw_object(w);
	for (void *i = json_first(jwk); i; i = json_next(jwk, i)) {
		if (!is_public(json_iter_key(i)))
			continue;
		jw_key_str(w, json_iter_key(i));
		jw_add_tree(w, json_iter_value(i));
	}
	jw_object_end(w);
}

static void write_set(const json_t *document, struct buf *out)
{
	const json_t *keys = json_member(document, "keys");
	struct json_writer w;

	jw_start(&w, out);
	jw_object(&w);
	jw_key(&w, "keys");
	jw_array(&w);
	for (size_t i = 0; i < json_length(keys); i++)
		if (!str_eq(json_member_text(json_item(keys, i), "kty"), STR("oct")))
			write_key(&w, json_item(keys, i));
	jw_array_end(&w);
	jw_object_end(&w);
}

static enum err check_and_store(struct db *db, struct arena *arena, struct str issuer,
				struct str document, int64_t now_ms)
{
	struct sql_jwks_put_in in = { .issuer = issuer, .fetched_at = now_ms };
	BUF_AUTO struct buf public = { 0 };
	struct jwks keys;
	json_t *tree;
	size_t usable;

	buf_init(&public, JWKS_DOCUMENT_MAX);
	TRY(json_read(arena, document, &tree, NULL));
	TRY(jwks_parse(tree, &keys));
	usable = keys.n;
	jwks_done(&keys);
	if (usable == 0)
		return ERR_BAD_INPUT;
	write_set(tree, &public);
	TRY(buf_error(&public));
	in.document = buf_str(&public);
	return sql_jwks_put(db, &in, NULL);
}

enum err identity_jwks_store(struct db *db, struct str issuer, struct str document, int64_t now_ms)
{
	struct arena *arena;
	enum err e;

	if (document.n > JWKS_DOCUMENT_MAX)
		return ERR_TOO_BIG;
	arena = arena_new(TREE_MAX);
	if (!arena)
		return ERR_NO_MEMORY;
	e = check_and_store(db, arena, issuer, document, now_ms);
	arena_free(arena);
	return e;
}
