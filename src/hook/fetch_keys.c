#include "hook/fetch_keys.h"

#include "base/json_read.h"
#include "base/log.h"
#include "connect/call.h"
#include "connect/catalog.h"
#include "connect/pattern.h"
#include "crypt/jwt.h"
#include "crypt/x509.h"
#include "hook/fetched_key.h"
#include "jobs/loop.h"
#include "store/sql_hook_key.h"

enum {
	BATCH = 4,
	TIMEOUT_MS = 5000,        /* the other chores wait meanwhile */
	AGAIN_MS = 60000,         /* between two fetches that went well */
	RETRY_FIRST_MS = 1000,
	RETRY_DOUBLINGS = 8,      /* up to about four minutes */
	NO_GOOD_MS = 600000,      /* how long what isn't good is known as such */
	JWKS_MS = 24 * 3600 * 1000
};

/* A wish, and what came of it. The texts are the arena's. */
struct wish {
	struct str type, hash, address;
	int64_t failures;
	const struct hook_proof *proof;
	int64_t expires_at;
	const char *why; /* static words, when it went wrong */
	bool no_good;    /* something came, and it is no key to be believed */
};

/* --- is it good ------------------------------------------------------------------------------ */

static bool is_owner(const void *arg, struct str name)
{
	const struct hook_proof *proof = arg;

	return pattern_holds(proof->key_owner, name);
}

static enum err read_certificate(struct ctx *cx, struct wish *wish, struct str pem, struct buf *out)
{
	struct x509_rules rules = {
		.now_ms = cx->now_ms,
		.is_owner = is_owner,
		.arg = wish->proof,
		.chained = wish->proof->key_chained,
	};
	struct egress_target target;
	struct trust trust;

	TRY(egress_allow_url(cx->egress, wish->address, &target));
	trust = egress_trust(cx->egress, &target);
	rules.ca_file = trust.file;
	rules.ca_directory = trust.directory;
	return x509_key(pem, &rules, out, &wish->expires_at, &wish->why);
}

static enum err read_jwks(struct ctx *cx, struct wish *wish, struct str text, struct buf *out)
{
	struct jwks keys;
	size_t usable;
	json_t *json;

	wish->why = "it is no set of keys";
	wish->expires_at = cx->now_ms + JWKS_MS;
	if (json_read(cx->arena, text, &json, NULL) != OK || jwks_parse(json, &keys) != OK)
		return ERR_BAD_INPUT;
	usable = keys.n;
	jwks_done(&keys);
	buf_add_str(out, text);
	return usable > 0 ? buf_error(out) : ERR_BAD_INPUT;
}

/* --- fetching ----------------------------------------------------------------------------------- */

static enum err fetch(struct ctx *cx, struct wish *wish, struct buf *out)
{
	BUF_AUTO struct buf body = { 0 };
	struct http_answer answer;
	enum err e;

	buf_init(&body, HOOK_KEY_DOCUMENT_MAX);
	e = call_fetch(cx, &(struct http_request){ .method = "GET", .url = wish->address, .timeout_ms = TIMEOUT_MS },
		       &body, &answer);
	wish->why = answer.why;
	if (e == OK && answer.status != 200) {
		wish->why = "the status isn't 200";
		e = ERR_UPSTREAM;
	}
	TRY(e);
	e = wish->proof->kind == HOOK_CERTIFICATE ? read_certificate(cx, wish, buf_str(&body), out)
						  : read_jwks(cx, wish, buf_str(&body), out);
	wish->no_good = e == ERR_BAD_INPUT;
	return e;
}

/* The type, as it is today, says which addresses are its own; the front isn't asked. */
static enum err find_proof(struct ctx *cx, struct wish *wish, struct hook_scheme *scheme)
{
	const struct connector_type *type = catalog_find(cx->catalog, wish->type);
	const char *why;

	wish->why = "the type doesn't take keys from there";
	if (!type || hook_scheme_read(json_member(type->file, "webhook"), scheme, &why) != OK)
		return ERR_BAD_INPUT;
	wish->proof = hook_proof_of_address(scheme, wish->address);
	return wish->proof ? OK : ERR_BAD_INPUT;
}

/* --- what came of it ------------------------------------------------------------------------------ */

/* A key that was good stays until its end. */
static enum err note_no_good(struct ctx *cx, const struct wish *wish)
{
	struct sql_hook_key_get_row row;
	const struct sql_hook_key_put_in in = { .connector_type = wish->type,
						.url_hash = wish->hash,
						.fetched_at = cx->now_ms,
						.expires_at = cx->now_ms + NO_GOOD_MS };
	enum err e = sql_hook_key_get(cx->db, &(struct sql_hook_key_get_in){ wish->type, wish->hash }, &row);

	if (e == OK && !str_absent(row.document) && row.expires_at > cx->now_ms)
		return OK;
	if (e != OK && e != ERR_NOT_FOUND)
		return e;
	return sql_hook_key_put(cx->db, &in, NULL);
}

static enum err note_key(struct ctx *cx, const struct wish *wish, struct str document)
{
	const struct sql_hook_key_put_in in = { wish->type, wish->hash, document, cx->now_ms, wish->expires_at };

	return sql_hook_key_put(cx->db, &in, NULL);
}

static enum err note_try(struct ctx *cx, const struct wish *wish, bool good)
{
	int64_t doublings = wish->failures < RETRY_DOUBLINGS ? wish->failures : RETRY_DOUBLINGS;
	const struct sql_hook_key_tried_in in = {
		.connector_type = wish->type,
		.url_hash = wish->hash,
		.tried_at = cx->now_ms,
		.retry_at = cx->now_ms + (good ? AGAIN_MS : (int64_t)RETRY_FIRST_MS << doublings),
		.failures = good ? 0 : wish->failures + 1,
	};

	return sql_hook_key_tried(cx->db, &in, NULL);
}

static void log_try(const struct wish *wish, enum err e)
{
	if (e == OK)
		log_write(LOG_INFO, "a provider's key was fetched",
			  LOG_FIELDS(log_str("type", wish->type), log_str("url", wish->address)));
	else
		log_write(LOG_WARN, "a provider's key can't be had",
			  LOG_FIELDS(log_str("type", wish->type), log_str("url", wish->address), log_err(e),
				     log_text("why", wish->why ? wish->why : "")));
}

static enum err fulfil(struct ctx *cx, struct wish *wish)
{
	BUF_AUTO struct buf document = { 0 };
	struct hook_scheme scheme;
	enum err e;

	buf_init(&document, HOOK_KEY_DOCUMENT_MAX);
	e = find_proof(cx, wish, &scheme);
	if (e == OK)
		e = fetch(cx, wish, &document);
	if (e == ERR_PROVIDER_BUSY)
		return OK; /* the next round comes to it again */
	log_try(wish, e);
	if (e == OK)
		TRY(note_key(cx, wish, buf_str(&document)));
	else if (wish->no_good)
		TRY(note_no_good(cx, wish));
	return note_try(cx, wish, e == OK);
}

static enum err read_wishes(struct ctx *cx, struct wish wishes[BATCH], size_t *ret_n)
{
	const struct sql_hook_key_due_in in = { .before = cx->now_ms, .limit = BATCH };
	struct sql_hook_key_due_row row;
	enum err e;

	*ret_n = 0;
	TRY(sql_hook_key_due(cx->db, &in));
	while ((e = sql_hook_key_due_next(cx->db, &row)) == OK && *ret_n < BATCH) {
		struct wish *wish = &wishes[(*ret_n)++];

		*wish = (struct wish){ .type = arena_copy(cx->arena, row.connector_type),
				       .hash = arena_copy(cx->arena, row.url_hash),
				       .address = arena_copy(cx->arena, row.url),
				       .failures = row.failures };
		if (str_absent(wish->type) || str_absent(wish->hash) || str_absent(wish->address))
			return ERR_NO_MEMORY;
	}
	return e == OK || e == ERR_END ? OK : e;
}

enum err hook_fetch_keys(struct ctx *cx)
{
	struct wish wishes[BATCH];
	size_t n;

	TRY(read_wishes(cx, wishes, &n));
	for (size_t i = 0; i < n && !loop_is_stopping(); i++)
		TRY(fulfil(cx, &wishes[i]));
	return OK;
}
