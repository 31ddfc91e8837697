/*
 * Sending a mail: one message to one address through the operator's mail
 * server, over TLS, through the egress guard (RFC 5321; submission: RFC 6409,
 * RFC 8314). The message is plain text, quoted-printable (RFC 2045).
 */
#ifndef LW_NET_MAIL_H
#define LW_NET_MAIL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/str.h"
#include "net/egress.h"

struct mail_server {
	const char *host;
	uint16_t port;
	bool starttls;         /* begin in the clear and insist on TLS, else TLS from the first byte */
	struct str user;       /* absent: no login */
	struct str password;
	bool strange;          /* not the operator's own: submission's ports alone, a server that may mean no good */
	int timeout_ms;        /* of all of it; 0: a minute */
};

struct mail_message {
	struct str from, to;   /* addresses alone: ada@example.test */
	struct str from_name;  /* may be absent */
	struct str subject;    /* UTF-8 */
	struct str text;       /* UTF-8, lines end with \n */
	struct str message_id; /* id@domain, without brackets: the same for each try, so that a second one is known */
	int64_t at_ms;
};

/* How sending ended. */
struct mail_end {
	const char *why; /* static words for the log */
	bool begun;      /* the server has seen something of the message: with an error, it may have it all the same */
};

/*
 * OK once the server has taken it. ERR_BAD_INPUT: an address or a text that can't be sent. ERR_DENIED: the server
 * refused it for good (5xx), or the login: nothing that waiting alone would mend. ERR_UPSTREAM, ERR_UPSTREAM_TIMEOUT:
 * try later. ERR_HOST_FORBIDDEN.
 */
enum err mail_send(const struct mail_server *server, const struct mail_message *message,
		   const struct egress_policy *policy, struct mail_end *ret_end) MUST_CHECK;

#endif
