/*
 * A server with the schema of tests/gen/fixtures/sql, and connections of the front's account to
 * it.
 */
#ifndef LW_TESTS_STORE_SUPPORT_H
#define LW_TESTS_STORE_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "private_mariadb.h"
#include "store/db.h"
#include "store/sql_note.h"

#define assert_ok(expression) assert_int_equal((expression), OK)
#define assert_str(s, text)                                                                        \
	do {                                                                                       \
		struct str assert_str_ = (s);                                                      \
		assert_non_null(assert_str_.p);                                                    \
		assert_int_equal(assert_str_.n, strlen(text));                                     \
		assert_memory_equal(assert_str_.p, text, assert_str_.n);                           \
	} while (0)

extern struct private_mariadb server;

static const struct id TENANT_A = { { 0xaa, 1 } };
static const struct id TENANT_B = { { 0xbb, 2 } };

/* Group setup and teardown. Without a mariadbd the program ends as skipped. */
int start_server(void **state);
int stop_server(void **state);

/* Runs a file of tests/gen/fixtures/sql as root. */
void run_fixture(const char *name);

/* A connection of the front's account, in the scope of the tenant. */
struct db *open_front(const struct id *tenant);
void enter(struct db *db, const struct id *tenant);
struct id note_id(uint8_t number);
enum err add_note(struct db *db, uint8_t number, const char *title);
/* What the server calls the connection, and the end of it from the server's side. */
int64_t connection_number(struct db *db);
void kill_connection(struct db *db);

#endif
