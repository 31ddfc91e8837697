/* A query on a connection that is there. Of this room. */
#ifndef LW_NET_QUERY_POSTGRESQL_H
#define LW_NET_QUERY_POSTGRESQL_H

#include <libpq-fe.h>

#include "base/attr.h"
#include "base/err.h"
#include "net/login_attempt.h"

/* The timer watches: a connection that is cut ends it. */
enum err querying_postgresql(struct attempt *attempt, PGconn *connection) MUST_CHECK;

#endif
