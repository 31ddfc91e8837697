/* A few rows of what a provider holds, by the preview request that its type declares. */
#ifndef LW_CONNECT_PREVIEW_H
#define LW_CONNECT_PREVIEW_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "connect/connected.h"
#include "core/ctx.h"

/*
 * Appends the rows as a JSON array (sample.h), of a usable connector whose type has a preview. Errors of
 * connection_values and call_send; ERR_UPSTREAM for an answer that isn't a good one. No transaction may be open.
 */
enum err preview_read(struct ctx *cx, const struct connected *connected, struct buf *rows,
		      bool *ret_truncated) MUST_CHECK;

#endif
