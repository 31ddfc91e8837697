/*
 * A tenant's own limits: for how many days what it gathers is kept. They may be
 * shorter than the installation's, whose partitions go with their day whatever
 * a tenant says; a longer one that the operator has cut off since means nothing.
 */
#ifndef LW_IDENTITY_TENANT_H
#define LW_IDENTITY_TENANT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/id.h"
#include "base/str.h"
#include "core/ctx.h"

enum tenant_limit { TENANT_EVENT_DAYS, TENANT_EXECUTION_DAYS, TENANT_AI_DAYS, TENANT_LIMITS };

struct tenant {
	struct str name;
	struct opt_int days[TENANT_LIMITS]; /* not set: the installation's */
	int64_t created_at, updated_at;
};

/* What is said of each limit. */
struct tenant_wish {
	bool said, none; /* none: the installation's again */
	int64_t days;
};

/* "event_days" ... */
const char *tenant_limit_text(enum tenant_limit limit);
/* The installation's. */
int64_t tenant_limit_most(const struct config *config, enum tenant_limit limit);

/* The scope's tenant; its name lives until the next call. ERR_NOT_FOUND: it is deleted, or the session is over. */
enum err tenant_read(struct ctx *cx, struct tenant *ret_tenant) MUST_CHECK;
/* The same in a transaction, locked until its end. */
enum err tenant_lock(struct ctx *cx, struct tenant *ret_tenant) MUST_CHECK;
/*
 * In the transaction that locked it. Sets the audit row's target and details. ERR_BAD_INPUT: no day, or more days
 * than the installation keeps.
 */
enum err tenant_set_limits(struct ctx *cx, struct tenant *tenant,
			   const struct tenant_wish wish[TENANT_LIMITS]) MUST_CHECK;

/* Removes what is on record of them, with the tenant. */
enum err tenant_forget_limits(struct ctx *cx) MUST_CHECK;

#endif
