/*
 * Logging in to somebody's database or mail server, to see whether it works: through the egress guard, to
 * addresses that it checked, always with TLS. Nothing is changed there and nothing is sent but the login.
 *
 * One at a time in a process, and only where a SIGALRM is free to be used: client libraries wait for as long as
 * the other side likes, so a timer ends what takes too long or sends too much.
 */
#ifndef LW_NET_LOGIN_H
#define LW_NET_LOGIN_H

#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/str.h"
#include "net/egress.h"

enum { LOGIN_NAME_MAX = 255, LOGIN_PASSWORD_MAX = 8192, LOGIN_CA_MAX = 64 << 10 };

enum login_tls {
	LOGIN_TLS_VERIFY_NAME, /* a trusted certificate for the host's name */
	LOGIN_TLS_VERIFY_CA,   /* a trusted certificate, whatever it names */
	LOGIN_TLS_ANY          /* encrypted; anybody in the middle could be the other side */
};

struct login {
	struct str host;
	uint16_t port; /* 0: the protocol's own */
	struct str user, password;
	struct str database; /* absent: the server's choice */
	struct str
		ca; /* PEM; absent: the system's CAs, and the operator's for hosts that he listed */
	struct str certificate, key; /* PEM, of a database's user; both or neither */
	enum login_tls tls;
	bool starttls; /* mail: begin in the clear and insist on TLS, else TLS from the first byte */
	int timeout_ms; /* of all of it; 0: the policy's */
};

enum login_end {
	LOGIN_DONE,
	LOGIN_REFUSED,     /* user, password or the way to log in */
	LOGIN_NOT_ALLOWED, /* the login is good, but that database isn't there or isn't his */
	LOGIN_FORBIDDEN,   /* by the guard */
	LOGIN_UNREACHABLE,
	LOGIN_NO_TLS,
	LOGIN_TIMEOUT,
	LOGIN_BUSY, /* too many connections, starting up */
	LOGIN_ODD   /* what it said isn't understood, or too much, or values that can't be sent */
};

struct login_answer {
	enum login_end end;
	const char *words; /* static, safe; NULL: those of the end */
	char account[LOGIN_NAME_MAX +
		     1]; /* who the server says that we are; may be empty, may hold anything */
};

/*
 * OK with any end; errors are ours: ERR_NO_MEMORY, ERR_INTERNAL, ERR_IO.
 *
 * The values' texts must be without NUL, and without control characters but in a password of a database; else
 * the end is LOGIN_ODD and nothing is sent.
 */
enum err login_postgresql(const struct login *login, const struct egress_policy *policy,
			  struct login_answer *ret_answer) MUST_CHECK;
/* MySQL and MariaDB. */
enum err login_mysql(const struct login *login, const struct egress_policy *policy,
		     struct login_answer *ret_answer) MUST_CHECK;
/* Without a user there is no login: TLS, EHLO and NOOP. */
enum err login_smtp(const struct login *login, const struct egress_policy *policy,
		    struct login_answer *ret_answer) MUST_CHECK;

#endif
