/*
 * Slowing down those who guess passwords.
 *
 * Failures are counted twice: for the account and the client's address together,
 * and for the account alone, whatever the address, so that many addresses help
 * nobody. Each failure past the first few makes the next try wait longer.
 *
 * Nobody is locked out of an account by a stranger: the count of the account
 * alone doesn't hold for an address that its owner signed in from lately. The
 * rows are locked while a password is checked, so that parallel tries don't slip
 * through together; accounts that don't exist are counted the same way.
 */
#ifndef LW_IDENTITY_THROTTLE_H
#define LW_IDENTITY_THROTTLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/str.h"
#include "core/ctx.h"
#include "crypt/hash.h"

/* How long before an address is no longer one that the owner signed in from. */
#define THROTTLE_KNOWN_MS INT64_C(2592000000) /* 30 days */

struct throttle_rule {
	int64_t free;       /* failures that cost nothing */
	int64_t longest_ms; /* the delay doubles from a second up to this */
};

struct throttle_count {
	uint8_t subject[SHA256_BYTES];
	bool active;
	int64_t failures;
	int64_t window_started_at;
};

struct throttle {
	struct throttle_count account, pair;
};

/* Locks and reads the counts for a try. ERR_RATE_LIMITED with the time to wait in cx->problem. */
enum err throttle_enter(struct ctx *cx, struct str account, bool known_address,
			struct throttle *throttle) MUST_CHECK;
/* The try failed. The caller keeps the change (cx->keep_changes). */
enum err throttle_failed(struct ctx *cx, const struct throttle *throttle) MUST_CHECK;
/* It went well: the address starts anew. The account's own count stays, others may be guessing. */
enum err throttle_passed(struct ctx *cx, const struct throttle *throttle) MUST_CHECK;
/* The owner has proven themselves by mail: the account starts anew, and so does the address that they ask from. */
enum err throttle_forget(struct ctx *cx, struct str account) MUST_CHECK;

/* The wait after that many failures, in ms. */
int64_t throttle_delay_ms(const struct throttle_rule *rule, int64_t failures);
extern const struct throttle_rule THROTTLE_ACCOUNT, THROTTLE_PAIR;

#endif
