/*
 * Saying yes to a provider that asks by an address: the delivery was genuine,
 * and whoever calls that address agrees to be sent more. The worker does it,
 * for the front can't call out.
 */
#ifndef LW_HOOK_VISIT_H
#define LW_HOOK_VISIT_H

#include "base/attr.h"
#include "base/err.h"
#include "core/ctx.h"
#include "hook/delivery.h"
#include "hook/hook.h"
#include "hook/scheme.h"
#include "jobs/runner.h"

/* A job for the address that the delivery names, once for each. ERR_DENIED for one that isn't the type's. */
enum err hook_visit_later(struct ctx *cx, const struct hook *hook, const struct hook_handshake *handshake,
			  const struct hook_delivery *delivery) MUST_CHECK;

/* Calls it, through the egress guard; done with 2xx, given up with 4xx. */
enum err job_hook_visit(struct ctx *cx, struct run *run) MUST_CHECK;

#endif
