/* An evaluator: a child of latch-expr that answers the requests on one connection. */
#ifndef LW_EXPR_SERVE_H
#define LW_EXPR_SERVE_H

#include <stddef.h>

#include "base/attr.h"

/* Confines the process, which is a child made for this, and serves until the client goes. */
NORETURN void serve_connection(int fd, size_t memory);

#endif
