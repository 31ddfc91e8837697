/*
 * Tokens over HTTP. Nothing changes but the audit trail: without its row nobody gets to see the answer.
 *
 * What is asked for most, stored tokens that still work, takes two statements for all requests of a quick worker's
 * round: one reads them, the other writes their audit rows, and is their one commit. All else, which may take a
 * provider's time, is passed on.
 */
#include <string.h>

#include "audit/audit.h"
#include "base/json_write.h"
#include "connect/token.h"
#include "connect/token_source.h"
#include "core/answer.h"
#include "core/operations.h"
#include "fcgi/reply.h"
#include "vault/seal.h"

static enum err put_token(const struct ctx *cx, struct str text, struct opt_int end, struct reply *reply)
{
	struct json_writer w;

	jw_start(&w, &reply->body);
	jw_object(&w);
	jw_put_text(&w, "access_token", text);
	jw_put_text(&w, "token_type", STR("Bearer"));
	answer_opt_time(&w, "expires_at", end);
	if (end.set)
		jw_put_int(&w, "expires_in", end.v > cx->now_ms ? (end.v - cx->now_ms) / 1000 : 0);
	else
		jw_put_null(&w, "expires_in");
	jw_object_end(&w);
	return buf_error(&reply->body);
}

/* --- one by itself -------------------------------------------------------------------- */

static enum err give_alone(struct ctx *cx, const struct id *credential, struct reply *reply)
{
	struct token token;
	enum err e = token_give(cx, credential, &token);

	ctx_audit_target(cx, ID_CREDENTIAL, credential);
	if (e == OK)
		e = put_token(cx, secret_str(&token.text), token.expires_at, reply);
	secret_done(&token.text);
	return e == OK ? audit_use(cx, AUDIT_CREDENTIAL_TOKEN, credential, reply) : e;
}

/* --- several together ----------------------------------------------------------------- */

struct asked {
	struct ctx *cx;
	struct id credential;
	struct token_source *source; /* what was read; the arena's */
};

struct given {
	bool is; /* it was ready, and its row is written */
};

struct reading {
	const struct asked *asked;
	struct given *given;
	const size_t *places; /* of the caller whose tokens are read */
};

static void take(void *arg, size_t i, const struct vault_opened *opened)
{
	const struct reading *r = arg;
	const struct asked *asked = &r->asked[r->places[i]];

	r->given[r->places[i]].is = token_source_of(asked->cx, &asked->credential, opened, asked->source) == OK &&
				    token_is_ready(asked->cx, asked->source);
}

static enum err read_of_caller(void *arg, const size_t *places, size_t count)
{
	struct reading *r = arg;
	struct ctx *cx[HOLD_TOGETHER_MAX];
	struct id id[HOLD_TOGETHER_MAX];

	r->places = places;
	for (size_t i = 0; i < count; i++) {
		cx[i] = r->asked[places[i]].cx;
		id[i] = r->asked[places[i]].credential;
	}
	return vault_open_some(cx, id, count, take, r);
}

static enum err read_all(const struct asked *asked, size_t n, struct given *given)
{
	struct reading reading = { .asked = asked, .given = given };
	struct ctx *cx[HOLD_TOGETHER_MAX] = { 0 };

	for (size_t i = 0; i < n; i++)
		cx[i] = asked[i].cx;
	return hold_by_caller(cx, n, read_of_caller, &reading);
}

static enum err write_rows(struct db *db, const struct asked *asked, size_t n, const struct given *given)
{
	struct ctx *cx[HOLD_TOGETHER_MAX];
	struct id id[HOLD_TOGETHER_MAX];
	size_t count = 0;

	for (size_t i = 0; i < n; i++) {
		if (!given[i].is)
			continue;
		asked[i].cx->audit.service = asked[i].source->service;
		cx[count] = asked[i].cx;
		id[count++] = asked[i].credential;
	}
	return count > 0 ? audit_write_uses(db, cx, count, AUDIT_CREDENTIAL_TOKEN, id) : OK;
}

static enum err give_together(struct db *db, const void *in, size_t n, void *ret_rows)
{
	memset(ret_rows, 0, n * sizeof(struct given));
	TRY(read_all(in, n, ret_rows));
	return write_rows(db, in, n, ret_rows);
}

_Static_assert((int)HOLD_TOGETHER_MAX <= (int)VAULT_OPEN_MAX && (int)HOLD_TOGETHER_MAX <= (int)AUDIT_USES_MAX,
	       "the statements take fewer");

static const struct shared TOGETHER = {
	.checks_session = true,
	.in_size = sizeof(struct asked),
	.row_size = sizeof(struct given),
	.most = HOLD_TOGETHER_MAX,
	.run = give_together,
};

static enum err is_given(struct ctx *cx, void *arg, enum err e, const void *row, struct reply *reply)
{
	const struct given *given = row;
	const struct asked *asked = arg;

	TRY(e);
	if (!given->is)
		return answer_pass_on(cx, reply);
	cx->who.live = true;
	return put_token(cx, asked->source->access, asked->source->expires_at, reply);
}

enum err credential_token(struct ctx *cx, const struct credential_token_in *in, struct reply *reply)
{
	struct asked *asked;

	if (!cx->is_quick)
		return give_alone(cx, &in->credential_id, reply);
	asked = ARENA_NEW(cx->arena, struct asked);
	if (!asked)
		return ERR_NO_MEMORY;
	*asked = (struct asked){ cx, in->credential_id, ARENA_NEW(cx->arena, struct token_source) };
	return asked->source ? hold_for(cx, &TOGETHER, asked, is_given, asked, reply) : ERR_NO_MEMORY;
}
