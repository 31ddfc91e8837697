/* The parts of a URL that decide where a request goes. Whether it may go there is egress.h's to say. */
#ifndef LW_NET_URL_H
#define LW_NET_URL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/str.h"

struct url_place {
	bool tls;
	bool literal;    /* the host is an address */
	struct str host; /* without brackets; a name may have capitals */
	uint16_t port;
};

/*
 * False, and static words in `ret_why`, for another scheme, a user, a backslash, anything but printable ASCII, or a
 * host that isn't spelled in the one plain way.
 */
bool url_read(struct str url, struct url_place *ret_place, const char **ret_why) MUST_CHECK;
/* "host:port" or "[address]:port" with the same rules; the port must be there. */
bool url_read_authority(struct str text, struct url_place *ret_place,
			const char **ret_why) MUST_CHECK;
/* A name (letters, digits, '-', '_', at most 63 a label, the last label no number) or an address. */
bool url_read_host(struct str host, struct url_place *ret_place, const char **ret_why) MUST_CHECK;

#endif
