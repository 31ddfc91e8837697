/*
 * The doorbell: a datagram that tells the worker that there is something to do
 * now. It is a hint: nothing is lost when nobody hears it, the worker looks by
 * itself every now and then.
 */
#ifndef LW_JOBS_BELL_H
#define LW_JOBS_BELL_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"

/* Makes the socket, non-blocking; everybody on this machine may ring. ERR_IO, ERR_TOO_BIG for a long path. */
enum err bell_hang(const char *path, int *ret_fd) MUST_CHECK;
/* Takes all that was rung; whether there was anything. */
bool bell_clear(int fd);
/* Rings; never waits. The socket is kept for the next time. */
void bell_ring(const char *path);

/*
 * Of several processes that share the bell one hears a ring, and it may be the wrong one: it strikes the chime, which
 * each of them hears for itself, if not now then when it has time.
 */
enum { CHIME_MAX = 64 };

struct chime {
	int fd[CHIME_MAX]; /* readable: struck since that process last cleared it */
};

/* Make it in the master, before the fork. ERR_IO. */
enum err chime_hang(struct chime *ret_chime) MUST_CHECK;
/* For the first `hearers` processes. */
void chime_strike(const struct chime *chime, unsigned hearers);
void chime_clear(int fd);

#endif
