/*
 * One statement in somebody's database: through the egress guard, with TLS as logins have it (login.h), bounded in
 * time, rows and bytes. Its parameters are sent beside it, never put into it; and it is one statement, for the protocol
 * that it is sent by takes no second one.
 *
 * As with logins: one at a time in a process, and only where SIGALRM is free.
 */
#ifndef LW_NET_QUERY_H
#define LW_NET_QUERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/str.h"
#include "net/egress.h"
#include "net/login.h"

enum { QUERY_PARAMETERS_MAX = 200, QUERY_COLUMNS_MAX = 200, QUERY_STATE_CHARS = 5 };

enum query_kind { QUERY_NULL, QUERY_TEXT, QUERY_NUMBER, QUERY_BOOL, QUERY_JSON, QUERY_BYTES };

/* A parameter: NULL, TEXT, or NUMBER and BOOL, which are in `number`. */
struct query_value {
	enum query_kind kind;
	struct str text;
	int64_t number;
};

/* A number is spelled as in JSON or is NaN or infinite; a flag is "t" or "f"; JSON is the server's word for it. */
struct query_cell {
	enum query_kind kind;
	struct str column, text;
};

struct query {
	struct login login; /* with the time of all of it */
	struct str text;
	const struct query_value *value;
	size_t values;
	int64_t rows_max;
	size_t bytes_max; /* of what is received */
	/* Hears of each row, up to rows_max of them; an error ends it all. */
	enum err (*row)(void *arg, const struct query_cell *cell, size_t cells);
	void *arg;
};

struct query_answer {
	enum login_end end; /* LOGIN_DONE: the server has answered, but see `state` */
	const char *words;  /* static, safe; NULL: those of the end */
	/* Why it refused (SQLSTATE); empty: it didn't. */
	char state[QUERY_STATE_CHARS + 1];
	bool too_large;  /* bytes_max, more columns than can be told, or a change with more rows than are read */
	bool maybe_done; /* without a good end: it may have changed something all the same */
	int64_t rows;    /* handed over; or changed, by a statement that has none */
	bool truncated;  /* there are more */
};

/*
 * OK with any end; errors are ours and the row's. In PostgreSQL the statement stands in a transaction of its own, which
 * is committed when it is done. `answer` is filled in any case.
 */
enum err query_postgresql(const struct query *query, const struct egress_policy *policy,
			  struct query_answer *ret_answer) MUST_CHECK;
/* MySQL and MariaDB: as a prepared statement, committed by itself. */
enum err query_mysql(const struct query *query, const struct egress_policy *policy,
		     struct query_answer *ret_answer) MUST_CHECK;

#endif
