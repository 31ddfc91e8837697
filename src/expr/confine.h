/* What an evaluator may use: its connection, some memory, and the processor. */
#ifndef LW_EXPR_CONFINE_H
#define LW_EXPR_CONFINE_H

#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"

enum { CONFINE_FD = 3 }; /* the connection, afterwards */

/*
 * For a child, once and for good. Afterwards: no environment, no open file but the connection and /dev/null, no core,
 * at most `memory` bytes of address space, and no system call but what it takes to compute and to answer. It dies with
 * its parent.
 */
enum err confine(int fd, size_t memory) MUST_CHECK;

#endif
