/*
 * Why a worker that leaves doesn't simply close its kept connections
 *
 * nginx may write a request into a kept connection at the very moment that we close it. It then tries
 * another connection for GET and the like, but answers 502 for POST (fastcgi_next_upstream without
 * "non_idempotent", which would be wrong for us: it also repeats what may have been done). No order
 * of shutdown and close on our side takes that window away: nginx 1.22 learns of an EOF on a cached
 * connection only when it comes round to its events, and uses the connection until then.
 *
 * So nothing is closed. A connection between two requests has no state of ours; its descriptor goes
 * through a socketpair to any other worker of the pool. What nginx writes meanwhile waits in the
 * socket, and nginx notices nothing. A connection in a request is answered first and then handed over.
 *
 * The same way is taken by a worker that is about to do something slow: what it held is served by the others. Then a
 * connection may be in the middle of a request: what was read of it goes along, and is read again.
 *
 * When the whole pool stops there is nobody to take them: see conn_send_off and reply.c's write_end.
 */
#include "fcgi/handover.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/secret.h"

enum err handover_open(int *ret_give_fd, int *ret_take_fd)
{
	int pair[2];

	/* SEQPACKET: a message is taken whole, by one worker. */
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0)
		return ERR_IO;
	*ret_give_fd = pair[0];
	*ret_take_fd = pair[1];
	return OK;
}

enum { FDS_MAX = 2 }; /* the connection, and a file in memory with what was read from it */

union control {
	char space[CMSG_SPACE(FDS_MAX * sizeof(int))];
	struct cmsghdr align;
};

static enum err send_fds(int give_fd, const int *fds, size_t count)
{
	char byte = 0;
	struct iovec v = { &byte, 1 };
	union control control = { .space = { 0 } };
	struct msghdr message = { .msg_iov = &v,
				  .msg_iovlen = 1,
				  .msg_control = control.space,
				  .msg_controllen = CMSG_SPACE(count * sizeof(int)) };
	struct cmsghdr *c = &control.align;

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(count * sizeof(int));
	memcpy(CMSG_DATA(c), fds, count * sizeof(int));
	if (sendmsg(give_fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) == 1)
		return OK;
	/* ETOOMANYREFS: too many descriptors of this user are in flight. */
	return errno == EAGAIN || errno == ENOBUFS || errno == ETOOMANYREFS ? ERR_END : ERR_IO;
}

/* A file that has no name and is nobody else's; its pages are gone with its last descriptor. */
static enum err put_in_memory(struct str bytes, int *ret_fd)
{
	int fd = memfd_create("request", MFD_CLOEXEC);

	/* Descriptors or memory are out: perhaps not for long. */
	if (fd < 0)
		return ERR_END;
	if (pwrite(fd, bytes.p, bytes.n, 0) != (ssize_t)bytes.n) {
		close(fd);
		return ERR_END;
	}
	*ret_fd = fd;
	return OK;
}

enum err handover_give(int give_fd, int fd, struct str taken)
{
	int fds[FDS_MAX] = { fd, -1 };
	enum err e;

	if (taken.n == 0)
		return send_fds(give_fd, fds, 1);
	TRY(put_in_memory(taken, &fds[1]));
	e = send_fds(give_fd, fds, 2);
	close(fds[1]);
	return e;
}

static enum err receive_fds(int take_fd, int *fds, size_t *ret_count)
{
	char byte;
	struct iovec v = { &byte, 1 };
	union control control = { .space = { 0 } };
	struct msghdr message = { .msg_iov = &v,
				  .msg_iovlen = 1,
				  .msg_control = control.space,
				  .msg_controllen = sizeof(control.space) };

	if (recvmsg(take_fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) < 0)
		return errno == EAGAIN || errno == EINTR ? ERR_END : ERR_IO;
	struct cmsghdr *c = CMSG_FIRSTHDR(&message);
	if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS || c->cmsg_len < CMSG_LEN(sizeof(int)))
		return ERR_IO;
	*ret_count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	memcpy(fds, CMSG_DATA(c), *ret_count * sizeof(int));
	return OK;
}

static enum err read_from_memory(int fd, struct buf *bytes)
{
	uint8_t part[4096];
	off_t at = 0;
	ssize_t n;

	while ((n = pread(fd, part, sizeof(part), at)) > 0) {
		buf_add(bytes, part, (size_t)n);
		at += n;
	}
	wipe(part, sizeof(part));
	return n < 0 ? ERR_IO : buf_error(bytes);
}

enum err handover_take(int take_fd, int *ret_fd, struct buf *taken)
{
	int fds[FDS_MAX] = { -1, -1 };
	size_t count = 0;
	enum err e = receive_fds(take_fd, fds, &count);

	buf_clear(taken);
	if (e == OK && count == 2) {
		e = read_from_memory(fds[1], taken);
		close(fds[1]);
		if (e != OK)
			close(fds[0]);
	}
	if (e == OK)
		*ret_fd = fds[0];
	return e;
}
