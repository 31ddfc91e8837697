/*
 * The loop of a worker.
 *
 * One epoll set holds the listening socket, the channel of handed-over connections, the connections
 * and the signals; all level-triggered, so that whatever was not taken shows up again. Each round
 * serves at most one request of each connection that has one: nobody starves. SIGTERM and SIGINT are
 * read from a descriptor like everything else: a request in hand always ends as it should, and the
 * signals aren't put off by a load that never lets epoll_pwait wait.
 */
#include "fcgi/worker.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "fcgi/connections.h"
#include "fcgi/handover.h"
#include "fcgi/serving.h"
#include "fcgi/spare.h"

enum {
	CONNECTIONS = 512,
	CONNECTIONS_SINGLE = 64, /* one in use, the others dropping bodies that nobody wanted, or kept */
	PATIENCE_MS = 10000,
	IDLE_MS = 1000,
	RETRY_MS = 20,      /* between two looks of a worker that leaves */
	PAUSE_MS = 100,     /* without new connections, when descriptors or memory are out */
	EVENTS = 64,
	WARN_US = 10000000, /* without trouble, until it is told again */
};

/* Where the worker is going: only ever forward. */
enum course { RUN, RETIRE, STOP };

struct worker {
	const struct worker_options *options;
	const struct worker_seat *seat;
	enum course course;
	struct connections connections;
	struct source signals;
	struct source listen;
	struct source take;
	int64_t paused_until_us;
	struct spare spare; /* while it is spent, nobody else is accepted */
	int64_t warned_us;  /* of that */
	bool rest_taken;        /* of those who had connected when the pool stopped */
	uint64_t recycle_after; /* answers; 0: never */
	struct serving serving;
	struct buf taken; /* with a connection from another worker */
};

static void go(struct worker *w, enum course course)
{
	if (course > w->course)
		w->course = course;
}

/* SIGTERM and SIGINT come to a descriptor; what is meant for the master is ignored. */
static enum err take_signals(int *ret_fd)
{
	static const int ignored[] = { SIGHUP, SIGPIPE, SIGUSR1, SIGUSR2 };
	struct sigaction action = { .sa_handler = SIG_IGN };
	sigset_t obeyed;

	for (size_t i = 0; i < ARRAY_SIZE(ignored); i++)
		sigaction(ignored[i], &action, NULL);
	sigemptyset(&obeyed);
	sigaddset(&obeyed, SIGTERM);
	sigaddset(&obeyed, SIGINT);
	sigprocmask(SIG_SETMASK, &obeyed, NULL);
	*ret_fd = signalfd(-1, &obeyed, SFD_CLOEXEC | SFD_NONBLOCK);
	return *ret_fd >= 0 ? OK : ERR_IO;
}

static void obey(struct worker *w)
{
	struct signalfd_siginfo info;

	if (read(w->signals.fd, &info, sizeof(info)) == sizeof(info))
		go(w, info.ssi_signo == SIGTERM ? RETIRE : STOP);
}

/* --- new connections ------------------------------------------------------ */

static bool may_take_more(const struct worker *w)
{
	return connections_have_room(&w->connections) &&
	       (w->paused_until_us == 0 || clock_monotonic_us() >= w->paused_until_us);
}

static void pause_taking(struct worker *w, int error_number)
{
	/* EMFILE, ENFILE, ENOBUFS, ENOMEM: another worker may have better luck meanwhile. */
	log_write(LOG_WARN, "no new connections for a moment", LOG_FIELDS(log_errno(error_number)));
	w->paused_until_us = clock_monotonic_us() + PAUSE_MS * 1000;
}

/* With the last descriptor there is: it is free again after this connection's one answer. */
static bool accept_last(struct worker *w)
{
	int fd = accept4(w->listen.fd, NULL, NULL, SOCK_CLOEXEC);
	struct conn *conn = fd >= 0 ? connections_add(&w->connections, fd) : NULL;
	int64_t now = clock_monotonic_us();

	if (now - w->warned_us > WARN_US)
		log_write(LOG_WARN, "out of descriptors: one new connection at a time", LOG_NO_FIELDS);
	w->warned_us = now;
	if (conn)
		conn->last = true;
	return conn != NULL;
}

/* false: there is none. */
static bool accept_one(struct worker *w)
{
	int fd = accept4(w->listen.fd, NULL, NULL, SOCK_CLOEXEC);

	if (fd >= 0)
		return connections_add(&w->connections, fd) != NULL;
	if (spare_spend(&w->spare, errno))
		return accept_last(w);
	if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
		pause_taking(w, errno);
	return false;
}

/* The same from another worker, perhaps in the middle of a request. */
static bool take_one(struct worker *w)
{
	struct conn *conn;
	int fd;
	enum err e = handover_take(w->take.fd, &fd, &w->taken);

	if (e != OK) {
		if (e != ERR_END)
			pause_taking(w, errno);
		return false;
	}
	conn = connections_add(&w->connections, fd);
	if (conn)
		conn->served = 1; /* by somebody else */
	if (conn && w->taken.n > 0 && conn_resume(conn, buf_str(&w->taken)) != OK)
		connections_drop(&w->connections, conn);
	buf_clear(&w->taken);
	return conn != NULL;
}

/* --- leaving -------------------------------------------------------------- */

/*
 * What has connected before the pool stopped is answered too: nobody else will. Once only: should the
 * master have died, the socket is still in its place and new connections never cease.
 */
static void take_the_rest(struct worker *w)
{
	while (!w->rest_taken && may_take_more(w))
		if (!take_one(w) && !(w->seat->empty_backlog && accept_one(w)))
			w->rest_taken = may_take_more(w);
}

/* One step on the way out; false when the worker has nothing left to do. */
static bool stay(struct worker *w, int *ret_timeout_ms)
{
	*ret_timeout_ms = IDLE_MS;
	if (w->course == RUN)
		return true;
	*ret_timeout_ms = RETRY_MS;
	if (w->course == RETIRE) {
		if (connections_hand_over(&w->connections, w->seat->give_fd))
			*ret_timeout_ms = IDLE_MS; /* what is left is in the middle of a request */
		return w->connections.count > 0;
	}
	take_the_rest(w);
	connections_wind_up(&w->connections);
	return !w->rest_taken || w->connections.count > 0;
}

/* --- the loop ------------------------------------------------------------- */

static void choose_sources(struct worker *w, int *timeout_ms)
{
	bool spare = spare_hold(&w->spare), wanted = w->course == RUN && may_take_more(w);

	if (w->course == RUN && !wanted)
		connections_make_room(&w->connections);
	if (w->paused_until_us > 0 && clock_monotonic_us() < w->paused_until_us)
		*timeout_ms = PAUSE_MS;
	else
		w->paused_until_us = 0;
	if (wanted && !spare)
		*timeout_ms = PAUSE_MS;
	connections_watch(&w->connections, &w->listen, wanted && spare);
	connections_watch(&w->connections, &w->take, wanted);
}

/* New ones last, when nothing of the round waits any more. */
static void take_on(struct worker *w, bool others, bool fresh)
{
	if (others && w->course == RUN && may_take_more(w))
		(void)take_one(w);
	if (fresh && w->course == RUN && may_take_more(w))
		(void)accept_one(w);
}

/* What an epoll_wait has found, but for new connections. */
struct found {
	bool others, fresh; /* to take_on */
	int served;         /* connections */
};

static void serve_found(struct worker *w, const struct epoll_event *events, int n, struct found *found)
{
	found->served = 0;
	w->serving.stale = false;
	/* What isn't taken now comes up again. */
	for (int i = 0; i < n && !w->serving.stale; i++) {
		void *what = events[i].data.ptr;

		if (what == &w->signals) {
			obey(w);
		} else if (what == &w->listen) {
			found->fresh = true;
		} else if (what == &w->take) {
			found->others = true;
		} else {
			found->served += serving_serve(&w->serving, what);
		}
	}
}

/* A kernel that can't wait for less than a millisecond (before 5.11) doesn't wait. */
static int wait_us(const struct worker *w, struct epoll_event *events, int micros)
{
	const struct timespec wait = { 0, micros * 1000L };

	if (micros == 0)
		return epoll_wait(w->connections.epoll_fd, events, EVENTS, 0);
	return epoll_pwait2(w->connections.epoll_fd, events, EVENTS, &wait, NULL);
}

/* While requests are held, those that have come meanwhile belong to the round, too. */
static void round_of(struct worker *w, struct epoll_event *events, int n)
{
	struct found found = { 0 };

	serve_found(w, events, n, &found);
	while (found.served > 0 && serving_waits(&w->serving)) {
		n = wait_us(w, events, serving_linger_us(&w->serving));
		serve_found(w, events, n, &found);
	}
	if (!serving_end_round(&w->serving))
		take_on(w, found.others, found.fresh);
	if (w->recycle_after > 0 && w->serving.answers >= w->recycle_after)
		go(w, RETIRE);
}

static void loop(struct worker *w)
{
	struct epoll_event events[EVENTS];
	int timeout_ms;

	log_gather(true);
	while (stay(w, &timeout_ms)) {
		choose_sources(w, &timeout_ms);
		log_flush();
		int n = epoll_wait(w->connections.epoll_fd, events, EVENTS, timeout_ms);
		if (n > 0)
			round_of(w, events, n);
		else if (n == 0 && w->options->idle && timeout_ms == IDLE_MS)
			w->options->idle(w->serving.state);
		connections_sweep(&w->connections);
	}
}

/* Give or take a tenth, so that workers that started together don't leave together. */
static uint64_t requests_until_recycled(unsigned recycle_after)
{
	uint32_t random;

	if (recycle_after < 10 || random_bytes(&random, sizeof(random)) != OK)
		return recycle_after;
	return recycle_after - recycle_after / 10 + random % (recycle_after / 5 + 1);
}

static enum err set_up(struct worker *w)
{
	const struct worker_options *options = w->options;
	bool single = options->mode == WORKER_SINGLE;
	size_t room = options->connections ? options->connections : CONNECTIONS;
	int patience_ms = options->patience_ms > 0 ? options->patience_ms : PATIENCE_MS;

	w->recycle_after = requests_until_recycled(options->recycle_after);
	w->listen.fd = w->seat->listen_fd;
	w->take.fd = w->seat->take_fd;
	TRY(take_signals(&w->signals.fd));
	TRY(connections_init(&w->connections, single ? CONNECTIONS_SINGLE : room, single, patience_ms));
	connections_watch(&w->connections, &w->signals, true);
	w->spare = (struct spare){ .like = w->connections.epoll_fd, .fd = -1 };
	if (!spare_hold(&w->spare))
		return ERR_IO;
	buf_init(&w->taken, CONN_TAKEN_MAX);
	return serving_init(&w->serving, options, &w->connections, w->seat->give_fd, patience_ms);
}

void seat_say_ready(const struct worker_seat *seat)
{
	/* When the master doesn't hear it, it will start another worker instead. */
	ssize_t n = write(seat->ready_fd, "r", 1);

	(void)n;
	close(seat->ready_fd);
}

int worker_run(const struct worker_options *options, const struct worker_seat *seat)
{
	struct worker w = { .options = options, .seat = seat };

	enum err e = set_up(&w);
	if (e != OK) {
		log_write(LOG_ERROR, "a worker can't be set up", LOG_FIELDS(log_err(e)));
		return 1;
	}
	w.serving.state = options->start(options->arg);
	if (!w.serving.state)
		return 1;
	seat_say_ready(seat);
	loop(&w);
	if (options->stop)
		options->stop(w.serving.state);
	serving_done(&w.serving);
	buf_done(&w.taken);
	connections_done(&w.connections);
	spare_done(&w.spare);
	close(w.signals.fd);
	log_flush();
	return 0;
}
