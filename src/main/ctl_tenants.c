/* latchctl tenant. */
#include <inttypes.h>
#include <stdio.h>

#include "ai/forget.h"
#include "connect/connector.h"
#include "flow/execution.h"
#include "hook/hook.h"
#include "identity/admin.h"
#include "identity/tenant.h"
#include "knowledge/knowledge.h"
#include "main/ctl.h"
#include "store/sql_tenant.h"
#include "sync/sync.h"
#include "vault/credential.h"

static enum err tenant_page(struct db *db, const struct id *behind)
{
	return sql_tenant_list(db, &(struct sql_tenant_list_in){ *behind, CTL_PAGE });
}

static enum err print_next_tenant(struct ctl_list *list, struct id *ret_id)
{
	char id[ID_TEXT_MAX], members[24], created[TIME_TEXT_MAX], deleted[TIME_TEXT_MAX];
	struct sql_tenant_list_row row;

	TRY(sql_tenant_list_next(list->ctl->cx.db, &row));
	snprintf(members, sizeof members, "%" PRId64, row.members);
	ctl_list_row(list, (const struct str[]){ id_format(ID_TENANT, &row.tenant_id, id), row.name, str_of(members),
						 time_format(row.created_at, created),
						 ctl_time(row.deleted_at, deleted) });
	*ret_id = row.tenant_id;
	return OK;
}

enum err ctl_tenant_list(struct ctl *ctl)
{
	static const char *const COLUMNS[] = { "id", "name", "members", "created_at", "deleted_at" };

	TRY(ctl_open(ctl, ACCOUNT_CTL, 0));
	return ctl_list_pages(ctl, &(struct ctl_pages){ "tenants", COLUMNS, ARRAY_SIZE(COLUMNS), ID_NIL, tenant_page,
							print_next_tenant });
}

static enum err end_tenant(struct ctl *ctl, void *arg)
{
	(void)arg;
	ctx_audit_target(&ctl->cx, ID_TENANT, &ctl->cx.who.tenant);
	TRY(identity_tenant_end(&ctl->cx));
	TRY(flow_forget_tenant(&ctl->cx));
	TRY(ai_forget_tenant(&ctl->cx));
	TRY(knowledge_forget_tenant(&ctl->cx));
	TRY(hook_forget_tenant(&ctl->cx));
	TRY(sync_forget_tenant(&ctl->cx));
	TRY(connector_forget_tenant(&ctl->cx));
	return vault_forget_tenant(&ctl->cx);
}

enum err ctl_tenant_delete(struct ctl *ctl)
{
	TRY(ctl_open(ctl, ACCOUNT_CTL, 0));
	TRY(ctl_enter_tenant(ctl, ctl->argument[0]));
	TRY(ctl_say(ctl_change(ctl, AUDIT_TENANT_DELETE, end_tenant, NULL), ctl->argument[0]));
	ctl_note(ctl,
		 "%s is deleted; its keys are destroyed, and with them every copy of its secrets",
		 ctl->argument[0]);
	return OK;
}

static enum err make_tenant(struct ctl *ctl, void *arg)
{
	struct id owner, *made = arg;

	TRY(identity_user_find(&ctl->cx, str_of(ctl_option(ctl, "email")), &owner));
	TRY(identity_tenant_create(&ctl->cx, &owner, str_of(ctl_option(ctl, "name")), made));
	ctx_audit_target(&ctl->cx, ID_TENANT, made);
	return OK;
}

enum err ctl_tenant_create(struct ctl *ctl)
{
	static const char *const COLUMNS[] = { "id", "name" };
	char id[ID_TEXT_MAX];
	struct ctl_list list;
	struct id made;

	TRY(ctl_open(ctl, ACCOUNT_CTL, 0));
	TRY(ctl_say(ctl_change(ctl, AUDIT_TENANT_CREATE, make_tenant, &made), ctl_option(ctl, "email")));
	ctl_object_begin(&list, ctl, COLUMNS, ARRAY_SIZE(COLUMNS));
	ctl_list_row(&list,
		     (const struct str[]){ id_format(ID_TENANT, &made, id), str_of(ctl_option(ctl, "name")) });
	ctl_list_end(&list);
	return OK;
}

/* --- how long what it gathers is kept --------------------------------------------------------- */

struct retention {
	struct tenant_wish wish[TENANT_LIMITS];
	bool changes;
	struct tenant tenant;
};

static const char *const LIMIT_OPTIONS[] = {
	[TENANT_EVENT_DAYS] = "event-days",
	[TENANT_EXECUTION_DAYS] = "execution-days",
	[TENANT_AI_DAYS] = "ai-days",
};

static enum err read_wish(const struct ctl *ctl, enum tenant_limit limit, struct tenant_wish *ret_wish)
{
	const char *text = ctl_option(ctl, LIMIT_OPTIONS[limit]);
	uint64_t days = 0;

	ret_wish->said = text != NULL;
	ret_wish->none = text && str_eq(str_of(text), STR("default"));
	if (text && !ret_wish->none && (!str_to_u64(str_of(text), &days) || days > INT32_MAX))
		return ctl_fail(ERR_BAD_INPUT, "--%s takes a number of days, or default", LIMIT_OPTIONS[limit]);
	ret_wish->days = (int64_t)days;
	return OK;
}

static enum err set_retention(struct ctl *ctl, void *arg)
{
	struct retention *r = arg;

	TRY(tenant_lock(&ctl->cx, &r->tenant));
	return tenant_set_limits(&ctl->cx, &r->tenant, r->wish);
}

static void print_retention(const struct ctl *ctl, const struct retention *r)
{
	static const char *const COLUMNS[] = { "id", "event_days", "execution_days", "ai_days" };
	char days[TENANT_LIMITS][STR_INT_MAX];
	struct str cell[ARRAY_SIZE(COLUMNS)] = { str_of(ctl->argument[0]) };
	struct ctl_list list;

	for (enum tenant_limit i = 0; i < TENANT_LIMITS; i++)
		cell[1 + i] = r->tenant.days[i].set ? str_of_int(r->tenant.days[i].v, days[i]) : STR("default");
	ctl_object_begin(&list, ctl, COLUMNS, ARRAY_SIZE(COLUMNS));
	ctl_list_row(&list, cell);
	ctl_list_end(&list);
}

enum err ctl_tenant_retention(struct ctl *ctl)
{
	struct retention r = { .changes = false };

	for (enum tenant_limit i = 0; i < TENANT_LIMITS; i++) {
		TRY(read_wish(ctl, i, &r.wish[i]));
		r.changes = r.changes || r.wish[i].said;
	}
	TRY(ctl_open(ctl, ACCOUNT_CTL, 0));
	TRY(ctl_enter_tenant(ctl, ctl->argument[0]));
	if (r.changes)
		TRY(ctl_say_field(ctl, ctl_change(ctl, AUDIT_TENANT_UPDATE, set_retention, &r), ctl->argument[0]));
	else
		TRY(ctl_say(tenant_read(&ctl->cx, &r.tenant), ctl->argument[0]));
	print_retention(ctl, &r);
	return OK;
}
