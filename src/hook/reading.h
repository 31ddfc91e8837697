/* Reading "webhook" of a connector file strictly: what is unknown, of another kind or missing is told. Of this room. */
#ifndef LW_HOOK_READING_H
#define LW_HOOK_READING_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/str.h"

/* A reading that goes on to its end and remembers the first thing that was wrong. */
struct reading {
	const char *why; /* NULL: nothing yet */
};

enum reading_object {
#define OBJECT(object, words) OF_##object,
#define MEMBER(object, name, kind, fallback, of, words)
#define PART(object, name, item, words)
#define LIST(object, name, item, words)
#include "hook/scheme.def"
#undef OBJECT
#undef MEMBER
#undef PART
#undef LIST
};

void reading_complain(struct reading *r, const char *why);

/* Complains about what isn't one of the object's members, or is one of another kind. */
void reading_members(struct reading *r, const json_t *object, enum reading_object of);

/* Complains about each of these that is there: it would mean nothing. */
void reading_without(struct reading *r, const json_t *object, const char *const *names, size_t n);
#define READING_WITHOUT(r, object, ...) \
	reading_without((r), (object), (const char *const[]){ __VA_ARGS__ }, \
			ARRAY_SIZE(((const char *const[]){ __VA_ARGS__ })))

/* Absent when it isn't there. */
struct str reading_text(const json_t *object, const char *name);
struct str reading_text_or(const json_t *object, const char *name, struct str otherwise);
bool reading_flag(const json_t *object, const char *name);

/* Of scheme.h: one of a source's parts, and a whole source (an absent one, too). */
bool reading_is_part(struct str part);
bool reading_is_source(struct str text);
/* Absent when it isn't there. */
struct str reading_source(struct reading *r, const json_t *object, const char *name);
/* The value, with a complaint when it is empty. */
struct str reading_needed(struct reading *r, struct str value, const char *name);
/* Both or neither of them. */
void reading_pair(struct reading *r, struct str a, struct str b, const char *name);

/* Which of the words that this member may be: 0, with a complaint, for none of them. */
int reading_choice(struct reading *r, struct str value, enum reading_object of, const char *name);
/* That of the member itself, or of its fallback when it isn't there. */
int reading_enum(struct reading *r, const json_t *object, enum reading_object of, const char *name);

#endif
