/*
 * Calls to providers: a request_spec filled in, authenticated and sent through
 * the egress guard, within the caps of its tenant and its provider.
 */
#ifndef LW_CONNECT_CALL_H
#define LW_CONNECT_CALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "connect/type.h"
#include "connect/values.h"
#include "core/ctx.h"
#include "net/http.h"

enum { CALL_HEADERS_MAX = 24, CALL_ANSWER_MAX = 1 << 20 };

/* A request as it will be sent. Everything in it may be secret: it is wiped. */
struct call {
	const char *method;
	struct buf url, headers_text, body;
	bool has_body;
	size_t headers;
	struct {
		size_t name_at, value_at, value_n; /* in headers_text; names end with NUL */
	} header[CALL_HEADERS_MAX];
	/* Names of the answer's headers that the caller will look at: call_want. */
	struct str wanted[HTTP_WANTED_MAX];
	size_t wanteds;
	int timeout_ms; /* of all of it; 0: the policy's */
};

#define CALL_AUTO CLEANUP(call_done)
void call_init(struct call *call);
void call_done(struct call *call);

/*
 * Fills the request; `way` (may be NULL) adds what authenticates it. Pure: nothing is sent. ERR_BAD_INPUT when a
 * value is missing (`ret_missing` is its name) or has characters that can't be sent (`ret_missing` is absent),
 * ERR_HOST_FORBIDDEN when the URL leads to a host that the type doesn't declare. ERR_CONFLICT when a literal request
 * has a header that the way sends, or one twice.
 */
enum err call_make(const struct connector_type *type, const struct auth_way *way,
		   const struct request_spec *spec, const struct values *values, int64_t now_ms,
		   struct call *call, struct str *ret_missing) MUST_CHECK;
/* A further header; ERR_TOO_BIG past CALL_HEADERS_MAX, ERR_BAD_INPUT for control characters. */
enum err call_header(struct call *call, const char *name, struct str value) MUST_CHECK;

/*
 * For pages of a list, after call_make, and not for a request that is signed. One more parameter of the query,
 * percent-encoded; and another path and query at the host that was made, to which the way adds what authenticates it:
 * ERR_BAD_INPUT when it doesn't begin with a slash or has what an address can't have.
 */
enum err call_add_query(struct call *call, struct str name, struct str value) MUST_CHECK;
enum err call_go(struct call *call, const struct auth_way *way, const struct values *values,
		 struct str path) MUST_CHECK;
/*
 * Whether somebody who isn't trusted may add that path to a type's own address: it begins with a slash, has no
 * character that an address can't have, and doesn't climb, however that is written. It may have a query.
 */
bool call_path_ok(struct str path);
/* Where the path of an address begins: behind scheme, host and port. */
size_t call_origin(struct str url);

/* The header of that name, in any case; the absent text for none. Valid until the next call_header. */
struct str call_header_value(const struct call *call, struct str name);
/* Asks for a header of the answer: where its value will be in http_answer.wanted. ERR_TOO_BIG past HTTP_WANTED_MAX. */
enum err call_want(struct call *call, struct str name, size_t *ret_at) MUST_CHECK;

/*
 * Sends it: errors of http_fetch, and ERR_PROVIDER_BUSY over a cap. `body` gets the answer (give it a cap of
 * CALL_ANSWER_MAX). Holds no transaction: the caller has none open.
 */
enum err call_send(struct ctx *cx, const struct call *call, struct buf *body,
		   struct http_answer *ret_answer) MUST_CHECK;

/* The same, and the answer's body is handed over as it comes: errors of http_stream as well. */
enum err call_stream(struct ctx *cx, const struct call *call, const struct http_sink *sink,
		     struct http_answer *ret_answer) MUST_CHECK;

/* The same for a request that no template makes. Its timeout_ms is the place's, too. */
enum err call_fetch(struct ctx *cx, const struct http_request *request, struct buf *body,
		    struct http_answer *ret_answer) MUST_CHECK;

/*
 * A place among the calls under way, for protocols other than HTTP: ERR_PROVIDER_BUSY. It counts for as long as the
 * call may take, 0 for the usual time, and is given back to calls_leave(cx->calls, place).
 */
enum err call_enter(struct ctx *cx, struct str host, int timeout_ms, int *ret_place) MUST_CHECK;
/* What counts as one provider: an address, or the last two labels of a name. */
struct str call_provider(struct str host);

#endif
