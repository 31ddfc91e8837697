/* One compiled jq program. */
#ifndef LW_EXPR_PROGRAM_H
#define LW_EXPR_PROGRAM_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/str.h"
#include "expr/expr.h"

struct program;

/* Whoever runs programs says what happens when memory runs out: jq can't go on. Doesn't return. */
void program_on_no_memory(void (*end)(void *));

/* EXPR_OK, or EXPR_SYNTAX with words and the place. */
enum expr_why program_compile(struct str text, struct program **ret_program,
			      struct expr_failure *ret_failure) MUST_CHECK;
/* Adds the one result to `out`, or null when there is none. EXPR_FAILED, EXPR_TOO_LARGE with words. */
enum expr_why program_run(struct program *program, struct str input, struct buf *out,
			  struct expr_failure *ret_failure) MUST_CHECK;
/* Lets go of what the last run has left. */
void program_rest(struct program *program);
/* NULL-safe. */
void program_free(void *program);

#endif
