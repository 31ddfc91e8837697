/*
 * Where a connector's webhooks come in: an address with a secret that names the
 * connector, and so its tenant.
 */
#ifndef LW_HOOK_HOOK_H
#define LW_HOOK_HOOK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/id.h"
#include "base/str.h"
#include "core/ctx.h"

/* A hook as a delivery finds it. */
struct hook {
	struct id tenant, connector;
	struct str type;
	struct str check_keys, stored_keys; /* sealed; absent: none */
	/* Changes with the row, and when its connector is switched off or on: what lw_intake compares. */
	int64_t state;
	bool recalled; /* not read now, but before: only lw_intake can tell whether it still is so (known.h) */
};

/*
 * By the secret of the address; the scope becomes its tenant (cx->who stays nobody). One that was read before will do
 * if the caller `may_recall`. ERR_NOT_FOUND.
 */
enum err hook_find(struct ctx *cx, struct str secret, bool may_recall, struct hook *ret_hook) MUST_CHECK;

/*
 * Removes what providers sent to the scope's tenant, where it is sent on to, and what was still to be done. Part of the
 * caller's transaction that deletes the tenant; the hooks go with their connectors. latchctl only.
 */
enum err hook_forget_tenant(struct ctx *cx) MUST_CHECK;

#endif
