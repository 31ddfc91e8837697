/* One page: asked for, read, and what went wrong. Of this room. */
#ifndef LW_SYNC_PULL_H
#define LW_SYNC_PULL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "connect/call.h"
#include "connect/connection_values.h"
#include "connect/verify.h"
#include "core/ctx.h"
#include "crypt/hash.h"
#include "sync/page.h"

/* What a provider's trouble is the end of. */
enum trouble_kind {
	TROUBLE_NONE,
	TROUBLE_OF_LIST, /* the other lists may be better */
	TROUBLE_OF_RUN,  /* a person has to do something */
	TROUBLE_PASSES   /* later it may be better */
};

struct trouble {
	enum trouble_kind kind;
	struct str code, words; /* static, or the context's arena's */
	int64_t retry_at;       /* what the provider wants; 0: nothing */
	bool tells;             /* `outcome` says something about the connection, as a test would */
	struct verify_outcome outcome;
};

/* What is pulled through. */
struct pulling {
	const struct connector_type *type;
	const struct auth_way *way;
	struct values values;
};

/* A page with what it stands on. */
struct pulled {
	struct call call;
	struct buf body;
	struct http_answer answer;
	struct sync_page page;
	uint8_t hash[SHA256_BYTES]; /* of the answer */
	struct str secret[CONNECTION_SECRETS_MAX];
	struct texts secrets;
};
#define PULLED_AUTO CLEANUP(pulled_done)
void pulled_init(struct pulled *pulled);
void pulled_done(struct pulled *pulled);

/* An error of ours, or OK with a page or with trouble. No transaction may be open. */
enum err pull_page(struct ctx *cx, const struct pulling *pulling, const struct sync_spec *list,
		   const struct sync_place *place, struct pulled *pulled,
		   struct trouble *ret_trouble) MUST_CHECK;
/* The same for an error of connection_values: OK when it is trouble. */
enum err pull_no_values(struct ctx *cx, enum err e, struct trouble *ret_trouble) MUST_CHECK;

#endif
