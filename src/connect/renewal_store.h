/* What becomes of an exchange: the three ends of refresh.c, each a transaction. Of this room. */
#ifndef LW_CONNECT_RENEWAL_STORE_H
#define LW_CONNECT_RENEWAL_STORE_H

#include "base/attr.h"
#include "base/err.h"
#include "connect/refresh.h"
#include "core/ctx.h"

/*
 * New tokens. They are stored as long as the stored refresh token is the one that was used, whatever else was changed;
 * it is tried for RENEWAL_PATIENCE_MS when the database is in trouble, for nobody else has them. DONE, or AGAIN when
 * somebody connected anew meanwhile.
 */
enum { RENEWAL_PATIENCE_MS = 30000 };
enum err renewal_store_tokens(struct ctx *cx, struct renewal *renewal) MUST_CHECK;
/* The provider takes the refresh token no more. DEAD, or AGAIN when it isn't the stored one any more. */
enum err renewal_store_end(struct ctx *cx, struct renewal *renewal) MUST_CHECK;
/* It is tried again later: FAILED. A refresh token that came all the same is kept beside the old one. */
enum err renewal_store_failure(struct ctx *cx, struct renewal *renewal) MUST_CHECK;
/* Nothing came of it, and nothing is to be noted: the next one needn't wait for the intent's end. */
enum err renewal_clear_intent(struct ctx *cx, const struct renewal *renewal) MUST_CHECK;

#endif
