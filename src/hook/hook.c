#include "hook/hook.h"

#include "connect/hook_address.h"
#include "crypt/hash.h"
#include "hook/known.h"
#include "store/sql_event.h"
#include "store/sql_hook.h"
#include "store/sql_job.h"
#include "store/sql_subscription.h"

static enum err read_hook(struct ctx *cx, const uint8_t hash[SHA256_BYTES], struct hook *ret_hook)
{
	const struct sql_hook_by_secret_in in = { .secret_hash = { (const char *)hash, SHA256_BYTES } };
	struct sql_hook_by_secret_row row;

	hook_forget(hash);
	TRY(sql_hook_by_secret(cx->db, &in, &row));
	*ret_hook = (struct hook){
		.tenant = row.tenant_id,
		.connector = row.connector_id,
		.type = row.connector_type,
		.check_keys = row.check_keys,
		.stored_keys = row.stored_keys,
		.state = row.updated_at,
	};
	hook_remember(hash, ret_hook);
	return OK;
}

enum err hook_find(struct ctx *cx, struct str secret, bool may_recall, struct hook *ret_hook)
{
	uint8_t hash[SHA256_BYTES];

	if (secret.n != HOOK_SECRET_CHARS)
		return ERR_NOT_FOUND;
	sha256_of(BYTES(secret), hash);
	if (!may_recall || !hook_recall(hash, ret_hook))
		TRY(read_hook(cx, hash, ret_hook));
	cx->who = (struct principal){ .who = WHO_NOBODY, .tenant = ret_hook->tenant, .live = true };
	ctx_enter(cx);
	return OK;
}

enum err hook_forget_tenant(struct ctx *cx)
{
	TRY(sql_event_forget_keys(cx->db, NULL));
	TRY(sql_event_forget_all(cx->db, NULL));
	TRY(sql_subscription_forget_all(cx->db, NULL));
	return sql_job_forget_all(cx->db, NULL);
}
