#include "identity/tenant.h"

#include <inttypes.h>

#include "store/sql_retention.h"

static const char *const LIMITS[] = {
	[TENANT_EVENT_DAYS] = "event_days",
	[TENANT_EXECUTION_DAYS] = "execution_days",
	[TENANT_AI_DAYS] = "ai_days",
};

const char *tenant_limit_text(enum tenant_limit limit) { return LIMITS[limit]; }

int64_t tenant_limit_most(const struct config *config, enum tenant_limit limit)
{
	switch (limit) {
	case TENANT_EVENT_DAYS: return config->retention_event_days;
	case TENANT_EXECUTION_DAYS: return config->retention_execution_days;
	default: return config->retention_ai_days;
	}
}

#define TENANT_OF(row)                                                                         \
	((struct tenant){ (row).name, { (row).event_days, (row).execution_days, (row).ai_days }, \
			  (row).created_at, (row).updated_at })

enum err tenant_read(struct ctx *cx, struct tenant *ret_tenant)
{
	struct sql_retention_get_row row;

	TRY(sql_retention_get(cx->db, &row));
	*ret_tenant = TENANT_OF(row);
	return OK;
}

enum err tenant_lock(struct ctx *cx, struct tenant *ret_tenant)
{
	struct sql_retention_lock_row row;

	TRY(sql_retention_lock(cx->db, &row));
	*ret_tenant = TENANT_OF(row);
	return OK;
}

static enum err take(struct ctx *cx, struct tenant *tenant, enum tenant_limit limit,
		     const struct tenant_wish *wish)
{
	int64_t most = tenant_limit_most(cx->config, limit);
	struct str words;

	if (!wish->said)
		return OK;
	if (wish->none) {
		tenant->days[limit] = (struct opt_int){ 0 };
		ctx_audit_detail(cx, LIMITS[limit], STR("default"));
		return OK;
	}
	words = arena_printf(cx->arena, "must be at most %" PRId64 ", as the installation keeps no longer", most);
	if (wish->days < 1)
		return ctx_bad_field(cx, LIMITS[limit], "TOO_SMALL", "must be at least 1");
	if (wish->days > most)
		return ctx_bad_field(cx, LIMITS[limit], "TOO_LARGE",
				     str_absent(words) ? "is longer than the installation keeps" : words.p);
	tenant->days[limit] = (struct opt_int){ true, wish->days };
	ctx_audit_detail(cx, LIMITS[limit], arena_printf(cx->arena, "%" PRId64, wish->days));
	return OK;
}

enum err tenant_set_limits(struct ctx *cx, struct tenant *tenant, const struct tenant_wish wish[TENANT_LIMITS])
{
	bool said = false;

	ctx_audit_target(cx, ID_TENANT, &cx->who.tenant);
	for (enum tenant_limit i = 0; i < TENANT_LIMITS; i++) {
		TRY(take(cx, tenant, i, &wish[i]));
		said = said || wish[i].said;
	}
	if (!said)
		return OK;
	tenant->updated_at = ctx_next_update(cx, tenant->updated_at);
	const struct sql_retention_set_in in = { .event_days = tenant->days[TENANT_EVENT_DAYS],
						 .execution_days = tenant->days[TENANT_EXECUTION_DAYS],
						 .ai_days = tenant->days[TENANT_AI_DAYS],
						 .updated_at = tenant->updated_at };

	return sql_retention_set(cx->db, &in, NULL);
}

enum err tenant_forget_limits(struct ctx *cx) { return sql_retention_forget(cx->db, NULL); }
