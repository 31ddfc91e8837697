/* GET, POST, DELETE /tokens */
#include "base/json_read.h"
#include "base/json_write.h"
#include "core/answer.h"
#include "core/operations.h"
#include "fcgi/reply.h"
#include "identity/api_token.h"
#include "store/sql_token.h"

static void write_token(struct json_writer *w, const struct sql_api_token_list_row *token)
{
	answer_id(w, "id", ID_TOKEN, &token->token_id);
	jw_put_text(w, "name", token->name);
	answer_words(w, "scopes", token->scopes);
	answer_id(w, "created_by", ID_USER, &token->created_by);
	answer_time(w, "created_at", token->created_at);
	answer_opt_time(w, "expires_at", token->expires_at);
	answer_opt_time(w, "last_used_at", token->last_used_at);
}

enum err token_list(struct ctx *cx, const struct token_list_in *in, struct reply *reply)
{
	struct sql_api_token_list_in sql = { .limit = in->limit + 1 };
	struct sql_api_token_list_row row;
	struct answer_page page;
	enum err e;

	TRY(ctx_cursor_read(cx, in->cursor, &sql.before));
	TRY(sql_api_token_list(cx->db, &sql));
	answer_page_start(&page, reply, in->limit);
	while ((e = sql_api_token_list_next(cx->db, &row)) == OK && answer_page_item(&page, &row.token_id)) {
		jw_object(&page.w);
		write_token(&page.w, &row);
		jw_object_end(&page.w);
	}
	return answer_page_end(&page, cx, reply, e);
}

/* The document has checked that each item is a scope, once. */
static scopes wanted_scopes(const json_t *array)
{
	scopes set = 0;

	for (size_t i = 0; i < json_length(array); i++)
		set |= scope_parse(json_text(json_item(array, i)));
	return set;
}

enum err token_create(struct ctx *cx, const struct token_create_in *in, struct reply *reply)
{
	struct sql_api_token_list_row shown = { .name = in->name,
						.created_by = cx->who.user,
						.created_at = cx->now_ms,
						.expires_at = in->expires_at };
	SECRET_AUTO struct secret text = SECRET_EMPTY;
	char scopes_text[SCOPES_TEXT_MAX];
	struct json_writer w;

	shown.scopes = scopes_format(wanted_scopes(in->scopes), scopes_text);
	TRY(api_token_make(cx, in->name, wanted_scopes(in->scopes), in->expires_at, &shown.token_id,
			   &text));
	ctx_audit_target(cx, ID_TOKEN, &shown.token_id);
	ctx_audit_detail(cx, "scopes", arena_copy(cx->arena, shown.scopes));
	reply->status = 201;
	jw_start(&w, &reply->body);
	jw_object(&w);
	write_token(&w, &shown);
	jw_put_text(&w, "token", secret_str(&text));
	jw_object_end(&w);
	return buf_error(&reply->body);
}

enum err token_delete(struct ctx *cx, const struct token_delete_in *in, struct reply *reply)
{
	ctx_audit_target(cx, ID_TOKEN, &in->token_id);
	TRY(api_token_end(cx, &in->token_id));
	return answer_nothing(reply);
}
