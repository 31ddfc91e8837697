#include "identity/session.h"

#include "base/secret.h"
#include "crypt/token.h"
#include "fcgi/request.h"
#include "identity/authenticate.h"
#include "identity/signed_in.h"
#include "identity/text.h"
#include "store/sql_session.h"

enum { AGENT_MAX = 200 };

/* From here on the request is this user's, in this tenant. */
static void become(struct ctx *cx, const struct id *user, const struct id *tenant,
		   const struct id *session)
{
	cx->who = (struct principal){
		.who = WHO_USER, .user = *user, .tenant = *tenant, .session = *session, .live = true
	};
	ctx_enter(cx);
}

/* Reads and locks who it is and as what; sets the role. */
static enum err read_subject(struct ctx *cx, struct signed_in *person)
{
	enum err e = sql_session_subject(cx->db, &person->subject);

	if (e == ERR_NOT_FOUND)
		return ctx_fail(cx, ERR_DENIED, "You aren't a member of that tenant.");
	TRY(e);
	cx->who.role = role_parse(person->subject.role);
	ctx_enter(cx);
	return OK;
}

static struct str user_agent(const struct ctx *cx)
{
	struct str agent = cx->request ? request_header(cx->request, "USER_AGENT") : STR_NONE;

	return str_is_utf8(agent) && agent.n > 0 ? text_cut(agent, AGENT_MAX) : STR_NONE;
}

enum err session_start(struct ctx *cx, const struct id *user, const struct id *tenant, bool cookie,
		       struct reply *reply)
{
	struct sql_session_insert_in in = { .address =
						    str_absent(cx->address) ? STR("") : cx->address,
					    .user_agent = user_agent(cx),
					    .expires_at =
						    cx->now_ms + cx->config->auth_session_ms };
	struct signed_in person = { .cookie = cookie };

	TRY(id_new(&in.session_id));
	become(cx, user, tenant, &in.session_id);
	TRY(read_subject(cx, &person));
	TRY(sql_session_insert(cx->db, &in, NULL));
	return signed_in_answer(cx, &person, reply);
}

enum err session_go_on(struct ctx *cx, const struct id *session, const struct id *user,
		       const struct id *tenant, bool cookie, struct reply *reply)
{
	struct sql_session_continue_in in = { .session_id = *session, .tenant_id = *tenant };
	struct sql_refresh_retire_in retire = { .session_id = *session };
	struct signed_in person = { .cookie = cookie };
	int64_t rows;

	become(cx, user, tenant, session);
	TRY(read_subject(cx, &person));
	in.as_role = person.subject.role;
	TRY(sql_session_continue(cx->db, &in, &rows));
	if (rows == 0)
		return ERR_SESSION_ENDED;
	TRY(sql_refresh_retire(cx->db, &retire, NULL));
	return signed_in_answer(cx, &person, reply);
}

/* The token was used before: who has it now and who had it then can't both be the user. */
static enum err stolen(struct ctx *cx, const struct sql_refresh_lock_row *row)
{
	struct sql_session_revoke_in in = { .session_id = row->session_id,
					    .user_id = row->user_id };

	TRY(sql_session_revoke(cx->db, &in, NULL));
	ctx_audit_detail(cx, "reason", STR("refresh token used twice"));
	cx->keep_changes = true;
	return ctx_fail(cx, ERR_SESSION_ENDED,
			"This refresh token was used before; the session has ended.");
}

static enum err check_refresh(struct ctx *cx, const struct sql_refresh_lock_row *row, bool cookie)
{
	cx->audit.about_user = (struct opt_id){ true, row->user_id };
	cx->audit.about_tenant = (struct opt_id){ true, row->tenant_id };
	ctx_audit_target(cx, ID_SESSION, &row->session_id);
	if (cookie)
		TRY(identity_check_csrf_of(cx, &row->session_id));
	if (row->revoked_at.set || row->session_expires_at <= cx->now_ms)
		return ERR_SESSION_ENDED;
	if (row->used_at.set)
		return stolen(cx, row);
	return row->expires_at <= cx->now_ms ? ERR_TOKEN_EXPIRED : OK;
}

enum err session_refresh(struct ctx *cx, struct str refresh_token, bool cookie, struct reply *reply)
{
	uint8_t hash[TOKEN_HASH_BYTES];
	struct sql_refresh_lock_in in = { .token_hash = { (const char *)hash, sizeof(hash) } };
	struct sql_refresh_use_in use = { .token_hash = in.token_hash };
	struct sql_refresh_lock_row row;
	int64_t rows;
	enum err e;

	token_hash(refresh_token, hash);
	e = sql_refresh_lock(cx->db, &in, &row);
	if (e != OK)
		return e == ERR_NOT_FOUND ? ERR_BAD_TOKEN : e;
	TRY(check_refresh(cx, &row, cookie));
	TRY(sql_refresh_use(cx->db, &use, &rows));
	if (rows != 1)
		return ERR_DB_RETRY;
	return session_go_on(cx, &row.session_id, &row.user_id, &row.tenant_id, cookie, reply);
}

enum err session_end_all(struct ctx *cx, const struct id *user, const struct id *but)
{
	struct sql_session_revoke_all_in in = { .user_id = *user, .but = *but };

	return sql_session_revoke_all(cx->db, &in, NULL);
}
