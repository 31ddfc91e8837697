/*
 * The runtime of the generated statements: what sqlgen.py writes are tables of
 * this shape, and one line of C that hands them to the functions below.
 *
 * Nothing is parsed at run time: each `?` and each column has its type and the
 * place of its value. A statement is prepared once a connection, at its first use.
 */
#ifndef LW_STORE_STATEMENT_H
#define LW_STORE_STATEMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "store/db.h"

enum stmt_type { STMT_ID, STMT_INT, STMT_BOOL, STMT_TEXT, STMT_BYTES, STMT_JSON };
/* Where an input's value lies. */
enum stmt_source { STMT_IN, STMT_SCOPE };

struct stmt_value {
	const char *name;
	uint8_t type;   /* enum stmt_type */
	uint8_t source; /* enum stmt_source; outputs: 0 */
	bool nullable;  /* the member is a struct opt_id or opt_int, or a text that may be absent */
	uint16_t offset; /* of the member in the _in struct, the scope or the _row struct */
	uint32_t max;    /* characters of a text, bytes of anything else of no fixed size */
};

enum stmt_flag {
	STMT_READ = 1,    /* nothing changes: may run again on a new connection */
	STMT_TENANT = 2,  /* uses :tenant */
	STMT_LIVE = 4,    /* uses :live */
	STMT_BINDS = 8,   /* sets @lw_tenant and returns it */
	STMT_NOWAIT = 16, /* a row lock that is taken is ERR_DB_LOCKED at once */
	STMT_WIPE = 32,   /* its values are overwritten after use */
};

struct stmt {
	const char *name;
	const char *sql;
	const struct stmt_value *in;  /* one for each `?`, in their order */
	const struct stmt_value *out; /* one for each column */
	const struct stmt *checked;   /* with `:live`: the same without the session's check */
	uint16_t in_count;
	uint16_t out_count;
	uint16_t flags;         /* enum stmt_flag */
	uint16_t tenant_offset; /* STMT_BINDS: of tenant_id in the row */
};

enum { STMT_VALUE_MAX = 4 << 20 }; /* a column longer than this is ERR_TOO_BIG */

/* One row; ERR_NOT_FOUND when there is none. */
enum err stmt_one(struct db *db, const struct stmt *stmt, const void *in, void *ret_row) MUST_CHECK;
/* Runs and takes in the rows; other statements may run before they are read. */
enum err stmt_many(struct db *db, const struct stmt *stmt, const void *in) MUST_CHECK;
/* The next row, or ERR_END. */
enum err stmt_next(struct db *db, const struct stmt *stmt, void *ret_row) MUST_CHECK;
/*
 * A SELECT of functions that change something: the one row, read to the end, since only then it is known that what
 * they wrote is committed.
 */
enum err stmt_group(struct db *db, const struct stmt *stmt, const void *in, void *ret_row) MUST_CHECK;
/* Changes rows; ret_rows (may be NULL) counts those that matched, changed or not. */
enum err stmt_exec(struct db *db, const struct stmt *stmt, const void *in,
		   int64_t *ret_rows) MUST_CHECK;

#endif
