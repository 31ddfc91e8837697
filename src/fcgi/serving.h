/*
 * The requests of a worker, from a connection's bytes to answers that are sent: one in hand, others that are held
 * (worker.h), and answers to reads that wait for the end of the round.
 */
#ifndef LW_FCGI_SERVING_H
#define LW_FCGI_SERVING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "fcgi/connections.h"
#include "fcgi/decode.h"
#include "fcgi/outbox.h"
#include "fcgi/worker.h"

/* Where a request is until it is answered. */
struct place {
	bool taken;
	struct conn *conn;
	struct decoder decoder;
	struct request request;
	struct reply reply;
};

struct serving {
	const struct worker_options *options;
	void *state; /* options->start's */
	struct connections *connections;
	int give_fd;
	uint64_t answers; /* since the start */
	bool alone;       /* in this round all other connections were handed over */
	bool stale;       /* connections that were found by the last epoll_wait may be gone; to be cleared before one */

	struct place place[WORKER_HELD_MAX]; /* of those that are held, and of the one in hand */
	struct place *held[WORKER_HELD_MAX]; /* in the order in which they came */
	size_t held_count;
	int64_t held_since_us; /* the first of them */
	struct outbox outbox;
};

/* Everything given is borrowed. Once in each worker, after the fork. */
enum err serving_init(struct serving *s, const struct worker_options *options, struct connections *connections,
		      int give_fd, int patience_ms) MUST_CHECK;
void serving_done(struct serving *s);
/*
 * Takes what has come on the connection; a request that is whole is answered, or held. The connection may be gone then.
 * False: it is one that is held.
 */
bool serving_serve(struct serving *s, struct conn *conn) MUST_CHECK;
/* Some are held, and may still wait for others. */
bool serving_waits(const struct serving *s) MUST_CHECK;
/*
 * How long to wait for another one. What lingers ends in a commit, which costs more than the wait; and nginx uses those
 * connections first that it used last: one on which there was a request a moment ago brings the next.
 */
int serving_linger_us(const struct serving *s) MUST_CHECK;
/* Sends what has waited. True: connections were handed over in this round, known ones may be gone. */
bool serving_end_round(struct serving *s) MUST_CHECK;

#endif
