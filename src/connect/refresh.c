#include "connect/refresh.h"

#include "audit/audit.h"
#include "audit/transact.h"
#include "base/clock.h"
#include "base/crash.h"
#include "base/json_read.h"
#include "connect/renewal_store.h"
#include "net/egress.h"
#include "store/db.h"
#include "vault/credential.h"
#include "vault/use.h"

void renewal_init(struct renewal *renewal)
{
	*renewal = (struct renewal){ .state = RENEWAL_AGAIN };
	values_init(&renewal->values);
	call_init(&renewal->call);
	buf_init(&renewal->body, CALL_ANSWER_MAX);
}

void renewal_done(struct renewal *renewal)
{
	values_done(&renewal->values);
	call_done(&renewal->call);
	buf_done(&renewal->body);
}

/* --- the row ------------------------------------------------------------------- */

enum err renewal_look(struct ctx *cx, struct renewal *r)
{
	const struct sql_token_refresh_get_in in = { .credential_id = r->source.credential };
	struct sql_token_refresh_clock_row clock;
	enum err e = sql_token_refresh_get(cx->db, &in, &r->row);

	r->has_row = e == OK;
	if (e == OK)
		r->at = r->row.at;
	if (e != ERR_NOT_FOUND)
		return e;
	r->row = (struct sql_token_refresh_get_row){ 0 };
	TRY(sql_token_refresh_clock(cx->db, &clock));
	r->at = clock.at;
	return OK;
}

bool renewal_knows_client(const struct sql_token_refresh_get_row *row)
{
	return !row->intent_version.set || row->intent_version.v > 0;
}

bool renewal_is_claimed(const struct renewal *r)
{
	return r->has_row && r->row.intent_id.set && r->row.intent_until.set && r->row.intent_until.v > r->at;
}

/* --- claim --------------------------------------------------------------------- */

static int64_t lease_ms(const struct ctx *cx)
{
	return REFRESH_SEND_WITHIN_MS + egress_timeout_ms(cx->egress) + REFRESH_MARGIN_MS;
}

/* A client's own key or secret can be used as often as one likes: nothing is lost with an answer. */
static bool can_lose(const struct renewal *r) { return r->grant == GRANT_REFRESH && !r->exchanged; }

/* Whoever announced an exchange of this generation is dead, and whether the provider answered it nobody knows. */
static bool was_left_uncertain(const struct renewal *r)
{
	return (r->row.uncertain || r->row.intent_id.set) && r->row.intent_version.set &&
	       r->row.intent_version.v == r->source.version;
}

static enum err write_intent(struct ctx *cx, const struct renewal *r)
{
	const struct sql_token_intent_update_in update = {
		.credential_id = r->source.credential,
		.client_credential_id = r->client,
		.intent_id = r->intent,
		.intent_version = r->source.version,
		.uncertain = r->uncertain,
		.lease_ms = lease_ms(cx),
		.recovered = can_lose(r),
	};
	const struct sql_token_intent_insert_in insert = {
		.credential_id = r->source.credential,
		.client_credential_id = r->client,
		.expires_at = r->source.expires_at,
		.intent_id = r->intent,
		.intent_version = r->source.version,
		.lease_ms = update.lease_ms,
		.recovered = update.recovered,
	};

	return r->has_row ? sql_token_intent_update(cx->db, &update, NULL)
			  : sql_token_intent_insert(cx->db, &insert, NULL);
}

/* What was seen without the lock may have changed; then nothing is written. */
static enum err claim(struct ctx *cx, void *arg)
{
	struct renewal *r = arg;
	const bool had_row = r->has_row;
	const int64_t failures = r->row.failures;
	struct credential c;

	r->state = RENEWAL_AGAIN;
	TRY(vault_lock(cx, &r->source.credential, &c));
	TRY(renewal_look(cx, r));
	if (c.version != r->source.version || r->has_row != had_row || r->row.failures != failures ||
	    renewal_is_claimed(r))
		return OK;
	r->uncertain = can_lose(r) && was_left_uncertain(r);
	TRY(id_new(&r->intent));
	TRY(write_intent(cx, r));
	r->state = RENEWAL_MINE;
	return OK;
}

enum err renewal_claim(struct ctx *cx, struct renewal *r)
{
	enum err e;

	/* What the provider gives out is lost if it can't be stored with its row. */
	TRY(vault_may_use(cx));
	lw_crash_point("refresh_before_intent");
	r->claimed_us = clock_monotonic_us();
	e = audit_transact(cx, AUDIT_NONE, claim, r);
	if (e == ERR_DB_UNSURE && r->state == RENEWAL_MINE) {
		/* Stored or not: the row says. */
		TRY(renewal_look(cx, r));
		if (!r->row.intent_id.set || !id_eq(&r->row.intent_id.v, &r->intent))
			r->state = RENEWAL_AGAIN;
		e = OK;
	}
	TRY(e);
	if (r->state == RENEWAL_MINE)
		lw_crash_point("refresh_intent_committed");
	return OK;
}

/* --- exchange ------------------------------------------------------------------ */

/* Between the claim and now the process may have been stopped for so long that others think it dead. */
static bool is_late(const struct renewal *r)
{
	return clock_monotonic_us() - r->claimed_us > REFRESH_SEND_WITHIN_MS * 1000LL;
}

enum err renewal_exchange(struct ctx *cx, struct renewal *r)
{
	enum err e;

	r->state = RENEWAL_AGAIN;
	if (is_late(r))
		return renewal_clear_intent(cx, r);
	e = token_send(cx, &r->request, &r->call, &r->body, &r->answer, &r->failure);
	lw_crash_point("refresh_answer_received");
	if (e == OK)
		return renewal_store_tokens(cx, r);
	if (r->failure.terminal)
		return renewal_store_end(cx, r);
	return renewal_store_failure(cx, r);
}
