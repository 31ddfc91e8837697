/* Texts and questions as the words that a search takes. Of this room. */
#ifndef LW_KNOWLEDGE_WORDS_H
#define LW_KNOWLEDGE_WORDS_H

#include <stddef.h>

#include "base/buf.h"
#include "base/id.h"
#include "base/str.h"

enum { WORDS_CHARS_MAX = 1000, WORDS_PIECES_MAX = 6, WORDS_PIECE_CHARS = 40, WORDS_MARKED_MAX = 32 << 10 };

/* Adds its beginning, of WORDS_CHARS_MAX characters: words, a blank between them, nothing that could be an operator. */
void knowledge_words_clean(struct str question, struct buf *out);
/*
 * What the longest words of a cleaned text are, and pairs of characters for scripts that have no blanks between words.
 * Returns how many; the pieces are borrowed.
 */
size_t knowledge_words_pieces(struct str clean, struct str ret_piece[WORDS_PIECES_MAX]);

/*
 * Adds the words of a text as the index has them: each once, a mark of the tenant in front. Left out are words of less
 * than three characters, words that every text has, and scripts of which the index knows no words. `out`:
 * WORDS_MARKED_MAX is enough for a passage, and for the beginning of a question.
 */
void knowledge_words_mark(const struct id *tenant, struct str text, struct buf *out);

#endif
