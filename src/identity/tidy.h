/* Throwing away what has run out: a chore of the worker. */
#ifndef LW_IDENTITY_TIDY_H
#define LW_IDENTITY_TIDY_H

#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "store/db.h"

/*
 * Deletes sessions, refresh tokens, links, counts of failed logins and mails that are of no more use, a
 * thousand of each at most. `ret_rows` says how many: with a thousand and more, call again soon.
 */
enum err identity_tidy(struct db *db, int64_t now_ms, int64_t *ret_rows) MUST_CHECK;

#endif
