/* Renewing in the background, before anybody has to wait for it. */
#include "connect/token.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "connect/refresh.h"
#include "store/db.h"

enum {
	RUN_MS = 2000,    /* no call begins later than this after the first: other chores wait behind this one */
	SLOW_MS = 2000,   /* a failure that took longer ... */
	REST_MS = 15000,  /* ... lets that service rest, for twice as long each time, up to ... */
	REST_MAX_MS = 600000,
	RESTING_MAX = 32,
	SERVICE_BYTES = 256,
	RENEWAL_MAX_BYTES = 32 << 20
};

/* --- services whose provider hangs --------------------------------------------------- */

/* What this process has seen: another one finds out by itself. */
static struct resting {
	char service[SERVICE_BYTES];
	size_t n;
	int64_t until_us, rest_ms;
} resting[RESTING_MAX];

static struct resting *find_resting(struct str service)
{
	for (size_t i = 0; i < RESTING_MAX; i++)
		if (resting[i].rest_ms > 0 && str_eq(service, (struct str){ resting[i].service, resting[i].n }))
			return &resting[i];
	return NULL;
}

static bool is_resting(struct str service)
{
	const struct resting *r = find_resting(service);

	return r && clock_monotonic_us() < r->until_us;
}

static void let_rest(struct str service)
{
	struct resting *r = find_resting(service);

	for (size_t i = 0; !r && i < RESTING_MAX; i++)
		if (resting[i].until_us < clock_monotonic_us())
			r = &resting[i];
	if (!r || service.n > SERVICE_BYTES)
		return;
	if (!str_eq(service, (struct str){ r->service, r->n }))
		r->rest_ms = 0;
	memcpy(r->service, service.p, service.n);
	r->n = service.n;
	r->rest_ms = r->rest_ms == 0 ? REST_MS : r->rest_ms * 2 < REST_MAX_MS ? r->rest_ms * 2 : REST_MAX_MS;
	r->until_us = clock_monotonic_us() + r->rest_ms * 1000;
	log_write(LOG_WARN, "a provider is slow to renew tokens; its turn comes later",
		  LOG_FIELDS(log_str("service", service), log_int("rest_ms", r->rest_ms)));
}

static void note_works(struct str service)
{
	struct resting *r = find_resting(service);

	if (r)
		r->rest_ms = 0;
}

/* --- one credential -------------------------------------------------------------------- */

/* Nothing is left to do for it: whoever changes the credential makes it due again. */
static enum err leave_alone(struct ctx *cx, const struct renewal *r)
{
	const struct sql_token_refresh_dead_in in = { r->source.credential, r->row.error_code, r->row.error_message };

	return sql_token_refresh_dead(cx->db, &in, NULL);
}

static enum err renew_claimed(struct ctx *cx, struct renewal *r)
{
	int64_t begun_us = clock_monotonic_us();

	TRY(renewal_exchange(cx, r));
	if (r->state == RENEWAL_DONE)
		note_works(r->source.service);
	else if (r->state == RENEWAL_FAILED && clock_monotonic_us() - begun_us > SLOW_MS * 1000LL)
		let_rest(r->source.service);
	return OK;
}

static enum err renew(struct ctx *cx, struct renewal *r)
{
	enum err e;

	TRY(renewal_look(cx, r));
	if (!r->has_row || renewal_is_claimed(r) || !r->row.due_at.set || r->row.due_at.v > r->at)
		return OK;
	if (str_eq(r->source.status, STR("needs_reconnect")))
		return leave_alone(cx, r);
	e = renewal_plan(cx, r);
	if (e == ERR_NO_TOKEN_HERE)
		return leave_alone(cx, r);
	if (e == ERR_OAUTH_NO_CLIENT || e == ERR_BAD_INPUT || e == ERR_HOST_FORBIDDEN)
		return renewal_note_failure(cx, r);
	TRY(e);
	TRY(renewal_claim(cx, r));
	return r->state == RENEWAL_MINE ? renew_claimed(cx, r) : OK;
}

/* A secret that can't be opened has its row in the audit trail: one each time, so not each second. */
static enum err put_off(struct ctx *cx, struct renewal *r)
{
	r->failure = (struct token_failure){ .code = STR("UNREADABLE"),
					     .message = STR("The stored secret can't be opened.") };
	TRY(renewal_look(cx, r));
	return renewal_note_failure(cx, r);
}

struct turn {
	struct id credential;
	bool renewed;
};

static enum err take_turn(struct ctx *cx, void *arg)
{
	struct turn *turn = arg;
	RENEWAL_AUTO struct renewal r;
	enum err e;

	renewal_init(&r);
	e = token_source_open(cx, &turn->credential, &r.source);
	if (e == OK)
		e = renew(cx, &r);
	else if (e == ERR_UNREADABLE)
		e = put_off(cx, &r);
	turn->renewed = r.state == RENEWAL_DONE;
	return e == ERR_NOT_FOUND ? OK : e; /* deleted meanwhile */
}

/* With memory of its own: what many answer isn't held at once. */
static enum err renew_row(struct ctx *cx, const struct sql_token_refresh_list_due_row *row, int *renewed)
{
	struct turn turn = { .credential = row->credential_id };
	enum err e = ctx_as_system(cx, &row->tenant_id, RENEWAL_MAX_BYTES, take_turn, &turn);

	*renewed += turn.renewed;
	if (e != OK && !err_is_outage(e))
		log_write(LOG_WARN, "a token can't be renewed", LOG_FIELDS(log_err(e)));
	/* One that can't be handled keeps nobody else from being renewed. */
	return err_is_outage(e) ? e : OK;
}

enum err token_refresh_due(struct ctx *cx, int limit, int *ret_renewed)
{
	const struct sql_token_refresh_list_due_in in = { .limit = limit };
	const int64_t until_us = clock_monotonic_us() + RUN_MS * 1000LL;
	struct sql_token_refresh_list_due_row row;
	enum err e;

	*ret_renewed = 0;
	TRY(sql_token_refresh_list_due(cx->db, &in));
	while ((e = sql_token_refresh_list_due_next(cx->db, &row)) == OK) {
		if (is_resting(row.service))
			continue;
		if (clock_monotonic_us() > until_us || (e = renew_row(cx, &row, ret_renewed)) != OK)
			break;
	}
	return e == ERR_END ? OK : e;
}
