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

/* What another process may have read: a head, a body's start, and what records need around them. */
enum { CONN_TAKEN_MAX = 512 << 10 };

struct conn {
	int fd;      /* blocking, so that an answer leaves in one call; every read says MSG_DONTWAIT */
	size_t slot; /* its place in the worker's table */
	struct records records;
	struct buf early;    /* the start of the body, as far as it came before the handler was called */
	struct buf taken;    /* every byte of a request that isn't whole yet, for whoever takes the connection over */
	int64_t touched_us;  /* when something last happened on it (monotonic) */
	unsigned served;     /* requests so far */
	bool last;           /* closed after the next answer */
	int64_t sent_off_us; /* when nginx was asked to close it; 0: it wasn't */
	bool held;           /* its request waits for its answer: nothing may be done with it */
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
/* Between two requests, or still waiting for one to become whole: another process can go on with it. */
bool conn_is_portable(const struct conn *conn);
/* Makes up for what another process has read from the connection. ERR_BAD_REQUEST, ERR_NO_MEMORY: it can't be used. */
enum err conn_resume(struct conn *conn, struct str taken) MUST_CHECK;
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
 * Has nginx close it, unless a request is on its way: then that is answered, and is the last one. What nginx finds on
 * a connection that it keeps makes it close it (ngx_http_upstream_keepalive_module.c), and an empty STDERR record in
 * front of an answer means nothing to it: no request can get lost between the two.
 */
void conn_send_off(struct conn *conn);
/*
 * The same for a peer that didn't care: lets it send nothing more. What it has sent before is still read and answered;
 * what it tries to send afterwards fails at its end (EPIPE), so that no request can vanish in a closed socket.
 */
void conn_refuse_more(struct conn *conn);

#endif
