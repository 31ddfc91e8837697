#include "vault/use.h"

#include "audit/audit.h"
#include "store/db.h"

enum err vault_may_use(struct ctx *cx)
{
	enum err e;

	if (db_in_transaction(cx->db))
		return OK;
	TRY(db_begin(cx->db));
	e = audit_write(cx, AUDIT_CREDENTIAL_TEST, OK);
	db_rollback(cx->db);
	return e;
}
