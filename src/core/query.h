/* Walks the query of a URL: name=value pairs between '&', decoded once. */
#ifndef LW_CORE_QUERY_H
#define LW_CORE_QUERY_H

#include "base/arena.h"
#include "base/attr.h"
#include "base/err.h"
#include "base/str.h"

/*
 * Cuts the next pair off `*rest` (absent: none are left) and decodes it: %XX, and '+' as a space (WHATWG URL,
 * application/x-www-form-urlencoded). A pair without '=' has the empty value; empty pairs are skipped. ERR_END
 * behind the last one, ERR_BAD_REQUEST for a broken escape, NUL or what isn't UTF-8, ERR_NO_MEMORY.
 * The texts lie in `*rest` or in the arena.
 */
enum err query_next(struct str *rest, struct arena *arena, struct str *ret_name,
		    struct str *ret_value) MUST_CHECK;

#endif
