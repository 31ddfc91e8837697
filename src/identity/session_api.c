/* /auth/refresh, /auth/logout, /auth/switch and /auth/sessions */
#include "core/answer.h"
#include "core/operations.h"
#include "identity/cookie.h"
#include "identity/session.h"
#include "store/sql_session.h"

enum err auth_refresh(struct ctx *cx, const struct auth_refresh_in *in, struct reply *reply)
{
	struct str token = in->refresh_token;
	bool cookie = str_absent(token);

	if (cookie)
		TRY(cookie_get(cx, STR(COOKIE_REFRESH), &token));
	if (str_absent(token))
		return ERR_NO_TOKEN;
	return session_refresh(cx, token, cookie, reply);
}

static enum err end(struct ctx *cx, const struct id *session)
{
	struct sql_session_revoke_in in = { .session_id = *session, .user_id = cx->who.user };
	int64_t rows;

	ctx_audit_target(cx, ID_SESSION, session);
	TRY(sql_session_revoke(cx->db, &in, &rows));
	return rows == 1 ? OK : ERR_NOT_FOUND;
}

/* An external issuer's token has no session here: there is nothing to end, and that is fine. */
enum err auth_logout(struct ctx *cx, const struct auth_logout_in *in, struct reply *reply)
{
	enum err e = id_is_nil(&cx->who.session) ? OK : end(cx, &cx->who.session);

	(void)in;
	if (e != OK && e != ERR_NOT_FOUND)
		return e;
	if (cx->who.by_cookie)
		TRY(cookies_clear(reply));
	return answer_nothing(reply);
}

enum err auth_switch(struct ctx *cx, const struct auth_switch_in *in, struct reply *reply)
{
	/* Copies: the context becomes the other tenant's on the way. */
	struct id session = cx->who.session, user = cx->who.user;

	if (id_is_nil(&session))
		return ctx_fail(cx, ERR_DENIED, "This token's issuer says which tenant it is for.");
	ctx_audit_target(cx, ID_TENANT, &in->tenant_id);
	return session_go_on(cx, &session, &user, &in->tenant_id, cx->who.by_cookie, reply);
}

enum err session_list(struct ctx *cx, const struct session_list_in *in, struct reply *reply)
{
	/* A session whose last refresh token has run out is over, whatever its own limit. */
	struct sql_session_list_in sql = { .limit = in->limit + 1,
					   .idle_since =
						   cx->now_ms - cx->config->auth_refresh_token_ms };
	struct sql_session_list_row row;
	struct answer_page page;
	enum err e;

	TRY(ctx_cursor_read(cx, in->cursor, &sql.before));
	TRY(sql_session_list(cx->db, &sql));
	answer_page_start(&page, reply, in->limit);
	while ((e = sql_session_list_next(cx->db, &row)) == OK && answer_page_item(&page, &row.session_id)) {
		jw_object(&page.w);
		answer_id(&page.w, "id", ID_SESSION, &row.session_id);
		jw_put_bool(&page.w, "current", id_eq(&row.session_id, &cx->who.session));
		jw_put_text(&page.w, "address", row.address);
		jw_put_text(&page.w, "user_agent", row.user_agent);
		answer_time(&page.w, "created_at", row.created_at);
		answer_time(&page.w, "last_used_at", row.last_used_at);
		answer_time(&page.w, "expires_at", row.expires_at);
		jw_object_end(&page.w);
	}
	return answer_page_end(&page, cx, reply, e);
}

enum err session_end(struct ctx *cx, const struct session_end_in *in, struct reply *reply)
{
	TRY(end(cx, &in->session_id));
	return answer_nothing(reply);
}

enum err session_end_others(struct ctx *cx, const struct session_end_others_in *in,
			    struct reply *reply)
{
	struct id user = cx->who.user, session = cx->who.session;

	(void)in;
	TRY(session_end_all(cx, &user, &session));
	return answer_nothing(reply);
}
