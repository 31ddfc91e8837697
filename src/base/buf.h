/*
 * A growing byte buffer with a cap that is set when it is born.
 *
 * The first failure sticks: later additions do nothing, and the caller asks
 * once, at the end (buf_error). Memory is wiped when it is let go, because
 * bodies and answers may carry secrets.
 */
#ifndef LW_BASE_BUF_H
#define LW_BASE_BUF_H

#include <stdarg.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/str.h"

struct buf {
	char *p;
	size_t n;
	size_t capacity;
	size_t max;
	size_t touched; /* bytes that may hold something, n or more: what is wiped */
	enum err error;
};

/* An empty buffer; nothing is allocated until the first byte. */
void buf_init(struct buf *buf, size_t max_bytes);
/* Wipes and frees; the buffer is empty and usable again. NULL-safe. */
void buf_done(struct buf *buf);
/* Empties, keeps the memory (wiped; given back past 256 KiB) and clears the error. */
void buf_clear(struct buf *buf);

void buf_add(struct buf *buf, const void *bytes, size_t n);
void buf_add_str(struct buf *buf, struct str s);
void buf_add_c(struct buf *buf, const char *c_string);
void buf_add_char(struct buf *buf, char c);
/* Percent-encoded: all but RFC 3986's unreserved characters, as a path's segment, a query or a form wants it. */
void buf_add_percent(struct buf *buf, struct str s);
void buf_printf(struct buf *buf, const char *format, ...) PRINTF_LIKE(2, 3);
/* Room for `n` more bytes at the returned place, or NULL; buf_advance counts what was written there. */
void *buf_reserve(struct buf *buf, size_t n) MUST_CHECK;
void buf_advance(struct buf *buf, size_t n);

/* OK, ERR_NO_MEMORY or ERR_TOO_BIG. */
enum err buf_error(const struct buf *buf) MUST_CHECK;
/* What is in it; never absent. Valid until the next addition. */
struct str buf_str(const struct buf *buf);

#define BUF_AUTO CLEANUP(buf_done)

#endif
