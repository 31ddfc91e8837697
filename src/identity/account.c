#include "identity/account.h"

#include "identity/link.h"
#include "identity/text.h"
#include "store/db.h"
#include "store/sql_member.h"
#include "store/sql_tenant.h"
#include "store/sql_user.h"

enum err account_make_user(struct ctx *cx, const struct new_account *account, struct id *ret_user)
{
	struct sql_user_insert_in in = { .email = str_trim(account->email),
					 .name = account->name,
					 .password_hash = account->password_hash,
					 .email_verified_at = { account->email_verified,
								cx->now_ms } };
	enum err e;

	TRY(id_new(&in.user_id));
	TRY(email_fold(cx->arena, account->email, &in.email_key));
	e = sql_user_insert(cx->db, &in, NULL);
	if (e == ERR_DB_DUPLICATE)
		return ERR_EMAIL_TAKEN;
	*ret_user = in.user_id;
	return e;
}

enum err account_make_tenant(struct ctx *cx, const struct id *user, struct str name,
			     struct id *ret_tenant)
{
	struct sql_tenant_insert_in tenant = { .name = name };
	struct sql_member_insert_in owner = { .user_id = *user,
					      .new_role = str_of(role_text(ROLE_OWNER)) };

	TRY(id_new(ret_tenant));
	/* The tenant's scope: the views let in its own rows only. The operator stays the operator. */
	cx->who = (struct principal){ .who = cx->who.who == WHO_SYSTEM ? WHO_SYSTEM : WHO_USER,
				      .user = *user,
				      .tenant = *ret_tenant,
				      .role = ROLE_OWNER,
				      .live = true };
	ctx_enter(cx);
	TRY(sql_tenant_insert(cx->db, &tenant, NULL));
	return sql_member_insert(cx->db, &owner, NULL);
}

enum err account_send_verification(struct ctx *cx, const struct id *user, struct str email)
{
	return link_send(cx, LINK_VERIFY, user, email);
}
