/*
 * Idempotency keys: a POST that is sent again gets the first answer again.
 *
 * The key's row is inserted in the transaction of the effect, so a process that
 * dies takes both away: the lock on the row says that the first request is under
 * way. An operation that calls out has no such transaction. It commits the row
 * first, as a claim; one that a dead process left ends by itself. What is kept of
 * the answer is sealed under a key that needs the client's key; a dump of the
 * database opens nothing.
 */
#ifndef LW_API_IDEMPOTENCY_H
#define LW_API_IDEMPOTENCY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "core/ctx.h"
#include "crypt/hash.h"
#include "fcgi/reply.h"

/* A claim outlasts whatever an operation waits for. The document names both times. */
enum { IDEMPOTENCY_KEEP_MS = 24 * 60 * 60 * 1000, IDEMPOTENCY_CLAIM_MS = 5 * 60 * 1000 };

struct idempotency {
	bool used; /* the request brought a key */
	struct str key;
	uint8_t key_hash[SHA256_BYTES];
	uint8_t request_hash[SHA256_BYTES];
	int64_t claimed_at; /* tells this request's claim from one that followed it */
};

/* Reads and checks the header of a POST; `used` is false without one. ERR_BAD_INPUT. */
enum err idempotency_read(struct ctx *cx, const char *operation, struct idempotency *ret_key) MUST_CHECK;

/*
 * Inside the transaction, before the handler: OK to go on; ERR_END when the reply has become the first answer;
 * ERR_IDEMPOTENCY_IN_FLIGHT; ERR_IDEMPOTENCY_MISMATCH.
 */
enum err idempotency_claim(struct ctx *cx, const struct idempotency *key, struct reply *reply) MUST_CHECK;

/* After the handler: keeps the answer, unless the claim has passed to somebody else. */
enum err idempotency_keep(struct ctx *cx, const struct idempotency *key, const struct reply *reply) MUST_CHECK;

/* Ends a claim that was committed before the handler failed: the key is as new. */
enum err idempotency_release(struct ctx *cx, const struct idempotency *key) MUST_CHECK;

#endif
