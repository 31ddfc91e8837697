/* What a provider asks before it sends events, or in their place: answered as its type declares. */
#ifndef LW_HOOK_HANDSHAKE_H
#define LW_HOOK_HANDSHAKE_H

#include "base/attr.h"
#include "base/err.h"
#include "core/ctx.h"
#include "fcgi/reply.h"
#include "hook/delivery.h"
#include "hook/hook.h"
#include "hook/keys.h"
#include "hook/scheme.h"

/* The handshake that the delivery is; NULL when it is an event. */
const struct hook_handshake *hook_handshake_of(const struct hook_scheme *scheme, const struct hook_delivery *delivery);

/*
 * Answers it: ERR_DENIED when what it has to know is wrong, ERR_BAD_SIGNATURE when it must be signed and isn't. What it
 * hands over is stored for the front. ERR_CONFLICT: the hook has changed since it was read.
 */
enum err hook_handshake_answer(struct ctx *cx, const struct hook *hook, const struct hook_scheme *scheme,
			       const struct hook_handshake *handshake, struct hook_delivery *delivery,
			       const struct hook_keys *keys, struct reply *reply) MUST_CHECK;

#endif
