/*
 * What the features' tests stand on: a MariaDB of their own with the real schema and grants, and
 * root keys on disk.
 */
#ifndef LW_TESTS_FEATURE_SUPPORT_H
#define LW_TESTS_FEATURE_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json_read.h"
#include "core/ctx.h"
#include "crypt/keyring.h"
#include "fcgi/reply.h"
#include "private_mariadb.h"
#include "store/db.h"

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
extern struct config config; /* of all contexts */

/* For group setups: server, schema, accounts, and a current key. Without a mariadbd the program ends as skipped. */
void start_feature(char ret_key[KEYRING_ID_MAX + 1]);
/* The group teardown. */
int stop_feature(void **state);

/* A connection of that account ("front", "vault", "worker", "ctl", "root"). */
struct db *connect_as(const char *user);
/* Arena, connection and configuration; what else the context needs is the caller's. */
void open_context(struct ctx *cx, const char *user);
/* What open_context made, and both keyrings. */
void close_context(struct ctx *cx);

/* A new key file; not current, not registered. */
void make_root_key(char ret_id[KEYRING_ID_MAX + 1]);
struct keyring *open_key_directory(void);

#endif
