#include "fcgi/outbox.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/secret.h"

enum { WAIT_US = 2000 };

enum err outbox_send(int fd, struct iovec *v, size_t count)
{
	while (count > 0) {
		struct msghdr message = { .msg_iov = v, .msg_iovlen = count };
		ssize_t sent = sendmsg(fd, &message, MSG_NOSIGNAL);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent <= 0)
			return ERR_IO;
		size_t n = (size_t)sent;
		while (count > 0 && n >= v->iov_len) {
			n -= v->iov_len;
			v++;
			count--;
		}
		if (count > 0) {
			v->iov_base = (char *)v->iov_base + n;
			v->iov_len -= n;
		}
	}
	return OK;
}

enum err outbox_keep(struct outbox *box, int fd, struct iovec *v, size_t count)
{
	size_t n = 0;

	for (size_t i = 0; i < count; i++)
		n += v[i].iov_len;
	if (n > OUTBOX_BYTES / 2)
		return outbox_send(fd, v, count);
	if (box->count == OUTBOX_ANSWERS || n > OUTBOX_BYTES - box->n)
		outbox_flush(box);
	if (box->count == 0)
		box->since_us = clock_monotonic_us();
	for (size_t i = 0; i < count; i++) {
		memcpy(box->bytes + box->n, v[i].iov_base, v[i].iov_len);
		box->n += v[i].iov_len;
	}
	box->answer[box->count].fd = fd;
	box->answer[box->count++].n = n;
	return OK;
}

void outbox_flush(struct outbox *box)
{
	char *p = box->bytes;

	for (size_t i = 0; i < box->count; i++) {
		struct iovec v = { p, box->answer[i].n };

		if (outbox_send(box->answer[i].fd, &v, 1) != OK)
			shutdown(box->answer[i].fd, SHUT_RDWR);
		p += box->answer[i].n;
	}
	wipe(box->bytes, box->n);
	box->count = box->n = 0;
}

void outbox_flush_old(struct outbox *box, int64_t now_us)
{
	if (box->count > 0 && now_us - box->since_us > WAIT_US)
		outbox_flush(box);
}
