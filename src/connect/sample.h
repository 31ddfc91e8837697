/* A few rows out of a provider's answer, bounded in every direction. */
#ifndef LW_CONNECT_SAMPLE_H
#define LW_CONNECT_SAMPLE_H

#include <jansson.h>
#include <stdbool.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "connect/type.h"

enum {
	SAMPLE_ROWS = 10,
	SAMPLE_TEXT = 200, /* characters of one text */
	SAMPLE_ITEMS = 60, /* members of an object, items of a list */
	SAMPLE_DEPTH = 6,
	SAMPLE_BYTES = 64 << 10 /* all rows */
};

/*
 * Appends the first rows as a JSON array; `rows` that is no list is the one row. What is cut off is told in
 * `ret_truncated`. A text that holds one of `secrets` (a provider that echoes what it was sent) is written as "****".
 */
enum err sample_write(const json_t *rows, struct texts secrets, struct buf *out,
		      bool *ret_truncated) MUST_CHECK;

#endif
