/*
 * Signatures of requests to Amazon Web Services, version 4: "Create a signed AWS
 * API request" in the AWS Identity and Access Management User Guide.
 */
#ifndef LW_CONNECT_SIGV4_H
#define LW_CONNECT_SIGV4_H

#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/str.h"
#include "connect/call.h"

struct sigv4_keys {
	struct str access_key_id, secret_access_key;
	struct str session_token; /* absent or empty: the keys aren't temporary ones */
	struct str region, service;
};

/*
 * Adds X-Amz-Date, X-Amz-Security-Token and Authorization. The rest of the call is whole by now: method, URL, body
 * and every other header that shall be signed (Content-Type and X-Amz-*; Host is always). A path is taken as it is
 * in the URL and encoded once more, which is the rule of every service but S3. ERR_BAD_INPUT for a URL that isn't
 * one, keys with control characters, or a time before 1970.
 */
enum err sigv4_sign(struct call *call, const struct sigv4_keys *keys, int64_t now_ms) MUST_CHECK;

/* "sts" and the region of https://sts.eu-west-1.amazonaws.com/; absent texts where the host isn't AWS's. */
void sigv4_place(struct str url, struct str *ret_service, struct str *ret_region);

#endif
