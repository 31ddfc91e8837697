/*
 * Checking what a client sent against what openapi.yaml says, and putting it
 * into the operation's input struct.
 *
 * The descriptors are generated (routes.c) and const; only the compiled
 * patterns are made at the start of a process. Keywords that aren't here are
 * refused by the generator, so nothing in the document goes unchecked.
 */
#ifndef LW_API_CHECK_H
#define LW_API_CHECK_H

#include <jansson.h>
#include <regex.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/route.h"
#include "base/arena.h"
#include "base/attr.h"
#include "base/err.h"
#include "base/id.h"
#include "base/str.h"
#include "core/problem.h"

/* JSON types, as a set: a schema may take several. */
enum check_type {
	CHECK_NULL = 1,
	CHECK_BOOL = 2,
	CHECK_INTEGER = 4,
	CHECK_NUMBER = 8,
	CHECK_STRING = 16,
	CHECK_ARRAY = 32,
	CHECK_OBJECT = 64,
	CHECK_ANY = 127
};

enum check_format { CHECK_PLAIN, CHECK_EMAIL, CHECK_URI, CHECK_TIME, CHECK_ID };

/* Both ends included. */
struct check_range {
	int64_t least, most;
};

struct check_pattern {
	const char *ere; /* POSIX extended, anchored at both ends; it sees bytes */
	regex_t compiled;
};

struct check_schema {
	unsigned types;
	enum check_format format;  /* of strings */
	enum id_kind kind;         /* CHECK_ID */
	struct check_range length; /* of strings, in code points */
	struct check_range value;  /* of integers */
	struct check_range count;  /* of an array's items or an object's members */
	const struct str *words;   /* the strings that are allowed; NULL: all */
	size_t word_count;
	struct check_pattern *pattern; /* of strings; NULL: none */
	bool unique;                   /* items: strings or integers, at most some hundreds */
	const struct check_schema *items;
	const struct check_member *members; /* sorted by name */
	size_t member_count;
	bool open; /* other members are allowed, and checked by `others` unless it's NULL */
	const struct check_schema *others;
	const struct check_schema *names; /* what each member's name must be; NULL: anything */
};

/* Where a value goes in the input struct. */
enum check_slot {
	SLOT_NONE, /* inside of a tree: checked only */
	SLOT_TEXT, /* struct str */
	SLOT_ID,   /* struct id */
	SLOT_OPT_ID,
	SLOT_INT,     /* int64_t: integers, and times in milliseconds */
	SLOT_OPT_INT, /* struct opt_int */
	SLOT_BOOL,
	SLOT_TREE /* const json_t * */
};

enum { CHECK_NO_PLACE = 0xffff };

struct check_member {
	struct str name;
	const struct check_schema *schema;
	bool required;
	enum check_slot slot;
	uint16_t offset;
	uint16_t offset_set;  /* a bool that says that the value was sent; CHECK_NO_PLACE: none */
	uint16_t offset_null; /* a bool that says that null was sent; CHECK_NO_PLACE: none */
	struct str text;      /* the default of SLOT_TEXT, absent: none */
	int64_t number;       /* the default of SLOT_INT and SLOT_BOOL */
};

/* Compiles the patterns. Once, before the first request; ERR_CONFIG when one doesn't compile. */
enum err check_setup(void) MUST_CHECK;

/*
 * Makes the input struct of the matched operation in the arena, from the path, the raw query and the parsed
 * body (NULL: none was sent). ERR_BAD_INPUT with every bad place in `problem` (as many as it holds), ERR_NOT_FOUND
 * when a path parameter can't name anything, ERR_NO_MEMORY. Texts and trees in the struct are borrowed from
 * path, query, body and arena.
 */
enum err route_read(const struct route_match *match, struct str query, const json_t *body,
		    struct arena *arena, struct problem *problem, void **ret_in) MUST_CHECK;

/* The patterns of the whole document, in routes.c. */
extern struct check_pattern CHECK_PATTERNS[];
extern const size_t CHECK_PATTERN_COUNT;

#endif
