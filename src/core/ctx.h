/*
 * The context of one request or job: who asks, for which tenant, when, and
 * what is needed to answer. Handlers get it first and pass it down.
 */
#ifndef LW_CORE_CTX_H
#define LW_CORE_CTX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/id.h"
#include "base/str.h"
#include "core/config.h"
#include "core/hold.h"
#include "core/principal.h"
#include "core/problem.h"

struct calls;
struct catalog;
struct db;
struct egress_policy;
struct expr;
struct identity;
struct keyring;
struct metrics;
struct rate_table;
struct reply;
struct request;
struct tally;
struct templates;

enum audit_action {
	AUDIT_NONE,
#define AUDIT_ACTION(name, text, words) AUDIT_##name,
#include "core/audit_actions.def"
#undef AUDIT_ACTION
	AUDIT_ACTION_COUNT
};

const char *audit_action_text(enum audit_action action);
enum audit_action audit_action_parse(struct str text); /* AUDIT_NONE for none */

enum { CTX_DETAILS_MAX = 8 };

/* What the audit row of this request will say besides who, when and where. */
struct audit_note {
	bool has_target;
	enum id_kind target_kind;
	struct id target;
	struct str service;
	size_t details;
	struct {
		const char *name;
		struct str value;
	} detail[CTX_DETAILS_MAX]; /* never a secret */
	/* A refused login has no principal: the tenant and user that it was about, when they are known. */
	struct opt_id about_tenant, about_user;
};

struct ctx {
	struct arena *arena;
	struct db *db;
	const struct config *config;
	struct keyring *front_keys;
	struct keyring *vault_keys; /* NULL in the front pool */
	struct identity *identity;  /* signing keys and issuers, made at the start of the process */
	struct egress_policy *egress; /* what may be called outside; NULL where nothing is */
	const struct catalog *catalog; /* the connector types; NULL where none are needed */
	struct expr *expr; /* asks latch-expr; NULL in the vault pool */
	struct rate_table *rates;      /* shared by a pool's workers; NULL outside of requests */
	const struct templates *templates; /* workflows to begin with; NULL: none */
	struct calls *calls; /* the caps of calls to the outside, shared by a pool's workers; NULL: none */
	struct metrics *metrics;    /* shared; may be NULL */
	struct tally *tally;        /* the worker's count of its jobs, shared; else NULL */
	const struct request *request; /* NULL outside of a request */
	int64_t now_ms;
	struct id request_id;
	struct str request_text; /* its public form */
	struct str address;      /* the client's; absent outside of a request */
	struct principal who;
	struct problem problem;
	struct audit_note audit;
	bool job_added; /* the worker is told when the transaction is over */
	/* The handler answers an error, and what it changed is meant to stay: a counted failed login. */
	bool keep_changes;
	bool is_quick;    /* many wait for this process: what takes long is passed on (answer_pass_on) */
	bool passed_on;   /* it was */
	bool may_hold;    /* it can wait for the writes of other requests */
	struct hold hold; /* what it waits for */
};

/* Binds the database scope to who asks. Call after `who` is known and each time that it changes. */
void ctx_enter(struct ctx *cx);

/*
 * Runs fn(cx, arg) as the system in that tenant, now, with nothing noted yet: for what goes from tenant to tenant.
 * Afterwards `cx` is again who it was, with what it had noted. Memory is its own where `arena_bytes` isn't 0: it is
 * given back at the end, and the problem, whose words may be there, is cleared.
 */
enum err ctx_as_system(struct ctx *cx, const struct id *tenant, size_t arena_bytes,
		       enum err (*fn)(struct ctx *cx, void *arg), void *arg) MUST_CHECK;
/* When an object changes that changed `before`: now, but later even within one millisecond, so that its tag differs. */
int64_t ctx_next_update(const struct ctx *cx, int64_t before);

/* Fails with words of its own, shown as `detail`; the text must be static or the arena's. Returns `e`. */
enum err ctx_fail(struct ctx *cx, enum err e, const char *detail);
/* One bad member: "data.api_key", "REQUIRED", words. Returns ERR_BAD_INPUT. */
enum err ctx_bad_field(struct ctx *cx, const char *field, const char *code, const char *message);

void ctx_audit_target(struct ctx *cx, enum id_kind kind, const struct id *id);
void ctx_audit_detail(struct ctx *cx, const char *name, struct str value);

/* --- entity tags and preconditions (RFC 9110, sections 8.8.3 and 13.1) --- */
/*
 * Sets ETag; OK to go on with the body, ERR_END when If-None-Match holds it: then the status is 304 and the
 * handler is done. `state` is whatever changes when the object does: a version, a time.
 */
enum err ctx_etag(struct ctx *cx, struct reply *reply, const struct id *id, int64_t state) MUST_CHECK;
enum { CTX_TAG_MAX = 64 };
/* The tag itself, for whoever keeps it: a strong one, of the id and the state, both of which the client may know. */
struct str ctx_tag(const struct id *id, int64_t state, char text[CTX_TAG_MAX]);
/* ctx_etag with a tag that was kept. */
enum err ctx_put_tag(struct ctx *cx, struct reply *reply, struct str tag) MUST_CHECK;
/* ERR_PRECONDITION_FAILED when If-Match was sent and doesn't hold that tag (or "*"). */
enum err ctx_if_match(const struct ctx *cx, const struct id *id, int64_t state) MUST_CHECK;

/* --- pages --- */
/* The id that a cursor stands for; ID_MAX for none. ERR_BAD_CURSOR. */
enum err ctx_cursor_read(struct ctx *cx, struct str cursor, struct id *ret_before) MUST_CHECK;
/* Sets Link: <this path and query with the cursor behind `last`>; rel="next". */
enum err ctx_cursor_next(struct ctx *cx, struct reply *reply, const struct id *last) MUST_CHECK;

#endif
