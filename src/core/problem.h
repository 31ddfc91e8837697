/* What was wrong with a request, in a form that the answer can show: places, codes and words. */
#ifndef LW_CORE_PROBLEM_H
#define LW_CORE_PROBLEM_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

enum { PROBLEM_FIELDS_MAX = 32 };

struct problem_field {
	struct str field; /* "data.api_key", "query.limit", "items[3]" */
	const char *code; /* UPPER_SNAKE: REQUIRED, UNKNOWN_FIELD, WRONG_TYPE, TOO_LONG ... */
	struct str message;
};

struct problem {
	struct str detail;       /* absent: the error's own words */
	const char *code;        /* NULL: the error's own code */
	int64_t retry_after_s;   /* 0: none */
	struct str allow;        /* with METHOD_NOT_ALLOWED: the methods that are; absent: the router says it */
	size_t count;
	struct problem_field field[PROBLEM_FIELDS_MAX]; /* the first ones; more are dropped */
};

void problem_clear(struct problem *problem);
/* Notes one bad place; texts must outlive the request (arena or static). Returns ERR_BAD_INPUT. */
enum err problem_field(struct problem *problem, struct str field, const char *code, const char *message);

#endif
