/* GET /openapi.json. */
#include "api/document.h"
#include "core/operations.h"
#include "fcgi/reply.h"

enum err document_get(struct ctx *cx, const struct document_get_in *in, struct reply *reply)
{
	(void)cx;
	(void)in;
	buf_add_str(&reply->body, API_DOCUMENT);
	return OK;
}
