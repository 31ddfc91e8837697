/* Handing events on: which subscriptions want one, and how a delivery to a tenant's own address is made and signed. */
#ifndef LW_HOOK_FORWARD_H
#define LW_HOOK_FORWARD_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/id.h"
#include "base/secret.h"
#include "base/str.h"
#include "core/ctx.h"
#include "jobs/runner.h"

enum {
	FORWARD_SECRET_BYTES = 32, /* Standard Webhooks: 24 to 64 */
	SUBSCRIPTIONS_MAX = 100,   /* of one tenant: an event may become so many jobs */
	SUBSCRIPTION_TYPES_END = '\n' /* between two types in a row: they may have spaces (GitLab's "Push Hook") */
};

/* A new signing secret: as its user sees it, "whsec_…", appended to `text` (wiped by its owner), and sealed. */
enum err forward_new_secret(struct ctx *cx, const struct id *subscription, struct buf *text,
			    struct buf *sealed) MUST_CHECK;
/* "v1,<base64>" over "id.timestamp.body", appended (Standard Webhooks, section "signature scheme"). */
void forward_sign(const struct secret *secret, struct str id, int64_t timestamp_s, struct str body, struct buf *out);

/* A job for each subscription that wants the event. */
enum err job_event_process(struct ctx *cx, struct run *run) MUST_CHECK;
/* That job is dead: the event has failed. */
enum err event_process_buried(struct ctx *cx, const struct job *job) MUST_CHECK;
/* One event to one subscription: done with 2xx; 410 ends the subscription. */
enum err job_event_deliver(struct ctx *cx, struct run *run) MUST_CHECK;

#endif
