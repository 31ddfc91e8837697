/*
 * Triggers: addresses at which a request starts a workflow, and how a request proves that it may.
 */
#ifndef LW_FLOW_TRIGGER_H
#define LW_FLOW_TRIGGER_H

#include <jansson.h>
#include <stdbool.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/id.h"
#include "base/secret.h"
#include "base/str.h"
#include "core/ctx.h"

enum trigger_auth { TRIGGER_UNKNOWN, TRIGGER_OPEN, TRIGGER_API_KEY, TRIGGER_BEARER, TRIGGER_HMAC };

enum { TRIGGERS_MAX = 50 /* of one workflow */, TRIGGER_SEALED_MAX = 512 };

/* TRIGGER_UNKNOWN, which nothing proves, for a text that only another version knows. */
enum trigger_auth trigger_auth_parse(struct str text);

/* What proves a request: made, or chosen by the user. */
struct trigger_proof {
	enum trigger_auth auth;
	struct str header;    /* of an hmac: where the signature stands */
	struct secret secret; /* empty with TRIGGER_OPEN */
};
#define TRIGGER_PROOF_AUTO CLEANUP(trigger_proof_done)
void trigger_proof_done(struct trigger_proof *proof);

/* From auth_config (NULL: none); what is left out is made. ERR_BAD_INPUT with the member. */
enum err trigger_proof_read(struct ctx *cx, enum trigger_auth auth, const json_t *config,
			    struct trigger_proof *ret_proof) MUST_CHECK;
/* Sealed under the front's root key, for that trigger alone; nothing is appended with TRIGGER_OPEN. */
enum err trigger_proof_seal(struct ctx *cx, const struct id *trigger, const struct trigger_proof *proof,
			    struct buf *sealed) MUST_CHECK;
enum err trigger_proof_open(struct ctx *cx, const struct id *trigger, enum trigger_auth auth, struct str header,
			    struct str sealed, struct trigger_proof *ret_proof) MUST_CHECK;
/*
 * Whether the request in cx proves itself: the key in X-Api-Key or Authorization: Bearer, the token in the latter, or
 * HMAC-SHA256 (RFC 2104) over the body's bytes, of a GET over its query, in hex or base64, with or without "sha256=" in
 * front. ERR_NO_TOKEN: it brings nothing; ERR_BAD_TOKEN, ERR_BAD_SIGNATURE.
 */
enum err trigger_proof_check(struct ctx *cx, const struct trigger_proof *proof) MUST_CHECK;

#endif
