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
 * When the whole pool stops there is nobody to take them: see conn_refuse_more and reply.c's write_end.
 */
#include "fcgi/handover.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

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

union control {
	char space[CMSG_SPACE(sizeof(int))];
	struct cmsghdr align;
};

enum err handover_give(int give_fd, int fd)
{
	char byte = 0;
	struct iovec v = { &byte, 1 };
	union control control = { .space = { 0 } };
	struct msghdr message = { .msg_iov = &v,
				  .msg_iovlen = 1,
				  .msg_control = control.space,
				  .msg_controllen = sizeof(control.space) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&message);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	if (sendmsg(give_fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) == 1)
		return OK;
	/* ETOOMANYREFS: too many descriptors of this user are in flight. */
	return errno == EAGAIN || errno == ENOBUFS || errno == ETOOMANYREFS ? ERR_END : ERR_IO;
}

enum err handover_take(int take_fd, int *ret_fd)
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
	if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS ||
	    c->cmsg_len != CMSG_LEN(sizeof(int)))
		return ERR_IO;
	memcpy(ret_fd, CMSG_DATA(c), sizeof(*ret_fd));
	return OK;
}
