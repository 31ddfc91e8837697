/*
 * A libcurl transfer behind the egress guard: what HTTP and mail have in common.
 * Of this room: others use http.h and login.h.
 */
#ifndef LW_NET_TRANSFER_H
#define LW_NET_TRANSFER_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/str.h"
#include "net/egress.h"
#include "net/http.h"

struct transfer {
	CURL *curl;
	struct curl_slist *addresses;
	struct egress_target target;
	enum http_failure failure;
	const char *why; /* static words for the log */
};

/*
 * A handle for the target, which the guard has allowed: sockets to its checked addresses only, certificate and
 * name verified, no proxy, no redirect, no file of the user's, `left_ms` for all of it. `protocol` is libcurl's
 * name of the only one that is spoken. ERR_INTERNAL when this libcurl lacks one of these options: better no
 * request than one without them. The connection ends with the transfer unless transfer_keep is called.
 */
enum err transfer_open(struct transfer *transfer, const struct egress_policy *policy,
		       const char *protocol, int64_t left_ms) MUST_CHECK;
/* Safe for a transfer of zeros. */
void transfer_close(struct transfer *transfer);

/*
 * Lets the transfer take a connection that an earlier one to the same host and port, of the same policy, left
 * open, and leave its own: a handshake costs ten times what the rest of a small request does. Its addresses were
 * checked when it was made. Only for requests that may be sent twice, because libcurl does that when a kept
 * connection turns out to be dead.
 */
enum err transfer_keep(struct transfer *transfer, const struct egress_policy *policy) MUST_CHECK;

bool transfer_set_text(struct transfer *transfer, CURLoption option, const char *value) MUST_CHECK;
bool transfer_set_number(struct transfer *transfer, CURLoption option, long value) MUST_CHECK;

/*
 * What a code other than CURLE_OK means: sets `failure` and `why` unless they are set, and returns the error.
 * `failure` is HTTP_UNREADABLE for what it doesn't know.
 */
enum err transfer_failed(struct transfer *transfer, CURLcode code) MUST_CHECK;
/* Notes the first reason; `why` is static. */
void transfer_blame(struct transfer *transfer, enum http_failure failure, const char *why);

#endif
