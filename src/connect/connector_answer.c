#include "connect/connector_answer.h"

#include "connect/hook_address.h"
#include "core/answer.h"

void connector_write_account(struct json_writer *w, struct str id, struct str label)
{
	jw_key(w, "account");
	if (str_absent(id) && str_absent(label)) {
		jw_add_null(w);
		return;
	}
	jw_object(w);
	jw_put_text(w, "id", id);
	jw_put_text(w, "label", label);
	jw_object_end(w);
}

static void put_error(struct json_writer *w, const struct connector *c)
{
	jw_key(w, "last_error");
	if (str_absent(c->error_code) || !c->error_at.set) {
		jw_add_null(w);
		return;
	}
	jw_object(w);
	jw_put_text(w, "code", c->error_code);
	jw_put_text(w, "message", str_absent(c->error_message) ? STR("") : c->error_message);
	answer_time(w, "at", c->error_at.v);
	jw_object_end(w);
}

/* Null also when its root key is gone: the rest of the connector can be shown still. */
static void put_webhook_url(struct ctx *cx, struct json_writer *w, const struct connector *c)
{
	BUF_AUTO struct buf url = { 0 };

	buf_init(&url, HOOK_ADDRESS_MAX);
	if (hook_address(cx, c, &url) == OK && url.n > 0)
		jw_put_text(w, "webhook_url", buf_str(&url));
	else
		jw_put_null(w, "webhook_url");
}

void connector_write_json(struct ctx *cx, struct json_writer *w, const struct connector *c)
{
	jw_object(w);
	answer_id(w, "id", ID_CONNECTOR, &c->id);
	jw_put_text(w, "connector_type", c->type);
	jw_put_text(w, "display_name", c->display_name);
	jw_put_text(w, "auth", c->auth);
	jw_put_text(w, "status", c->status);
	answer_opt_id(w, "credential_id", ID_CREDENTIAL, &c->credential);
	connector_write_account(w, c->account_id, c->account_label);
	answer_words(w, "scopes", c->scopes);
	jw_put_bool(w, "limited", c->limited);
	jw_put_text(w, "sync_frequency", c->sync_frequency);
	answer_opt_time(w, "last_sync_at", c->last_sync_at);
	answer_opt_time(w, "next_sync_at", c->next_sync_at);
	put_error(w, c);
	put_webhook_url(cx, w, c);
	answer_id(w, "created_by", ID_USER, &c->created_by);
	answer_time(w, "created_at", c->created_at);
	answer_time(w, "updated_at", c->updated_at);
	jw_object_end(w);
}
