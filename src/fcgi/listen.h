/* The unix socket that a pool answers on: made here, or handed to us by systemd. */
#ifndef LW_FCGI_LISTEN_H
#define LW_FCGI_LISTEN_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/err.h"

struct listen_options {
	const char *path;  /* of the socket; not used when systemd hands one over */
	unsigned place;    /* among those that systemd hands over: 0 is the first */
	const char *group; /* may connect too (nginx's group); NULL leaves the process's own */
	int patience_ms;   /* how long to wait for another holder of the socket to go */
};

struct listener {
	int fd; /* close-on-exec, non-blocking */
	bool from_systemd;
	char path[108]; /* empty when from_systemd */
	dev_t device;   /* of the socket's file: only ours is ever unlinked */
	ino_t inode;
};

/*
 * Opens the socket, mode 0660. systemd's (LISTEN_FDS, LISTEN_PID) comes before `path`.
 *
 * A socket file that nobody listens on is replaced in one step; one that somebody answers on is left
 * alone: ERR_CONFLICT. ERR_CONFIG: a path that is too long or no socket, an unknown group, a systemd
 * socket of another kind. ERR_IO: what the system refused. `ret_why` gets static words for the log.
 */
enum err listen_open(const struct listen_options *options, struct listener *ret_listener,
		     const char **ret_why) MUST_CHECK;
/* Removes the socket's file if it is still ours: nobody can connect any more, who has connected is kept. */
void listen_unlink(struct listener *listener);
/* listen_unlink, and closes the socket. */
void listen_close(struct listener *listener);

#endif
