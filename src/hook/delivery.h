/* One delivery as it came, and where in it a value is. */
#ifndef LW_HOOK_DELIVERY_H
#define LW_HOOK_DELIVERY_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/attr.h"
#include "base/err.h"
#include "base/str.h"

struct hook_delivery {
	struct arena *arena;
	struct str method;
	struct str url;   /* as the provider knows it: the public address with its path and query */
	struct str query; /* raw; absent without one */
	struct str content_type;
	struct str body;  /* the bytes that were sent */
	const json_t *json; /* the body, when it is JSON; else NULL */
	int64_t now_ms;
	struct str (*header)(const void *arg, struct str name); /* lower case; absent when not sent */
	const void *header_arg;
	struct str signature; /* the header of the proof that is being looked at: what sigparam looks in */
};

/* The value at a source (scheme.h); the absent text for none. The arena's, or the delivery's. */
struct str hook_value(const struct hook_delivery *delivery, struct str source);

/*
 * The form's parameters as Twilio signs them: name and value joined, in the order of names and values, equal ones once.
 * ERR_BAD_INPUT for a body that is empty or isn't a form: a signature of the rest would be nobody's word on it.
 */
enum err hook_sorted_form(const struct hook_delivery *delivery, struct str *ret_text) MUST_CHECK;

enum { HOOK_CHALLENGE_MAX = 256 };
/*
 * Whether a text, given in pieces, could be a challenge: so many letters, digits and signs of base64 at most, as no
 * JSON object is. Some providers want the HMAC of a challenge under the key that signs their deliveries. Whoever knows
 * the address gets one of such a text and of no other, so such a text never counts as signed.
 */
bool hook_could_be_challenge(const struct str *piece, size_t pieces);

#endif
