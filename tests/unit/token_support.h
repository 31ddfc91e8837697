/* A provider of tokens, credentials of it, and processes that ask for them. */
#ifndef LW_TESTS_TOKEN_SUPPORT_H
#define LW_TESTS_TOKEN_SUPPORT_H

#include "connect/token.h"
#include "connect/token_source.h"
#include "core/metrics.h"
#include "vault_support.h"

/* The group setup: database, keys, and oauth_provider.mjs; stop_provider is the teardown. */
int start_provider(void **state);
int stop_provider(void **state);
/* Before each test: the vault and its tables are empty. */
int empty_tokens(void **state);

/* open_vault with a way out to the provider, a catalogue of one type ("acme") and metrics. */
struct ctx *open_tokens(const char *pool);
void close_tokens(struct ctx *cx);

/* The JSON that the provider's page answers. */
json_t *provider_get(struct ctx *cx, const char *format, ...) PRINTF_LIKE(2, 3);
void provider_post_key(struct ctx *cx, const char *pem);
int64_t number_at(const json_t *json, const char *name);
unsigned provider_port(void);

/* What this process has counted of connections that were lost with an answer. */
int64_t uncertain_lost(struct ctx *cx);

/* A family of tokens at the provider, and a credential that holds its first pair, whose access token has expired. */
struct connection {
	char family[64];
	struct id credential;
};
struct connection connect_family(struct ctx *cx, const char *service, const char *query);
/* What the provider has counted of it: "exchanges", "reuses", "revoked", "seen". */
int64_t counted(struct ctx *cx, const struct connection *c, const char *name);
void provider_fails(struct ctx *cx, const struct connection *c, const char *how);

/* Asks, and proves that what came is a token of the family. */
enum err ask(struct ctx *cx, const struct connection *c);
/* The stored tokens. */
struct token_source stored(struct ctx *cx, const struct connection *c);
/* The newest data of a credential, changed as a person does it: a member with that JSON value. */
void edit(struct ctx *cx, const struct connection *c, const char *data);
/* The access token has expired, as far as we know. */
void expire(struct ctx *cx, const struct connection *c);

/* Runs fn(cx, arg) in a new process with connections of its own; `crash_at` (may be NULL) is its LATCHWORK_CRASH_AT. */
pid_t in_process(const char *crash_at, const char *fault, enum err (*fn)(struct ctx *cx, const struct connection *arg),
		 const struct connection *arg);
/* The same with another pool's account. */
pid_t in_process_as(const char *pool, const char *crash_at, const char *fault,
		    enum err (*fn)(struct ctx *cx, const struct connection *arg), const struct connection *arg);
/* Its exit status: 0 for OK, the error's number, or 137 for one that died. */
int ended(pid_t pid);

#endif
