/* The one error enum of the program; its table is errors.def. */
#ifndef LW_BASE_ERR_H
#define LW_BASE_ERR_H

#include <stdbool.h>

#include "base/attr.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

enum err {
	OK = 0,
	ERR_END, /* a list of rows is at its end: never leaves the room that iterates */
#define ERR(name, code, status, level, words) ERR_##name,
#include "base/errors.def"
#undef ERR
	ERR_COUNT
};

/* The public code (UPPER_SNAKE), the HTTP status, the words and the log level of an error. */
const char *err_code(enum err e);
int err_status(enum err e);
const char *err_words(enum err e);
enum log_level err_level(enum err e);
/* The database or the memory is gone: of a list of things, the next one won't fare better. */
bool err_is_outage(enum err e);

/* Leave the function with the error, if there is one. */
#define TRY(expression)                                                                            \
	do {                                                                                       \
		enum err try_err_ = (expression);                                                  \
		if (try_err_ != OK)                                                                \
			return try_err_;                                                           \
	} while (0)

#endif
