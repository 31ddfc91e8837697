#include "identity/invitation.h"

#include "base/secret.h"
#include "crypt/token.h"
#include "identity/member.h"
#include "identity/outbox.h"
#include "identity/text.h"
#include "store/sql_invitation.h"
#include "store/sql_tenant.h"
#include "store/sql_user.h"

static enum err refuse_member(struct ctx *cx, struct str key)
{
	struct sql_user_by_email_in in = { .email_key = key };
	struct sql_user_by_email_row user;
	struct sql_member_get_in get;
	struct sql_member_get_row member;
	enum err e = sql_user_by_email(cx->db, &in, &user);

	if (e == OK) {
		get.user_id = user.user_id;
		e = sql_member_get(cx->db, &get, &member);
	}
	if (e == OK)
		return ctx_fail(cx, ERR_CONFLICT, "That person is a member already.");
	return e == ERR_NOT_FOUND ? OK : e;
}

/* The address is stored folded: it is compared with others' later. */
static enum err store(struct ctx *cx, struct invitation *invitation, struct secret *ret_token)
{
	struct sql_invitation_replace_in old = { .email = invitation->email };
	uint8_t hash[TOKEN_HASH_BYTES];
	struct sql_invitation_insert_in in = { .email = invitation->email,
					       .new_role = str_of(role_text(invitation->role)),
					       .token_hash = { (const char *)hash, sizeof(hash) },
					       .expires_at = invitation->expires_at };

	TRY(sql_invitation_replace(cx->db, &old, NULL));
	TRY(id_new(&invitation->id));
	TRY(token_new(NULL, ret_token, hash));
	in.invitation_id = invitation->id;
	return sql_invitation_insert(cx->db, &in, NULL);
}

static enum err send(struct ctx *cx, const struct invitation *invitation, struct str token)
{
	struct sql_user_get_in in = { .user_id = cx->who.user };
	struct sql_user_get_row inviter;
	struct sql_tenant_get_row tenant;
	struct mail mail = { .kind = MAIL_INVITATION,
			     .recipient = invitation->email,
			     .token = token,
			     .expires_at = invitation->expires_at };

	TRY(sql_user_get(cx->db, &in, &inviter));
	TRY(sql_tenant_get(cx->db, &tenant));
	mail.inviter = str_absent(inviter.name) ? inviter.email : inviter.name;
	mail.tenant_name = tenant.name;
	return mail_enqueue(cx, &mail);
}

enum err invitation_make(struct ctx *cx, struct str email, enum role role,
			 struct invitation *ret_invitation)
{
	SECRET_AUTO struct secret token = SECRET_EMPTY;
	struct invitation invitation = { .role = role,
					 .invited_by = cx->who.user,
					 .created_at = cx->now_ms,
					 .expires_at =
						 cx->now_ms + cx->config->auth_invitation_ms };

	TRY(member_may_touch(cx, role));
	TRY(email_fold(cx->arena, email, &invitation.email));
	TRY(refuse_member(cx, invitation.email));
	TRY(store(cx, &invitation, &token));
	TRY(send(cx, &invitation, secret_str(&token)));
	*ret_invitation = invitation;
	return OK;
}

enum err invitation_take(struct ctx *cx, const struct id *id, struct invitation *ret_invitation)
{
	struct sql_invitation_lock_in in = { .invitation_id = *id };
	struct sql_invitation_lock_row row;

	TRY(sql_invitation_lock(cx->db, &in, &row));
	*ret_invitation = (struct invitation){ .id = *id,
					       .email = row.email,
					       .role = role_parse(row.role),
					       .invited_by = row.invited_by,
					       .created_at = row.created_at,
					       .expires_at = row.expires_at };
	return OK;
}

enum err invitation_find(struct ctx *cx, struct str token, struct invited *ret_invited)
{
	uint8_t hash[TOKEN_HASH_BYTES];
	struct sql_invitation_by_token_in in = { .token_hash = { (const char *)hash,
								 sizeof(hash) } };
	struct sql_invitation_by_token_row row;
	enum err e;

	token_hash(token, hash);
	e = sql_invitation_by_token(cx->db, &in, &row);
	if (e != OK)
		return e == ERR_NOT_FOUND ? ERR_LINK_USED : e;
	*ret_invited = (struct invited){ .tenant = row.tenant_id,
					 .invitation = row.invitation_id,
					 .email = arena_copy(cx->arena, row.email),
					 .role = role_parse(row.role) };
	cx->audit.about_tenant = (struct opt_id){ true, row.tenant_id };
	ctx_audit_target(cx, ID_INVITATION, &row.invitation_id);
	return str_absent(ret_invited->email) ? ERR_NO_MEMORY : OK;
}

enum err invitation_join(struct ctx *cx, const struct invited *invited, const struct id *user)
{
	struct sql_invitation_use_in use = { .invitation_id = invited->invitation };
	struct sql_member_insert_in member = { .user_id = *user,
					       .new_role = str_of(role_text(invited->role)) };
	int64_t rows;
	enum err e;

	cx->who = (struct principal){ .who = WHO_USER,
				      .user = *user,
				      .tenant = invited->tenant,
				      .role = invited->role,
				      .live = true };
	ctx_enter(cx);
	TRY(sql_invitation_use(cx->db, &use, &rows));
	if (rows != 1)
		return ERR_LINK_USED;
	e = sql_member_insert(cx->db, &member, NULL);
	return e == ERR_DB_DUPLICATE
		       ? ctx_fail(cx, ERR_CONFLICT, "You are a member of that tenant already.")
		       : e;
}
