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
#include "net/trust.h"

/* The values as C strings; wiped by attempt_end. */
struct attempt {
	char host[EGRESS_HOST_MAX + 1], user[LOGIN_NAME_MAX + 1], database[LOGIN_NAME_MAX + 1];
	struct secret password; /* ends with a NUL */
	struct egress_target target;
	struct trust_joined own_trust, certificate, key; /* fd -1: there is none */
	struct trust trust;
	int64_t ends_us; /* of clock_monotonic_us */
	struct login_answer *answer;
};

/*
 * Copies the values, asks the guard and starts the clock. ERR_END: the answer is there already. `usual` are the
 * protocol's own ports, the first of which is the default.
 */
enum err attempt_begin(struct attempt *attempt, const struct login *login,
		       const struct egress_policy *policy, const uint16_t *usual, size_t usuals,
		       struct login_answer *ret_answer) MUST_CHECK;
/* Safe after any outcome of attempt_begin. */
void attempt_end(struct attempt *attempt);
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
 * or 256 KiB it shuts the connection down, so that whatever a library does with it comes to an end. watch_stop
 * says which of them it was, as an end; LOGIN_DONE for neither.
 */
void watch_start(const struct attempt *attempt, int fd);
/* The library has made another socket. */
void watch_socket(int fd);
/* Ends it now, for that reason. */
void watch_cut(enum login_end end);
enum login_end watch_stop(void);

enum { LOGIN_RECEIVED_MAX = 256 << 10 };

#endif
