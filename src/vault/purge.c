/*
 * Destroying what was deleted: one credential, those whose retention time is over, a whole tenant.
 */
#include "audit/audit.h"
#include "base/crash.h"
#include "core/config.h"
#include "store/db.h"
#include "store/sql_credential.h"
#include "store/sql_tenant_key.h"
#include "store/sql_token_refresh.h"
#include "vault/credential.h"

enum err vault_hide(struct ctx *cx, const struct credential *credential)
{
	const struct sql_credential_hide_in in = { .credential_id = credential->id,
						   .deleted_at = cx->now_ms };

	return sql_credential_hide(cx->db, &in, NULL);
}

enum err vault_destroy(struct ctx *cx, const struct id *id, bool *ret_verified)
{
	const struct sql_version_overwrite_in overwrite = { .credential_id = *id };
	const struct sql_version_delete_in versions = { .credential_id = *id };
	const struct sql_credential_delete_row_in row = { .credential_id = *id };
	const struct sql_token_refresh_forget_in refresh = { .credential_id = *id };
	const struct sql_credential_remains_in count = { .credential_id = *id };
	struct sql_credential_remains_row left;

	TRY(sql_version_overwrite(cx->db, &overwrite, NULL));
	TRY(sql_version_delete(cx->db, &versions, NULL));
	TRY(sql_token_refresh_forget(cx->db, &refresh, NULL));
	TRY(sql_credential_delete_row(cx->db, &row, NULL));
	TRY(sql_credential_remains(cx->db, &count, &left));
	*ret_verified = left.remains == 0;
	return OK;
}

struct purge {
	struct ctx *cx;
	struct id credential;
	int64_t before;
	bool done;
};

static enum err purge_one(struct db *db, void *arg)
{
	struct purge *p = arg;
	const struct sql_credential_lock_expired_in in = { .credential_id = p->credential,
							   .before = p->before };
	struct sql_credential_lock_expired_row row;
	enum err e = sql_credential_lock_expired(db, &in, &row);
	bool verified;

	p->done = false;
	if (e == ERR_NOT_FOUND) /* another worker was faster */
		return OK;
	TRY(e);
	p->cx->audit = (struct audit_note){ .service = row.service };
	ctx_audit_target(p->cx, ID_CREDENTIAL, &p->credential);
	TRY(vault_destroy(p->cx, &p->credential, &verified));
	if (!verified)
		return ERR_INTERNAL;
	TRY(audit_write(p->cx, AUDIT_CREDENTIAL_PURGE, OK));
	lw_crash_point("purge_before_commit");
	p->done = true;
	return OK;
}

static enum err purge_in_transaction(struct ctx *cx, void *arg) { return db_run(cx->db, purge_one, arg); }

static enum err purge_row(struct ctx *cx, const struct sql_credential_expired_row *row, int64_t before, int *purged)
{
	struct purge p = { .cx = cx, .credential = row->credential_id, .before = before };

	TRY(ctx_as_system(cx, &row->tenant_id, 0, purge_in_transaction, &p));
	*purged += p.done;
	return OK;
}

enum err vault_purge_expired(struct ctx *cx, int limit, int *ret_purged)
{
	const struct sql_credential_expired_in in = {
		.before = cx->now_ms - cx->config->credentials_retention_ms,
		.limit = limit,
	};
	struct sql_credential_expired_row row;
	enum err e;

	*ret_purged = 0;
	TRY(sql_credential_expired(cx->db, &in));
	while ((e = sql_credential_expired_next(cx->db, &row)) == OK)
		if ((e = purge_row(cx, &row, in.before, ret_purged)) != OK)
			break;
	return e == ERR_END ? OK : e;
}

enum err vault_forget_tenant(struct ctx *cx)
{
	TRY(sql_credential_forget_versions(cx->db, NULL));
	TRY(sql_credential_forget_versions_rows(cx->db, NULL));
	TRY(sql_credential_forget(cx->db, NULL));
	return sql_tenant_key_forget(cx->db, NULL);
}
