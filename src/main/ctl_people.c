/* latchctl user. */
#include "identity/admin.h"
#include "main/ctl.h"
#include "store/sql_user.h"

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
	TRY(ctl_say_field(&new->ctl, e, ctl_option(&new->ctl, "email")));
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
		TRY(ctl_say(sql_user_list(ctl->cx.db, &(struct sql_user_list_in){ after, CTL_PAGE }), "accounts"));
		while ((e = sql_user_list_next(ctl->cx.db, &row)) == OK) {
			ctl_list_row(&list, (const struct str[]){
						    id_format(ID_USER, &row.user_id, id), row.email,
						    row.name, time_format(row.created_at, created),
						    ctl_time(row.disabled_at, disabled) });
			after = row.user_id;
		}
	} while (e == ERR_END && list.rows - before == CTL_PAGE);
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

struct new_password {
	struct ctl ctl; /* first: ctl_change hands it on */
	const struct secret *password; /* NULL: one is generated */
	struct secret generated;
};

static enum err set_password(struct ctl *ctl)
{
	struct new_password *new = (struct new_password *)ctl;
	struct id user;

	secret_done(&new->generated);
	TRY(find_user(ctl, &user));
	return identity_user_set_password(&ctl->cx, &user, new->password, &new->generated);
}

static enum err change_password(struct new_password *new)
{
	static const char *const COLUMNS[] = { "user", "password" };
	SECRET_AUTO struct secret password = SECRET_EMPTY;
	struct ctl_list list;

	if (ctl_option(&new->ctl, "password-file")) {
		TRY(ctl_secret(&new->ctl, "password-file", &password));
		new->password = &password;
	}
	TRY(ctl_open(&new->ctl, ACCOUNT_CTL, 0));
	TRY(ctl_say_field(&new->ctl, ctl_change(&new->ctl, AUDIT_USER_PASSWORD, set_password),
			  new->ctl.argument[0]));
	ctl_object_begin(&list, &new->ctl, COLUMNS, ARRAY_SIZE(COLUMNS));
	ctl_list_row(&list, (const struct str[]){ str_of(new->ctl.argument[0]),
						  new->generated.n ? secret_str(&new->generated) : STR_NONE });
	ctl_list_end(&list);
	return OK;
}

enum err ctl_user_password(struct ctl *ctl)
{
	struct new_password new = { .ctl = *ctl };
	enum err e = change_password(&new);

	secret_done(&new.generated);
	*ctl = new.ctl;
	return e;
}
