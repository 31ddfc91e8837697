/* Random bytes from the kernel (getrandom): safe across fork, never a pool of our own. */
#ifndef LW_BASE_RANDOM_H
#define LW_BASE_RANDOM_H

#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"

enum err random_bytes(void *ret_bytes, size_t n) MUST_CHECK;

#endif
