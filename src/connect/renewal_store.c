#include "connect/renewal_store.h"

#include "audit/audit.h"
#include "audit/transact.h"
#include "base/clock.h"
#include "base/crash.h"
#include "base/json_read.h"
#include "base/log.h"
#include "base/random.h"
#include "connect/connector.h"
#include "core/metrics.h"
#include "vault/credential.h"

enum { PAUSE_FIRST_MS = 50, PAUSE_MAX_MS = 2000, WAIT_FIRST_MS = 5000, WAIT_MAX_MS = 3600000, MESSAGE_MAX = 500 };

/* --- what they share ------------------------------------------------------------- */

static bool same_member(const json_t *a, const json_t *b, const char *name)
{
	struct str x = json_member_text(a, name), y = json_member_text(b, name);

	return str_absent(x) ? str_absent(y) : str_eq(x, y);
}

/* A client that acts for itself: its id, secret or key are what they were. */
static bool same_client(const struct token_source *a, const struct token_source *b)
{
	return same_member(a->data, b->data, "client_id") && same_member(a->data, b->data, "client_secret") &&
	       same_member(a->data, b->data, "private_key") && same_member(a->data, b->data, "token_url");
}

/* Whether what the exchange used is still what is stored. */
static bool is_ours(const struct renewal *r, const struct token_source *now)
{
	if (now->version == r->source.version)
		return true;
	if (r->grant != GRANT_REFRESH)
		return same_client(&r->source, now);
	if (r->exchanged)
		return str_eq(now->access, r->source.access);
	return !str_absent(now->refresh) && str_eq(now->refresh, r->source.refresh);
}

enum err renewal_clear_intent(struct ctx *cx, const struct renewal *r)
{
	const struct sql_token_intent_clear_in in = { .credential_id = r->source.credential, .intent_id = r->intent };

	return sql_token_intent_clear(cx->db, &in, NULL);
}

static const char *grant_text(enum token_grant grant)
{
	static const char *const TEXTS[] = { [GRANT_CODE] = "authorization_code",
					     [GRANT_REFRESH] = "refresh_token",
					     [GRANT_CLIENT_CREDENTIALS] = "client_credentials",
					     [GRANT_JWT_BEARER] = "jwt_bearer" };

	return TEXTS[grant];
}

/* The row of this renewal, beside the change that it tells of. What the request itself does has its own. */
static enum err audit(struct ctx *cx, const struct renewal *r, enum err outcome)
{
	const struct audit_note note = cx->audit;
	enum err e;

	cx->audit = (struct audit_note){ .service = r->source.service };
	ctx_audit_target(cx, ID_CREDENTIAL, &r->source.credential);
	ctx_audit_detail(cx, "grant", str_of(grant_text(r->grant)));
	if (outcome != OK) {
		ctx_audit_detail(cx, "code", r->failure.code);
		ctx_audit_detail(cx, "message", r->failure.message);
	}
	if (r->uncertain)
		ctx_audit_detail(cx, "uncertain", STR("true"));
	e = audit_write(cx, AUDIT_CREDENTIAL_REFRESH, outcome);
	cx->audit = note;
	return e;
}

/* The credential, locked, and its newest data. ERR_NOT_FOUND when it was deleted meanwhile. */
static enum err lock(struct ctx *cx, const struct renewal *r, struct credential *ret_locked,
		     struct token_source *ret_now)
{
	const struct audit_note note = cx->audit;
	enum err e = vault_lock(cx, &r->source.credential, ret_locked);

	cx->audit = note;
	return e == OK ? token_source_locked(cx, ret_locked, ret_now) : e;
}

/* --- new tokens -------------------------------------------------------------------- */

static enum err write_row(struct ctx *cx, const struct renewal *r)
{
	const struct token_answer *answer = &r->answer;
	bool renews = r->grant == GRANT_REFRESH;
	const struct sql_token_refresh_stored_in in = {
		.credential_id = r->source.credential,
		.expires_at = answer->expires_at,
		.due_at = renews ? token_due_at(cx, token_rules_of(&r->request), answer->expires_at,
						answer->refresh_expires_at, r->exchanged)
				 : (struct opt_int){ 0 },
	};

	return sql_token_refresh_stored(cx->db, &in, NULL);
}

static enum err write_tokens(struct ctx *cx, struct renewal *r, struct credential *c, const struct token_source *now)
{
	static const struct verify_outcome WORKS = { .code = VERIFY_OK };
	bool was_dead = str_eq(c->status, STR("needs_reconnect"));
	json_t *change;

	TRY(token_change(cx, now->in_extra, token_rules_of(&r->request), &r->answer, NULL, &change));
	TRY(vault_put_refreshed(cx, c, now->data, change));
	r->stored_version = c->version;
	TRY(write_row(cx, r));
	/* Somebody took it for dead while this answer was on its way. */
	if (was_dead)
		TRY(connector_note_outcome(cx, &c->id, (struct opt_int){ 0 }, &WORKS));
	return audit(cx, r, OK);
}

static enum err store_tokens(struct ctx *cx, void *arg)
{
	struct renewal *r = arg;
	struct token_source now;
	struct credential c;

	r->state = RENEWAL_AGAIN;
	TRY(lock(cx, r, &c, &now));
	if (now.version != r->source.version && str_eq(now.access, r->answer.access_token)) {
		r->stored_version = now.version;
		r->state = RENEWAL_DONE; /* an earlier try was committed after all */
		return OK;
	}
	if (!is_ours(r, &now))
		return renewal_clear_intent(cx, r);
	TRY(write_tokens(cx, r, &c, &now));
	r->state = RENEWAL_DONE;
	lw_crash_point("refresh_before_commit");
	return OK;
}

static bool is_passing(enum err e)
{
	return e == ERR_DB_LOST || e == ERR_DB_RETRY || e == ERR_DB_UNSURE || e == ERR_DB_LOCKED || e == ERR_NOT_READY;
}

/* Only this process has what the provider gave out: a database in trouble is waited for. */
static enum err persist(struct ctx *cx, struct renewal *r, enum err (*store)(struct ctx *cx, void *arg))
{
	int64_t until_us = clock_monotonic_us() + RENEWAL_PATIENCE_MS * 1000LL, wait_ms = PAUSE_FIRST_MS;
	enum err e = audit_transact(cx, AUDIT_NONE, store, r);

	while (is_passing(e) && clock_monotonic_us() < until_us) {
		clock_pause_ms(wait_ms);
		wait_ms = wait_ms * 2 < PAUSE_MAX_MS ? wait_ms * 2 : PAUSE_MAX_MS;
		e = audit_transact(cx, AUDIT_NONE, store, r);
	}
	if (e != OK && e != ERR_NOT_FOUND)
		log_write(LOG_ERROR, "tokens that a provider gave out can't be stored", LOG_FIELDS(log_err(e)));
	return e;
}

enum err renewal_store_tokens(struct ctx *cx, struct renewal *r)
{
	TRY(persist(cx, r, store_tokens));
	if (r->state == RENEWAL_DONE)
		lw_crash_point("refresh_committed");
	return OK;
}

/* --- the end ------------------------------------------------------------------------ */

/* Why, for the person who has to connect again. */
static void name_reason(struct ctx *cx, struct renewal *r)
{
	struct str words;

	if (!r->uncertain)
		return;
	words = arena_printf(cx->arena, "%.*s An earlier answer of the provider, with the newest token in it, was lost.",
			     STR_ARG(r->failure.message));
	r->failure.code = STR("UNCERTAIN");
	if (!str_absent(words))
		r->failure.message = words;
}

/* What was refused came in a bad answer: the token that it came instead of is left. */
static enum err drop_untried(struct ctx *cx, const struct renewal *r, struct credential *c,
			     const struct token_source *now)
{
	json_t *change;

	TRY(token_change_untried(cx, STR_NONE, STR_NONE, &change));
	TRY(vault_put_refreshed(cx, c, now->data, change));
	return renewal_clear_intent(cx, r);
}

static enum err store_end(struct ctx *cx, void *arg)
{
	struct renewal *r = arg;
	const struct sql_token_refresh_dead_in in = { r->source.credential, r->failure.code, r->failure.message };
	struct token_source now;
	struct credential c;

	r->state = RENEWAL_AGAIN;
	TRY(lock(cx, r, &c, &now));
	TRY(renewal_look(cx, r));
	/* Somebody connected anew, or corrected it, or took our intent for dead and is at it: theirs counts. */
	if (now.version != r->source.version ||
	    (renewal_is_claimed(r) && !id_eq(&r->row.intent_id.v, &r->intent)))
		return renewal_clear_intent(cx, r);
	if (!str_absent(now.untried))
		return drop_untried(cx, r, &c, &now);
	TRY(connector_note_dead(cx, &c.id, r->failure.code, r->failure.message));
	TRY(sql_token_refresh_dead(cx->db, &in, NULL));
	TRY(audit(cx, r, ERR_NEEDS_RECONNECT));
	r->state = RENEWAL_DEAD;
	return OK;
}

enum err renewal_store_end(struct ctx *cx, struct renewal *r)
{
	name_reason(cx, r);
	TRY(audit_transact(cx, AUDIT_NONE, store_end, r));
	if (r->state == RENEWAL_DEAD && r->uncertain && cx->metrics)
		metrics_add(cx->metrics, METRIC_TOKEN_UNCERTAIN, 1);
	return OK;
}

/* --- not now ------------------------------------------------------------------------- */

/* Doubled with each failure, up to an hour; what the provider asks for counts when it is more. */
static int64_t wait_ms_of(const struct renewal *r)
{
	int64_t wanted_ms = r->failure.retry_after_s.set ? r->failure.retry_after_s.v * 1000 : 0;
	int64_t wait_ms = WAIT_FIRST_MS;
	uint16_t random = 0;

	for (int64_t i = 0; i < r->row.failures && wait_ms < WAIT_MAX_MS; i++)
		wait_ms *= 2;
	if (wait_ms < wanted_ms)
		wait_ms = wanted_ms;
	if (wait_ms > WAIT_MAX_MS)
		wait_ms = WAIT_MAX_MS;
	if (random_bytes(&random, sizeof random) != OK)
		random = 0;
	return wait_ms + wait_ms / 10 * random / UINT16_MAX;
}

static enum err write_failure(struct ctx *cx, const struct renewal *r, struct opt_id intent, int64_t version)
{
	bool certain = version != r->source.version;

	const struct sql_token_refresh_failed_in in = {
		.credential_id = r->source.credential,
		.intent_id = intent,
		.intent_version = version,
		.uncertain = r->uncertain || (r->failure.maybe_done && r->grant == GRANT_REFRESH && !r->exchanged),
		.certain = certain,
		.wait_ms = wait_ms_of(r),
		.error_code = r->failure.code,
		.error_message = str_utf8_cut(r->failure.message, MESSAGE_MAX),
	};

	return sql_token_refresh_failed(cx->db, &in, NULL);
}

/* A refresh token that came in an answer which is no good otherwise is kept, too: `ret_version` is then a new one. */
static enum err salvage(struct ctx *cx, struct renewal *r, int64_t *ret_version)
{
	struct token_source now;
	struct credential c;
	json_t *change;

	*ret_version = r->source.version;
	if (str_absent(r->answer.refresh_token) || r->grant != GRANT_REFRESH || r->exchanged)
		return OK;
	TRY(lock(cx, r, &c, &now));
	if (str_eq(now.untried, r->answer.refresh_token)) {
		*ret_version = now.version; /* an earlier try was committed after all */
		return OK;
	}
	if (!is_ours(r, &now) || str_eq(now.refresh, r->answer.refresh_token))
		return OK;
	TRY(token_change_untried(cx, r->answer.refresh_token, now.refresh, &change));
	TRY(vault_put_refreshed(cx, &c, now.data, change));
	*ret_version = c.version;
	return OK;
}

static enum err store_failure(struct ctx *cx, void *arg)
{
	struct renewal *r = arg;
	int64_t version;

	TRY(salvage(cx, r, &version));
	TRY(write_failure(cx, r, (struct opt_id){ true, r->intent }, version));
	return audit(cx, r, ERR_UPSTREAM);
}

/* It never left: the provider has nothing to do with it. */
static bool was_kept_back(const struct renewal *r)
{
	return str_eq(r->failure.code, STR("BUSY")) || str_eq(r->failure.code, STR("NOT_SENT"));
}

enum err renewal_store_failure(struct ctx *cx, struct renewal *r)
{
	enum err e;

	r->state = RENEWAL_FAILED;
	if (was_kept_back(r))
		return renewal_clear_intent(cx, r);
	if (!str_absent(r->answer.refresh_token))
		e = persist(cx, r, store_failure);
	else
		e = audit_transact(cx, AUDIT_NONE, store_failure, r);
	r->state = RENEWAL_FAILED;
	return e;
}

enum err renewal_note_failure(struct ctx *cx, const struct renewal *r)
{
	return r->has_row && r->failure.code.n > 0 ? write_failure(cx, r, (struct opt_id){ 0 }, r->source.version) : OK;
}
