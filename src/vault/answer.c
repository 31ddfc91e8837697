#include "vault/answer.h"

#include "core/answer.h"
#include "fcgi/reply.h"

/* Goes up with every change of what vault_write_credential or ctx_tag writes. */
#define ANSWER_FORMAT STR("1")
/* What stands in front of the id, and the id. */
#define ANSWER_START STR("{\"id\":\"")
enum { ID_CHARACTERS = 31 /* cred- and 26 more */ };

void vault_write_verification(struct json_writer *w, const struct vault_verification *verify)
{
	jw_object(w);
	jw_put_text(w, "status", str_absent(verify->status) ? STR("untested") : verify->status);
	jw_put_text(w, "error_code", verify->error_code);
	jw_put_text(w, "message", verify->message);
	jw_put_raw(w, "account", verify->account);
	answer_opt_time(w, "checked_at", verify->checked_at);
	jw_object_end(w);
}

void vault_write_credential(struct json_writer *w, const struct credential *c)
{
	jw_object(w);
	answer_id(w, "id", ID_CREDENTIAL, &c->id);
	jw_put_text(w, "name", c->name);
	jw_put_text(w, "type", c->type);
	jw_put_text(w, "service", c->service);
	jw_put_text(w, "status", c->status);
	jw_put_raw(w, "data", c->masked);
	jw_put_int(w, "version", c->version);
	answer_id(w, "created_by", ID_USER, &c->created_by);
	answer_time(w, "created_at", c->created_at);
	answer_time(w, "updated_at", c->updated_at);
	answer_opt_time(w, "expires_at", c->expires_at);
	jw_key(w, "verify");
	vault_write_verification(w, &c->verify);
	jw_object_end(w);
}

enum err vault_answer(struct ctx *cx, struct reply *reply, const struct credential *c)
{
	struct json_writer w;
	enum err e = ctx_etag(cx, reply, &c->id, c->updated_at);

	if (e == ERR_END)
		return OK;
	TRY(e);
	jw_start(&w, &reply->body);
	vault_write_credential(&w, c);
	return buf_error(&reply->body);
}

void vault_keep_answer(struct buf *out, const struct credential *c)
{
	char tag[CTX_TAG_MAX];
	struct json_writer w;

	buf_add_str(out, ANSWER_FORMAT);
	buf_add_str(out, ctx_tag(&c->id, c->updated_at, tag));
	jw_start(&w, out);
	vault_write_credential(&w, c);
}

bool vault_take_answer(struct str kept, struct kept_answer *ret_answer)
{
	size_t start;

	*ret_answer = (struct kept_answer){ STR_NONE, STR_NONE };
	if (str_absent(kept) || !str_starts(kept, ANSWER_FORMAT))
		return false;
	start = str_find(kept, '{'); /* there is none in a tag */
	ret_answer->tag = str_slice(kept, ANSWER_FORMAT.n, start - ANSWER_FORMAT.n);
	ret_answer->json = str_slice(kept, start, kept.n);
	return start < kept.n;
}

enum err vault_answer_id(const struct kept_answer *answer, struct id *ret_id)
{
	struct str id = str_slice(answer->json, ANSWER_START.n, ID_CHARACTERS);

	return id_parse(ID_CREDENTIAL, id, ret_id) ? OK : ERR_INTERNAL;
}

void vault_note_change(struct ctx *cx, bool changed)
{
	if (!changed)
		ctx_audit_detail(cx, "unchanged", STR("yes"));
}
