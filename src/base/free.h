/* Whether this program's free() overwrites what it lets go; see free.c. */
#ifndef LW_BASE_FREE_H
#define LW_BASE_FREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

#include "base/attr.h"

/* Frees what a local pointer holds when it goes out of scope: FREE_AUTO char *line = NULL; */
static inline void free_pointer(void *place) { free(*(void **)place); }
#define FREE_AUTO CLEANUP(free_pointer)

/* False in builds with a sanitizer, which bring an allocator of their own. */
bool free_wipes(void);

/*
 * From now on realloc lets no block grow beyond that: for a library that believes what a stranger says about the
 * length of a message. Returns the limit before, to be set again; the first is SIZE_MAX. Where sanitizers have
 * their own allocator there is none.
 */
size_t free_set_largest(size_t bytes);

#endif
