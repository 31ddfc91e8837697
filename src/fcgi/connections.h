/* The connections that a worker holds, and the epoll set that they and its other sources are in. */
#ifndef LW_FCGI_CONNECTIONS_H
#define LW_FCGI_CONNECTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "fcgi/conn.h"

/* Something else that is waited for: the listening socket, the channel of handed-over connections. */
struct source {
	int fd;
	bool watched;
};

struct connections {
	int epoll_fd;
	struct conn **v;
	size_t count;
	size_t room;
	bool one_at_a_time; /* a connection in use leaves no room for a new one; those that are kept aren't in use */
	int patience_ms;
	int64_t swept_us;
};

/* `room` is cut down to what the limit on open files allows. */
enum err connections_init(struct connections *all, size_t room, bool one_at_a_time,
			  int patience_ms) MUST_CHECK;
void connections_done(struct connections *all);

/* Watches the source, or no longer. */
void connections_watch(struct connections *all, struct source *source, bool wanted);
bool connections_have_room(const struct connections *all);
/* Owns `fd` from now on; NULL when memory is out. */
struct conn *connections_add(struct connections *all, int fd);
/* Closes and forgets it. */
void connections_drop(struct connections *all, struct conn *conn);
/* When there is no room because of idle connections, sends off the one that has been idle for longest. */
void connections_make_room(struct connections *all);
/* At most once a second: drops those that fell silent in the middle of something. */
void connections_sweep(struct connections *all);
/*
 * Hands every one that isn't in somebody's hand to the other workers; false when the channel is full for now. It frees
 * them: nobody may look at one again that was known before.
 */
bool connections_hand_over(struct connections *all, int give_fd) MUST_CHECK;
/* Makes the next answer on each the last one, and tells nginx so. Called again until none is left. */
void connections_wind_up(struct connections *all);

#endif
