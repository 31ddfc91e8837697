/* A token endpoint's answer while it is read: token_answer.c for what is good in it, token_refusal.c for the rest. */
#ifndef LW_CONNECT_TOKEN_READING_H
#define LW_CONNECT_TOKEN_READING_H

#include <jansson.h>

#include "base/arena.h"
#include "base/attr.h"
#include "base/err.h"
#include "connect/token_request.h"

struct reading {
	struct arena *arena;
	const struct token_request *request;
	const struct token_rules *rules;
	const struct http_answer *http;
	const json_t *body; /* NULL: nothing that could be read */
};

/* A status that isn't 2xx. ERR_OAUTH_REFUSED or ERR_UPSTREAM. */
enum err token_read_failure(const struct reading *r, struct token_failure *failure) MUST_CHECK;
/* The provider says no, with whatever status. ERR_OAUTH_REFUSED. */
enum err token_refused(const struct reading *r, struct token_failure *failure) MUST_CHECK;
/* It can't be understood, and perhaps the provider has done its part. ERR_UPSTREAM. */
enum err token_bad_response(struct token_failure *failure, const char *words) MUST_CHECK;

#endif
