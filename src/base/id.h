/*
 * Ids: a UUIDv7 (RFC 9562, section 5.7), 16 bytes in the database, and outside
 * `<prefix>-<26 characters>` in Crockford's base 32, lower case.
 */
#ifndef LW_BASE_ID_H
#define LW_BASE_ID_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/str.h"

struct id {
	uint8_t b[16];
};

/* A value that may be absent: nullable columns and optional parameters. */
struct opt_id {
	bool set;
	struct id v;
};
struct opt_int {
	bool set;
	int64_t v;
};

enum id_kind {
#define ID_KIND(name, prefix) ID_##name,
#include "base/id_kinds.def"
#undef ID_KIND
	ID_KIND_COUNT
};

enum { ID_TEXT_MAX = 48 }; /* the longest prefix, '-', 26 characters and a NUL fit */

extern const struct id ID_NIL; /* all zero: the system's own tenant */
extern const struct id ID_MAX; /* all ones: before the first page of a list */

/* A new id, ordered by its time: now, 74 random bits. Fails only when the kernel has no random bytes. */
enum err id_new(struct id *ret_id) MUST_CHECK;
/* Writes the public form; returns it as text inside `text`. */
struct str id_format(enum id_kind kind, const struct id *id, char text[ID_TEXT_MAX]);
/* Reads the public form of that kind; false for anything else (upper case, another prefix, overflow). */
bool id_parse(enum id_kind kind, struct str text, struct id *ret_id) MUST_CHECK;
/* The kind that a prefix names ("cred"); false for none. */
bool id_kind_of_prefix(struct str prefix, enum id_kind *ret_kind) MUST_CHECK;
const char *id_prefix(enum id_kind kind);
bool id_eq(const struct id *a, const struct id *b);
static inline bool id_is_nil(const struct id *a) { return id_eq(a, &ID_NIL); }
/* The first id of that millisecond, so that a range of time is a range of ids; before the epoch: the first of all. */
struct id id_first_at(int64_t ms);
/* Its 16 bytes, for hashes and contexts; they live as long as the id. */
#define ID_BYTES(id) ((struct str){ (const char *)(id)->b, sizeof((id)->b) })
/* The milliseconds since the epoch that the id was made at. */
int64_t id_time_ms(const struct id *id);

#endif
