/*
 * One outbound HTTP request, through the egress guard, on libcurl.
 *
 * HTTP/1.1; TLS 1.2 or later, with the peer's certificate and name checked; no
 * redirect is followed, no proxy is used, no cookie is kept, and no connection
 * outlives its request. Call it in the process that needs it, never before a fork.
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

enum { HTTP_TYPE_MAX = 128 };

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
	bool compressed; /* gzip is welcome; the cap counts what comes out of it */
	int timeout_ms;  /* for all of it; 0: the policy's */
};

struct http_answer {
	int status;
	char content_type
		[HTTP_TYPE_MAX]; /* as sent; empty: none, or one too long to mean anything */
	int64_t retry_after_s;   /* -1: not sent, or a date */
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

#endif
