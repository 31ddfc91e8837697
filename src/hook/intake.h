/* From a genuine delivery to stored events. */
#ifndef LW_HOOK_INTAKE_H
#define LW_HOOK_INTAKE_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/id.h"
#include "core/ctx.h"
#include "hook/delivery.h"
#include "hook/hook.h"
#include "hook/scheme.h"

struct intake {
	struct id event; /* the first one; nil when the delivery held none */
	size_t events;
	bool duplicate;  /* all of them were known */
};

/*
 * Stores what the delivery holds, each event with its job and audit row, in one commit, known ones passed over. OK
 * means that all of it is durable. ERR_CONFLICT: the hook has changed since it was read, and nothing is stored.
 */
enum err hook_take_in(struct ctx *cx, const struct hook *hook, const struct hook_scheme *scheme,
		      const struct hook_delivery *delivery, struct intake *ret_intake) MUST_CHECK;

#endif
