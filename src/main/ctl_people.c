/* latchctl tenant, user and token. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "identity/admin.h"
#include "identity/api_token.h"
#include "main/ctl.h"
#include "store/db.h"
#include "store/sql_tenant.h"
#include "store/sql_token.h"
#include "store/sql_user.h"
#include "vault/credential.h"

enum { PAGE = 200 };

static struct str time_or_none(struct opt_int ms, char text[TIME_TEXT_MAX])
{
	return ms.set ? time_format(ms.v, text) : STR_NONE;
}

/* --- tenants --------------------------------------------------------------------- */

static void print_tenant(struct ctl_list *list, const struct sql_tenant_list_row *row)
{
	char id[ID_TEXT_MAX], members[24], created[TIME_TEXT_MAX], deleted[TIME_TEXT_MAX];

	snprintf(members, sizeof members, "%" PRId64, row->members);
	ctl_list_row(list, (const struct str[]){ id_format(ID_TENANT, &row->tenant_id, id), row->name, str_of(members),
						 time_format(row->created_at, created),
						 time_or_none(row->deleted_at, deleted) });
}

enum err ctl_tenant_list(struct ctl *ctl)
{
	static const char *const COLUMNS[] = { "id", "name", "members", "created_at", "deleted_at" };
	struct sql_tenant_list_row row;
	struct id after = ID_NIL;
	struct ctl_list list;
	size_t before;
	enum err e;

	TRY(ctl_open(ctl, ACCOUNT_CTL, 0));
	ctl_list_begin(&list, ctl, COLUMNS, ARRAY_SIZE(COLUMNS));
	do {
		before = list.rows;
		TRY(ctl_say(sql_tenant_list(ctl->cx.db, &(struct sql_tenant_list_in){ after, PAGE }), "tenants"));
		while ((e = sql_tenant_list_next(ctl->cx.db, &row)) == OK) {
			print_tenant(&list, &row);
			after = row.tenant_id;
		}
	} while (e == ERR_END && list.rows - before == PAGE);
	ctl_list_end(&list);
	return e == ERR_END ? OK : ctl_say(e, "tenants");
}

static enum err end_tenant(struct ctl *ctl)
{
	ctx_audit_target(&ctl->cx, ID_TENANT, &ctl->cx.who.tenant);
	TRY(identity_tenant_end(&ctl->cx));
	return vault_forget_tenant(&ctl->cx);
}

enum err ctl_tenant_delete(struct ctl *ctl)
{
	TRY(ctl_open(ctl, ACCOUNT_CTL, 0));
	TRY(ctl_enter_tenant(ctl, ctl->argument[0]));
	TRY(ctl_say(ctl_change(ctl, AUDIT_TENANT_DELETE, end_tenant), ctl->argument[0]));
	ctl_note(ctl,
		 "%s is deleted; its keys are destroyed, and with them every copy of its secrets",
		 ctl->argument[0]);
	return OK;
}

/* --- people ------------------------------------------------------------------------ */

struct new_user {
	struct ctl ctl; /* first: ctl_change hands it on */
	struct admin_new_user wanted;
	struct admin_made_user made;
};

static enum err make_user(struct ctl *ctl)
{
	struct new_user *new = (struct new_user *)ctl;

	ctl->cx.who = (struct principal){ .who = WHO_SYSTEM, .live = true };
	ctx_enter(&ctl->cx);
	secret_done(&new->made.generated);
	TRY(identity_user_create(&ctl->cx, &new->wanted, &new->made));
	ctx_audit_target(&ctl->cx, ID_USER, &new->made.user);
	return OK;
}

static enum err read_wanted(struct ctl *ctl, struct admin_new_user *ret_wanted)
{
	const char *tenant = ctl_option(ctl, "tenant"), *role = ctl_option(ctl, "role");

	*ret_wanted = (struct admin_new_user){
		.email = str_of(ctl_option(ctl, "email")),
		.name = str_of(ctl_option(ctl, "name")),
		.tenant_name = str_of(ctl_option(ctl, "tenant-name")),
		.role = role ? role_parse(str_of(role)) : ROLE_MEMBER,
	};
	if (ret_wanted->role == ROLE_NONE)
		return ctl_fail(ERR_BAD_INPUT, "%s is no role: owner, admin, member or viewer", role);
	if (!tenant)
		return OK;
	ret_wanted->tenant.set = id_parse(ID_TENANT, str_of(tenant), &ret_wanted->tenant.v);
	return ret_wanted->tenant.set ? OK : ctl_fail(ERR_BAD_INPUT, "%s is no tenant's id", tenant);
}

static void print_user(const struct new_user *new)
{
	static const char *const COLUMNS[] = { "user", "tenant", "email", "password" };
	char user[ID_TEXT_MAX], tenant[ID_TEXT_MAX];
	struct ctl_list list;

	ctl_object_begin(&list, &new->ctl, COLUMNS, ARRAY_SIZE(COLUMNS));
	ctl_list_row(&list,
		     (const struct str[]){
			     id_format(ID_USER, &new->made.user, user),
			     id_format(ID_TENANT, &new->made.tenant, tenant), new->wanted.email,
			     new->made.generated.n ? secret_str(&new->made.generated) : STR_NONE });
	ctl_list_end(&list);
}

static enum err create_user(struct new_user *new)
{
	SECRET_AUTO struct secret password = SECRET_EMPTY;
	enum err e;

	TRY(read_wanted(&new->ctl, &new->wanted));
	if (ctl_option(&new->ctl, "password-file")) {
		TRY(ctl_secret(&new->ctl, "password-file", &password));
		new->wanted.password = &password;
	}
	TRY(ctl_open(&new->ctl, ACCOUNT_CTL, CTL_FRONT_KEYS));
	e = ctl_change(&new->ctl, AUDIT_USER_CREATE, make_user);
	if (e == ERR_BAD_INPUT && new->ctl.cx.problem.count > 0)
		return ctl_fail(e, "%.*s", STR_ARG(new->ctl.cx.problem.field[0].message));
	TRY(ctl_say(e, ctl_option(&new->ctl, "email")));
	print_user(new);
	return OK;
}

enum err ctl_user_create(struct ctl *ctl)
{
	struct new_user new = { .ctl = *ctl };
	enum err e = create_user(&new);

	secret_done(&new.made.generated);
	*ctl = new.ctl;
	return e;
}

enum err ctl_user_list(struct ctl *ctl)
{
	static const char *const COLUMNS[] = { "id", "email", "name", "created_at", "disabled_at" };
	char id[ID_TEXT_MAX], created[TIME_TEXT_MAX], disabled[TIME_TEXT_MAX];
	struct sql_user_list_row row;
	struct id after = ID_NIL;
	struct ctl_list list;
	size_t before;
	enum err e;

	TRY(ctl_open(ctl, ACCOUNT_CTL, 0));
	ctl_list_begin(&list, ctl, COLUMNS, ARRAY_SIZE(COLUMNS));
	do {
		before = list.rows;
		TRY(ctl_say(sql_user_list(ctl->cx.db, &(struct sql_user_list_in){ after, PAGE }), "accounts"));
		while ((e = sql_user_list_next(ctl->cx.db, &row)) == OK) {
			ctl_list_row(&list, (const struct str[]){
						    id_format(ID_USER, &row.user_id, id), row.email,
						    row.name, time_format(row.created_at, created),
						    time_or_none(row.disabled_at, disabled) });
			after = row.user_id;
		}
	} while (e == ERR_END && list.rows - before == PAGE);
	ctl_list_end(&list);
	return e == ERR_END ? OK : ctl_say(e, "accounts");
}

static enum err find_user(struct ctl *ctl, struct id *ret_user)
{
	struct str who = str_of(ctl->argument[0]);

	/* People of an external issuer sign in by no address: they have their id only. */
	if (!id_parse(ID_USER, who, ret_user))
		TRY(identity_user_find(&ctl->cx, who, ret_user));
	ctx_audit_target(&ctl->cx, ID_USER, ret_user);
	return OK;
}

static enum err disable_user(struct ctl *ctl)
{
	struct id user;

	TRY(find_user(ctl, &user));
	return identity_user_disable(&ctl->cx, &user);
}

static enum err enable_user(struct ctl *ctl)
{
	struct id user;

	TRY(find_user(ctl, &user));
	return identity_user_enable(&ctl->cx, &user);
}

enum err ctl_user_disable(struct ctl *ctl)
{
	TRY(ctl_open(ctl, ACCOUNT_CTL, 0));
	TRY(ctl_say(ctl_change(ctl, AUDIT_USER_DISABLE, disable_user), ctl->argument[0]));
	ctl_note(ctl, "%s is disabled; every session has ended", ctl->argument[0]);
	return OK;
}

enum err ctl_user_enable(struct ctl *ctl)
{
	TRY(ctl_open(ctl, ACCOUNT_CTL, 0));
	TRY(ctl_say(ctl_change(ctl, AUDIT_USER_ENABLE, enable_user), ctl->argument[0]));
	ctl_note(ctl, "%s is enabled", ctl->argument[0]);
	return OK;
}

/* --- API tokens ---------------------------------------------------------------------- */

struct new_token {
	struct ctl ctl; /* first: ctl_change hands it on */
	scopes scopes;
	struct opt_int expires_at;
	struct id id;
	struct secret text;
};

static enum err make_token(struct ctl *ctl)
{
	struct new_token *new = (struct new_token *)ctl;

	secret_done(&new->text);
	TRY(api_token_make(&ctl->cx, str_of(ctl_option(ctl, "name")), new->scopes, new->expires_at,
			   &new->id, &new->text));
	ctx_audit_target(&ctl->cx, ID_TOKEN, &new->id);
	return OK;
}

static enum err read_token_options(struct new_token *new)
{
	struct str list = str_of(ctl_option(&new->ctl, "scopes")), scope;
	const char *expires = ctl_option(&new->ctl, "expires");

	while (!str_absent(scope = config_list_next(&list))) {
		if (!scope_parse(scope))
			return ctl_fail(ERR_BAD_INPUT, "%.*s is no scope", STR_ARG(scope));
		new->scopes |= scope_parse(scope);
	}
	new->expires_at.set = expires != NULL;
	if (expires && !time_parse(str_of(expires), &new->expires_at.v))
		return ctl_fail(ERR_BAD_INPUT, "%s is no time (RFC 3339)", expires);
	return new->scopes ? OK : ctl_fail(ERR_BAD_INPUT, "--scopes names none");
}

static enum err create_token(struct new_token *new)
{
	static const char *const COLUMNS[] = { "id", "token" };
	char id[ID_TEXT_MAX];
	struct ctl_list list;

	TRY(read_token_options(new));
	TRY(ctl_open(&new->ctl, ACCOUNT_CTL, 0));
	TRY(ctl_enter_tenant(&new->ctl, NULL));
	TRY(ctl_act_as(&new->ctl));
	/* A token works as long as the one whom it is named after may make tokens. */
	if (new->ctl.cx.who.role < ROLE_ADMIN)
		return ctl_fail(ERR_DENIED, "%s is no admin or owner of the tenant", ctl_option(&new->ctl, "email"));
	TRY(ctl_say(ctl_change(&new->ctl, AUDIT_TOKEN_CREATE, make_token), "the token"));
	ctl_object_begin(&list, &new->ctl, COLUMNS, ARRAY_SIZE(COLUMNS));
	ctl_list_row(&list, (const struct str[]){ id_format(ID_TOKEN, &new->id, id), secret_str(&new->text) });
	ctl_list_end(&list);
	return OK;
}

enum err ctl_token_create(struct ctl *ctl)
{
	struct new_token new = { .ctl = *ctl };
	enum err e = create_token(&new);

	secret_done(&new.text);
	*ctl = new.ctl;
	return e;
}

enum err ctl_token_list(struct ctl *ctl)
{
	static const char *const COLUMNS[] = { "id", "name", "scopes", "created_at", "expires_at", "last_used_at" };
	char id[ID_TEXT_MAX], created[TIME_TEXT_MAX], expires[TIME_TEXT_MAX], used[TIME_TEXT_MAX];
	struct sql_api_token_list_row row;
	struct id before = ID_MAX;
	struct ctl_list list;
	size_t rows;
	enum err e;

	TRY(ctl_open(ctl, ACCOUNT_CTL, 0));
	TRY(ctl_enter_tenant(ctl, NULL));
	ctl_list_begin(&list, ctl, COLUMNS, ARRAY_SIZE(COLUMNS));
	do {
		rows = list.rows;
		TRY(ctl_say(sql_api_token_list(ctl->cx.db, &(struct sql_api_token_list_in){ before, PAGE }), "tokens"));
		while ((e = sql_api_token_list_next(ctl->cx.db, &row)) == OK) {
			ctl_list_row(&list,
				     (const struct str[]){ id_format(ID_TOKEN, &row.token_id, id),
							   row.name, row.scopes,
							   time_format(row.created_at, created),
							   time_or_none(row.expires_at, expires),
							   time_or_none(row.last_used_at, used) });
			before = row.token_id;
		}
	} while (e == ERR_END && list.rows - rows == PAGE);
	ctl_list_end(&list);
	return e == ERR_END ? OK : ctl_say(e, "tokens");
}

static enum err revoke_token(struct ctl *ctl)
{
	struct id id;

	if (!id_parse(ID_TOKEN, str_of(ctl->argument[0]), &id))
		return ERR_NOT_FOUND;
	ctx_audit_target(&ctl->cx, ID_TOKEN, &id);
	return api_token_end(&ctl->cx, &id);
}

enum err ctl_token_revoke(struct ctl *ctl)
{
	TRY(ctl_open(ctl, ACCOUNT_CTL, 0));
	TRY(ctl_enter_tenant(ctl, NULL));
	TRY(ctl_say(ctl_change(ctl, AUDIT_TOKEN_DELETE, revoke_token), ctl->argument[0]));
	ctl_note(ctl, "%s is revoked", ctl->argument[0]);
	return OK;
}
