#include "vault/row.h"

#include "store/sql_credential.h"
#include "vault/answer.h"

/* A row without it is slower to read, and as good. */
static struct str answer_of(struct buf *buf, const struct credential *c)
{
	buf_init(buf, VAULT_ANSWER_MAX);
	vault_keep_answer(buf, c);
	return buf_error(buf) == OK ? buf_str(buf) : STR_NONE;
}

/* What may change, as members of a statement's input. */
#define CHANGING_MEMBERS(c, buffer)                                                                                    \
	.credential_id = (c)->id, .name = (c)->name, .service = (c)->service, .key_service = (c)->key_service,        \
	.status = (c)->status, .masked = (c)->masked, .version = (c)->version, .updated_at = (c)->updated_at,         \
	.expires_at = (c)->expires_at, .verify_status = (c)->verify.status,                                           \
	.verify_error_code = (c)->verify.error_code, .verify_message = (c)->verify.message,                           \
	.verify_account = (c)->verify.account, .verify_checked_at = (c)->verify.checked_at,                           \
	.answer = answer_of((buffer), (c))

enum err vault_find(struct ctx *cx, const struct id *id, struct credential *ret_credential)
{
	const struct sql_credential_get_in query = { .credential_id = *id };
	struct sql_credential_get_row row;

	TRY(sql_credential_get(cx->db, &query, &row));
	*ret_credential = CREDENTIAL_OF(row);
	return OK;
}

enum err vault_insert_row(struct db *db, const struct credential *c)
{
	BUF_AUTO struct buf answer = { 0 };
	const struct sql_credential_insert_in in = { CHANGING_MEMBERS(c, &answer), .type = c->type,
						     .created_by = c->created_by, .created_at = c->created_at };

	return sql_credential_insert(db, &in, NULL);
}

enum err vault_update_row(struct db *db, const struct credential *c)
{
	BUF_AUTO struct buf answer = { 0 };
	const struct sql_credential_update_in in = { CHANGING_MEMBERS(c, &answer) };
	int64_t rows;

	TRY(sql_credential_update(db, &in, &rows));
	return rows == 1 ? OK : ERR_INTERNAL;
}
