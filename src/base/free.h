/* Whether this program's free() overwrites what it lets go; see free.c. */
#ifndef LW_BASE_FREE_H
#define LW_BASE_FREE_H

#include <stdbool.h>
#include <stdlib.h>

#include "base/attr.h"

/* Frees what a local pointer holds when it goes out of scope: FREE_AUTO char *line = NULL; */
static inline void free_pointer(void *place) { free(*(void **)place); }
#define FREE_AUTO CLEANUP(free_pointer)

/* False in builds with a sanitizer, which bring an allocator of their own. */
bool free_wipes(void);

#endif
