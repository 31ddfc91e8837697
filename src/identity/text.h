/* Texts that people type. */
#ifndef LW_IDENTITY_TEXT_H
#define LW_IDENTITY_TEXT_H

#include <stddef.h>

#include "base/arena.h"
#include "base/attr.h"
#include "base/err.h"
#include "base/str.h"

/*
 * A mail address as the key of an account: trimmed, ASCII letters lower case, all else as it is. The look-up,
 * the unique key and the throttle use the same key, and the database compares it byte by byte, so that no
 * spelling slips between them.
 */
enum err email_fold(struct arena *arena, struct str email, struct str *ret_key) MUST_CHECK;
/* The first `chars` characters of UTF-8 text. */
struct str text_cut(struct str text, size_t chars);

#endif
