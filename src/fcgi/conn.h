/* One connection from nginx: what has come on it, and what it waits for. */
#ifndef LW_FCGI_CONN_H
#define LW_FCGI_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "fcgi/records.h"

struct conn {
	int fd;      /* blocking, so that an answer leaves in one call; every read says MSG_DONTWAIT */
	size_t slot; /* its place in the worker's table */
	struct records records;
	struct buf early;    /* the start of the body, as far as it came before the handler was called */
	int64_t touched_us;  /* when something last happened on it (monotonic) */
	unsigned served;     /* requests so far */
	bool last;           /* closed after the next answer */
	bool answered;       /* the answer is out, the rest of the body is still to be dropped */
	bool failed;         /* reading or writing went wrong: it can't be used again */
};

enum conn_event {
	CONN_WAIT,    /* for more bytes */
	CONN_REQUEST, /* a request can be served */
	CONN_GONE,    /* nginx closed it, or it failed: close it */
	CONN_UNSOUND  /* something that nginx never sends came: close it */
};

/* Owns `fd` from now on; NULL (and `fd` closed) when memory is out. */
struct conn *conn_new(int fd, int patience_ms) MUST_CHECK;
/* Closes and frees. NULL-safe. */
void conn_free(struct conn *conn);

/* Nothing is under way on it. */
bool conn_is_idle(const struct conn *conn);
/* Something has come that wasn't read yet. */
bool conn_has_bytes(const struct conn *conn);
/* Takes what has come, without waiting. */
enum conn_event conn_read(struct conn *conn) MUST_CHECK;
/*
 * Reads the rest of the body into `body`, waiting at most `patience_ms` for each part of it.
 * ERR_BODY_TOO_LARGE when `body` can't take it, ERR_BAD_REQUEST when it doesn't come.
 */
enum err conn_read_body(struct conn *conn, int patience_ms, struct buf *body) MUST_CHECK;
/* It is open for another request once this one is answered. */
bool conn_stays(const struct conn *conn);
/* After the answer: CONN_WAIT for the next request or the rest of the body, or CONN_GONE. */
enum conn_event conn_answered(struct conn *conn) MUST_CHECK;
/*
 * Lets nginx send nothing more. What it has sent before is still read and answered; what it tries
 * to send afterwards fails at its end (EPIPE), so that no request can vanish in a closed socket.
 */
void conn_refuse_more(struct conn *conn);

#endif
