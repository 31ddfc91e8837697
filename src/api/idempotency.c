#include "api/idempotency.h"

#include <stdlib.h>
#include <string.h>

#include "core/metrics.h"
#include "crypt/envelope.h"
#include "crypt/keyring.h"
#include "fcgi/request.h"
#include "store/sql_idempotency.h"

enum { KEY_MAX = 255, ANSWER_MAX = 1 << 20 };

static const struct str LABEL = { "idempotent answer v1", 20 };

static struct str hash_bytes(const uint8_t hash[SHA256_BYTES])
{
	return (struct str){ (const char *)hash, SHA256_BYTES };
}

static bool printable(struct str key)
{
	for (size_t i = 0; i < key.n; i++)
		if (key.p[i] < 0x21 || key.p[i] > 0x7e)
			return false;
	return key.n > 0 && key.n <= KEY_MAX;
}

/* The client's key is part of the HMAC's key: without it nobody can try bodies (passwords) against the row. */
static enum err hash_request(struct ctx *cx, struct idempotency *key)
{
	SECRET_AUTO struct secret secret = SECRET_EMPTY;
	struct str body = cx->request->body;

	TRY(secret_copy(key->key.p, key->key.n, &secret));
	hmac_sha256_of(&secret,
		       BYTES(LABEL, cx->request->path, STR("?"),
			     str_absent(cx->request->query) ? STR("") : cx->request->query,
			     STR("\n"), str_absent(body) ? STR("") : body),
		       key->request_hash);
	return OK;
}

enum err idempotency_read(struct ctx *cx, const char *operation, struct idempotency *ret_key)
{
	const struct principal *who = &cx->who;
	char kind = (char)('0' + (int)who->who);

	memset(ret_key, 0, sizeof *ret_key);
	ret_key->key = request_header(cx->request, "IDEMPOTENCY_KEY");
	if (str_absent(ret_key->key) || !str_eq(cx->request->method, STR("POST")))
		return OK;
	if (!printable(ret_key->key))
		return ctx_bad_field(cx, "header.Idempotency-Key", "BAD_FORMAT",
				     "needs 1 to 255 printable ASCII characters");
	ret_key->used = true;
	ret_key->claimed_at = cx->now_ms;
	sha256_of(BYTES(ID_BYTES(&who->tenant), (struct str){ &kind, 1 }, ID_BYTES(&who->user), ID_BYTES(&who->token),
			str_of(operation), STR("\n"), ret_key->key),
		  ret_key->key_hash);
	return hash_request(cx, ret_key);
}

/* The kept answer is its status and content type, its header lines, an empty line and its body. */
static void write_answer(const struct reply *reply, struct buf *out)
{
	buf_printf(out, "%d\n%s\n", reply->status, reply->content_type ? reply->content_type : "");
	buf_add_str(out, buf_str(&reply->head));
	buf_add_c(out, "\n");
	buf_add_str(out, buf_str(&reply->body));
}

/* Content types are literals of ours; the reply needs one that outlives it. */
static const char *known_type(struct str type)
{
	return type.n == 0				       ? NULL
	       : str_eq(type, STR("application/problem+json")) ? "application/problem+json"
							       : "application/json";
}

static enum err read_headers(struct str *rest, struct reply *reply)
{
	for (;;) {
		struct str line = str_cut(rest, '\n'), name;
		char text[64];

		if (line.n > 0 && line.p[line.n - 1] == '\r')
			line.n--;
		if (line.n == 0)
			return OK;
		name = str_cut(&line, ':');
		if (name.n >= sizeof text)
			return ERR_UNREADABLE;
		memcpy(text, name.p, name.n);
		text[name.n] = '\0';
		TRY(reply_header(reply, text, str_trim(line)));
	}
}

static enum err read_answer(struct str answer, struct reply *reply)
{
	uint64_t status;

	reply_reset(reply);
	if (!str_to_u64(str_cut(&answer, '\n'), &status))
		return ERR_UNREADABLE;
	reply->status = (int)status;
	reply->content_type = known_type(str_cut(&answer, '\n'));
	TRY(read_headers(&answer, reply));
	buf_add_str(&reply->body, answer);
	TRY(reply_header(reply, "Idempotent-Replayed", STR("true")));
	return buf_error(&reply->body);
}

static enum err replay(struct ctx *cx, const struct idempotency *key, struct str sealed, struct reply *reply)
{
	SECRET_AUTO struct secret plain = SECRET_EMPTY;
	const struct root_key *root;
	struct str root_id;

	TRY(envelope_root_id(sealed, &root_id));
	TRY(keyring_find(cx->front_keys, root_id, NULL, &root));
	TRY(envelope_open_with(root, LABEL, BYTES(hash_bytes(key->key_hash), key->key), sealed, &plain));
	TRY(read_answer(secret_str(&plain), reply));
	metrics_add(cx->metrics, METRIC_IDEMPOTENT_REPLAYS, 1);
	return ERR_END;
}

static enum err answer_again(struct ctx *cx, const struct idempotency *key, struct reply *reply)
{
	struct sql_idempotency_get_row row;
	enum err e = sql_idempotency_get(cx->db, &(struct sql_idempotency_get_in){ hash_bytes(key->key_hash) }, &row);

	/* It was there a moment ago: its transaction was rolled back, so ours may be the first now. */
	if (e == ERR_NOT_FOUND)
		return ERR_DB_RETRY;
	TRY(e);
	if (!bytes_eq_constant_time(row.request_hash.p, key->request_hash, SHA256_BYTES))
		return ERR_IDEMPOTENCY_MISMATCH;
	if (row.status == 0 || str_absent(row.answer))
		return ERR_IDEMPOTENCY_IN_FLIGHT;
	return replay(cx, key, row.answer, reply);
}

enum err idempotency_claim(struct ctx *cx, const struct idempotency *key, struct reply *reply)
{
	const struct sql_idempotency_claim_in claim = {
		.key_hash = hash_bytes(key->key_hash),
		.request_hash = hash_bytes(key->request_hash),
		.created_at = key->claimed_at,
	};
	const struct sql_idempotency_expire_one_in expired = {
		.key_hash = hash_bytes(key->key_hash),
		.before = key->claimed_at - IDEMPOTENCY_KEEP_MS,
		.claimed_before = key->claimed_at - IDEMPOTENCY_CLAIM_MS,
	};
	enum err e = sql_idempotency_claim(cx->db, &claim, NULL);

	if (e == ERR_DB_LOCKED)
		return ERR_IDEMPOTENCY_IN_FLIGHT;
	if (e != ERR_DB_DUPLICATE)
		return e;
	TRY(sql_idempotency_expire_one(cx->db, &expired, NULL));
	e = sql_idempotency_claim(cx->db, &claim, NULL);
	if (e == ERR_DB_LOCKED)
		return ERR_IDEMPOTENCY_IN_FLIGHT;
	return e == ERR_DB_DUPLICATE ? answer_again(cx, key, reply) : e;
}

enum err idempotency_keep(struct ctx *cx, const struct idempotency *key, const struct reply *reply)
{
	BUF_AUTO struct buf answer = { 0 }, sealed = { 0 };

	buf_init(&answer, ANSWER_MAX);
	buf_init(&sealed, ANSWER_MAX + 256);
	write_answer(reply, &answer);
	TRY(buf_error(&answer));
	TRY(envelope_seal_with(keyring_current(cx->front_keys), LABEL, BYTES(hash_bytes(key->key_hash), key->key),
			       buf_str(&answer), &sealed));
	const struct sql_idempotency_answer_in in = { hash_bytes(key->key_hash), key->claimed_at, reply->status,
						      buf_str(&sealed) };

	return sql_idempotency_answer(cx->db, &in, NULL);
}

enum err idempotency_release(struct ctx *cx, const struct idempotency *key)
{
	const struct sql_idempotency_release_in in = { hash_bytes(key->key_hash), key->claimed_at };

	return sql_idempotency_release(cx->db, &in, NULL);
}
