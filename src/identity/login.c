/*
 * POST /auth/login
 *
 * An unknown address, a wrong password, a disabled account and one without a
 * password get the same answer after the same work. What differs (the audit
 * row's tenant, a rehash) comes after the decision, or costs nothing to notice.
 */
#include "base/secret.h"
#include "core/operations.h"
#include "identity/password_rules.h"
#include "identity/session.h"
#include "identity/text.h"
#include "identity/throttle.h"
#include "store/sql_member.h"
#include "store/sql_user.h"

struct login {
	struct str key; /* the folded address */
	struct secret password;
	bool found;
	struct id user;
	struct str hash; /* absent: no password signs in here */
	bool disabled;
	bool known_address;
	struct throttle throttle;
};

static void login_done(struct login *login) { secret_done(&login->password); }

static enum err find_user(struct ctx *cx, struct login *login)
{
	struct sql_user_for_login_in in = { .email_key = login->key,
					    .address =
						    str_absent(cx->address) ? STR("") : cx->address,
					    .since = cx->now_ms - THROTTLE_KNOWN_MS };
	struct sql_user_for_login_row row;
	enum err e = sql_user_for_login(cx->db, &in, &row);

	if (e == ERR_NOT_FOUND)
		return OK;
	TRY(e);
	login->found = true;
	login->user = row.user_id;
	login->hash = row.password_hash;
	login->disabled = row.disabled_at.set;
	login->known_address = row.known;
	cx->audit.about_user = (struct opt_id){ true, row.user_id };
	return OK;
}

static enum err check_password(struct ctx *cx, const struct login *login)
{
	struct password_cost cost = password_cost_now(cx->config);
	enum err e = str_absent(login->hash) ? password_verify_nothing(&login->password, &cost)
					     : password_verify(&login->password, login->hash);

	return e == OK && login->disabled ? ERR_BAD_LOGIN : e;
}

/* A change of the password that was committed while the hash was computed: this was the old one. */
static enum err hold_password(struct ctx *cx, const struct login *login)
{
	struct sql_user_password_held_in in = { .user_id = login->user };
	struct sql_user_password_held_row row;

	TRY(sql_user_password_held(cx->db, &in, &row));
	return str_eq(row.password_hash, login->hash) ? OK : ERR_DB_RETRY;
}

/* A hash of an earlier backend, or of a lower cost than today's. */
static enum err upgrade(struct ctx *cx, const struct login *login)
{
	struct password_cost cost = password_cost_now(cx->config);
	struct sql_user_set_password_in in = { .user_id = login->user };
	char hash[PASSWORD_HASH_MAX];

	if (!password_needs_upgrade(login->hash, &cost))
		return OK;
	TRY(password_hash(&login->password, &cost, hash));
	in.password_hash = str_of(hash);
	return sql_user_set_password(cx->db, &in, NULL);
}

/* The wanted tenant if the user belongs to it; without a wish the one that they joined first. Runs for
 * unknown users too, who belong to none. */
static enum err find_tenant(struct ctx *cx, const struct login *login, struct opt_id wanted,
			    struct opt_id *ret_tenant)
{
	struct sql_member_tenants_in in = { .user_id = login->user };
	struct sql_member_tenants_row row;
	enum err e;

	*ret_tenant = (struct opt_id){ 0 };
	TRY(sql_member_tenants(cx->db, &in));
	while ((e = sql_member_tenants_next(cx->db, &row)) == OK) {
		if (!cx->audit.about_tenant.set)
			cx->audit.about_tenant = (struct opt_id){ true, row.tenant_id };
		if (!ret_tenant->set && (!wanted.set || id_eq(&wanted.v, &row.tenant_id)))
			*ret_tenant = (struct opt_id){ true, row.tenant_id };
	}
	return e == ERR_END ? OK : e;
}

static enum err log_in(struct ctx *cx, const struct auth_login_in *in, struct login *login,
		       struct reply *reply)
{
	struct opt_id tenant;
	enum err e;

	TRY(find_user(cx, login));
	TRY(find_tenant(cx, login, in->tenant_id, &tenant));
	TRY(throttle_enter(cx, login->key, login->known_address, &login->throttle));
	e = check_password(cx, login);
	if (e == ERR_BAD_LOGIN) {
		TRY(throttle_failed(cx, &login->throttle));
		cx->keep_changes = true;
		return ERR_BAD_LOGIN;
	}
	TRY(e);
	TRY(hold_password(cx, login));
	TRY(throttle_passed(cx, &login->throttle));
	TRY(upgrade(cx, login));
	if (!tenant.set)
		return ctx_fail(cx, ERR_DENIED, "You aren't a member of that tenant.");
	return session_start(cx, &login->user, &tenant.v, str_eq(in->session, STR("cookie")),
			     reply);
}

enum err auth_login(struct ctx *cx, const struct auth_login_in *in, struct reply *reply)
{
	CLEANUP(login_done) struct login login = { .password = SECRET_EMPTY };

	TRY(email_fold(cx->arena, in->email, &login.key));
	TRY(secret_copy(in->password.p, in->password.n, &login.password));
	return log_in(cx, in, &login, reply);
}
