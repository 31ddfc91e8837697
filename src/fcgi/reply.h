/*
 * An answer in the making: status, headers, one body. The worker sends it when the handler returns,
 * with its Content-Length; the body of an answer to HEAD is counted and not sent.
 */
#ifndef LW_FCGI_REPLY_H
#define LW_FCGI_REPLY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

enum { REPLY_HEADERS_MAX = 24, REPLY_BODY_MAX = 16 << 20 };

struct reply {
	int status;               /* 200 until set */
	const char *content_type; /* static text; "application/json" until set; NULL sends none */
	struct buf body;
	struct buf head; /* finished header lines */
	size_t headers;
};

void reply_init(struct reply *reply);
/* Empties it for another try; keeps the memory. */
void reply_reset(struct reply *reply);
/* Wipes and frees. */
void reply_done(struct reply *reply);
/*
 * Adds a header. ERR_INTERNAL and nothing added: a name that is no token (RFC 9110, 5.6.2) or one that
 * the reply writes itself (Status, Content-Type, Content-Length); a value with CR, LF, NUL or another
 * control character; more than REPLY_HEADERS_MAX.
 */
enum err reply_header(struct reply *reply, const char *name, struct str value) MUST_CHECK;

#endif
