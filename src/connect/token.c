/* A token for whoever asks: the stored one while it works, and a renewed one, once for all who ask, when it doesn't. */
#include "connect/token.h"

#include "base/clock.h"
#include "connect/catalog.h"
#include "connect/refresh.h"
#include "fcgi/request.h"
#include "net/egress.h"

enum {
	POLL_FIRST_MS = 25,
	POLL_MAX_MS = 250,
	CALM_FIRST_MS = 1000, /* after a failure nobody's asking leads to another call for so long, doubled up to ... */
	CALM_MAX_MS = 30000,
	LEASES = 3            /* of intents that die one after the other: then it is enough */
};

/* --- giving ------------------------------------------------------------------------- */

static enum err give_text(struct str text, struct opt_int expires_at, int64_t version, struct token *ret_token)
{
	TRY(secret_copy(text.p, text.n, &ret_token->text));
	ret_token->expires_at = expires_at;
	ret_token->version = version;
	return OK;
}

static enum err give(const struct token_source *source, struct token *ret_token)
{
	return give_text(source->access, source->expires_at, source->version, ret_token);
}

/* --- refusing ----------------------------------------------------------------------- */

static const struct {
	struct str code;
	enum err e;
} REFUSALS[] = {
	{ STR("INVALID_GRANT"), ERR_NEEDS_RECONNECT },
	{ STR("UNCERTAIN"), ERR_NEEDS_RECONNECT },
	{ STR("REVOKED"), ERR_NEEDS_RECONNECT },
	{ STR("TIMEOUT"), ERR_UPSTREAM_TIMEOUT },
	{ STR("RATE_LIMITED"), ERR_PROVIDER_BUSY },
	{ STR("BUSY"), ERR_PROVIDER_BUSY },
	{ STR("INVALID_CLIENT"), ERR_OAUTH_REFUSED },
	{ STR("REFUSED"), ERR_OAUTH_REFUSED },
	{ STR("NO_CLIENT"), ERR_OAUTH_NO_CLIENT },
	{ STR("HOST_FORBIDDEN"), ERR_HOST_FORBIDDEN },
	{ STR("INCOMPLETE"), ERR_NO_TOKEN_HERE },
};

static enum err refuse(struct ctx *cx, struct str code, struct str message, int64_t wait_ms)
{
	/* An error that was stored is a statement's text. */
	struct str detail = str_absent(message) ? STR_NONE : arena_copy(cx->arena, message);

	cx->problem.detail = detail;
	if (wait_ms > 0)
		cx->problem.retry_after_s = (wait_ms + 999) / 1000;
	for (size_t i = 0; i < ARRAY_SIZE(REFUSALS); i++)
		if (str_eq(code, REFUSALS[i].code))
			return REFUSALS[i].e;
	return ERR_UPSTREAM;
}

static enum err refuse_dead(struct ctx *cx, const struct renewal *r)
{
	struct str message = r->has_row ? r->row.error_message : STR_NONE;

	(void)!refuse(cx, STR_NONE, message, 0);
	return ERR_NEEDS_RECONNECT;
}

/* --- deciding ----------------------------------------------------------------------- */

/* One call of token_give. */
struct asking {
	struct ctx *cx;
	struct renewal *renewal;
	struct str first_access; /* what was stored when it began; absent: nothing */
	int64_t began_at;        /* the database's clock; 0: not asked yet */
	int64_t until_us;        /* monotonic: the end of patience */
};

/* Seconds are enough for somebody who tries again; the background waits longer. */
static int64_t calm_until(const struct renewal *r)
{
	int64_t calm_ms = CALM_FIRST_MS;

	for (int64_t i = 1; i < r->row.failures && calm_ms < CALM_MAX_MS; i++)
		calm_ms *= 2;
	if (str_eq(r->row.error_code, STR("RATE_LIMITED")) && r->row.retry_at.set)
		return r->row.retry_at.v;
	return r->row.failed_at.v + (calm_ms < CALM_MAX_MS ? calm_ms : CALM_MAX_MS);
}

/* Somebody's exchange failed while we waited for it, or a moment ago: its failure is ours. */
static bool has_failed_just_now(const struct asking *a)
{
	const struct renewal *r = a->renewal;

	/* What a person has changed since deserves another try. */
	if (!r->has_row || r->row.failures == 0 || !r->row.failed_at.set || !r->row.intent_version.set ||
	    r->row.intent_version.v != r->source.version)
		return false;
	return r->row.failed_at.v >= a->began_at || r->at < calm_until(r);
}

/* Tokens that never live for TOKEN_VALID_MS are good for the first half of their life. */
static bool is_in_first_half(const struct asking *a)
{
	const struct renewal *r = a->renewal;
	const struct opt_int stored = r->source.expires_at, began = r->row.intent_at;

	/* While an exchange is under way, the row's time is that one's. */
	if (!r->has_row || r->row.failures > 0 || r->row.intent_id.set || !began.set || !stored.set)
		return false;
	return r->row.expires_at.set && r->row.expires_at.v == stored.v &&
	       r->at < began.v + (stored.v - began.v) / 2;
}

/* Whether what is stored can be given: it is good, or was renewed since we began and lives no longer than that. */
static bool is_good(const struct asking *a)
{
	const struct token_source *source = &a->renewal->source;

	if (token_is_fresh(source, a->cx->now_ms))
		return true;
	return token_is_alive(source, a->cx->now_ms) &&
	       (is_in_first_half(a) || !str_eq(source->access, a->first_access));
}

static enum err give_or_refuse(const struct asking *a, enum err refusal, struct token *ret_token)
{
	if (!token_is_alive(&a->renewal->source, a->cx->now_ms))
		return refusal;
	problem_clear(&a->cx->problem);
	return give(&a->renewal->source, ret_token);
}

/* --- waiting ------------------------------------------------------------------------ */

/* Until nobody's exchange is under way, or the intent has run out. */
static enum err wait_for_others(const struct asking *a)
{
	struct renewal *r = a->renewal;
	int64_t ms = POLL_FIRST_MS;

	request_is_slow(a->cx->request);
	while (renewal_is_claimed(r)) {
		if (clock_monotonic_us() > a->until_us)
			return refuse(a->cx, STR("TIMEOUT"), STR("The provider takes too long to renew the token."), 1000);
		clock_pause_ms(ms);
		ms = ms * 2 < POLL_MAX_MS ? ms * 2 : POLL_MAX_MS;
		TRY(renewal_look(a->cx, r));
	}
	return OK;
}

/* --- asking ------------------------------------------------------------------------- */

static enum err failed(const struct asking *a, struct token *ret_token)
{
	const struct renewal *r = a->renewal;
	int64_t wait_ms = r->failure.retry_after_s.set ? r->failure.retry_after_s.v * 1000 : CALM_FIRST_MS;

	return give_or_refuse(a, refuse(a->cx, r->failure.code, r->failure.message, wait_ms), ret_token);
}

/* It can't be renewed: by anybody, or with what is there. */
static enum err no_plan(const struct asking *a, enum err e, struct token *ret_token)
{
	const struct renewal *r = a->renewal;

	if (e == ERR_NO_TOKEN_HERE && str_absent(r->source.access))
		return e;
	if (e == ERR_NO_TOKEN_HERE) {
		e = ctx_fail(a->cx, ERR_NEEDS_RECONNECT, "The token has expired, and nothing is there to renew it with.");
		return give_or_refuse(a, e, ret_token);
	}
	/* The room that looked for the client has told how to store one. */
	if (e == ERR_OAUTH_NO_CLIENT)
		return give_or_refuse(a, e, ret_token);
	if (e == ERR_BAD_INPUT || e == ERR_HOST_FORBIDDEN)
		return give_or_refuse(a, refuse(a->cx, r->failure.code, r->failure.message, 0), ret_token);
	return e;
}

/* Looks once, and acts on it. ERR_END: look again. */
static enum err step(struct asking *a, struct token *ret_token)
{
	struct renewal *r = a->renewal;
	struct ctx *cx = a->cx;
	enum err e;

	TRY(renewal_look(cx, r));
	if (a->began_at == 0)
		a->began_at = r->at;
	if (is_good(a))
		return give(&r->source, ret_token);
	if (renewal_is_claimed(r)) {
		TRY(wait_for_others(a));
		return ERR_END;
	}
	if (str_eq(r->source.status, STR("needs_reconnect")))
		return refuse_dead(cx, r);
	if (has_failed_just_now(a)) {
		int64_t wait_ms = calm_until(r) - r->at;

		e = refuse(cx, r->row.error_code, r->row.error_message, wait_ms > 0 ? wait_ms : CALM_FIRST_MS);
		return give_or_refuse(a, e, ret_token);
	}
	e = renewal_plan(cx, r);
	if (e != OK)
		return no_plan(a, e, ret_token);
	TRY(renewal_claim(cx, r));
	if (r->state != RENEWAL_MINE)
		return ERR_END;
	TRY(renewal_exchange(cx, r));
	/* However short it lives: another exchange would bring no better one. */
	if (r->state == RENEWAL_DONE)
		return give_text(r->answer.access_token, r->answer.expires_at, r->stored_version, ret_token);
	return r->state == RENEWAL_FAILED ? failed(a, ret_token) : ERR_END;
}

static enum err renew(struct asking *a, struct token *ret_token)
{
	const struct id credential = a->renewal->source.credential;
	enum err e;

	a->until_us = clock_monotonic_us() +
		      LEASES * 1000LL * (REFRESH_SEND_WITHIN_MS + egress_timeout_ms(a->cx->egress) + REFRESH_MARGIN_MS);
	while ((e = step(a, ret_token)) == ERR_END) {
		if (clock_monotonic_us() > a->until_us)
			return refuse(a->cx, STR("TIMEOUT"), STR("The token can't be renewed in time."), 1000);
		TRY(token_source_open(a->cx, &credential, &a->renewal->source));
	}
	return e;
}

/* A member of that name that a person made up isn't a token: `extra` is revealed to admins only. */
static bool may_hold_tokens(const struct ctx *cx, const struct token_source *source)
{
	const struct connector_type *type;

	if (!source->in_extra || str_eq(source->type, STR("service_account")))
		return true;
	type = cx->catalog && source->service.n > 0 ? catalog_find(cx->catalog, source->service) : NULL;
	return type && (connector_has_way(type, AUTH_CLIENT_CREDENTIALS, source->type) ||
			connector_has_way(type, AUTH_SERVICE_ACCOUNT, source->type));
}

bool token_is_ready(const struct ctx *cx, const struct token_source *source)
{
	return may_hold_tokens(cx, source) && token_is_fresh(source, cx->now_ms);
}

enum err token_give(struct ctx *cx, const struct id *credential, struct token *ret_token)
{
	RENEWAL_AUTO struct renewal renewal;
	struct asking asking = { .cx = cx, .renewal = &renewal };

	*ret_token = (struct token){ .text = SECRET_EMPTY };
	renewal_init(&renewal);
	TRY(token_source_open(cx, credential, &renewal.source));
	cx->audit.service = renewal.source.service;
	if (!may_hold_tokens(cx, &renewal.source))
		return ERR_NO_TOKEN_HERE;
	if (token_is_fresh(&renewal.source, cx->now_ms))
		return give(&renewal.source, ret_token);
	if (!cx->egress)
		return ERR_INTERNAL;
	asking.first_access = renewal.source.access;
	return renew(&asking, ret_token);
}
