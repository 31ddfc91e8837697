/* A file of SQL cut into its statements. */
#ifndef LW_STORE_SCRIPT_H
#define LW_STORE_SCRIPT_H

#include <stdbool.h>

#include "base/str.h"

/*
 * Cuts the next statement off `*rest`: up to a `;` outside quotes and comments, or, when it
 * starts with a line `-- :begin`, up to the line `-- :end` (bodies with `;` in them). Comments in
 * front are skipped. False at the end of the script.
 */
bool script_next(struct str *rest, struct str *ret_statement) MUST_CHECK;
/* Whether the statement changes rows only, so that it can share a transaction with its mark. */
bool script_changes_rows(struct str statement);

#endif
