#include "identity/admin.h"

#include "base/random.h"
#include "crypt/encode.h"
#include "identity/account.h"
#include "identity/link.h"
#include "identity/password_rules.h"
#include "identity/session.h"
#include "identity/tenant.h"
#include "identity/text.h"
#include "store/sql_member.h"
#include "store/sql_session.h"
#include "store/sql_tenant.h"
#include "store/sql_token.h"
#include "store/sql_user.h"

enum { GENERATED_BYTES = 15, GENERATED_CHARS = BASE64URL_CHARS(GENERATED_BYTES) };

/* 120 random bits in 20 characters: a person may have to type them once. */
static enum err generate(struct secret *ret_password)
{
	uint8_t random[GENERATED_BYTES];
	char text[GENERATED_CHARS + 1];
	enum err e;

	TRY(random_bytes(random, sizeof(random)));
	base64url_encode_to((struct str){ (const char *)random, sizeof(random) }, text);
	e = secret_copy(text, GENERATED_CHARS, ret_password);
	wipe(random, sizeof(random));
	wipe(text, sizeof(text));
	return e;
}

/* The hash of the given password, or of a new one. */
static enum err hash_of(struct ctx *cx, const struct secret *given, struct str email_key,
			struct secret *ret_generated, char ret_hash[PASSWORD_HASH_MAX])
{
	*ret_generated = SECRET_EMPTY;
	if (!given) {
		TRY(generate(ret_generated));
		return password_make_hash(cx->config, secret_str(ret_generated), ret_hash);
	}
	if (str_utf8_length(secret_str(given)) < 8)
		return ctx_bad_field(cx, "password", "TOO_SHORT",
				     "A password has at least 8 characters.");
	TRY(password_check_new(cx, "password", secret_str(given), email_key));
	return password_make_hash(cx->config, secret_str(given), ret_hash);
}

static enum err join(struct ctx *cx, const struct admin_new_user *wanted, const struct id *user)
{
	struct sql_member_insert_in member = { .user_id = *user,
					       .new_role = str_of(role_text(wanted->role)) };
	struct sql_tenant_get_row tenant;

	cx->who.tenant = wanted->tenant.v;
	ctx_enter(cx);
	TRY(sql_tenant_get(cx->db, &tenant));
	return tenant.deleted_at.set ? ERR_NOT_FOUND : sql_member_insert(cx->db, &member, NULL);
}

enum err identity_user_create(struct ctx *cx, const struct admin_new_user *wanted,
			      struct admin_made_user *ret_made)
{
	struct new_account account = { .email = wanted->email,
				       .name = wanted->name,
				       .email_verified = true };
	struct admin_made_user made = { .generated = SECRET_EMPTY };
	struct str key, name = wanted->tenant_name;
	char hash[PASSWORD_HASH_MAX];
	enum err e;

	*ret_made = made;
	TRY(email_fold(cx->arena, wanted->email, &key));
	if (str_find(key, '@') == key.n)
		return ctx_bad_field(cx, "email", "BAD_FORMAT", "That isn't a mail address.");
	e = hash_of(cx, wanted->password, key, &made.generated, hash);
	account.password_hash = str_of(hash);
	if (e == OK)
		e = account_make_user(cx, &account, &made.user);
	if (str_absent(name))
		name = str_slice(key, 0, str_find(key, '@'));
	made.tenant = wanted->tenant.v;
	if (e == OK)
		e = wanted->tenant.set ? join(cx, wanted, &made.user)
				       : account_make_tenant(cx, &made.user, name, &made.tenant);
	if (e != OK) {
		secret_done(&made.generated);
		return e;
	}
	ctx_audit_target(cx, ID_USER, &made.user);
	*ret_made = made;
	return OK;
}

enum err identity_user_find(struct ctx *cx, struct str email, struct id *ret_user)
{
	struct sql_user_by_email_in in;
	struct sql_user_by_email_row row;

	TRY(email_fold(cx->arena, email, &in.email_key));
	TRY(sql_user_by_email(cx->db, &in, &row));
	*ret_user = row.user_id;
	return OK;
}

enum err identity_user_set_password(struct ctx *cx, const struct id *user,
				    const struct secret *password, struct secret *ret_generated)
{
	struct sql_user_get_in get = { .user_id = *user };
	struct sql_user_get_row row;
	struct sql_user_set_password_in set = { .user_id = *user };
	char hash[PASSWORD_HASH_MAX];

	*ret_generated = SECRET_EMPTY;
	ctx_audit_target(cx, ID_USER, user);
	TRY(sql_user_get(cx->db, &get, &row));
	if (str_absent(row.email_key))
		return ctx_fail(cx, ERR_DENIED,
				"People of an external issuer have no password here.");
	TRY(hash_of(cx, password, row.email_key, ret_generated, hash));
	set.password_hash = str_of(hash);
	TRY(sql_user_set_password(cx->db, &set, NULL));
	TRY(link_retire(cx, LINK_RESET, user));
	return session_end_all(cx, user, &ID_NIL);
}

enum err identity_user_disable(struct ctx *cx, const struct id *user)
{
	struct sql_user_disable_in in = { .user_id = *user };
	int64_t rows;

	ctx_audit_target(cx, ID_USER, user);
	TRY(sql_user_disable(cx->db, &in, &rows));
	if (rows == 0)
		return ERR_NOT_FOUND;
	return session_end_all(cx, user, &ID_NIL);
}

enum err identity_user_enable(struct ctx *cx, const struct id *user)
{
	struct sql_user_enable_in in = { .user_id = *user };
	int64_t rows;

	ctx_audit_target(cx, ID_USER, user);
	TRY(sql_user_enable(cx->db, &in, &rows));
	return rows == 0 ? ERR_NOT_FOUND : OK;
}

enum err identity_tenant_create(struct ctx *cx, const struct id *owner, struct str name,
				struct id *ret_tenant)
{
	struct sql_user_get_in get = { .user_id = *owner };
	struct sql_user_get_row row;

	TRY(sql_user_get(cx->db, &get, &row));
	TRY(account_make_tenant(cx, owner, name, ret_tenant));
	ctx_audit_target(cx, ID_TENANT, ret_tenant);
	return OK;
}

enum err identity_tenant_end(struct ctx *cx)
{
	int64_t rows;

	ctx_audit_target(cx, ID_TENANT, &cx->who.tenant);
	TRY(sql_tenant_mark_deleted(cx->db, &rows));
	if (rows == 0)
		return ERR_NOT_FOUND;
	TRY(sql_session_revoke_tenant(cx->db, NULL));
	TRY(tenant_forget_limits(cx));
	return sql_api_token_revoke_tenant(cx->db, NULL);
}
