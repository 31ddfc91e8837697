/* The table of a worker's connections. */
#include "fcgi/connections.h"

#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "fcgi/handover.h"

enum {
	SPARE_FDS = 32,     /* for the database, files and the like */
	SWEEP_US = 1000000,
	FRESH_US = 1000000, /* how long a pool that stops waits for a connection's first request */
	SEND_OFF_US = 500000, /* and for nginx to close one that it was asked to */
};

/* A descriptor that comes through the channel and finds no place is lost: some stay free. */
static size_t room_within_limit(size_t wanted)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur == RLIM_INFINITY ||
	    wanted + SPARE_FDS <= files.rlim_cur)
		return wanted;
	return files.rlim_cur > 2 * SPARE_FDS ? files.rlim_cur - SPARE_FDS : SPARE_FDS;
}

enum err connections_init(struct connections *all, size_t room, bool one_at_a_time, int patience_ms)
{
	*all = (struct connections){ .room = room_within_limit(room),
				     .one_at_a_time = one_at_a_time,
				     .patience_ms = patience_ms };
	all->v = calloc(all->room, sizeof(struct conn *));
	if (!all->v)
		return ERR_NO_MEMORY;
	all->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	return all->epoll_fd >= 0 ? OK : ERR_IO;
}

void connections_done(struct connections *all)
{
	while (all->count > 0)
		connections_drop(all, all->v[0]);
	free(all->v);
	if (all->epoll_fd >= 0)
		close(all->epoll_fd);
}

static bool watch(struct connections *all, int fd, void *what)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = what };

	return epoll_ctl(all->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

void connections_watch(struct connections *all, struct source *source, bool wanted)
{
	if (wanted == source->watched)
		return;
	if (wanted && !watch(all, source->fd, source))
		return;
	if (!wanted)
		epoll_ctl(all->epoll_fd, EPOLL_CTL_DEL, source->fd, NULL);
	source->watched = wanted;
}

/* It is kept between two requests, or is only dropping an unwanted body: its answer is out. */
static bool is_in_nobodys_way(const struct conn *conn)
{
	return conn->answered || (conn->served > 0 && conn_is_idle(conn));
}

bool connections_have_room(const struct connections *all)
{
	if (!all->one_at_a_time)
		return all->count < all->room;
	for (size_t i = 0; i < all->count; i++)
		if (!is_in_nobodys_way(all->v[i]))
			return false;
	return all->count < all->room;
}

struct conn *connections_add(struct connections *all, int fd)
{
	struct conn *conn = conn_new(fd, all->patience_ms);

	if (!conn)
		return NULL;
	if (all->count == all->room || !watch(all, fd, conn)) {
		conn_free(conn);
		return NULL;
	}
	conn->slot = all->count;
	all->v[all->count++] = conn;
	return conn;
}

void connections_drop(struct connections *all, struct conn *conn)
{
	struct conn *moved = all->v[--all->count];

	all->v[conn->slot] = moved;
	moved->slot = conn->slot;
	/* Explicitly: a descriptor that was handed over is still open, and would stay in the set. */
	epoll_ctl(all->epoll_fd, EPOLL_CTL_DEL, conn->fd, NULL);
	conn_free(conn);
}

/* Whoever was asked to close and doesn't isn't nginx, or is in trouble. */
static void insist(struct conn *conn)
{
	if (conn->sent_off_us != 0 && conn_is_idle(conn) && clock_monotonic_us() - conn->sent_off_us > SEND_OFF_US)
		conn_refuse_more(conn);
}

void connections_make_room(struct connections *all)
{
	struct conn *oldest = NULL;

	if (all->count < all->room)
		return;
	for (size_t i = 0; i < all->count; i++) {
		struct conn *conn = all->v[i];

		if (conn->last) { /* one is on its way out already */
			insist(conn);
			return;
		}
		if (conn_is_idle(conn) && (!oldest || conn->touched_us < oldest->touched_us))
			oldest = conn;
	}
	if (oldest)
		conn_send_off(oldest);
}

void connections_sweep(struct connections *all)
{
	int64_t now = clock_monotonic_us();

	if (now - all->swept_us < SWEEP_US)
		return;
	all->swept_us = now;
	for (size_t i = all->count; i-- > 0;) {
		struct conn *conn = all->v[i];
		bool silent = now - conn->touched_us > (int64_t)all->patience_ms * 1000;
		bool may_idle = conn_is_idle(conn) && (!all->one_at_a_time || conn->served > 0);

		/* Its bytes may be here, and only we were busy. */
		if (silent && !may_idle && !conn_has_bytes(conn))
			connections_drop(all, conn);
	}
}

bool connections_hand_over(struct connections *all, int give_fd)
{
	for (size_t i = all->count; i-- > 0;) {
		struct conn *conn = all->v[i];

		if (!conn_is_portable(conn) || conn->last)
			continue;
		if (handover_give(give_fd, conn->fd, buf_str(&conn->taken)) == ERR_END)
			return false;
		connections_drop(all, conn);
	}
	return true;
}

void connections_wind_up(struct connections *all)
{
	int64_t now = clock_monotonic_us();

	for (size_t i = 0; i < all->count; i++) {
		struct conn *conn = all->v[i];
		/* nginx writes right after it has connected: there is a request on its way. */
		bool fresh = conn->served == 0 && now - conn->touched_us < FRESH_US;

		conn->last = true;
		if (!conn_is_idle(conn) || fresh)
			continue;
		if (conn->sent_off_us == 0)
			conn_send_off(conn);
		insist(conn);
	}
}
