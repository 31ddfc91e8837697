/* Contexts in which the vault works, and what its tests do in them. */
#ifndef LW_TESTS_VAULT_SUPPORT_H
#define LW_TESTS_VAULT_SUPPORT_H

#include "base/buf.h"
#include "feature_support.h"
#include "vault/credential.h"

static const struct id TENANT_A = { { 0xaa, 1 } };
static const struct id TENANT_B = { { 0xbb, 2 } };
static const struct id USER_A = { { 0xaa, 0x11 } };

/* The group setup; stop_feature is the teardown. Three versions are kept. */
int start_vault(void **state);
/* Before each test: no credentials, no tenants' keys, and the two tenants. */
int empty_vault(void **state);

/*
 * A context of a user of the tenant (nil: the system) with a connection of that pool's account and
 * keys of its own.
 */
struct ctx *open_vault(const char *pool, const struct id *tenant);
void close_vault(struct ctx *cx);

/* The text as a tree of the context's arena. */
json_t *tree(struct ctx *cx, const char *text);
/* Each in a transaction of its own. */
enum err store(struct ctx *cx, const char *type, const char *data, struct id *ret_id);
enum err change(struct ctx *cx, const struct id *id, const char *data);
/* The plain data of the newest version. */
enum err plain_of(struct ctx *cx, const struct id *id, struct secret *ret_plain);
void assert_opens_as(struct ctx *cx, const struct id *id, const char *plain);
/* A number out of the database, asked as root; ID in the SQL stands for the id. */
long number_of(const char *format, const struct id *id);
void run_sql(const char *format, const struct id *id);

#endif
