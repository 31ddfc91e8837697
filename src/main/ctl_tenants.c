/* latchctl tenant. */
#include <inttypes.h>
#include <stdio.h>

#include "identity/admin.h"
#include "main/ctl.h"
#include "store/sql_tenant.h"
#include "vault/credential.h"

static void print_tenant(struct ctl_list *list, const struct sql_tenant_list_row *row)
{
	char id[ID_TEXT_MAX], members[24], created[TIME_TEXT_MAX], deleted[TIME_TEXT_MAX];

	snprintf(members, sizeof members, "%" PRId64, row->members);
	ctl_list_row(list, (const struct str[]){ id_format(ID_TENANT, &row->tenant_id, id), row->name, str_of(members),
						 time_format(row->created_at, created),
						 ctl_time(row->deleted_at, deleted) });
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
		TRY(ctl_say(sql_tenant_list(ctl->cx.db, &(struct sql_tenant_list_in){ after, CTL_PAGE }), "tenants"));
		while ((e = sql_tenant_list_next(ctl->cx.db, &row)) == OK) {
			print_tenant(&list, &row);
			after = row.tenant_id;
		}
	} while (e == ERR_END && list.rows - before == CTL_PAGE);
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

struct new_tenant {
	struct ctl ctl; /* first: ctl_change hands it on */
	struct id owner, made;
};

static enum err make_tenant(struct ctl *ctl)
{
	struct new_tenant *new = (struct new_tenant *)ctl;

	TRY(identity_user_find(&ctl->cx, str_of(ctl_option(ctl, "email")), &new->owner));
	TRY(identity_tenant_create(&ctl->cx, &new->owner, str_of(ctl_option(ctl, "name")), &new->made));
	ctx_audit_target(&ctl->cx, ID_TENANT, &new->made);
	return OK;
}

enum err ctl_tenant_create(struct ctl *ctl)
{
	static const char *const COLUMNS[] = { "id", "name" };
	struct new_tenant new = { .ctl = *ctl };
	char id[ID_TEXT_MAX];
	struct ctl_list list;
	enum err e = ctl_open(&new.ctl, ACCOUNT_CTL, 0);

	if (e == OK)
		e = ctl_say(ctl_change(&new.ctl, AUDIT_TENANT_CREATE, make_tenant), ctl_option(&new.ctl, "email"));
	*ctl = new.ctl;
	TRY(e);
	ctl_object_begin(&list, ctl, COLUMNS, ARRAY_SIZE(COLUMNS));
	ctl_list_row(&list,
		     (const struct str[]){ id_format(ID_TENANT, &new.made, id), str_of(ctl_option(ctl, "name")) });
	ctl_list_end(&list);
	return OK;
}
