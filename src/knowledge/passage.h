/* From a text as somebody wrote it to the passages that go into a prompt. Of this room. */
#ifndef LW_KNOWLEDGE_PASSAGE_H
#define LW_KNOWLEDGE_PASSAGE_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/str.h"

/*
 * Adds the text as UTF-8 without control characters: blanks folded into one, lines kept, empty lines folded into one,
 * a form feed as an empty line, what isn't UTF-8 as U+FFFD. `out` keeps a failure.
 */
void passage_tidy(struct str raw, struct buf *out);
/*
 * Cuts the next passage off a tidy text: KNOWLEDGE_PASSAGE_CHARS at most, up to the end of a paragraph where one lies
 * in the second half of that, else of a sentence, a line, a word. False at the end.
 */
bool passage_next(struct str *rest, struct str *ret_passage) MUST_CHECK;

#endif
