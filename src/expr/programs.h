/*
 * The compiled programs that an evaluator keeps, by their text: compiling takes some 30 ms, finding one of these less
 * than a microsecond. The least recently used leave when there are too many, or too much of them.
 */
#ifndef LW_EXPR_PROGRAMS_H
#define LW_EXPR_PROGRAMS_H

#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/str.h"

struct programs;

struct programs_options {
	size_t most;               /* programs, at least 1 */
	size_t most_bytes;         /* of all of them; the newest stays whatever its size */
	void (*drop)(void *value); /* lets one go */
};

enum err programs_new(const struct programs_options *options, struct programs **ret_programs) MUST_CHECK;
/* Drops all. NULL-safe. */
void programs_free(struct programs *programs);

/* NULL: it isn't kept. Valid until the next programs_add. */
void *programs_find(struct programs *programs, struct str text);
/* Keeps one that isn't kept yet; the text is copied. ERR_NO_MEMORY: it isn't kept, and was dropped. */
enum err programs_add(struct programs *programs, struct str text, void *value, size_t bytes) MUST_CHECK;
size_t programs_count(const struct programs *programs);

#endif
