/* Where the jq is in a text: {{ jq }} among other words. Its strings, comments and brackets are followed, so that a
 * "}}" inside them ends nothing. Of this room. */
#ifndef LW_FLOW_SCAN_H
#define LW_FLOW_SCAN_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/str.h"

struct text_piece {
	struct str literal;
	struct str code; /* between the braces behind it, trimmed; absent in the last piece */
};

/* Takes one piece off `rest`; false at the end, and with words in *ret_why when what is there can't be read. */
bool text_next(struct str *rest, struct text_piece *ret_piece, const char **ret_why) MUST_CHECK;
/* Whether it holds an expression. */
bool text_is_template(struct str text);
/* The expression that is all of the text, apart from spaces around it; absent for another text. */
struct str text_only_code(struct str text);

/*
 * NULL, or what is wrong with it as far as brackets, strings and comments tell. What passes can stand in brackets
 * within a larger program without reaching out of them, when a line's end follows it.
 */
const char *code_fault(struct str code) MUST_CHECK;

#endif
