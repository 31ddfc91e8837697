/* The answer to a sign-in: new tokens for cx->who, as JSON or as the console's cookies. */
#ifndef LW_IDENTITY_SIGNED_IN_H
#define LW_IDENTITY_SIGNED_IN_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/json_write.h"
#include "core/ctx.h"
#include "fcgi/reply.h"
#include "store/sql_session.h"

struct signed_in {
	struct sql_session_subject_row subject; /* of cx->who */
	bool cookie;
};

/* Makes and stores a refresh token, signs an access token, writes `SignedIn`. */
enum err signed_in_answer(struct ctx *cx, const struct signed_in *person,
			  struct reply *reply) MUST_CHECK;

/* `User` and `Tenant` of the document. */
void write_user(struct json_writer *w, const struct id *id, struct str email, struct str name,
		bool verified, int64_t created_at);
void write_tenant(struct json_writer *w, const struct id *id, struct str name, int64_t created_at);

#endif
