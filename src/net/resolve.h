/* Names to addresses. Of this room: others use egress.h. */
#ifndef LW_NET_RESOLVE_H
#define LW_NET_RESOLVE_H

#include "base/attr.h"
#include "base/err.h"
#include "net/egress.h"

/* The system's resolver (an egress_resolver), which gives up after about 8 seconds. */
enum err resolve_by_system(void *arg, const char *host,
			   struct egress_addresses *ret_addresses) MUST_CHECK;

#endif
