/*
 * Bringing the schema to this program's version: `latchctl migrate`.
 *
 * MariaDB's DDL can't be rolled back, so progress is recorded for each
 * statement in schema_migration, and a run that was cut off goes on where it
 * stopped: a data statement shares a transaction with its mark; a DDL statement
 * (each is atomic in itself) is marked before and after, and when the crash fell
 * between the two, "exists already" is taken for done. For that one statement only.
 */
#ifndef LW_STORE_MIGRATE_H
#define LW_STORE_MIGRATE_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "store/db.h"

/*
 * What replaces a name between at signs in views and grants: '@front@' becomes
 * 'latch_front'@'localhost'.
 */
struct migrate_account {
	const char *pool; /* "front" */
	const char *user;
	const char *host;
};

struct migrate_options {
	const char *directory; /* of the NNNN_name.sql files, 0000 first and at each run */
	const char *views;     /* file; NULL: none */
	const char *grants;    /* file; NULL: none */
	const struct migrate_account *accounts;
	size_t account_count;
	/* Told what is done, in words; may be NULL. */
	void (*progress)(void *arg, const char *file, size_t done, size_t statements);
	void *progress_arg;
};

struct migrate_result {
	int64_t version_before; /* -1: an empty database */
	int64_t version_now;
	size_t files_applied;
};

/*
 * Applies what is missing, then views and grants; takes back grants that are no longer named.
 * Needs an account that may do DDL and GRANT, and no open transaction. ERR_DB_LOCKED: another
 * migration runs. ERR_CONFLICT: an applied file has changed since, or the database is newer than
 * this program. Logs why.
 */
enum err migrate_run(struct db *db, const struct migrate_options *options,
		     struct migrate_result *ret_result) MUST_CHECK;

/*
 * The schema's version that this program was built for, and the one that the database has (0:
 * none).
 */
int64_t migrate_expected_version(void);
enum err migrate_status(struct db *db, int64_t *ret_version) MUST_CHECK;

#endif
