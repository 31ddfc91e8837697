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
 * How it went; OK means that all of it is durable. ERR_CONFLICT: the hook has changed since it was read, and nothing is
 * stored. What it returns is hook_take_in's outcome, or the held request's.
 */
typedef enum err intake_done(void *arg, enum err e, const struct intake *intake);

/*
 * Stores what the delivery holds, each event with its job and audit row, in one commit, known ones passed over; then
 * calls done(arg), once. A single event may hold the request, to be stored together with others' (core/hold.h): `arg`
 * is in the request's arena.
 */
enum err hook_take_in(struct ctx *cx, const struct hook *hook, const struct hook_scheme *scheme,
		      const struct hook_delivery *delivery, intake_done *done, void *arg,
		      struct reply *reply) MUST_CHECK;

#endif
