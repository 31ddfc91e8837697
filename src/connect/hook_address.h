/*
 * The address that a provider's webhooks for a connector come in at. Its secret is stored nowhere: it is derived from a
 * root key of the front, so that it can be shown again, and a copy of the database doesn't hold it.
 */
#ifndef LW_CONNECT_HOOK_ADDRESS_H
#define LW_CONNECT_HOOK_ADDRESS_H

#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/id.h"
#include "base/str.h"
#include "connect/connector.h"
#include "core/ctx.h"
#include "crypt/encode.h"
#include "crypt/keyring.h"

enum { HOOK_SECRET_CHARS = BASE64URL_CHARS(32), HOOK_ADDRESS_MAX = 1024 };

/* The secret of that generation, NUL-terminated. */
enum err hook_secret_of(const struct root_key *root, const struct id *connector, int64_t generation,
			char ret_text[HOOK_SECRET_CHARS + 1]) MUST_CHECK;

/* Appends the connector's address; nothing when it takes no webhooks. ERR_NO_KEY when the front's root key is gone. */
enum err hook_address(struct ctx *cx, const struct connector *connector, struct buf *out) MUST_CHECK;

#endif
