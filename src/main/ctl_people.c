/* latchctl user. */
#include "identity/admin.h"
#include "main/ctl.h"
#include "store/sql_user.h"

struct new_user {
	struct admin_new_user wanted;
	struct admin_made_user made;
	struct secret given; /* the password file's content */
};

static enum err make_user(struct ctl *ctl, void *arg)
{
	struct new_user *new = arg;

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

static void print_user(const struct ctl *ctl, const struct new_user *new)
{
	static const char *const COLUMNS[] = { "user", "tenant", "email", "password" };
	char user[ID_TEXT_MAX], tenant[ID_TEXT_MAX];
	struct ctl_list list;

	ctl_object_begin(&list, ctl, COLUMNS, ARRAY_SIZE(COLUMNS));
	ctl_list_row(&list,
		     (const struct str[]){
			     id_format(ID_USER, &new->made.user, user),
			     id_format(ID_TENANT, &new->made.tenant, tenant), new->wanted.email,
			     new->made.generated.n ? secret_str(&new->made.generated) : STR_NONE });
	ctl_list_end(&list);
}

static enum err create_user(struct ctl *ctl, struct new_user *new)
{
	enum err e;

	TRY(read_wanted(ctl, &new->wanted));
	if (ctl_option(ctl, "password-file")) {
		TRY(ctl_secret(ctl, "password-file", &new->given));
		new->wanted.password = &new->given;
	}
	TRY(ctl_open(ctl, ACCOUNT_CTL, CTL_FRONT_KEYS));
	e = ctl_change(ctl, AUDIT_USER_CREATE, make_user, new);
	TRY(ctl_say_field(ctl, e, ctl_option(ctl, "email")));
	print_user(ctl, new);
	return OK;
}

enum err ctl_user_create(struct ctl *ctl)
{
	struct new_user new = { 0 };
	enum err e = create_user(ctl, &new);

	secret_done(&new.made.generated);
	secret_done(&new.given);
	return e;
}

static enum err user_page(struct db *db, const struct id *behind)
{
	return sql_user_list(db, &(struct sql_user_list_in){ *behind, CTL_PAGE });
}

static enum err print_next_user(struct ctl_list *list, struct id *ret_id)
{
	char id[ID_TEXT_MAX], created[TIME_TEXT_MAX], disabled[TIME_TEXT_MAX];
	struct sql_user_list_row row;

	TRY(sql_user_list_next(list->ctl->cx.db, &row));
	ctl_list_row(list, (const struct str[]){ id_format(ID_USER, &row.user_id, id), row.email, row.name,
						 time_format(row.created_at, created),
						 ctl_time(row.disabled_at, disabled) });
	*ret_id = row.user_id;
	return OK;
}

enum err ctl_user_list(struct ctl *ctl)
{
	static const char *const COLUMNS[] = { "id", "email", "name", "created_at", "disabled_at" };

	TRY(ctl_open(ctl, ACCOUNT_CTL, 0));
	return ctl_list_pages(ctl, &(struct ctl_pages){ "accounts", COLUMNS, ARRAY_SIZE(COLUMNS), ID_NIL, user_page,
							print_next_user });
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

static enum err disable_user(struct ctl *ctl, void *arg)
{
	struct id user;

	(void)arg;
	TRY(find_user(ctl, &user));
	return identity_user_disable(&ctl->cx, &user);
}

static enum err enable_user(struct ctl *ctl, void *arg)
{
	struct id user;

	(void)arg;
	TRY(find_user(ctl, &user));
	return identity_user_enable(&ctl->cx, &user);
}

enum err ctl_user_disable(struct ctl *ctl)
{
	TRY(ctl_open(ctl, ACCOUNT_CTL, 0));
	TRY(ctl_say(ctl_change(ctl, AUDIT_USER_DISABLE, disable_user, NULL), ctl->argument[0]));
	ctl_note(ctl, "%s is disabled; every session has ended", ctl->argument[0]);
	return OK;
}

enum err ctl_user_enable(struct ctl *ctl)
{
	TRY(ctl_open(ctl, ACCOUNT_CTL, 0));
	TRY(ctl_say(ctl_change(ctl, AUDIT_USER_ENABLE, enable_user, NULL), ctl->argument[0]));
	ctl_note(ctl, "%s is enabled", ctl->argument[0]);
	return OK;
}

struct new_password {
	struct secret given; /* empty: one is generated */
	struct secret generated;
};

static enum err set_password(struct ctl *ctl, void *arg)
{
	struct new_password *new = arg;
	struct id user;

	secret_done(&new->generated);
	TRY(find_user(ctl, &user));
	return identity_user_set_password(&ctl->cx, &user, new->given.n ? &new->given : NULL,
					  &new->generated);
}

static enum err change_password(struct ctl *ctl, struct new_password *new)
{
	static const char *const COLUMNS[] = { "user", "password" };
	struct ctl_list list;

	if (ctl_option(ctl, "password-file"))
		TRY(ctl_secret(ctl, "password-file", &new->given));
	TRY(ctl_open(ctl, ACCOUNT_CTL, 0));
	TRY(ctl_say_field(ctl, ctl_change(ctl, AUDIT_USER_PASSWORD, set_password, new), ctl->argument[0]));
	ctl_object_begin(&list, ctl, COLUMNS, ARRAY_SIZE(COLUMNS));
	ctl_list_row(&list, (const struct str[]){ str_of(ctl->argument[0]),
						  new->generated.n ? secret_str(&new->generated) : STR_NONE });
	ctl_list_end(&list);
	return OK;
}

enum err ctl_user_password(struct ctl *ctl)
{
	struct new_password new = { 0 };
	enum err e = change_password(ctl, &new);

	secret_done(&new.generated);
	secret_done(&new.given);
	return e;
}
