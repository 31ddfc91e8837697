/* Tokens over HTTP. */
#include "audit/audit.h"
#include "base/json_write.h"
#include "connect/token.h"
#include "core/answer.h"
#include "core/operations.h"
#include "fcgi/reply.h"

static void write_token(struct json_writer *w, const struct ctx *cx, const struct token *token)
{
	struct opt_int end = token->expires_at;

	jw_object(w);
	jw_put_text(w, "access_token", secret_str(&token->text));
	jw_put_text(w, "token_type", token->token_type);
	answer_opt_time(w, "expires_at", end);
	if (end.set)
		jw_put_int(w, "expires_in", end.v > cx->now_ms ? (end.v - cx->now_ms) / 1000 : 0);
	else
		jw_put_null(w, "expires_in");
	jw_object_end(w);
}

/* Nothing changes but the audit trail: without its row nobody gets to see the answer. */
static enum err hand_out(struct ctx *cx, const struct id *credential, const struct token *token, struct reply *reply)
{
	struct json_writer w;

	jw_start(&w, &reply->body);
	write_token(&w, cx, token);
	TRY(buf_error(&reply->body));
	return audit_use(cx, AUDIT_CREDENTIAL_TOKEN, credential, reply);
}

enum err credential_token(struct ctx *cx, const struct credential_token_in *in, struct reply *reply)
{
	struct token token;
	enum err e = token_give(cx, &in->credential_id, &token);

	ctx_audit_target(cx, ID_CREDENTIAL, &in->credential_id);
	if (e == OK)
		e = hand_out(cx, &in->credential_id, &token, reply);
	secret_done(&token.text);
	return e;
}
