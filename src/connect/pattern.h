/* Patterns: POSIX extended regular expressions that a whole value has to match. Of this room, and of hook. */
#ifndef LW_CONNECT_PATTERN_H
#define LW_CONNECT_PATTERN_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/str.h"

enum { PATTERN_MAX = 512 };

/* NULL for a pattern that can be used, else static words. */
const char *pattern_fault(struct str pattern);
/* Whether all of `value` matches; true without a pattern. A pattern that can't be used matches nothing. */
bool pattern_holds(struct str pattern, struct str value) MUST_CHECK;

#endif
