/* Before a stored secret is used at a provider: whoever uses one has to leave a row in the audit trail. */
#ifndef LW_VAULT_USE_H
#define LW_VAULT_USE_H

#include "base/attr.h"
#include "base/err.h"
#include "core/ctx.h"

/*
 * OK when the scope's tenant can be given an audit row now: one is written and taken back. For uses whose own row tells
 * how they went and so comes afterwards, when the secret has left. Within a transaction nothing is asked: what is part
 * of it goes when its row can't be written. Errors of audit_write.
 */
enum err vault_may_use(struct ctx *cx) MUST_CHECK;

#endif
