/*
 * One HTTP request as nginx handed it over, and its body.
 *
 * The texts point into libfcgi's parameters and live until the request is
 * finished. Only what nginx sets itself is trusted (REMOTE_ADDR,
 * REQUEST_METHOD, REQUEST_URI as LW_URI, REQUEST_ID); every HTTP_* is the client's word.
 */
#ifndef LW_FCGI_REQUEST_H
#define LW_FCGI_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

struct request {
	struct str method;
	struct str path;         /* raw, before '?', not decoded */
	struct str query;        /* raw, behind '?'; absent without one */
	struct str remote_addr;  /* absent when nginx didn't say */
	struct str request_id;   /* "req-…": nginx's $request_id in our form, or a new id */
	struct str content_type; /* absent when not sent */
	struct str body;         /* absent until request_read_body */
	int64_t content_length;  /* -1 when not sent */
	bool passed_on;          /* nginx brings it from another worker, who had it and let it in (answer_pass_on) */
	void *fcgi;              /* the room's own */
};

/*
 * From here on the answer may take long: a large body, expressions that are compiled. A worker that polls hands its
 * other connections to the others of the pool first, so that nobody waits behind this request. Any number of times.
 * NULL-safe.
 */
void request_is_slow(const struct request *request);

/*
 * A client's header by its CGI name without "HTTP_", e.g. "AUTHORIZATION", "IF_MATCH"; absent when not
 * sent. Lines of the same name are one text, joined by ", " (RFC 9110, 5.3) or, for COOKIE, by "; ":
 * nginx does so only from 1.23 on.
 */
struct str request_header(const struct request *request, const char *cgi_name);
/* The same by the name that a client writes, in any case ("X-Signature"); absent for what can't be a header's. */
struct str request_header_named(const struct request *request, struct str name);
/*
 * Reads the whole body, at most `max` bytes, into `body` (emptied first, wiped by its owner) and sets
 * request->body. ERR_BODY_TOO_LARGE past the cap, ERR_BAD_REQUEST when less or more came than was
 * announced. Once only: a second call is ERR_INTERNAL.
 */
enum err request_read_body(struct request *request, size_t max, struct buf *body) MUST_CHECK;

#endif
