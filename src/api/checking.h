/* Between check.c (is a value right?) and read.c (where does it go?): a check that is under way. */
#ifndef LW_API_CHECKING_H
#define LW_API_CHECKING_H

#include "api/check.h"

/* Where a value is, from the inside out: a member of, or an item of, what is at `up`. */
struct place {
	const struct place *up;
	struct str name; /* absent: an item */
	size_t index;
};

struct checking {
	struct arena *arena;
	struct problem *problem; /* NULL: only the number of bad places is asked for */
	size_t bad;
	enum err error; /* ERR_NO_MEMORY when a complaint couldn't be written down */
};

/* Notes a bad place; NULL is the whole body. */
void check_complain(struct checking *check, const struct place *at, const char *code,
		    const char *format, ...) PRINTF_LIKE(4, 5);
void check_text(struct checking *check, const struct place *at, const struct check_schema *schema,
		struct str text);
void check_number(struct checking *check, const struct place *at, const struct check_schema *schema,
		  int64_t number);
void check_value(struct checking *check, const struct place *at, const struct check_schema *schema,
		 const json_t *value);

#endif
