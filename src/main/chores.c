#include "main/chores.h"

#include "api/idempotency.h"
#include "audit/seal.h"
#include "base/log.h"
#include "base/secret.h"
#include "connect/token.h"
#include "connect/trial.h"
#include "crypt/encode.h"
#include "flow/execution.h"
#include "hook/fetch_keys.h"
#include "hook/publish.h"
#include "identity/jwks.h"
#include "identity/throttle.h"
#include "jobs/loop.h"
#include "jobs/queue_stat.h"
#include "jobs/worker_stat.h"
#include "net/http.h"
#include "ops/prune.h"
#include "store/sql_ai.h"
#include "store/sql_hook_key.h"
#include "store/sql_idempotency.h"
#include "store/sql_invitation.h"
#include "store/sql_link.h"
#include "store/sql_mail.h"
#include "store/sql_oauth.h"
#include "store/sql_retention.h"
#include "store/sql_session.h"
#include "store/sql_sync.h"
#include "store/sql_throttle.h"
#include "sync/sync.h"
#include "vault/credential.h"
#include "vault/tenant_key.h"

enum { BATCH = 500, TOKENS = 100, TRIALS = 50, SYNCS = 200, SCHEDULES = 200, BATCHES = 20 };
enum { HEAD_EVERY_MS = 60000, SWEEP_EVERY_MS = 60000 };

static const int64_t DAY_MS = 24 * 60 * 60 * 1000LL;

static const struct {
	struct chore chore;
	enum chore_pace pace;
} ALL[] = {
#define CHORE(name, pace, interval_ms, words) { { #name, interval_ms, chore_##name }, CHORES_##pace },
#include "main/chores.def"
#undef CHORE
};
_Static_assert(ARRAY_SIZE(ALL) <= CHORES_MAX, "more chores than a process can keep");

size_t chores_choose(unsigned paces, struct chore ret_table[CHORES_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(ALL); i++)
		if (ALL[i].pace & paces)
			ret_table[n++] = ALL[i].chore;
	return n;
}

/* --- the audit trail -------------------------------------------------------- */

/*
 * A head that is noted somewhere else shows a trail whose end was cut off, so it goes to the log, which the
 * operator ships away, when it has moved and a minute has passed.
 */
static void note_head(const struct audit_head *head, int64_t now_ms)
{
	static int64_t noted_position, noted_at;
	char hash[HEX_CHARS(sizeof(head->hash)) + 1];

	if (head->position == noted_position || now_ms - noted_at < HEAD_EVERY_MS)
		return;
	hex_encode_to((struct str){ (const char *)head->hash, sizeof(head->hash) }, hash);
	log_write(LOG_INFO, "head of the audit chain",
		  LOG_FIELDS(log_int("position", head->position), log_text("hash", hash)));
	noted_position = head->position;
	noted_at = now_ms;
}

/* Each second what came in the last ones; each minute also what took its time to be committed. */
enum err chore_audit_seal(struct ctx *cx)
{
	static struct audit_seen seen;
	static int64_t swept_at;
	SECRET_AUTO struct secret key = SECRET_EMPTY;
	struct audit_head head;
	uint32_t generation;
	int64_t sealed, began_at = cx->now_ms;
	bool all = began_at - swept_at >= SWEEP_EVERY_MS;

	TRY(vault_system_key_newest(cx, &generation, &key));
	enum err e = audit_seal(cx->db, &key, generation, began_at - (all ? AUDIT_AT_LAST_MS : AUDIT_SOON_MS), &seen,
				&sealed, &head);
	if (e == ERR_DB_LOCKED) /* another worker is at it */
		return OK;
	TRY(e);
	if (all)
		swept_at = began_at;
	note_head(&head, began_at);
	return OK;
}

/* --- keys of external issuers ----------------------------------------------- */

static void log_issuer(const struct config_issuer *issuer, const struct http_answer *answer,
		       enum err e)
{
	log_write(LOG_WARN, "an issuer's keys can't be fetched; the old ones stay",
		  LOG_FIELDS(log_text("issuer", issuer->issuer), log_text("url", issuer->jwks_url),
			     log_err(e), log_int("status", answer->status),
			     log_text("why", answer->why ? answer->why : "")));
}

static enum err fetch_keys(struct ctx *cx, const struct config_issuer *issuer, struct buf *body,
			   struct http_answer *answer)
{
	static const struct http_header ACCEPT = {
		"Accept", STR("application/jwk-set+json, application/json")
	};

	TRY(http_fetch(&(struct http_request){ .method = "GET",
					       .url = str_of(issuer->jwks_url),
					       .header = &ACCEPT,
					       .headers = 1 },
		       cx->egress, body, answer));
	if (answer->status != 200) {
		answer->why = "the status isn't 200";
		return ERR_UPSTREAM;
	}
	return identity_jwks_store(cx->db, str_of(issuer->issuer), buf_str(body), cx->now_ms);
}

static bool is_database_error(enum err e)
{
	return e == ERR_DB_LOST || e == ERR_DB_UNSURE || e == ERR_DB_RETRY || e == ERR_DB_REFUSED;
}

/* An issuer that fails is tried again after its own time; it keeps neither the others nor the chore back. */
static enum err refresh_issuer(struct ctx *cx, const struct config_issuer *issuer)
{
	BUF_AUTO struct buf body = { 0 };
	struct http_answer answer = { 0 };

	buf_init(&body, JWKS_DOCUMENT_MAX);
	enum err e = fetch_keys(cx, issuer, &body, &answer);
	if (e == OK)
		log_write(LOG_INFO, "an issuer's keys were fetched",
			  LOG_FIELDS(log_text("issuer", issuer->issuer)));
	else if (!is_database_error(e))
		log_issuer(issuer, &answer, e);
	return is_database_error(e) ? e : OK;
}

enum err chore_jwks_refresh(struct ctx *cx)
{
	const struct config_issuer *due[CONFIG_ISSUERS_MAX];
	size_t count;

	TRY(identity_jwks_due(cx->db, cx->config, cx->now_ms, due, &count));
	for (size_t i = 0; i < count && !loop_is_stopping(); i++)
		TRY(refresh_issuer(cx, due[i]));
	return OK;
}

/* --- tokens of providers ----------------------------------------------------- */

enum err chore_token_refresh(struct ctx *cx)
{
	int renewed;

	return token_refresh_due(cx, TOKENS, &renewed);
}

enum err chore_hook_fetch_keys(struct ctx *cx) { return hook_fetch_keys(cx); }

enum err chore_hook_publish(struct ctx *cx)
{
	int published;

	return hook_publish_due(cx, &published);
}

enum err chore_connector_health(struct ctx *cx)
{
	int tried;

	return trial_due(cx, TRIALS, &tried);
}

/* --- for monitoring ------------------------------------------------------------- */

enum err chore_queue_stat(struct ctx *cx) { return queue_stat_write(cx); }
enum err chore_worker_stat(struct ctx *cx) { return worker_stat_write(cx); }

/* --- records of providers ------------------------------------------------------ */

enum err chore_sync_due(struct ctx *cx) { return sync_start_due(cx, SYNCS); }

/* --- workflows ----------------------------------------------------------------- */

enum err chore_schedules_due(struct ctx *cx) { return flow_schedules_due(cx, SCHEDULES); }

/* --- what is over ----------------------------------------------------------- */

/* Without it rows pile up in the last partition, and nothing is lost. */
enum err chore_partitions(struct ctx *cx)
{
	const struct sql_partitions_keep_in in = {
		.event_days = cx->config->retention_event_days,
		.job_days = cx->config->retention_job_days,
		.execution_days = cx->config->retention_execution_days,
	};

	return sql_partitions_keep(cx->db, &in, NULL);
}

enum err chore_prune(struct ctx *cx)
{
	TRY(prune_tenants(cx));
	return prune_versions(cx);
}

enum err chore_live_count(struct ctx *cx) { return prune_counts(cx); }

enum err chore_credential_purge(struct ctx *cx)
{
	int purged;

	TRY(vault_purge_expired(cx, BATCH, &purged));
	if (purged > 0)
		log_write(LOG_INFO, "deleted credentials were destroyed",
			  LOG_FIELDS(log_int("count", purged)));
	return OK;
}

/* Deletes one batch of the rows that were over before that time, and counts them. */
typedef enum err (*expire_batch)(struct db *db, int64_t before_ms, int64_t *ret_rows);

#define EXPIRE(what)                                                                               \
	static enum err expire_##what(struct db *db, int64_t before_ms, int64_t *ret_rows)         \
	{                                                                                          \
		const struct sql_##what##_expire_in in = { .before = before_ms, .limit = BATCH };  \
		return sql_##what##_expire(db, &in, ret_rows);                                     \
	}
EXPIRE(idempotency)
EXPIRE(refresh)
EXPIRE(session)
EXPIRE(link)
EXPIRE(invitation)
EXPIRE(throttle)
EXPIRE(oauth_state)
EXPIRE(hook_key)
EXPIRE(hook_wish)
EXPIRE(sync)
EXPIRE(dead_job)
EXPIRE(live_run)
EXPIRE(agent_message)
EXPIRE(ai_usage)

static enum err expire_mail(struct db *db, int64_t before_ms, int64_t *ret_rows)
{
	const struct sql_mail_expire_in in = { .before = id_first_at(before_ms), .limit = BATCH };

	return sql_mail_expire(db, &in, ret_rows);
}

/* A key is of no use without its event; that one is dropped with its day, up to a day later. */
static enum err expire_event_key(struct db *db, int64_t before_ms, int64_t *ret_rows)
{
	const struct sql_event_key_expire_in in = { .before = id_first_at(before_ms), .limit = BATCH };

	return sql_event_key_expire(db, &in, ret_rows);
}

static enum err expire_all(struct ctx *cx, expire_batch batch, int64_t keep_ms)
{
	int64_t rows = BATCH;

	for (int i = 0; i < BATCHES && rows == BATCH && !loop_is_stopping(); i++)
		TRY(batch(cx->db, cx->now_ms - keep_ms, &rows));
	return OK;
}

enum err chore_expire(struct ctx *cx)
{
	const struct {
		expire_batch batch;
		int64_t keep_ms; /* counted from the row's end, or from its beginning where it has none */
	} rows[] = {
		{ expire_idempotency, IDEMPOTENCY_KEEP_MS },
		{ expire_refresh, DAY_MS },
		/* The addresses that an owner signed in from count for so long. */
		{ expire_session, THROTTLE_KNOWN_MS },
		{ expire_link, DAY_MS },
		{ expire_invitation, 30 * DAY_MS },
		{ expire_throttle, DAY_MS },
		{ expire_oauth_state, DAY_MS },
		{ expire_hook_key, HOOK_KEY_KEEP_MS },
		{ expire_hook_wish, HOOK_WISH_KEEP_MS },
		{ expire_sync, 90 * DAY_MS },
		{ expire_mail, 30 * DAY_MS },
		{ expire_event_key, (cx->config->retention_event_days + 1) * DAY_MS },
		/* As the executions, whose days are dropped up to a day later. */
		{ expire_live_run, (cx->config->retention_execution_days + 1) * DAY_MS },
		{ expire_dead_job, cx->config->retention_dead_job_days * DAY_MS },
		{ expire_agent_message, cx->config->retention_ai_days * DAY_MS },
		{ expire_ai_usage, cx->config->retention_ai_days * DAY_MS },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		TRY(expire_all(cx, rows[i].batch, rows[i].keep_ms));
	return OK;
}
