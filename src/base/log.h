/*
 * The log: one JSON object a line on stderr.
 *
 *	log_write(LOG_INFO, "worker started", LOG_FIELDS(log_int("worker", n), log_text("pool", pool)));
 *
 * A line starts with time, level, program, pid, request_id (inside a request)
 * and message; a field takes another name. Every value is escaped, and cut past
 * 1 KiB; a line has at most 4 KiB and is written with one write(2), so that
 * lines of several processes don't mix; one that lost something ends with
 * "cut":true. There is no field type for a secret.
 */
#ifndef LW_BASE_LOG_H
#define LW_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/str.h"

struct log_field {
	const char *name;
	enum { LOG_FIELD_TEXT, LOG_FIELD_INT } type;
	struct str text;
	int64_t number;
};

struct log_fields {
	const struct log_field *v;
	size_t n;
};

#define LOG_FIELDS(...)                                                                            \
	((struct log_fields){ (const struct log_field[]){ __VA_ARGS__ },                           \
			      sizeof((const struct log_field[]){ __VA_ARGS__ }) /                  \
				      sizeof(struct log_field) })
#define LOG_NO_FIELDS ((struct log_fields){ NULL, 0 })

struct log_field log_text(const char *name, const char *c_string);
struct log_field log_str(const char *name, struct str text);
struct log_field log_int(const char *name, int64_t number);
struct log_field log_err(enum err e); /* "error": the code */
struct log_field log_errno(int error_number); /* "errno": its name, ENOENT */

/* "debug", "info", "warn" or "error"; false for anything else. */
bool log_level_parse(struct str text, enum log_level *ret_level) MUST_CHECK;
/* The least level that is written, and the program's name in each line ("latchd front"). */
void log_setup(const char *program, enum log_level least);
/* Another least level: the configuration has been read. */
void log_set_level(enum log_level least);
/* The request that lines belong to from now on; the absent text ends it. The text must outlive it. */
void log_set_request(struct str request_id);
void log_write(enum log_level level, const char *message, struct log_fields fields);
/*
 * From now on lines below LOG_WARN may wait for others, until 4 KiB are full, a graver line comes, or log_flush: one
 * write(2) for several of them. For a process that flushes whenever it waits; one that dies loses those of its round.
 */
void log_gather(bool on);
void log_flush(void);

#endif
