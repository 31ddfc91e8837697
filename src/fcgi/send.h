/* Sending an answer: FastCGI records from one system call, however large it is. */
#ifndef LW_FCGI_SEND_H
#define LW_FCGI_SEND_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "fcgi/reply.h"

struct outbox;

struct send_options {
	int fd;
	uint16_t request_id;
	bool head_only; /* an answer to HEAD */
	bool last;      /* nginx shall not keep the connection */
	struct outbox *outbox; /* where the answer waits for the end of the round; NULL: sent at once */
};

/*
 * ERR_IO when nginx is gone or doesn't take it in time (with an outbox: not known yet). A reply that ran out of memory
 * is sent as a bare 500.
 */
enum err reply_send(struct reply *reply, const struct send_options *options) MUST_CHECK;

#endif
