/* Giving access back: the provider is told, and the tokens are destroyed here whatever it says. */
#include "audit/transact.h"
#include "base/json_write.h"
#include "connect/call.h"
#include "connect/catalog.h"
#include "connect/connector.h"
#include "connect/refresh.h"
#include "connect/revoke.h"
#include "connect/token.h"
#include "core/operations.h"
#include "fcgi/reply.h"
#include "store/sql_token_refresh.h"
#include "vault/credential.h"
#include "vault/use.h"

enum { TRIES = 4, HTTP_OK_FROM = 200, HTTP_OK_TO = 299 };

struct revocation {
	struct connector connector;
	struct token_source source;
	const struct connector_type *type; /* NULL: it left the catalogue */
	bool told, destroyed;
	const char *message; /* NULL: nothing to say */
};

/* --- telling ---------------------------------------------------------------------- */

/* Whoever gave the consent's client away can't tell the provider any more: that is said, and is no error. */
static enum err find_values(struct ctx *cx, const struct revocation *v, struct values *values, bool *ret_found)
{
	const struct sql_token_refresh_get_in in = { .credential_id = v->source.credential };
	struct sql_token_refresh_get_row row = { 0 };
	enum err e = sql_token_refresh_get(cx->db, &in, &row);
	bool knows_client = e == OK && renewal_knows_client(&row);

	*ret_found = true;
	if (e != OK && e != ERR_NOT_FOUND)
		return e;
	TRY(values_read(v->type, v->source.data, values));
	if (values_get(values, STR("client_id")).n > 0 && !row.client_credential_id.set)
		return OK;
	e = knows_client ? oauth_client_again(cx, v->type, row.client_credential_id, values)
			 : oauth_client(cx, v->type, row.client_credential_id, values, &row.client_credential_id);
	/* Some providers take the token alone. */
	if (e == ERR_OAUTH_NO_CLIENT || e == ERR_NOT_FOUND)
		problem_clear(&cx->problem);
	else
		return e;
	*ret_found = false;
	return OK;
}

static enum err send_call(struct ctx *cx, struct revocation *v, const struct call *call)
{
	BUF_AUTO struct buf body = { 0 };
	struct http_answer answer;
	enum err e;

	buf_init(&body, CALL_ANSWER_MAX);
	e = call_send(cx, call, &body, &answer);
	problem_clear(&cx->problem);
	if (e == ERR_NO_MEMORY || e == ERR_INTERNAL)
		return e;
	v->told = e == OK && answer.status >= HTTP_OK_FROM && answer.status <= HTTP_OK_TO;
	v->message = v->told ? NULL
		     : e == OK
			     ? "The provider didn't accept the request to take the access back; do it there, too."
			     : "The provider couldn't be reached to take the access back; do it there, too.";
	return OK;
}

static enum err tell(struct ctx *cx, struct revocation *v)
{
	CALL_AUTO struct call call;
	VALUES_AUTO struct values values;
	struct str missing = STR_NONE;
	bool found;
	enum err e;

	call_init(&call);
	values_init(&values);
	v->told = false;
	v->message = "This provider has no way to be told; take the access back there, too.";
	if (!v->type || !v->type->has_oauth2 || !v->type->oauth2.has_revoke)
		return OK;
	TRY(find_values(cx, v, &values, &found));
	e = call_make(v->type, NULL, &v->type->oauth2.revoke, &values, cx->now_ms, &call, &missing);
	if (e == OK)
		return send_call(cx, v, &call);
	if (e == ERR_NO_MEMORY)
		return e;
	v->message = found ? "The provider couldn't be told: the connection lacks what that takes."
			   : "The provider couldn't be told: there is no OAuth client any more.";
	return OK;
}

/* --- destroying ------------------------------------------------------------------- */

static const struct str REASON = STR("Access was given back; connect again to go on.");

static enum err destroy(struct ctx *cx, void *arg)
{
	struct revocation *v = arg;
	const struct sql_token_refresh_dead_in dead = { v->source.credential, STR("REVOKED"), REASON };
	struct credential c;
	json_t *change;

	v->destroyed = false;
	TRY(vault_lock(cx, &v->source.credential, &c));
	/* A refresh came in between: the provider has to be told of its tokens, not of those. */
	if (c.version != v->source.version)
		return ERR_PRECONDITION_FAILED;
	TRY(token_change_revoked(cx, v->source.in_extra, &change));
	TRY(vault_put_alone(cx, &c, v->source.data, change));
	TRY(sql_token_refresh_dead(cx->db, &dead, NULL));
	TRY(connector_note_dead(cx, &c.id, STR("REVOKED"), REASON));
	ctx_audit_target(cx, ID_CONNECTOR, &v->connector.id);
	cx->audit.service = v->source.service;
	ctx_audit_detail(cx, "told", v->told ? STR("true") : STR("false"));
	v->destroyed = true;
	return OK;
}

/* --- the operation ---------------------------------------------------------------- */

static bool has_tokens(const struct revocation *v)
{
	return !v->source.in_extra || str_eq(v->source.type, STR("service_account")) || !str_absent(v->source.access);
}

static enum err find(struct ctx *cx, const struct id *id, struct revocation *v)
{
	*v = (struct revocation){ 0 };
	TRY(connector_read(cx, id, &v->connector));
	/* Its texts are a statement's that runs again below. */
	v->connector.type = arena_copy(cx->arena, v->connector.type);
	if (str_absent(v->connector.type))
		return ERR_NO_MEMORY;
	if (!v->connector.credential.set)
		return ctx_fail(cx, ERR_NO_TOKEN_HERE, "This connector has no credential.");
	v->type = cx->catalog ? catalog_find(cx->catalog, v->connector.type) : NULL;
	return OK;
}

static enum err revoke(struct ctx *cx, struct revocation *v)
{
	enum err e = ERR_PRECONDITION_FAILED;

	for (int i = 0; i < TRIES && e == ERR_PRECONDITION_FAILED; i++) {
		TRY(token_source_open(cx, &v->connector.credential.v, &v->source));
		if (!has_tokens(v))
			return ctx_fail(cx, ERR_NO_TOKEN_HERE, "This connector has no tokens that could be given back.");
		TRY(vault_may_use(cx));
		TRY(tell(cx, v));
		e = audit_transact(cx, AUDIT_CONNECTOR_REVOKE, destroy, v);
	}
	return e == ERR_PRECONDITION_FAILED ? ERR_CONFLICT : e;
}

enum err connector_revoke(struct ctx *cx, const struct connector_revoke_in *in, struct reply *reply)
{
	struct revocation v;
	struct json_writer w;

	ctx_audit_target(cx, ID_CONNECTOR, &in->connector_id);
	TRY(find(cx, &in->connector_id, &v));
	TRY(revoke(cx, &v));
	jw_start(&w, &reply->body);
	jw_object(&w);
	jw_put_bool(&w, "revoked", v.destroyed);
	jw_put_bool(&w, "told", v.told);
	jw_put_text(&w, "message", v.message ? str_of(v.message) : STR_NONE);
	jw_object_end(&w);
	return buf_error(&reply->body);
}

/* --- for the operator --------------------------------------------------------------- */

enum err job_connector_revoke(struct ctx *cx, struct run *run)
{
	struct revocation v;
	enum err e = find(cx, &run->job->subject.v, &v);

	if (e == OK)
		e = revoke(cx, &v);
	/* It is gone, or holds nothing that could be given back. */
	return e == ERR_NOT_FOUND || e == ERR_NO_TOKEN_HERE ? OK : e;
}
