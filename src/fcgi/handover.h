/* Passing connections from a worker that leaves, or that has to do something slow, to the others (SCM_RIGHTS). */
#ifndef LW_FCGI_HANDOVER_H
#define LW_FCGI_HANDOVER_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

/* The two ends of the channel, which all workers of a pool share; both are non-blocking. */
enum err handover_open(int *ret_give_fd, int *ret_take_fd) MUST_CHECK;
/*
 * Puts `fd` into the channel, with the bytes that were read from it already (of a request that hasn't come whole;
 * absent: none). The caller still closes its own. ERR_END: the channel is full now. ERR_IO.
 */
enum err handover_give(int give_fd, int fd, struct str taken) MUST_CHECK;
/*
 * Takes one out; what was read of it is put into `taken`, which is emptied first. ERR_END: there is none now. ERR_IO,
 * ERR_TOO_BIG, ERR_NO_MEMORY: one is lost.
 */
enum err handover_take(int take_fd, int *ret_fd, struct buf *taken) MUST_CHECK;

#endif
