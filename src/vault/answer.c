#include "vault/answer.h"

#include "base/clock.h"

static void put_id(struct json_writer *w, const char *key, enum id_kind kind, const struct id *id)
{
	char text[ID_TEXT_MAX];

	jw_put_text(w, key, id_format(kind, id, text));
}

static void put_time(struct json_writer *w, const char *key, int64_t ms)
{
	char text[TIME_TEXT_MAX];

	jw_put_text(w, key, time_format(ms, text));
}

static void put_opt_time(struct json_writer *w, const char *key, struct opt_int ms)
{
	if (ms.set)
		put_time(w, key, ms.v);
	else
		jw_put_null(w, key);
}

void vault_write_verification(struct json_writer *w, const struct vault_verification *verify)
{
	jw_object(w);
	jw_put_text(w, "status", str_absent(verify->status) ? STR("untested") : verify->status);
	jw_put_text(w, "error_code", verify->error_code);
	jw_put_text(w, "message", verify->message);
	jw_put_raw(w, "account", verify->account);
	put_opt_time(w, "checked_at", verify->checked_at);
	jw_object_end(w);
}

void vault_write_credential(struct json_writer *w, const struct credential *c)
{
	jw_object(w);
	put_id(w, "id", ID_CREDENTIAL, &c->id);
	jw_put_text(w, "name", c->name);
	jw_put_text(w, "type", c->type);
	jw_put_text(w, "service", c->service);
	jw_put_text(w, "status", c->status);
	jw_put_raw(w, "data", c->masked);
	jw_put_int(w, "version", c->version);
	put_id(w, "created_by", ID_USER, &c->created_by);
	put_time(w, "created_at", c->created_at);
	put_time(w, "updated_at", c->updated_at);
	put_opt_time(w, "expires_at", c->expires_at);
	jw_key(w, "verify");
	vault_write_verification(w, &c->verify);
	jw_object_end(w);
}

void vault_note_change(struct ctx *cx, bool changed)
{
	if (!changed)
		ctx_audit_detail(cx, "unchanged", STR("yes"));
}
