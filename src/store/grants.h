/* The generated grants.sql, applied to real accounts. */
#ifndef LW_STORE_GRANTS_H
#define LW_STORE_GRANTS_H

#include "base/attr.h"
#include "base/err.h"
#include "base/str.h"
#include "store/migrate.h"

/*
 * Grants what the text names to the accounts of its pools (a pool without an account is left
 * out), and then takes back what these accounts hold on tables and views beyond it. New grants
 * first: nobody loses any meanwhile.
 */
enum err grants_apply(struct db *db, struct str text,
		      const struct migrate_options *options) MUST_CHECK;

/*
 * Runs one statement that can't be prepared (DDL, GRANT). `ret_code` (may be NULL) gets the
 * server's number of a refusal, 0 without one.
 */
enum err migrate_command(struct db *db, const char *name, struct str sql,
			 unsigned *ret_code) MUST_CHECK;

#endif
