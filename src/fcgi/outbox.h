/*
 * Answers that leave together at the end of a round.
 *
 * Under load a worker finds several requests at a time. Sent one by one, each answer wakes nginx, which then has
 * one to pass on and pushes the worker off its CPU for it; most of what that costs is the switch and the cold caches
 * behind it. Answers that wait for each other save a good part of that. A round of one request waits for nothing.
 */
#ifndef LW_FCGI_OUTBOX_H
#define LW_FCGI_OUTBOX_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/attr.h"
#include "base/err.h"

enum { OUTBOX_ANSWERS = 16, OUTBOX_BYTES = 64 << 10 };

struct outbox {
	struct {
		int fd;
		size_t n;
	} answer[OUTBOX_ANSWERS];
	size_t count;
	size_t n; /* bytes of all of them */
	int64_t since_us; /* when the first came (monotonic) */
	char bytes[OUTBOX_BYTES];
};

/* Sends all pieces; the socket blocks, with a time limit for each wait. Changes `v`. ERR_IO. */
enum err outbox_send(int fd, struct iovec *v, size_t count) MUST_CHECK;
/* Keeps a copy of an answer to `fd`, which stays open until the next flush; one that is too large is sent at once. */
enum err outbox_keep(struct outbox *box, int fd, struct iovec *v, size_t count) MUST_CHECK;
/* Sends what is kept. A connection that doesn't take its answer is shut down: its next read ends it. */
void outbox_flush(struct outbox *box);
/* The same, when the first has waited for two milliseconds. */
void outbox_flush_old(struct outbox *box, int64_t now_us);

#endif
