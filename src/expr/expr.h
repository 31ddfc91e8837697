/*
 * Users' expressions, written in jq, and asked of latch-expr: a program of its own, in whose children they can use
 * up only time and memory that are theirs. Nothing of jq is in the process that asks.
 *
 * Numbers are doubles, as in jq 1.6: an integer beyond 2^53 loses its last digits. What isn't a number is null. (A
 * workflow's config whose expressions are plain paths isn't asked here: flow/plain.c.)
 */
#ifndef LW_EXPR_EXPR_H
#define LW_EXPR_EXPR_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

struct expr; /* a connection to latch-expr, made when it is first needed; not to be shared across a fork */

enum {
	EXPR_PROGRAM_MAX = 64 << 10, /* bytes */
	EXPR_INPUT_MAX = 8 << 20,
	EXPR_RESULT_MAX = 8 << 20,
	EXPR_WORDS_MAX = 512,
};

enum expr_why {
	EXPR_OK,
	EXPR_SYNTAX,
	EXPR_FAILED, /* the program raised an error, or the input isn't JSON */
	EXPR_TIME,
	EXPR_MEMORY,
	EXPR_TOO_LARGE, /* the program, the input or the result */
	EXPR_DIED,
	EXPR_AWAY, /* latch-expr isn't there, or serves as many as it may */
	EXPR_WHY_COUNT
};

struct expr_failure {
	enum expr_why why;
	char words[EXPR_WORDS_MAX]; /* for a person: UTF-8 without control characters */
	int line, column;           /* of the program, from 1; 0: not known */
};

/* The path of latch-expr's socket is copied; nothing is opened. ERR_CONFIG: it is too long. */
enum err expr_new(const char *socket_path, struct expr **ret_expr) MUST_CHECK;
/* NULL-safe. */
void expr_free(struct expr *expr);

/* Whether the program can be compiled. ERR_BAD_INPUT with what is wrong, ERR_EXPRESSION_AWAY. */
enum err expr_check(struct expr *expr, struct str program, struct expr_failure *ret_failure) MUST_CHECK;

/*
 * Runs the program on `input`, a JSON text, and adds its one result to `out`, compact, at most `max` bytes and within
 * json_read's limits; a program that yields nothing yields null. `time_ms` is computing time, without what it takes to
 * compile a program that latch-expr hasn't seen lately.
 * What comes is one JSON text, whoever has made it: it may be put into another.
 * ERR_EXPRESSION_* by ret_failure->why; `out` is then as before. ERR_NO_MEMORY is our own.
 */
enum err expr_evaluate(struct expr *expr, struct str program, struct str input, int64_t time_ms, size_t max,
		       struct buf *out, struct expr_failure *ret_failure) MUST_CHECK;

#endif
