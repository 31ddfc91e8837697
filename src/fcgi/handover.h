/* Passing kept connections from a worker that leaves to those that stay (SCM_RIGHTS). */
#ifndef LW_FCGI_HANDOVER_H
#define LW_FCGI_HANDOVER_H

#include "base/attr.h"
#include "base/err.h"

/* The two ends of the channel, which all workers of a pool share; both are non-blocking. */
enum err handover_open(int *ret_give_fd, int *ret_take_fd) MUST_CHECK;
/* Puts `fd` into the channel; the caller still closes its own. ERR_END: the channel is full now. ERR_IO. */
enum err handover_give(int give_fd, int fd) MUST_CHECK;
/* Takes one out. ERR_END: there is none now. ERR_IO. */
enum err handover_take(int take_fd, int *ret_fd) MUST_CHECK;

#endif
