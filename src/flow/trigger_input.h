/* What a request that starts a workflow becomes: the execution's input, and what is kept about the request itself. */
#ifndef LW_FLOW_TRIGGER_INPUT_H
#define LW_FLOW_TRIGGER_INPUT_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "core/ctx.h"

/*
 * Appends the input as JSON. A GET: its query as an object, a name that comes again as a list. Else the body: JSON as
 * it is, a form as such an object, other text as {"body": text}; without a body the query. ERR_BAD_JSON;
 * ERR_BAD_REQUEST for a body that isn't UTF-8 text.
 */
enum err trigger_input(struct ctx *cx, struct buf *out) MUST_CHECK;
/* Appends {"method", "headers", "query", "address"}; of the headers those that hold no secret. */
enum err trigger_request(struct ctx *cx, struct buf *out) MUST_CHECK;

#endif
