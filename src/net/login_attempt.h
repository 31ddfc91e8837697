/* What the logins of login.h have in common. Of this room. */
#ifndef LW_NET_LOGIN_ATTEMPT_H
#define LW_NET_LOGIN_ATTEMPT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/secret.h"
#include "net/egress.h"
#include "net/login.h"
#include "net/query.h"
#include "net/trust.h"

/* The values as C strings; wiped at the end. */
struct attempt {
	const struct login *login;
	const struct egress_policy *policy;
	char host[EGRESS_HOST_MAX + 1], user[LOGIN_NAME_MAX + 1], database[LOGIN_NAME_MAX + 1];
	struct secret password; /* ends with a NUL */
	struct egress_target target;
	struct trust_joined own_trust, certificate, key; /* fd -1: there is none */
	struct trust trust;
	int64_t ends_us; /* of clock_monotonic_us */
	size_t received_max;
	bool counts_itself; /* what is taken of it; the rest may stay in the socket */
	struct querying *querying; /* what is asked when we are in; NULL: who we are */
	struct login_answer *answer;
};

/*
 * Copies the values, asks the guard, starts the clock and calls log_in, unless the answer is there already. `usual` are
 * the protocol's own ports, the first of which is the default.
 */
enum err attempt_run(const struct login *login, const struct egress_policy *policy, const uint16_t *usual,
		     size_t usuals, enum err (*log_in)(struct attempt *attempt),
		     struct querying *querying, struct login_answer *ret_answer) MUST_CHECK;
/* At least 0. */
int64_t attempt_left_ms(const struct attempt *attempt);
/* poll(2) on one descriptor for as long as there is time; false when it is over. */
bool attempt_wait(const struct attempt *attempt, int fd, short events) MUST_CHECK;
/* Notes how it ended, and returns OK; the first one counts. */
enum err attempt_ends(struct attempt *attempt, enum login_end end, const char *words);

/* A locked key is no good here. Without an answer, OpenSSL would ask for its passphrase at the terminal. */
#define LOGIN_NO_PASSPHRASE " "

/*
 * From now on a timer looks ten times a second at what `fd` has received, and at the time; past the attempt's end
 * or its received_max it shuts the connection down, so that whatever a library does with it comes to an end. watch_stop
 * says which of them it was, as an end; LOGIN_DONE for neither.
 */
void watch_start(const struct attempt *attempt, int fd);
/* The library has made another socket. */
void watch_socket(int fd);
/* Ends it now, for that reason. */
void watch_cut(enum login_end end);
enum login_end watch_stop(void);

enum { LOGIN_RECEIVED_MAX = 256 << 10 };

/* --- a query instead (query.h) --- */
struct querying {
	const struct query *query;
	struct query_answer *answer;
};

/* A login, with a query behind it. */
enum err attempt_postgresql(const struct login *login, const struct egress_policy *policy,
			    struct querying *querying, struct login_answer *ret_answer) MUST_CHECK;
enum err attempt_mysql(const struct login *login, const struct egress_policy *policy,
		       struct querying *querying, struct login_answer *ret_answer) MUST_CHECK;
/* What is left of the time, less a moment to hear of the end: for the server's own limit. At least 1. */
int64_t attempt_server_ms(const struct attempt *attempt);
/* Whether the text begins with a word that makes a statement which only reads. */
bool query_reads(struct str text);

#endif
