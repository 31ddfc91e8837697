/*
 * The master of a pool: owns the socket, keeps its workers alive, and replaces them without a lost request.
 *
 *	SIGHUP            reload; a whole new generation of workers, ready before the old one is retired
 *	SIGTERM, SIGINT   stop: requests under way are finished, at most until the deadline
 *
 * Under systemd: Type=notify with ExecReload=kill -HUP (or notify-reload, from 253 on), and KillMode=mixed:
 * the default sends SIGTERM to the workers too, which would hand their connections to nobody.
 */
#ifndef LW_FCGI_POOL_H
#define LW_FCGI_POOL_H

#include "base/attr.h"
#include "base/err.h"
#include "fcgi/listen.h"
#include "fcgi/worker.h"

enum { POOL_WORKERS_MAX = 1024 };

/* Some of the pool's workers, which answer on a socket of their own in a way of their own. */
struct pool_side {
	struct listener *listener; /* as the pool's own; NULL: there is no such side */
	unsigned workers;          /* besides the pool's; 1 and up */
	struct worker_options worker;
};

struct pool_options {
	struct listener *listener;    /* open; the pool unlinks and closes it at the end. NULL: see `live` */
	unsigned workers;             /* 1 to POOL_WORKERS_MAX */
	int drain_ms;                 /* how long a worker may finish what it has before SIGKILL; 0: 30 s */
	int ready_ms;                 /* how long a new worker may take to start; 0: 30 s */
	const char *pidfile;          /* NULL: none */
	struct worker_options worker;
	struct pool_side side;

	void *arg; /* for reload and live */
	/*
	 * Without a listener: what a worker does instead of serving one. It calls seat_say_ready, obeys SIGTERM and
	 * SIGINT, and its process ends with the status that it returns.
	 */
	int (*live)(void *arg, const struct worker_seat *seat);
	/*
	 * Reads the configuration again, in the master; NULL: nothing to read. When it fails, the old
	 * workers stay. It may change both `workers`, the times and both `worker` of these options.
	 */
	enum err (*reload)(void *arg);
	/*
	 * Follows each reload that worked; NULL: nothing to do. `taken`: the new workers serve, and the old
	 * values may go. Else they didn't start: the old ones stay, and all that `reload` changed has to be
	 * again what it was, for those who will replace one of them.
	 */
	void (*reloaded)(void *arg, bool taken);
};

/*
 * Runs the pool until it is told to stop; OK then. Other errors mean that it never ran:
 * ERR_CONFIG (options, pidfile), ERR_IO (the system refused something).
 * Only the master returns: workers leave by _exit.
 */
enum err pool_run(const struct pool_options *options) MUST_CHECK;

#endif
