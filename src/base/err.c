/* The table of errors, read by index. */
#include "base/err.h"

#include <stddef.h>

struct entry {
	const char *code;
	const char *words;
	int status;
	enum log_level level;
};

static const struct entry TABLE[ERR_COUNT] = {
	[OK] = { "OK", "Done.", 200, LOG_DEBUG },
	[ERR_END] = { "END", "There are no more rows.", 500, LOG_ERROR },
#define ERR(name, code, status, level, words) [ERR_##name] = { code, words, status, level },
#include "base/errors.def"
#undef ERR
};

/* A number outside the enum is a bug of ours: it must look like one, not read past the table. */
static const struct entry *entry_of(enum err e)
{
	if ((size_t)e >= ARRAY_SIZE(TABLE))
		return &TABLE[ERR_INTERNAL];
	return &TABLE[e];
}

const char *err_code(enum err e) { return entry_of(e)->code; }

int err_status(enum err e) { return entry_of(e)->status; }

const char *err_words(enum err e) { return entry_of(e)->words; }

enum log_level err_level(enum err e) { return entry_of(e)->level; }

bool err_is_outage(enum err e) { return e == ERR_DB_LOST || e == ERR_DB_UNSURE || e == ERR_NO_MEMORY; }
