/* Reading a member of a connector file strictly: what is unknown, of another kind or missing is told. Of this room. */
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

struct member {
	const char *name;
	json_type kind; /* JSON_TRUE: either boolean */
};

void reading_complain(struct reading *r, const char *why);

/* Complains about what isn't one of these members, or is one of another kind. */
void reading_members(struct reading *r, const json_t *object, const struct member *members, size_t n);
#define READING_MEMBERS(r, object, members) reading_members((r), (object), (members), ARRAY_SIZE(members))

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

/* The place of a word in a table, or the first with a complaint. */
int reading_word(struct reading *r, struct str value, const char *const *words, size_t n, const char *why);
#define READING_WORD(r, value, words, why) reading_word((r), (value), (words), ARRAY_SIZE(words), (why))

#endif
