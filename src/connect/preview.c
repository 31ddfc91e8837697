/* A few rows of sample data, by the preview request that the connector's type declares. */
#include "audit/transact.h"
#include "base/json_read.h"
#include "base/json_write.h"
#include "connect/call.h"
#include "connect/connected.h"
#include "connect/connection_values.h"
#include "connect/preview.h"
#include "connect/sample.h"
#include "connect/template.h"
#include "connect/values.h"
#include "core/ctx.h"
#include "core/operations.h"
#include "fcgi/reply.h"
#include "vault/use.h"

static enum err find(struct ctx *cx, const struct id *id, struct connected *p)
{
	ctx_audit_target(cx, ID_CONNECTOR, id);
	TRY(connected_find(cx, id, p));
	cx->audit.service = arena_copy(cx->arena, p->connector.type);
	if (!p->way || !p->type->has_preview)
		return ERR_NO_PREVIEW;
	return connected_usable(cx, p);
}

/* --- the request and its answer ---------------------------------------------- */

static enum err make(struct ctx *cx, const struct connected *p, const struct values *values,
		     struct call *call)
{
	struct str missing = STR_NONE;
	enum err e = call_make(p->type, p->way, &p->type->preview.request, values, cx->now_ms, call,
			       &missing);

	if (e != ERR_BAD_INPUT)
		return e;
	if (str_absent(missing))
		return ctx_fail(cx, ERR_NOT_CONNECTED,
				"A value of this connector has characters that can't be sent.");
	missing = arena_printf(cx->arena, "This connector lacks a value: %.*s.", STR_ARG(missing));
	return ctx_fail(cx, ERR_NOT_CONNECTED, missing.p);
}

static enum err check_status(struct ctx *cx, int status)
{
	if (status >= 200 && status < 300)
		return OK;
	if (status == 401 || status == 403)
		return ctx_fail(cx, ERR_UPSTREAM, "The provider refused this connection: test it.");
	if (status == 429)
		return ctx_fail(cx, ERR_UPSTREAM, "The provider wants fewer requests; try later.");
	return ERR_UPSTREAM;
}

static enum err read_rows(struct ctx *cx, const struct connected *p, struct str body,
			  const json_t **ret_rows)
{
	const char *words = "The provider's answer isn't one that can be understood.";
	json_t *json;
	enum err e = json_read(cx->arena, body, &json, NULL);

	if (e == ERR_BAD_JSON)
		return ctx_fail(cx, ERR_UPSTREAM, words);
	TRY(e);
	*ret_rows = p->type->preview.rows.n > 0 ? json_at(json, p->type->preview.rows) : json;
	return *ret_rows ? OK : ctx_fail(cx, ERR_UPSTREAM, words);
}

enum err preview_read(struct ctx *cx, const struct connected *p, struct buf *rows,
		      bool *ret_truncated)
{
	VALUES_AUTO struct values values;
	CALL_AUTO struct call call;
	BUF_AUTO struct buf body = { 0 };
	struct str secret[CONNECTION_SECRETS_MAX];
	struct http_answer answer;
	const json_t *found = NULL;
	struct opt_int version;

	values_init(&values);
	call_init(&call);
	buf_init(&body, CALL_ANSWER_MAX);
	TRY(connection_values(cx, p->type, p->way, p->connector.credential, &values, &version));
	TRY(make(cx, p, &values, &call));
	TRY(call_send(cx, &call, &body, &answer));
	TRY(check_status(cx, answer.status));
	TRY(read_rows(cx, p, buf_str(&body), &found));
	return sample_write(found, connection_secrets(p->type, &values, &call, secret), rows, ret_truncated);
}

/* Only the audit row: nothing changes. */
static enum err note(struct ctx *cx, void *arg)
{
	(void)cx;
	(void)arg;
	return OK;
}

enum err connector_preview(struct ctx *cx, const struct connector_preview_in *in,
			   struct reply *reply)
{
	BUF_AUTO struct buf rows = { 0 };
	struct connected p;
	struct json_writer w;
	bool truncated;

	buf_init(&rows, SAMPLE_BYTES + 64);
	TRY(find(cx, &in->connector_id, &p));
	TRY(vault_may_use(cx));
	TRY(preview_read(cx, &p, &rows, &truncated));
	TRY(audit_transact(cx, AUDIT_CONNECTOR_PREVIEW, note, NULL));
	jw_start(&w, &reply->body);
	jw_object(&w);
	jw_put_raw(&w, "rows", buf_str(&rows));
	jw_put_bool(&w, "truncated", truncated);
	jw_object_end(&w);
	return buf_error(&reply->body);
}
