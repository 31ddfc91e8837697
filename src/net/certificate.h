/* A look at the certificate that an https address shows, from outside: for diagnosis. */
#ifndef LW_NET_CERTIFICATE_H
#define LW_NET_CERTIFICATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/id.h"
#include "base/str.h"
#include "net/egress.h"

struct certificate {
	bool shown;     /* a handshake was made, if only by believing everything */
	bool accepted;  /* as any client would: chain, dates and name */
	bool name_fits; /* it is for this host, whoever signed it */
	bool chain_good; /* signed by a CA that is trusted here, and of today, whatever host it names */
	struct opt_int begins_at, ends_at;
};

/*
 * Makes one to three handshakes with the URL's host; nothing is sent but HEAD of that URL. Errors as http_fetch, except
 * that a certificate that isn't good is no error.
 */
enum err certificate_look(struct str url, const struct egress_policy *policy,
			  struct certificate *ret_certificate) MUST_CHECK;

#endif
