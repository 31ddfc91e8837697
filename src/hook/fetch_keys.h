/* Fetching the keys that webhooks are waiting for. In the worker. */
#ifndef LW_HOOK_FETCH_KEYS_H
#define LW_HOOK_FETCH_KEYS_H

#include "base/attr.h"
#include "base/err.h"
#include "core/ctx.h"

enum {
	HOOK_KEY_KEEP_MS = 7 * 24 * 3600 * 1000, /* since it was fetched: those in use are, each hour */
	HOOK_WISH_KEEP_MS = 3600 * 1000
};

/*
 * A few of the wishes that are due, each fetched through the egress guard from an address that its type declares. A
 * certificate must be the provider's and of today, a set of keys must hold one; what isn't so is remembered for a while
 * as no good. An address that doesn't answer is tried again later, when somebody waits for it still. Errors are the
 * database's.
 */
enum err hook_fetch_keys(struct ctx *cx) MUST_CHECK;

#endif
