/* The short form: one API key a service, kept as a credential of the type api_key. */
#include "base/json_read.h"
#include "base/json_write.h"
#include "core/answer.h"
#include "core/ctx.h"
#include "core/operations.h"
#include "fcgi/reply.h"
#include "store/db.h"
#include "store/sql_key.h"
#include "vault/answer.h"
#include "vault/credential.h"
#include "vault/data.h"

struct key {
	struct id credential;
	struct str service;
	struct str masked; /* of the key itself */
	int64_t updated_at;
};

static void write_key(struct json_writer *w, const struct key *key)
{
	jw_object(w);
	jw_put_text(w, "service", key->service);
	jw_put_text(w, "api_key", key->masked);
	answer_id(w, "credential_id", ID_CREDENTIAL, &key->credential);
	answer_time(w, "updated_at", key->updated_at);
	jw_object_end(w);
}

enum err key_list(struct ctx *cx, const struct key_list_in *in, struct reply *reply)
{
	struct sql_key_list_in query = { .limit = in->limit + 1 };
	struct sql_key_list_row row;
	struct answer_page page;
	enum err e;

	TRY(ctx_cursor_read(cx, in->cursor, &query.before));
	TRY(sql_key_list(cx->db, &query));
	answer_page_start(&page, reply, in->limit);
	while ((e = sql_key_list_next(cx->db, &row)) == OK && answer_page_item(&page, &row.credential_id))
		write_key(&page.w,
			  &(struct key){ row.credential_id, row.key_service, row.api_key, row.updated_at });
	return answer_page_end(&page, cx, reply, e);
}

/* `data` of the credential: a tree of the arena, wiped when it is freed. */
static enum err data_of(struct ctx *cx, struct str api_key, json_t **ret_data)
{
	BUF_AUTO struct buf text = { 0 };
	struct json_writer w;

	buf_init(&text, VAULT_DATA_MAX);
	jw_start(&w, &text);
	jw_object(&w);
	jw_put_text(&w, "api_key", api_key);
	jw_object_end(&w);
	TRY(buf_error(&text));
	return json_read(cx->arena, buf_str(&text), ret_data, NULL);
}

static enum err create(struct ctx *cx, const struct key_set_in *in, const json_t *data,
		       struct credential *ret_c)
{
	const struct vault_new new = {
		.name = in->service,
		.type = STR("api_key"),
		.service = in->service,
		.key_service = in->service,
		.data = data,
	};
	enum err e = vault_create(cx, &new, ret_c);

	return e == ERR_DB_DUPLICATE ? ERR_DB_RETRY : e; /* another request stored one meanwhile */
}

static enum err replace(struct ctx *cx, const struct id *id, const json_t *data,
			struct credential *ret_c)
{
	const struct vault_change change = { .data = data };
	bool changed;
	enum err e = vault_lock(cx, id, ret_c);

	if (e == ERR_NOT_FOUND)
		return ERR_DB_RETRY; /* another request removed it meanwhile */
	TRY(e);
	TRY(vault_change(cx, ret_c, &change, &changed));
	vault_note_change(cx, changed);
	return OK;
}

static enum err answer(struct ctx *cx, struct reply *reply, const struct credential *c)
{
	struct json_writer w;
	json_t *masked;

	TRY(json_read(cx->arena, c->masked, &masked, NULL));
	jw_start(&w, &reply->body);
	write_key(&w, &(struct key){ c->id, c->key_service, json_member_text(masked, "api_key"),
				     c->updated_at });
	return buf_error(&reply->body);
}

enum err key_set(struct ctx *cx, const struct key_set_in *in, struct reply *reply)
{
	const struct sql_key_find_in query = { .key_service = in->service };
	struct sql_key_find_row row;
	struct credential c;
	json_t *data;
	enum err e;

	cx->audit.service = in->service;
	TRY(data_of(cx, in->api_key, &data));
	e = sql_key_find(cx->db, &query, &row);
	if (e != OK && e != ERR_NOT_FOUND)
		return e;
	reply->status = e == OK ? 200 : 201;
	TRY(e == OK ? replace(cx, &row.credential_id, data, &c) : create(cx, in, data, &c));
	return answer(cx, reply, &c);
}

enum err key_delete(struct ctx *cx, const struct key_delete_in *in, struct reply *reply)
{
	const struct sql_key_find_in query = { .key_service = in->service };
	struct sql_key_find_row row;
	int64_t rows;

	cx->audit.service = in->service;
	TRY(sql_key_find(cx->db, &query, &row));
	ctx_audit_target(cx, ID_CREDENTIAL, &row.credential_id);
	const struct sql_key_hide_in hide = { .credential_id = row.credential_id,
					      .key_service = in->service,
					      .deleted_at = cx->now_ms };
	TRY(sql_key_hide(cx->db, &hide, &rows));
	if (rows == 0)
		return ERR_NOT_FOUND;
	return answer_nothing(reply);
}
