/*
 * A change and its audit row in one transaction, for handlers that call out in between and so can't stand in the
 * transaction of their request (x-transaction: false).
 */
#ifndef LW_AUDIT_TRANSACT_H
#define LW_AUDIT_TRANSACT_H

#include "base/attr.h"
#include "base/err.h"
#include "core/ctx.h"

/*
 * BEGIN, change(cx, arg), an audit row "ok" from cx->audit, COMMIT; run again as a whole when the database asks
 * for it, so `change` has no other effect and sets the row's target and details itself. With AUDIT_NONE no row is
 * written.
 * An error of `change` rolls back and is returned; the pipeline writes the row of a refusal.
 */
enum err audit_transact(struct ctx *cx, enum audit_action action, enum err (*change)(struct ctx *cx, void *arg),
			void *arg) MUST_CHECK;

#endif
