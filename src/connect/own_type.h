/* A credential that says by itself where its tokens come from; its provider need not be in the catalogue. Room only. */
#ifndef LW_CONNECT_OWN_TYPE_H
#define LW_CONNECT_OWN_TYPE_H

#include "base/attr.h"
#include "base/err.h"
#include "base/str.h"
#include "connect/type.h"
#include "connect/values.h"
#include "core/ctx.h"

/*
 * The type that such a credential describes, in the arena: its only host is that of the URL which the value `url_name`
 * holds, and it is tried by getting a token as a client that acts for itself. ERR_NO_TOKEN_HERE when there is no URL.
 */
enum err own_type(struct ctx *cx, const struct values *values, struct str url_name,
		  const struct connector_type **ret_type) MUST_CHECK;

#endif
