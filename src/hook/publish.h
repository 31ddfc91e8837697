/* Keeping what checks a connector's webhooks in step with its credential. */
#ifndef LW_HOOK_PUBLISH_H
#define LW_HOOK_PUBLISH_H

#include "base/attr.h"
#include "base/err.h"
#include "core/ctx.h"

enum {
	HOOK_DUE_BATCH = 50,
	HOOK_OLD_KEY_MS = 3600 * 1000, /* how long the key before the newest one counts: what is under way has it */
	HOOK_PUT_OFF_MS = 60 * 1000    /* until keys that couldn't be made are tried again */
};

/*
 * Makes the keys of hooks whose credential has changed, or whose old key is over: at most a batch, each in a
 * transaction of its own. One that fails is put off and keeps none of the others waiting.
 */
enum err hook_publish_due(struct ctx *cx, int *ret_published) MUST_CHECK;

#endif
