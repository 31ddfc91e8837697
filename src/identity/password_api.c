/* /auth/password/change, /auth/password/forgot, /auth/password/reset and /auth/email/verify */
#include "base/secret.h"
#include "core/answer.h"
#include "core/operations.h"
#include "identity/link.h"
#include "identity/password_rules.h"
#include "identity/session.h"
#include "identity/text.h"
#include "identity/throttle.h"
#include "store/sql_link.h"
#include "store/sql_member.h"
#include "store/sql_user.h"

/* So many mails an hour may somebody else make us send to a person. */
enum { FORGOT_MAILS = 3, FORGOT_WINDOW_MS = 3600000 };

/* The new hash; the links that would set another password stop working. */
static enum err set_password(struct ctx *cx, const struct id *user, struct str password)
{
	struct sql_user_set_password_in in = { .user_id = *user };
	char hash[PASSWORD_HASH_MAX];

	TRY(password_make_hash(cx->config, password, hash));
	in.password_hash = str_of(hash);
	TRY(sql_user_set_password(cx->db, &in, NULL));
	return link_retire(cx, LINK_RESET, user);
}

/* --- change -------------------------------------------------------------- */
/* The old password, with the brake of the sign-in: a borrowed session mustn't guess it. */
static enum err check_old(struct ctx *cx, struct str password)
{
	SECRET_AUTO struct secret old = SECRET_EMPTY;
	struct sql_user_password_row row;
	struct throttle throttle;
	char account[ID_TEXT_MAX];
	enum err e;

	TRY(sql_user_password(cx->db, &row));
	if (str_absent(row.password_hash))
		return ctx_fail(cx, ERR_DENIED, "This account has no password here.");
	TRY(throttle_enter(cx, id_format(ID_USER, &cx->who.user, account), true, &throttle));
	TRY(secret_copy(password.p, password.n, &old));
	e = password_verify(&old, row.password_hash);
	if (e == OK)
		return throttle_passed(cx, &throttle);
	if (e != ERR_BAD_LOGIN)
		return e;
	TRY(throttle_failed(cx, &throttle));
	cx->keep_changes = true;
	/* Not 401: the token is good, and a client that reads 401 as "signed out" would throw it away. */
	return ctx_bad_field(cx, "old_password", "WRONG", "This isn't the old password.");
}

enum err password_change(struct ctx *cx, const struct password_change_in *in, struct reply *reply)
{
	struct id user = cx->who.user, session = cx->who.session;
	struct sql_user_get_in get = { .user_id = user };
	struct sql_user_get_row row;

	ctx_audit_target(cx, ID_USER, &user);
	TRY(sql_user_get(cx->db, &get, &row));
	TRY(password_check_new(cx, "new_password", in->new_password,
			       str_absent(row.email_key) ? STR("") : row.email_key));
	TRY(check_old(cx, in->old_password));
	TRY(set_password(cx, &user, in->new_password));
	TRY(session_end_all(cx, &user, &session));
	return answer_nothing(reply);
}

/* --- forgot and reset ---------------------------------------------------- */
/* The row goes to a tenant of the person, so that its people see who was asked for. */
static enum err note_tenant(struct ctx *cx, const struct id *user)
{
	struct sql_member_tenants_in in = { .user_id = *user };
	struct sql_member_tenants_row row;
	enum err e;

	cx->audit.about_user = (struct opt_id){ true, *user };
	TRY(sql_member_tenants(cx->db, &in));
	while ((e = sql_member_tenants_next(cx->db, &row)) == OK)
		if (!cx->audit.about_tenant.set)
			cx->audit.about_tenant = (struct opt_id){ true, row.tenant_id };
	return e == ERR_END ? OK : e;
}

static enum err send_reset(struct ctx *cx, const struct sql_user_by_email_row *user)
{
	struct sql_link_count_in in = { .user_id = user->user_id,
					.purpose = STR("reset"),
					.since = cx->now_ms - FORGOT_WINDOW_MS };
	struct sql_link_count_row sent;

	TRY(note_tenant(cx, &user->user_id));
	TRY(sql_link_count(cx->db, &in, &sent));
	if (user->disabled_at.set || sent.count >= FORGOT_MAILS)
		return OK;
	return link_send(cx, LINK_RESET, &user->user_id, user->email);
}

enum err password_forgot(struct ctx *cx, const struct password_forgot_in *in, struct reply *reply)
{
	struct sql_user_by_email_in get;
	struct sql_user_by_email_row user;
	enum err e;

	TRY(email_fold(cx->arena, in->email, &get.email_key));
	e = sql_user_by_email(cx->db, &get, &user);
	if (e == OK)
		e = send_reset(cx, &user);
	else if (e == ERR_NOT_FOUND)
		e = OK;
	TRY(e);
	reply->status = 202;
	reply->content_type = NULL;
	return OK;
}

enum err password_reset(struct ctx *cx, const struct password_reset_in *in, struct reply *reply)
{
	struct sql_user_verify_email_in verified;
	struct str email_key;
	struct id user;

	TRY(link_redeem(cx, LINK_RESET, in->token, &user, &email_key));
	TRY(note_tenant(cx, &user));
	TRY(password_check_new(cx, "password", in->password,
			       str_absent(email_key) ? STR("") : email_key));
	TRY(set_password(cx, &user, in->password));
	verified.user_id = user;
	TRY(sql_user_verify_email(cx->db, &verified, NULL));
	TRY(session_end_all(cx, &user, &ID_NIL));
	TRY(throttle_forget(cx, str_absent(email_key) ? STR("") : email_key));
	return answer_nothing(reply);
}

enum err email_verify(struct ctx *cx, const struct email_verify_in *in, struct reply *reply)
{
	struct sql_user_verify_email_in verified;
	struct id user;

	TRY(link_redeem(cx, LINK_VERIFY, in->token, &user, NULL));
	TRY(note_tenant(cx, &user));
	verified.user_id = user;
	TRY(sql_user_verify_email(cx->db, &verified, NULL));
	return answer_nothing(reply);
}
