/*
 * The doorbell: a datagram that tells the worker that there is something to do
 * now. It is a hint: nothing is lost when nobody hears it, the worker looks by
 * itself every second.
 */
#ifndef LW_JOBS_BELL_H
#define LW_JOBS_BELL_H

#include "base/attr.h"
#include "base/err.h"

/* Makes the socket, non-blocking; everybody on this machine may ring. ERR_IO, ERR_TOO_BIG for a long path. */
enum err bell_hang(const char *path, int *ret_fd) MUST_CHECK;
/* Takes all that was rung. */
void bell_clear(int fd);
/* Rings; never waits. The socket is kept for the next time. */
void bell_ring(const char *path);

#endif
