#include "connect/connected.h"

#include "connect/catalog.h"

enum err connected_find(struct ctx *cx, const struct id *connector, struct connected *ret_connected)
{
	struct connector *c = &ret_connected->connector;

	TRY(connector_read(cx, connector, c));
	ret_connected->type = cx->catalog ? catalog_find(cx->catalog, c->type) : NULL;
	ret_connected->way = ret_connected->type ? connector_way(ret_connected->type, c->auth) : NULL;
	return OK;
}

enum err connected_usable(struct ctx *cx, const struct connected *connected)
{
	if (str_eq(connected->connector.status, STR("needs_reconnect")))
		return ERR_NEEDS_RECONNECT;
	if (str_eq(connected->connector.status, STR("disabled")))
		return ctx_fail(cx, ERR_NOT_CONNECTED, "This connector is disabled.");
	if (!connected->way)
		return ctx_fail(cx, ERR_NOT_CONNECTED, "This connector's type isn't in the catalogue any more.");
	return OK;
}
