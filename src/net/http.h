/*
 * One outbound HTTP request, through the egress guard, on libcurl.
 *
 * HTTP/1.1; TLS 1.2 or later, with the peer's certificate and name checked; no
 * redirect is followed, no proxy is used, no cookie is kept. The connection of a
 * GET may serve the next one to the same host and port; the guard is asked each
 * time. Call it in the process that needs it, never before a fork.
 */
#ifndef LW_NET_HTTP_H
#define LW_NET_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "net/egress.h"

enum { HTTP_TYPE_MAX = 128, HTTP_WANTED_MAX = 8, HTTP_WANTED_VALUE_MAX = 4096 };

struct http_header {
	const char *name;
	struct str value;
};

struct http_request {
	const char *method; /* GET, HEAD, POST, PUT, PATCH or DELETE */
	struct str url;     /* what follows '#' isn't sent */
	const struct http_header
		*header; /* Host, Content-Length and the like aren't the caller's to set */
	size_t headers;
	struct str body; /* absent: none */
	/* Of the answer's headers, those that the caller will look at; at most HTTP_WANTED_MAX. */
	const struct str *wanted;
	size_t wanteds;
	bool compressed; /* gzip is welcome; the cap counts what comes out of it */
	int timeout_ms;  /* for all of it; 0: the policy's */
};

/* Why there is no answer. */
enum http_failure {
	HTTP_ANSWERED,
	HTTP_FORBIDDEN,   /* by the guard */
	HTTP_UNREACHABLE, /* no such name, no connection */
	HTTP_NO_TLS,      /* no handshake, or a certificate that isn't trusted */
	HTTP_TIMEOUT,
	HTTP_TOO_LARGE,
	HTTP_CUT,        /* the connection ended before the answer did */
	HTTP_UNREADABLE, /* not HTTP, or a body that can't be decoded */
	HTTP_OURS        /* memory, a request that can't be sent, the configuration */
};

struct http_answer {
	int status;
	enum http_failure failure;
	bool sent; /* something of the request may have reached the other side, answered or not */
	/* In the order of the request's `wanted`; empty: not sent, or too long to mean anything. */
	char wanted[HTTP_WANTED_MAX][HTTP_WANTED_VALUE_MAX];
	char content_type
		[HTTP_TYPE_MAX]; /* as sent; empty: none, or one too long to mean anything */
	int64_t retry_after_s;   /* from a number or a date; -1: not sent, or neither */
	const char *why;         /* static words for the log when the request failed */
};

/*
 * Sends the request and reads the answer into `body` (emptied first; its cap is the answer's). OK with any
 * final status, 3xx too. ERR_HOST_FORBIDDEN: the guard refused, nothing was sent. ERR_UPSTREAM_TIMEOUT.
 * ERR_UPSTREAM: no such name, no connection, a bad certificate, an answer that is too large or isn't HTTP; `body` is
 * empty then. ERR_BAD_INPUT: a method or header that can't be sent.
 */
enum err http_fetch(const struct http_request *request, const struct egress_policy *policy,
		    struct buf *body, struct http_answer *ret_answer) MUST_CHECK;

/* Where the body of an answer goes that is read as it comes. */
struct http_sink {
	/*
	 * Takes the next piece, cut anywhere. The answer's status and headers are there. Anything but OK ends the
	 * transfer with that error; ERR_TOO_BIG means what passing `max` does.
	 */
	enum err (*take)(void *arg, const struct http_answer *answer, struct str piece);
	void *arg;
	size_t max; /* bytes of the whole body; past it: ERR_UPSTREAM, HTTP_TOO_LARGE */
	int idle_ms; /* the longest silence, give or take a second: then ERR_UPSTREAM_TIMEOUT; 0: any */
};

/*
 * http_fetch for an answer that is of use before its end. When it fails, what was handed over is the beginning of the
 * body, and `ret_answer` has a status if the answer had begun. OK: the body came whole.
 */
enum err http_stream(const struct http_request *request, const struct egress_policy *policy,
		     const struct http_sink *sink, struct http_answer *ret_answer) MUST_CHECK;

/* The date of a header (RFC 9110, section 5.6.7); false for anything else. */
bool http_date(const char *text, int64_t *ret_ms) MUST_CHECK;

#endif
