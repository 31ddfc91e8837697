/* GET, POST, PATCH, DELETE /invitations and POST /invitations/accept */
#include "core/answer.h"
#include "core/operations.h"
#include "fcgi/reply.h"
#include "identity/account.h"
#include "identity/invitation.h"
#include "identity/member.h"
#include "identity/password_rules.h"
#include "identity/session.h"
#include "identity/text.h"
#include "store/sql_invitation.h"
#include "store/sql_user.h"

static void write_invitation(struct json_writer *w, const struct invitation *invitation)
{
	jw_object(w);
	answer_id(w, "id", ID_INVITATION, &invitation->id);
	jw_put_text(w, "email", invitation->email);
	jw_put_text(w, "role", str_of(role_text(invitation->role)));
	answer_id(w, "invited_by", ID_USER, &invitation->invited_by);
	answer_time(w, "created_at", invitation->created_at);
	answer_time(w, "expires_at", invitation->expires_at);
	jw_object_end(w);
}

enum err invitation_list(struct ctx *cx, const struct invitation_list_in *in, struct reply *reply)
{
	struct sql_invitation_list_in sql = { .limit = in->limit + 1 };
	struct sql_invitation_list_row row;
	struct answer_page page;
	enum err e;

	TRY(ctx_cursor_read(cx, in->cursor, &sql.before));
	TRY(sql_invitation_list(cx->db, &sql));
	answer_page_start(&page, reply, in->limit);
	while ((e = sql_invitation_list_next(cx->db, &row)) == OK &&
	       answer_page_item(&page, &row.invitation_id)) {
		struct invitation invitation = { .id = row.invitation_id,
						 .email = row.email,
						 .role = role_parse(row.role),
						 .invited_by = row.invited_by,
						 .created_at = row.created_at,
						 .expires_at = row.expires_at };

		write_invitation(&page.w, &invitation);
	}
	return answer_page_end(&page, cx, reply, e);
}

enum err invitation_answer_new(struct ctx *cx, struct str email, struct str role,
			       struct reply *reply)
{
	struct invitation invitation;
	struct json_writer w;

	ctx_audit_detail(cx, "role", role);
	TRY(invitation_make(cx, email, role_parse(role), &invitation));
	ctx_audit_target(cx, ID_INVITATION, &invitation.id);
	reply->status = 201;
	jw_start(&w, &reply->body);
	write_invitation(&w, &invitation);
	return buf_error(&reply->body);
}

enum err invitation_create(struct ctx *cx, const struct invitation_create_in *in,
			   struct reply *reply)
{
	return invitation_answer_new(cx, in->email, in->role, reply);
}

static enum err take_matching(struct ctx *cx, const struct id *id,
			      struct invitation *ret_invitation)
{
	ctx_audit_target(cx, ID_INVITATION, id);
	TRY(invitation_take(cx, id, ret_invitation));
	TRY(ctx_if_match(cx, id, member_state(ret_invitation->created_at, ret_invitation->role)));
	return member_may_touch(cx, ret_invitation->role);
}

enum err invitation_update(struct ctx *cx, const struct invitation_update_in *in,
			   struct reply *reply)
{
	struct sql_invitation_set_role_in set = { .invitation_id = in->invitation_id,
						  .new_role = in->role };
	struct invitation invitation;
	struct json_writer w;

	TRY(take_matching(cx, &in->invitation_id, &invitation));
	ctx_audit_detail(cx, "role", in->role);
	ctx_audit_detail(cx, "old_role", str_of(role_text(invitation.role)));
	invitation.role = role_parse(in->role);
	TRY(member_may_touch(cx, invitation.role));
	TRY(sql_invitation_set_role(cx->db, &set, NULL));
	jw_start(&w, &reply->body);
	write_invitation(&w, &invitation);
	return ctx_etag(cx, reply, &invitation.id,
			member_state(invitation.created_at, invitation.role));
}

enum err invitation_delete(struct ctx *cx, const struct invitation_delete_in *in,
			   struct reply *reply)
{
	struct sql_invitation_take_back_in back = { .invitation_id = in->invitation_id };
	struct invitation invitation;

	TRY(take_matching(cx, &in->invitation_id, &invitation));
	TRY(sql_invitation_take_back(cx->db, &back, NULL));
	return answer_nothing(reply);
}

/* --- accepting ----------------------------------------------------------- */
/* Somebody new: the link has proven the address. */
static enum err make_user(struct ctx *cx, const struct invitation_accept_in *in,
			  const struct invited *invited, struct id *ret_user)
{
	struct new_account account = { .email = invited->email,
				       .name = in->name,
				       .email_verified = true };
	struct sql_user_by_email_in get = { .email_key = invited->email };
	struct sql_user_by_email_row row;
	char hash[PASSWORD_HASH_MAX];
	enum err e = sql_user_by_email(cx->db, &get, &row);

	if (e == OK)
		return ctx_fail(cx, ERR_NO_TOKEN,
				"An account of this address exists: sign in, then accept.");
	if (e != ERR_NOT_FOUND)
		return e;
	if (str_absent(in->password))
		return ctx_bad_field(cx, "password", "REQUIRED", "A new account needs a password.");
	TRY(password_check_new(cx, "password", in->password, invited->email));
	TRY(password_make_hash(cx->config, in->password, hash));
	account.password_hash = str_of(hash);
	return account_make_user(cx, &account, ret_user);
}

/* The one who is signed in joins. When the mail went to their own address, it proves that, too. */
static enum err prove_address(struct ctx *cx, const struct invited *invited)
{
	struct sql_user_get_in get = { .user_id = cx->who.user };
	struct sql_user_verify_email_in verified = { .user_id = cx->who.user };
	struct sql_user_get_row row;

	TRY(sql_user_get(cx->db, &get, &row));
	if (!str_eq(row.email_key, invited->email) || row.email_verified_at.set)
		return OK;
	return sql_user_verify_email(cx->db, &verified, NULL);
}

enum err invitation_accept(struct ctx *cx, const struct invitation_accept_in *in,
			   struct reply *reply)
{
	bool signed_in = cx->who.who != WHO_NOBODY, by_cookie = cx->who.by_cookie;
	struct id session = cx->who.session, user = cx->who.user;
	struct invited invited;

	if (signed_in && id_is_nil(&session))
		return ctx_fail(cx, ERR_DENIED,
				"Only somebody who signed in here joins by invitation.");
	TRY(invitation_find(cx, in->token, &invited));
	TRY(signed_in ? prove_address(cx, &invited) : make_user(cx, in, &invited, &user));
	TRY(invitation_join(cx, &invited, &user));
	if (signed_in)
		return session_go_on(cx, &session, &user, &invited.tenant, by_cookie, reply);
	return session_start(cx, &user, &invited.tenant, str_eq(in->session, STR("cookie")), reply);
}
