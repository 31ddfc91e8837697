/*
 * The audit trail: who did what to which, with which outcome; never a secret.
 *
 * A row is written in the transaction of the change that it tells of. When it
 * can't be written, the change isn't made.
 */
#ifndef LW_AUDIT_AUDIT_H
#define LW_AUDIT_AUDIT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"
#include "core/ctx.h"

/*
 * Adds a row from cx->who and cx->audit: outcome "ok" for OK, "refused" for errors that are the client's
 * (4xx), "failed" for ours. Without a tenant in the context the row goes to cx->audit.about_tenant, or to the
 * service's own rows.
 */
enum err audit_write(struct ctx *cx, enum audit_action action, enum err result) MUST_CHECK;

/*
 * The row "ok" of a secret's use that changes nothing else; the handler's last act, once its answer is made: the
 * request may be held until the row is written (core/hold.h).
 */
enum err audit_use(struct ctx *cx, enum audit_action action, const struct id *credential,
		   struct reply *reply) MUST_CHECK;

/*
 * The same rows for those of cx[n], 1 to AUDIT_USES_MAX of any tenants, in one commit: all or none. For what holds its
 * requests itself. The service is that of each one's note.
 */
enum { AUDIT_USES_MAX = 24 };
enum err audit_write_uses(struct db *db, struct ctx *const *cx, size_t n, enum audit_action action,
			  const struct id *credentials) MUST_CHECK;

/* Whether an error of an operation is worth a row: refusals and failures of a secret, not slips of input. */
bool audit_worthy(enum err e);

#endif
