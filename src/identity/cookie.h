/* Cookies: the two of a console session, and how others are read and set. */
#ifndef LW_IDENTITY_COOKIE_H
#define LW_IDENTITY_COOKIE_H

#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/str.h"
#include "core/ctx.h"
#include "fcgi/reply.h"

/* The __Host- prefix makes browsers refuse them from other hosts, other paths and without TLS (RFC 6265bis). */
#define COOKIE_ACCESS "__Host-latchwork"
#define COOKIE_REFRESH "__Host-latchwork-refresh"

/* The request's cookie of that name, absent when it wasn't sent. ERR_BAD_TOKEN when it came twice: one of
 * them isn't ours. */
enum err cookie_get(const struct ctx *cx, struct str name, struct str *ret_value) MUST_CHECK;
enum err cookie_set(struct reply *reply, const char *name, struct str value,
		    int64_t lifetime_ms) MUST_CHECK;
/* One that also comes when another site sends the browser here: back from a consent page. */
enum err cookie_set_lax(struct reply *reply, const char *name, struct str value,
			int64_t lifetime_ms) MUST_CHECK;
/* Makes the browser forget both. */
enum err cookies_clear(struct reply *reply) MUST_CHECK;

#endif
