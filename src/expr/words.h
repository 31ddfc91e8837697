/* What jq says, made fit for a person who wrote an expression in a form. */
#ifndef LW_EXPR_WORDS_H
#define LW_EXPR_WORDS_H

#include "base/str.h"
#include "expr/expr.h"

/* At most 500 bytes of it, cut between characters; control characters and what isn't UTF-8 become spaces. */
void words_clean(struct str message, char ret_words[EXPR_WORDS_MAX]);

/*
 * What the compiler said about that program: "jq: error: <words> at <top-level>, line 2:", then the line and as many
 * spaces as there are bytes before the place that is meant. Sets words, line and column.
 */
void words_of_compiler(struct str message, struct str program, struct expr_failure *ret_failure);

#endif
