/*
 * The master's loop. Signals come from a descriptor and only set flags; what follows from them
 * happens in `step`, one thing after another.
 */
#include "fcgi/pool.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "fcgi/crew.h"
#include "fcgi/handover.h"
#include "fcgi/notify.h"
#include "fcgi/pidfile.h"

enum {
	DRAIN_MS = 30000,
	READY_MS = 30000,
	YOUNG_US = 1000000,      /* a worker that dies younger makes the next one wait */
	BACKOFF_US = 50000,      /* the first wait; doubled each time */
	BACKOFF_MAX_US = 10000000,
};

struct pool {
	const struct pool_options *options;
	struct worker_seat seat;
	struct worker_seat side; /* of the workers whose number is below options->side.workers */
	struct crew crew;
	unsigned generation; /* the one that serves */
	size_t size;         /* its workers */
	unsigned next;       /* the one that is being started; 0: none */
	unsigned newest;     /* that ever was: whoever still leaves a failed one keeps his number in it */
	size_t next_size;
	int64_t next_until_us; /* it must be ready by then */
	bool announced;        /* systemd knows that we are ready */
	bool want_reload;
	bool want_stop;
	bool stopping;
	int signal_fd;
	unsigned young_deaths; /* in a row */
	int64_t start_again_us;
	struct pollfd polled[CREW_MAX + 1];
};

static enum err take_signals(int *ret_fd)
{
	static const int obeyed[] = { SIGHUP, SIGTERM, SIGINT, SIGCHLD };
	static const int ignored[] = { SIGPIPE, SIGUSR1, SIGUSR2 };
	struct sigaction action = { .sa_handler = SIG_IGN };
	sigset_t set;

	for (size_t i = 0; i < ARRAY_SIZE(ignored); i++)
		sigaction(ignored[i], &action, NULL);
	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(obeyed); i++)
		sigaddset(&set, obeyed[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
	*ret_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return *ret_fd >= 0 ? OK : ERR_IO;
}

/* SIGCHLD has done its work by ending the wait. */
static void obey(struct pool *pool)
{
	struct signalfd_siginfo info;

	while (read(pool->signal_fd, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGHUP)
			pool->want_reload = true;
		else if (info.ssi_signo != SIGCHLD)
			pool->want_stop = true;
	}
}

static int drain_ms(const struct pool *pool)
{
	return pool->options->drain_ms > 0 ? pool->options->drain_ms : DRAIN_MS;
}

/* --- workers -------------------------------------------------------------- */

/* All that there are to be. */
static size_t size_of(const struct pool_options *o)
{
	return (size_t)o->workers + (o->side.listener ? o->side.workers : 0);
}

static bool has_workers(const struct pool_options *o)
{
	return o->workers > 0 && (!o->side.listener || o->side.workers > 0) && size_of(o) <= POOL_WORKERS_MAX;
}

static int serve_side(const struct pool *pool, const struct worker_seat *seat)
{
	struct worker_seat own = pool->side;

	own.ready_fd = seat->ready_fd;
	own.number = seat->number;
	return worker_run(&pool->options->side.worker, &own);
}

static int serve(void *arg, const struct worker_seat *seat)
{
	const struct pool *pool = arg;

	if (pool->options->side.listener && seat->number < pool->options->side.workers)
		return serve_side(pool, seat);
	return worker_run(&pool->options->worker, seat);
}

/* false: it couldn't be started, and another try should wait. */
static bool start_worker(struct pool *pool, unsigned generation)
{
	const struct crew_work work = pool->options->listener
					      ? (struct crew_work){ serve, pool }
					      : (struct crew_work){ pool->options->live, pool->options->arg };
	enum err e = crew_start(&pool->crew, generation, &work, &pool->seat);

	if (e != OK)
		log_write(LOG_ERROR, "a worker can't be started", LOG_FIELDS(log_err(e)));
	return e == OK;
}

static void wait_longer(struct pool *pool)
{
	int64_t wait = BACKOFF_US << (pool->young_deaths < 8 ? pool->young_deaths : 8);

	pool->young_deaths++;
	pool->start_again_us =
		clock_monotonic_us() + (wait < BACKOFF_MAX_US ? wait : BACKOFF_MAX_US);
}

/* During a reload nobody joins the old workers: what was read is for the new ones, who serve once they are ready. */
static bool is_incomplete(const struct pool *pool)
{
	return pool->next == 0 && crew_count(&pool->crew, pool->generation) < pool->size;
}

/* Keeps the serving generation complete. */
static void fill_up(struct pool *pool)
{
	while (is_incomplete(pool) && clock_monotonic_us() >= pool->start_again_us)
		if (!start_worker(pool, pool->generation))
			wait_longer(pool);
}

static void tell_reloaded(const struct pool *pool, bool taken)
{
	if (pool->options->reloaded)
		pool->options->reloaded(pool->options->arg, taken);
}

static void give_up_next(struct pool *pool, const char *why)
{
	log_write(LOG_ERROR, "the reload failed; the old workers stay", LOG_FIELDS(log_text("why", why)));
	crew_dismiss(&pool->crew, pool->next, SIGTERM, drain_ms(pool));
	pool->next = 0;
	tell_reloaded(pool, false);
	notify_ready();
}

static void log_death(const struct crew_death *death)
{
	bool killed = WIFSIGNALED(death->status);
	bool expected = !killed && WEXITSTATUS(death->status) == 0;

	log_write(expected ? LOG_DEBUG : LOG_ERROR, expected ? "a worker ended" : "a worker died",
		  LOG_FIELDS(log_int("worker", death->member.pid),
			     log_int(killed ? "signal" : "status",
				     killed ? WTERMSIG(death->status) : WEXITSTATUS(death->status))));
}

static void bury(struct pool *pool, const struct crew_death *death)
{
	const struct crew_member *member = &death->member;
	bool killed = WIFSIGNALED(death->status) && WTERMSIG(death->status) == SIGKILL;
	bool recycled = WIFEXITED(death->status) && WEXITSTATUS(death->status) == 0;
	bool young = clock_monotonic_us() - member->started_us < YOUNG_US;

	if (member->kill_at_us == 0 || !recycled)
		log_death(death);
	if (member->kill_at_us != 0)
		return; /* it was told to leave */
	if (pool->next != 0 && member->generation == pool->next && !member->ready) {
		give_up_next(pool, "a new worker ended before it was ready");
	} else if (!member->ready || (young && !killed && !recycled)) {
		wait_longer(pool);
	} else {
		pool->young_deaths = 0;
		pool->start_again_us = 0;
	}
}

/* --- reload and stop ------------------------------------------------------- */

static void begin_reload(struct pool *pool)
{
	notify_reloading();
	enum err e = pool->options->reload ? pool->options->reload(pool->options->arg) : OK;
	size_t size = size_of(pool->options);
	if (e == OK && !has_workers(pool->options)) {
		tell_reloaded(pool, false);
		e = ERR_CONFIG;
	}
	if (e != OK) {
		log_write(LOG_ERROR, "the reload failed; the old workers stay", LOG_FIELDS(log_err(e)));
		notify_ready();
		return;
	}
	int ready_ms = pool->options->ready_ms > 0 ? pool->options->ready_ms : READY_MS;
	pool->next = ++pool->newest;
	pool->next_size = size;
	pool->next_until_us = clock_monotonic_us() + (int64_t)ready_ms * 1000;
	for (size_t i = 0; i < size; i++)
		if (!start_worker(pool, pool->next)) {
			give_up_next(pool, "a new worker can't be started");
			return;
		}
}

/* The new workers serve already; the old ones hand over what they have and go. */
static void end_reload(struct pool *pool)
{
	crew_dismiss(&pool->crew, pool->generation, SIGTERM, drain_ms(pool));
	pool->generation = pool->next;
	pool->size = pool->next_size;
	pool->next = 0;
	pool->young_deaths = 0;
	pool->start_again_us = 0;
	tell_reloaded(pool, true);
	log_write(LOG_INFO, "reloaded", LOG_FIELDS(log_int("workers", (int64_t)pool->size)));
	notify_ready();
}

static void begin_stop(struct pool *pool)
{
	pool->stopping = true;
	if (pool->next != 0)
		tell_reloaded(pool, false);
	pool->next = 0;
	log_write(LOG_INFO, "stopping", LOG_NO_FIELDS);
	notify_stopping();
	/* First nobody can connect any more, so that the workers can answer all who have. */
	if (pool->options->listener)
		listen_unlink(pool->options->listener);
	if (pool->options->side.listener)
		listen_unlink(pool->options->side.listener);
	crew_dismiss(&pool->crew, 0, SIGINT, drain_ms(pool));
}

/* --- the loop ------------------------------------------------------------- */

static void step(struct pool *pool)
{
	struct crew_death death;

	while (crew_reap(&pool->crew, &death))
		bury(pool, &death);
	crew_kill_late(&pool->crew);
	if (pool->want_stop && !pool->stopping)
		begin_stop(pool);
	if (pool->stopping)
		return;
	if (pool->next != 0 && crew_count_ready(&pool->crew, pool->next) >= pool->next_size)
		end_reload(pool);
	else if (pool->next != 0 && clock_monotonic_us() >= pool->next_until_us)
		give_up_next(pool, "the new workers weren't ready in time");
	if (!pool->announced && crew_count_ready(&pool->crew, pool->generation) >= pool->size) {
		pool->announced = true;
		log_write(LOG_INFO, "ready", LOG_FIELDS(log_int("workers", (int64_t)pool->size)));
		notify_ready();
	}
	/* The first generation comes up before the first reload; a table full of leavers empties first. */
	if (pool->want_reload && pool->next == 0 && pool->announced &&
	    pool->crew.count + 2 * POOL_WORKERS_MAX < CREW_MAX) {
		pool->want_reload = false;
		begin_reload(pool);
	}
	fill_up(pool);
}

/* Until when nothing but a signal or a descriptor can ask for a step. */
static int64_t next_step_us(const struct pool *pool)
{
	int64_t next = crew_next_kill_us(&pool->crew);

	if (pool->stopping)
		return next;
	if (pool->next != 0 && pool->next_until_us < next)
		next = pool->next_until_us;
	if (is_incomplete(pool) && pool->start_again_us < next)
		next = pool->start_again_us;
	return next;
}

static void wait_for_news(struct pool *pool)
{
	int64_t next = next_step_us(pool), wait = next - clock_monotonic_us();
	struct timespec timeout = { 0, 0 };
	size_t n = 0;

	for (size_t i = 0; i < pool->crew.count; i++)
		pool->polled[n++] = (struct pollfd){ pool->crew.v[i].ready_fd, POLLIN, 0 };
	pool->polled[n++] = (struct pollfd){ pool->signal_fd, POLLIN, 0 };
	if (wait > 0)
		timeout = (struct timespec){ wait / 1000000, wait % 1000000 * 1000 };
	if (ppoll(pool->polled, n, next == INT64_MAX ? NULL : &timeout, NULL) <= 0)
		return;
	for (size_t i = 0; i < pool->crew.count; i++)
		if (pool->polled[i].revents)
			crew_hear(&pool->crew.v[i]);
	obey(pool);
}

static enum err check(const struct pool_options *o)
{
	bool sound = o->listener ? o->listener->fd >= 0 && o->worker.start && o->worker.handle
				 : o->live != NULL;
	bool side = !o->side.listener ||
		    (o->listener && o->side.listener->fd >= 0 && o->side.worker.start && o->side.worker.handle);

	return sound && side && has_workers(o) ? OK : ERR_CONFIG;
}

static void run(struct pool *pool)
{
	step(pool);
	while (!pool->stopping || pool->crew.count > 0) {
		wait_for_news(pool);
		step(pool);
	}
}

static enum err open_all(struct pool *pool)
{
	TRY(handover_open(&pool->seat.give_fd, &pool->seat.take_fd));
	if (pool->options->side.listener)
		TRY(handover_open(&pool->side.give_fd, &pool->side.take_fd));
	TRY(take_signals(&pool->signal_fd));
	return pidfile_write(pool->options->pidfile);
}

static void close_all(struct pool *pool)
{
	const int fds[] = { pool->seat.give_fd, pool->seat.take_fd, pool->side.give_fd, pool->side.take_fd,
			    pool->signal_fd };

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

/* NULL: of workers that answer on no socket. */
static struct worker_seat seat_at(const struct listener *listener)
{
	return (struct worker_seat){ .listen_fd = listener ? listener->fd : -1,
				     .give_fd = -1,
				     .take_fd = -1,
				     .empty_backlog = listener && !listener->from_systemd };
}

enum err pool_run(const struct pool_options *options)
{
	TRY(check(options));
	struct pool *pool = calloc(1, sizeof(*pool));
	if (!pool)
		return ERR_NO_MEMORY;
	*pool = (struct pool){ .options = options,
			       .generation = 1,
			       .newest = 1,
			       .size = size_of(options),
			       .signal_fd = -1,
			       .seat = seat_at(options->listener),
			       .side = seat_at(options->side.listener) };
	enum err e = open_all(pool);
	if (e == OK) {
		run(pool);
		pidfile_remove(options->pidfile);
		if (options->listener)
			listen_close(options->listener);
		if (options->side.listener)
			listen_close(options->side.listener);
	}
	close_all(pool);
	free(pool);
	return e;
}
