/*
 * The memory of one request or job: allocate, never free, reset at the end.
 *
 * What was used is zeroed at the reset. Foreign objects (JSON trees) are handed
 * to arena_defer. Keys and plain secrets do not live here: see secret.h.
 */
#ifndef LW_BASE_ARENA_H
#define LW_BASE_ARENA_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/str.h"

struct arena;

/* An empty arena that will hold at most `max_bytes`. NULL when memory is out. */
struct arena *arena_new(size_t max_bytes) MUST_CHECK;
/* Runs the disposers, newest first, zeroes and keeps the first block. NULL-safe. */
void arena_reset(struct arena *arena);
void arena_free(struct arena *arena);

/* Zeroed memory aligned for any object, or NULL past the cap or out of memory. */
void *arena_alloc(struct arena *arena, size_t size) MUST_CHECK;
/* `count` objects of `size`, or NULL (also when the product overflows). */
void *arena_array(struct arena *arena, size_t count, size_t size) MUST_CHECK;
/* A copy with a terminating NUL behind it (not counted in n); the absent text when memory is out. */
struct str arena_copy(struct arena *arena, struct str s) MUST_CHECK;
struct str arena_printf(struct arena *arena, const char *format, ...) PRINTF_LIKE(2, 3) MUST_CHECK;
/* Calls dispose(object) at the reset. On failure the object is disposed of at once. */
enum err arena_defer(struct arena *arena, void (*dispose)(void *), void *object) MUST_CHECK;
/* Bytes handed out since the last reset; each piece counts as a multiple of 16. */
size_t arena_used(const struct arena *arena);
/* Since the last reset something was refused that would have passed the cap: the system's memory isn't out. */
bool arena_was_full(const struct arena *arena);

#define ARENA_NEW(arena, type) ((type *)arena_alloc((arena), sizeof(type)))

#endif
