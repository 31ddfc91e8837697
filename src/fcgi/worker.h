/*
 * A worker process: takes requests from nginx and gives them to one function, one after another.
 *
 * It holds many kept connections and serves them in turn, so that no client starves; before a request that says it is
 * slow (request_is_slow) they are handed to the other workers, so that it keeps nobody waiting. Modes differ in which
 * connections are taken on: POLLING (the front, the vault's quick workers) takes all. SINGLE (the vault's others) takes
 * a new one only while nothing waits on another: what nginx may not ask again comes on a connection that it doesn't
 * keep, so that a process that dies takes one such request with it.
 */
#ifndef LW_FCGI_WORKER_H
#define LW_FCGI_WORKER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "fcgi/reply.h"
#include "fcgi/request.h"

enum worker_mode { WORKER_POLLING, WORKER_SINGLE };
enum request_state { REQUEST_ANSWERED, REQUEST_HELD };
enum { WORKER_HELD_MAX = 24 };

struct worker_options {
	enum worker_mode mode;
	size_t connections;     /* held at once by a POLLING worker; 0: 512 */
	/* Requests until the worker makes room for a fresh one, give or take a tenth; 0: never. */
	unsigned recycle_after;
	int linger_us;          /* for more requests, when some are held and others are expected; within HOLD_US */
	int patience_ms;        /* for the rest of a request that began, and for nginx to take an answer; 0: 10 s */

	void *arg; /* for start */
	/* Opens what must not cross a fork (database, keys, sandbox). NULL: the worker can't work. */
	void *(*start)(void *arg);
	/*
	 * Answers one request. SIGTERM and SIGINT are blocked and wait until it returns; a child that it
	 * starts inherits that, and has to unblock them to be stoppable. REQUEST_HELD: the answer comes with `settle`;
	 * until then request and reply stay where they are, WORKER_HELD_MAX of them at most.
	 */
	enum request_state (*handle)(void *state, struct request *request, struct reply *reply);
	/*
	 * Answers all requests that are held, in the order in which they came: soon, when the others that had come with
	 * them have been handled (and within linger_us no other comes that is expected), or within request_is_slow. One
	 * that is slow itself keeps the others waiting. NULL: none ever is.
	 */
	void (*settle)(void *state);
	/* When nothing happened for a second, every second; may be NULL. */
	void (*idle)(void *state);
	/* Before the worker leaves; may be NULL. */
	void (*stop)(void *state);
};

/* What the master gives a worker; all of it is inherited, none of it has state of one request. */
struct worker_seat {
	int listen_fd;
	int give_fd;  /* kept connections that a worker hands to the others (SOCK_SEQPACKET) */
	int take_fd;  /* and where they take them */
	int ready_fd; /* for seat_say_ready */
	unsigned number; /* 0 and up: no two workers of a generation have the same at a time */
	bool empty_backlog; /* on a stop, answer who has connected already: nobody else will */
};

/* Tells the master that this worker has opened what it needs. Once. */
void seat_say_ready(const struct worker_seat *seat);

/*
 * Runs until SIGTERM, SIGINT or the end of `recycle_after`; returns the process's exit status.
 *
 * SIGTERM (retire): kept connections are handed to the other workers, unnoticed by nginx.
 * SIGINT (stop): every connection gets the answer to what has been sent on it, then is closed.
 * Either way a request in hand is finished first.
 */
int worker_run(const struct worker_options *options, const struct worker_seat *seat) MUST_CHECK;

#endif
