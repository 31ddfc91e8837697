/* GET, PATCH /tenant */
#include "core/answer.h"
#include "core/operations.h"
#include "fcgi/reply.h"
#include "identity/tenant.h"

static enum err answer(struct ctx *cx, const struct tenant *tenant, struct reply *reply)
{
	struct json_writer w;

	TRY(ctx_etag(cx, reply, &cx->who.tenant, tenant->updated_at));
	jw_start(&w, &reply->body);
	jw_object(&w);
	answer_id(&w, "id", ID_TENANT, &cx->who.tenant);
	jw_put_text(&w, "name", tenant->name);
	for (enum tenant_limit i = 0; i < TENANT_LIMITS; i++)
		if (tenant->days[i].set)
			jw_put_int(&w, tenant_limit_text(i), tenant->days[i].v);
		else
			jw_put_null(&w, tenant_limit_text(i));
	jw_key(&w, "installation");
	jw_object(&w);
	for (enum tenant_limit i = 0; i < TENANT_LIMITS; i++)
		jw_put_int(&w, tenant_limit_text(i), tenant_limit_most(cx->config, i));
	jw_object_end(&w);
	answer_time(&w, "created_at", tenant->created_at);
	answer_time(&w, "updated_at", tenant->updated_at);
	jw_object_end(&w);
	return buf_error(&reply->body);
}

enum err tenant_get(struct ctx *cx, const struct tenant_get_in *in, struct reply *reply)
{
	struct tenant tenant;

	(void)in;
	TRY(tenant_read(cx, &tenant));
	return answer(cx, &tenant, reply);
}

enum err tenant_update(struct ctx *cx, const struct tenant_update_in *in, struct reply *reply)
{
#define WISH_OF(days) { (days).set || days##_null, days##_null, (days).v }
	const struct tenant_wish wish[TENANT_LIMITS] = {
		[TENANT_EVENT_DAYS] = WISH_OF(in->event_days),
		[TENANT_EXECUTION_DAYS] = WISH_OF(in->execution_days),
		[TENANT_AI_DAYS] = WISH_OF(in->ai_days),
	};
#undef WISH_OF
	struct tenant tenant;

	ctx_audit_target(cx, ID_TENANT, &cx->who.tenant);
	TRY(tenant_lock(cx, &tenant));
	TRY(ctx_if_match(cx, &cx->who.tenant, tenant.updated_at));
	TRY(tenant_set_limits(cx, &tenant, wish));
	return answer(cx, &tenant, reply);
}
