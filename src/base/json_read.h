/*
 * Reading JSON: the one place that calls Jansson's parser and getters.
 *
 * json_read parses with our limits (depth 64, 100,000 values, duplicate keys
 * refused, UTF-8 checked, no NUL, integers of 64 bits) into a tree that the
 * arena disposes of; Jansson's memory is wiped when it is freed (json_setup).
 */
#ifndef LW_BASE_JSON_READ_H
#define LW_BASE_JSON_READ_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/attr.h"
#include "base/err.h"
#include "base/str.h"

/* A tree costs up to 200 bytes a value: 100,000 of them are the most that one text may make us hold. */
enum { JSON_DEPTH_MAX = 64, JSON_VALUES_MAX = 100000 };

/* Makes Jansson wipe what it frees, and seeds its hashes. Once, first, in each process. */
enum err json_setup(void) MUST_CHECK;

/*
 * Parses one JSON value, with nothing after it. The tree belongs to the arena. ERR_BAD_JSON, and then
 * `ret_why` (may be NULL) says what and where in words without the body's text.
 */
enum err json_read(struct arena *arena, struct str text, json_t **ret_value, struct str *ret_why) MUST_CHECK;

/*
 * Whether json_read would take the text, without a tree: for one that is passed on as it came. Names that are there
 * twice and numbers that are too large are passed over. ERR_BAD_JSON.
 */
enum err json_check(struct str text) MUST_CHECK;

/* What these return is borrowed from the tree, and absent when missing or of another type. */
bool json_is_kind(const json_t *value, json_type type);
json_t *json_member(const json_t *object, const char *name);
struct str json_text(const json_t *value);
struct str json_member_text(const json_t *object, const char *name);
bool json_integer_of(const json_t *value, int64_t *ret_number) MUST_CHECK;
bool json_bool_of(const json_t *value, bool *ret_flag) MUST_CHECK;
/*
 * A text, a number or a boolean as text: what isn't a text is written into `text`. The absent text for null, objects
 * and arrays.
 */
enum { JSON_SCALAR_MAX = 32 };
struct str json_scalar_text(const json_t *value, char text[JSON_SCALAR_MAX]);
size_t json_length(const json_t *array_or_object);
json_t *json_item(const json_t *array, size_t index);
/* Walks an object in the order of its text: for (void *i = json_first(o); i; i = json_next(o, i)). */
void *json_first(const json_t *object);
void *json_next(const json_t *object, void *iterator);
struct str json_iter_key(void *iterator);
json_t *json_iter_value(void *iterator);

#endif
