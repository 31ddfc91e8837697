/*
 * POST to a server on this machine, over its unix socket: nginx, when it is told what browsers wait for. No guard
 * stands here, because no address does: the path of the socket is the operator's, and nobody else's word is in it.
 */
#ifndef LW_NET_LOCAL_POST_H
#define LW_NET_LOCAL_POST_H

#include "base/attr.h"
#include "base/err.h"
#include "base/str.h"

/*
 * Sends JSON to that path ("/run/..."), over a connection that the process keeps. OK: a status from 200 to 299. ERR_IO:
 * nobody listens there, or it took longer than 2 s; ERR_UPSTREAM: another status.
 */
enum err local_post(const char *socket, struct str path, struct str json) MUST_CHECK;

#endif
