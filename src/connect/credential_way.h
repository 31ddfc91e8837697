/* A credential that is used without a connector: which type of connector it would be one of, and which of its ways. */
#ifndef LW_CONNECT_CREDENTIAL_WAY_H
#define LW_CONNECT_CREDENTIAL_WAY_H

#include <jansson.h>

#include "base/str.h"
#include "connect/type.h"
#include "connect/values.h"
#include "core/ctx.h"

/* Its service's type, or that of a database, a mail server, AWS or a service account; NULL for none. */
const struct connector_type *credential_own_type(struct ctx *cx, struct str service, struct str credential_type,
						 const json_t *data);
/*
 * The type's first way that keeps such a credential and has all of its values; else the first that keeps one; NULL for
 * none.
 */
const struct auth_way *credential_way(const struct connector_type *type, struct str credential_type,
				      const struct values *values);

#endif
