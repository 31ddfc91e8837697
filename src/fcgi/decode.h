/*
 * From checked records to a struct request: the one place that calls libfcgi.
 *
 * libfcgi reads from a file descriptor, so a socketpair of our own stands between: the head of one
 * request, which records.c has found sound, is written into one end, and FCGX_Accept_r reads it from
 * the other. It never touches nginx's connection: its reads don't retry EINTR, it would accept a
 * connection by itself after a failure, and its close waits up to two seconds for the peer.
 */
#ifndef LW_FCGI_DECODE_H
#define LW_FCGI_DECODE_H

#include <stddef.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/id.h"
#include "fcgi/conn.h"
#include "fcgi/request.h"

enum { DECODER_JOINED_MAX = 16 };

/* The request that a worker has in hand; request->fcgi points here. */
struct decoder {
	struct libfcgi *libfcgi; /* its request and our end of the socketpair */
	struct conn *conn;
	int patience_ms;
	void (*stand_alone)(void *worker); /* see request_is_slow; NULL: the worker holds nobody else */
	void *worker;
	char **params; /* NAME=value, NULL at the end: libfcgi's, until decoder_finish */
	char request_id[ID_TEXT_MAX];
	struct buf joined[DECODER_JOINED_MAX]; /* headers that came in several lines */
	size_t joined_count;
};

/* Once in each worker, after the fork. */
enum err decoder_init(struct decoder *decoder, int patience_ms) MUST_CHECK;
void decoder_done(struct decoder *decoder);
/* Makes a request of what has come on `conn`. ERR_BAD_REQUEST when nginx left out LW_URI or the method. */
enum err decoder_begin(struct decoder *decoder, struct conn *conn, struct request *ret_request) MUST_CHECK;
/* Lets go of everything that the request points to. */
void decoder_finish(struct decoder *decoder);

#endif
