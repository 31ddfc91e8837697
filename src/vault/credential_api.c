/* The vault over HTTP: one short function an operation. The rules are in credential.h. */
#include "base/json_write.h"
#include "core/answer.h"
#include "core/ctx.h"
#include "core/operations.h"
#include "fcgi/reply.h"
#include "store/sql_credential.h"
#include "vault/answer.h"
#include "vault/credential.h"
#include "vault/row.h"
#include "vault/seal.h"

enum err credential_create(struct ctx *cx, const struct credential_create_in *in,
			   struct reply *reply)
{
	const struct vault_new new = {
		.name = in->name,
		.type = in->type,
		.service = in->service,
		.data = in->data,
		.expires_at = in->expires_at,
	};
	struct credential c;

	TRY(vault_create(cx, &new, &c));
	reply->status = 201;
	return vault_answer(cx, reply, &c);
}

enum err credential_status(struct ctx *cx, const struct credential_status_in *in,
			   struct reply *reply)
{
	struct credential c;
	struct json_writer w;

	TRY(vault_find(cx, &in->credential_id, &c));
	jw_start(&w, &reply->body);
	vault_write_verification(&w, &c.verify);
	return buf_error(&reply->body);
}

enum err credential_update(struct ctx *cx, const struct credential_update_in *in,
			   struct reply *reply)
{
	const struct vault_change change = {
		.name = in->name,
		.service = in->service,
		.data = in->data,
		.expires_at = in->expires_at,
		.by_hand = true,
	};
	struct credential c;
	bool changed;

	TRY(vault_lock(cx, &in->credential_id, &c));
	TRY(ctx_if_match(cx, &c.id, c.updated_at));
	TRY(vault_change(cx, &c, &change, &changed));
	vault_note_change(cx, changed);
	return vault_answer(cx, reply, &c);
}

static enum err destroy(struct ctx *cx, const struct credential *c, struct reply *reply)
{
	struct json_writer w;
	bool verified;

	TRY(vault_destroy(cx, &c->id, &verified));
	if (!verified)
		return ERR_INTERNAL;
	ctx_audit_detail(cx, "purged", STR("true"));
	jw_start(&w, &reply->body);
	jw_object(&w);
	jw_put_bool(&w, "purged", true);
	jw_put_bool(&w, "verified", verified);
	jw_object_end(&w);
	return buf_error(&reply->body);
}

enum err credential_delete(struct ctx *cx, const struct credential_delete_in *in,
			   struct reply *reply)
{
	struct credential c;

	TRY(vault_lock(cx, &in->credential_id, &c));
	TRY(ctx_if_match(cx, &c.id, c.updated_at));
	if (in->purge)
		return destroy(cx, &c, reply);
	TRY(vault_hide(cx, &c));
	return answer_nothing(reply);
}

static void write_version(struct json_writer *w, const struct sql_version_list_row *row)
{
	jw_object(w);
	jw_put_int(w, "version", row->version);
	jw_put_raw(w, "data", row->masked);
	answer_id(w, "created_by", ID_USER, &row->created_by);
	answer_time(w, "created_at", row->created_at);
	jw_put_bool(w, "current", row->current);
	jw_object_end(w);
}

enum err version_list(struct ctx *cx, const struct version_list_in *in, struct reply *reply)
{
	const struct sql_version_list_in query = { .credential_id = in->credential_id };
	struct sql_version_list_row row;
	struct json_writer w;
	bool any = false;
	enum err e;

	TRY(sql_version_list(cx->db, &query));
	jw_start(&w, &reply->body);
	jw_array(&w);
	while ((e = sql_version_list_next(cx->db, &row)) == OK) {
		write_version(&w, &row);
		any = true;
	}
	if (e != ERR_END)
		return e;
	if (!any)
		return ERR_NOT_FOUND; /* each credential has one */
	jw_array_end(&w);
	return buf_error(&reply->body);
}

enum err version_restore(struct ctx *cx, const struct version_restore_in *in, struct reply *reply)
{
	struct credential c;
	bool changed;

	TRY(vault_lock(cx, &in->credential_id, &c));
	TRY(vault_restore_version(cx, &c, in->version, &changed));
	ctx_audit_detail(cx, "version", arena_printf(cx->arena, "%lld", (long long)in->version));
	vault_note_change(cx, changed);
	return vault_answer(cx, reply, &c);
}

static void write_revealed(struct json_writer *w, const struct credential *c, int64_t version,
			   const struct secret *plain)
{
	jw_object(w);
	answer_id(w, "id", ID_CREDENTIAL, &c->id);
	jw_put_text(w, "type", c->type);
	jw_put_int(w, "version", version);
	jw_put_raw(w, "data", secret_str(plain));
	jw_object_end(w);
}

enum err credential_reveal(struct ctx *cx, const struct credential_reveal_in *in,
			   struct reply *reply)
{
	SECRET_AUTO struct secret plain = SECRET_EMPTY;
	struct credential c;
	struct json_writer w;
	int64_t version;

	ctx_audit_target(cx, ID_CREDENTIAL, &in->credential_id);
	TRY(vault_find(cx, &in->credential_id, &c));
	cx->audit.service = c.service;
	TRY(vault_open(cx, &c.id, (struct opt_int){ 0 }, &version, &plain));
	jw_start(&w, &reply->body);
	write_revealed(&w, &c, version, &plain);
	return buf_error(&reply->body);
}
