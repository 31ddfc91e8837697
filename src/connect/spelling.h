/* How a single text of a type's file has to be spelled, by the kind of its member. Of this room. */
#ifndef LW_CONNECT_SPELLING_H
#define LW_CONNECT_SPELLING_H

#include <stdbool.h>

#include "base/str.h"
#include "connect/members.h"

/* NULL for a text that is as its kind wants it, else static words. */
const char *spelling_fault(enum type_kind kind, struct str text);
/* Letters, digits, '_' and '-', a letter or '_' first, at most 64. */
bool spelling_is_name(struct str text);
/* A JSON path as json_at takes it. */
bool spelling_is_path(struct str text);
/* A header's name: an HTTP token (RFC 9110, section 5.6.2). */
bool spelling_is_header(struct str text);
/* Without control characters but, with `lines`, tab and line feed. */
bool spelling_is_words(struct str text, bool lines);

#endif
