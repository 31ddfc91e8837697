#include "identity/member.h"

#include "store/sql_invitation.h"
#include "store/sql_session.h"
#include "store/sql_token.h"

/* An API token stands below an owner, whoever made it; the operator (latchctl) above. */
enum err member_may_touch(struct ctx *cx, enum role role)
{
	if (role != ROLE_OWNER || cx->who.role == ROLE_OWNER || cx->who.who == WHO_SYSTEM)
		return OK;
	return ctx_fail(cx, ERR_DENIED, "Only an owner makes, changes or removes owners.");
}

enum err member_take(struct ctx *cx, const struct id *user, struct sql_member_get_row *ret_member)
{
	struct sql_member_get_in in = { .user_id = *user };

	TRY(sql_member_turn(cx->db, NULL));
	return sql_member_get(cx->db, &in, ret_member);
}

static enum err keep_an_owner(struct ctx *cx, const struct id *user, enum role from)
{
	struct sql_member_other_owners_in in = { .user_id = *user };
	struct sql_member_other_owners_row others;

	if (from != ROLE_OWNER)
		return OK;
	TRY(sql_member_other_owners(cx->db, &in, &others));
	return others.count > 0 ? OK : ERR_LAST_OWNER;
}

/* Invitations in their name: one of them may be waiting in a mailbox of their own. */
static enum err take_invitations_back(struct ctx *cx, const struct id *user)
{
	struct sql_invitation_take_back_of_in in = { .user_id = *user };

	return sql_invitation_take_back_of(cx->db, &in, NULL);
}

enum err member_change_role(struct ctx *cx, const struct id *user, enum role from, enum role to)
{
	struct sql_member_set_role_in member = { .user_id = *user,
						 .new_role = str_of(role_text(to)) };
	struct sql_session_set_role_in session = { .user_id = *user, .new_role = member.new_role };

	TRY(member_may_touch(cx, from));
	TRY(member_may_touch(cx, to));
	if (to != ROLE_OWNER)
		TRY(keep_an_owner(cx, user, from));
	TRY(sql_member_set_role(cx->db, &member, NULL));
	TRY(sql_session_set_role(cx->db, &session, NULL));
	return to < from ? take_invitations_back(cx, user) : OK;
}

enum err member_expel(struct ctx *cx, const struct id *user, enum role role)
{
	struct sql_member_delete_in member = { .user_id = *user };
	struct sql_session_revoke_member_in session = { .user_id = *user };
	struct sql_api_token_revoke_of_in tokens = { .user_id = *user };

	TRY(member_may_touch(cx, role));
	TRY(keep_an_owner(cx, user, role));
	TRY(sql_member_delete(cx->db, &member, NULL));
	TRY(sql_session_revoke_member(cx->db, &session, NULL));
	TRY(sql_api_token_revoke_of(cx->db, &tokens, NULL));
	return take_invitations_back(cx, user);
}

int64_t member_state(int64_t created_at, enum role role) { return created_at * 8 + (int64_t)role; }
