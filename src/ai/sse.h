/*
 * Server-Sent Events as they come (WHATWG HTML, section 9.2.6): bytes cut
 * anywhere go in, whole events come out.
 */
#ifndef LW_AI_SSE_H
#define LW_AI_SSE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

/* One event's data, its lines joined. What isn't OK ends the reading with that error. */
typedef enum err (*sse_listener)(void *arg, struct str data);

struct sse {
	struct buf line, data;
	bool begun;    /* past a byte order mark */
	bool after_cr; /* a line feed now belongs to the line end before it */
	bool has_data;
	bool bare; /* a line that is no field but JSON: the rest is a body of its own */
	sse_listener listen;
	void *arg;
};

/* An event, and a line, may have so many bytes. */
void sse_init(struct sse *sse, size_t max, sse_listener listen, void *arg);
void sse_done(struct sse *sse);
/* ERR_TOO_BIG, ERR_NO_MEMORY, the listener's. */
enum err sse_feed(struct sse *sse, struct str bytes) MUST_CHECK;
/* An event that has no empty line behind it, because the stream ended, is handed over as well. */
enum err sse_end(struct sse *sse) MUST_CHECK;

#endif
