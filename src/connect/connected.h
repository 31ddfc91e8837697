/* A connector with the type and the way that its connection is used by. */
#ifndef LW_CONNECT_CONNECTED_H
#define LW_CONNECT_CONNECTED_H

#include "base/attr.h"
#include "base/err.h"
#include "base/id.h"
#include "connect/connector.h"
#include "connect/type.h"
#include "core/ctx.h"

struct connected {
	struct connector connector;
	const struct connector_type *type; /* NULL: it is gone from the catalogue */
	const struct auth_way *way;        /* NULL: it is gone from the type */
};

/* ERR_NOT_FOUND for none of the tenant's. The connector's texts are the statement's. */
enum err connected_find(struct ctx *cx, const struct id *connector, struct connected *ret_connected) MUST_CHECK;
/* Whether it can be used: ERR_NEEDS_RECONNECT; ERR_NOT_CONNECTED for one that is disabled or has no type any more. */
enum err connected_usable(struct ctx *cx, const struct connected *connected) MUST_CHECK;

#endif
