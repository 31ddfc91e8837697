/*
 * A server with the real schema and grants, root keys on disk, and contexts in which the vault
 * works.
 */
#ifndef LW_TESTS_VAULT_SUPPORT_H
#define LW_TESTS_VAULT_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/json_read.h"
#include "core/ctx.h"
#include "crypt/keyring.h"
#include "fcgi/reply.h"
#include "private_mariadb.h"
#include "store/db.h"
#include "vault/credential.h"

#define assert_ok(expression) assert_int_equal((expression), OK)
#define assert_str(s, text)                                                                        \
	do {                                                                                       \
		struct str assert_str_ = (s);                                                      \
		assert_non_null(assert_str_.p);                                                    \
		if (assert_str_.n != strlen(text) || memcmp(assert_str_.p, text, assert_str_.n))   \
			fail_msg("%.*s instead of %s", STR_ARG(assert_str_), text);                \
	} while (0)

extern struct private_mariadb server;
extern char key_directory[64];
extern struct config config; /* 3 versions are kept */

static const struct id TENANT_A = { { 0xaa, 1 } };
static const struct id TENANT_B = { { 0xbb, 2 } };
static const struct id USER_A = { { 0xaa, 0x11 } };

/* Group setup and teardown. Without a mariadbd the program ends as skipped. */
int start_vault(void **state);
int stop_vault(void **state);
/* Before each test: no credentials, no tenants' keys, and the two tenants. */
int empty_vault(void **state);

/*
 * A context of a user of the tenant (nil: the system) with a connection of that pool's account and
 * keys of its own.
 */
struct ctx *open_vault(const char *pool, const struct id *tenant);
void close_vault(struct ctx *cx);
/* A new key file; not current, not registered. */
void make_root_key(char ret_id[KEYRING_ID_MAX + 1]);

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
