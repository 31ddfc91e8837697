/* A credential's row, as the statements give and take it. */
#ifndef LW_VAULT_ROW_H
#define LW_VAULT_ROW_H

#include "base/attr.h"
#include "base/err.h"
#include "store/db.h"
#include "vault/credential.h"

/*
 * Out of the row of credential_list, credential_get or credential_lock: their columns are the same.
 */
#define CREDENTIAL_OF(row)                                                                         \
	((struct credential){                                                                      \
		.id = (row).credential_id,                                                         \
		.name = (row).name,                                                                \
		.type = (row).type,                                                                \
		.service = (row).service,                                                          \
		.key_service = (row).key_service,                                                  \
		.status = (row).status,                                                            \
		.masked = (row).masked,                                                            \
		.version = (row).version,                                                          \
		.created_by = (row).created_by,                                                    \
		.created_at = (row).created_at,                                                    \
		.updated_at = (row).updated_at,                                                    \
		.expires_at = (row).expires_at,                                                    \
		.verify = { (row).verify_status, (row).verify_error_code, (row).verify_message,    \
			    (row).verify_account, (row).verify_checked_at },                       \
	})

/* The texts are the statement's. ERR_NOT_FOUND. */
enum err vault_find(struct ctx *cx, const struct id *id, struct credential *ret_credential) MUST_CHECK;
/* Both keep the answer with the row. */
enum err vault_insert_row(struct db *db, const struct credential *credential) MUST_CHECK;
/* Writes everything that can change. ERR_DB_DUPLICATE: key_service is taken. */
enum err vault_update_row(struct db *db, const struct credential *credential) MUST_CHECK;

#endif
