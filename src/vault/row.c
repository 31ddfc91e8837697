#include "vault/row.h"

#include "store/sql_credential.h"

enum err vault_insert_row(struct db *db, const struct credential *c)
{
	const struct sql_credential_insert_in in = {
		.credential_id = c->id,
		.name = c->name,
		.type = c->type,
		.service = c->service,
		.key_service = c->key_service,
		.status = c->status,
		.masked = c->masked,
		.version = c->version,
		.created_by = c->created_by,
		.created_at = c->created_at,
		.updated_at = c->updated_at,
		.expires_at = c->expires_at,
		.verify_status = c->verify.status,
		.verify_error_code = c->verify.error_code,
		.verify_message = c->verify.message,
		.verify_account = c->verify.account,
		.verify_checked_at = c->verify.checked_at,
	};

	return sql_credential_insert(db, &in, NULL);
}

enum err vault_update_row(struct db *db, const struct credential *c)
{
	const struct sql_credential_update_in in = {
		.credential_id = c->id,
		.name = c->name,
		.service = c->service,
		.key_service = c->key_service,
		.status = c->status,
		.masked = c->masked,
		.version = c->version,
		.updated_at = c->updated_at,
		.expires_at = c->expires_at,
		.verify_status = c->verify.status,
		.verify_error_code = c->verify.error_code,
		.verify_message = c->verify.message,
		.verify_account = c->verify.account,
		.verify_checked_at = c->verify.checked_at,
	};
	int64_t rows;

	TRY(sql_credential_update(db, &in, &rows));
	return rows == 1 ? OK : ERR_INTERNAL;
}
