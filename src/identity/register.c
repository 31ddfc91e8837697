/* POST /auth/register */
#include "core/operations.h"
#include "identity/account.h"
#include "identity/password_rules.h"
#include "identity/session.h"
#include "identity/text.h"
#include "store/sql_user.h"

/* The name of the tenant: as asked for, else the person's, else the address up to its @. */
static struct str tenant_name(const struct auth_register_in *in)
{
	if (!str_absent(in->tenant_name))
		return in->tenant_name;
	return str_absent(in->name) ? str_slice(in->email, 0, str_find(in->email, '@')) : in->name;
}

/* Told before a hash is computed: whoever tries addresses in bulk costs us little. */
static enum err refuse_taken(struct ctx *cx, struct str key)
{
	struct sql_user_by_email_in in = { .email_key = key };
	struct sql_user_by_email_row row;
	enum err e = sql_user_by_email(cx->db, &in, &row);

	if (e == OK)
		return ERR_EMAIL_TAKEN;
	return e == ERR_NOT_FOUND ? OK : e;
}

enum err auth_register(struct ctx *cx, const struct auth_register_in *in, struct reply *reply)
{
	struct new_account account = { .email = in->email, .name = in->name };
	char hash[PASSWORD_HASH_MAX];
	struct id user, tenant;
	struct str key;

	if (!cx->config->auth_registration)
		return ctx_fail(cx, ERR_DENIED, "People join here by invitation.");
	TRY(email_fold(cx->arena, in->email, &key));
	TRY(password_check_new(cx, "password", in->password, key));
	TRY(refuse_taken(cx, key));
	TRY(password_make_hash(cx->config, in->password, hash));
	account.password_hash = str_of(hash);
	TRY(account_make_user(cx, &account, &user));
	TRY(account_make_tenant(cx, &user, tenant_name(in), &tenant));
	TRY(account_send_verification(cx, &user, str_trim(in->email)));
	ctx_audit_target(cx, ID_USER, &user);
	reply->status = 201;
	return session_start(cx, &user, &tenant, str_eq(in->session, STR("cookie")), reply);
}
