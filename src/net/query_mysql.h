/* A query on a connection that is there. Of this room. */
#ifndef LW_NET_QUERY_MYSQL_H
#define LW_NET_QUERY_MYSQL_H

#include <mysql.h>

#include "base/attr.h"
#include "base/err.h"
#include "net/login_attempt.h"

/* The timer watches: a connection that is cut ends it. */
enum err querying_mysql(struct attempt *attempt, MYSQL *mysql) MUST_CHECK;

#endif
