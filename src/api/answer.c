#include "api/answer.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>

#include "api/route.h"
#include "base/json_write.h"

/* Seconds that a client should wait when the service or its database is away. */
enum { RETRY_AWAY_S = 2 };

/* urn:latchwork:problem:bad-input: an identifier, not an address. */
static void put_type(struct json_writer *w, const char *code)
{
	char type[96];
	size_t n = (size_t)snprintf(type, sizeof type, "urn:latchwork:problem:");

	for (; *code && n < sizeof type - 1; code++)
		type[n++] = *code == '_' ? '-' : (char)tolower((unsigned char)*code);
	jw_put_text(w, "type", (struct str){ type, n });
}

static void put_fields(struct json_writer *w, const struct problem *problem)
{
	jw_key(w, "fields");
	jw_array(w);
	for (size_t i = 0; i < problem->count; i++) {
		jw_object(w);
		jw_put_text(w, "field", problem->field[i].field);
		jw_put_text(w, "code", str_of(problem->field[i].code));
		jw_put_text(w, "message", problem->field[i].message);
		jw_object_end(w);
	}
	jw_array_end(w);
}

/* RFC 9110, 15.5.2: a 401 says how to do better; RFC 6750, 3.1: and whether there was a token at all. */
static void challenge(enum err e, struct reply *reply)
{
	bool bad_token = e == ERR_BAD_TOKEN || e == ERR_TOKEN_EXPIRED || e == ERR_SESSION_ENDED;

	/* A reply with no room for the header is still the right answer. */
	if (err_status(e) == 401)
		(void)!reply_header(reply, "WWW-Authenticate",
				    bad_token ? STR("Bearer realm=\"latchwork\", error=\"invalid_token\"") :
						STR("Bearer realm=\"latchwork\""));
}

void answer_problem(const struct ctx *cx, enum err e, struct reply *reply)
{
	const struct problem *problem = &cx->problem;
	const char *code = problem->code ? problem->code : err_code(e);
	int64_t retry_s = problem->retry_after_s > 0 ? problem->retry_after_s : err_status(e) == 503 ? RETRY_AWAY_S : 0;
	struct str words = str_of(err_words(e)), detail = problem->detail;
	struct json_writer w;
	char seconds[24];

	buf_clear(&reply->body);
	reply->status = err_status(e);
	reply->content_type = "application/problem+json";
	jw_start(&w, &reply->body);
	jw_object(&w);
	put_type(&w, code);
	jw_put_text(&w, "title", words);
	jw_put_int(&w, "status", reply->status);
	if (!str_absent(detail))
		jw_put_text(&w, "detail", detail);
	jw_put_text(&w, "error", str_absent(detail) ? words : detail);
	jw_put_text(&w, "code", str_of(code));
	jw_put_text(&w, "request_id", cx->request_text);
	if (problem->count > 0)
		put_fields(&w, problem);
	jw_object_end(&w);
	challenge(e, reply);
	if (!str_absent(problem->allow))
		(void)!reply_header(reply, "Allow", problem->allow);
	if (retry_s > 0) {
		int n = snprintf(seconds, sizeof seconds, "%" PRId64, retry_s);

		/* A reply with no room for the header is still the right answer. */
		(void)!reply_header(reply, "Retry-After", (struct str){ seconds, (size_t)n });
	}
}

/* The request's Origin when the configuration lists it, byte for byte. */
static struct str allowed_origin(const struct ctx *cx, const struct request *request)
{
	struct str origin = request_header(request, "ORIGIN");

	return config_list_holds(cx->config->server_cors_origins, origin) ? origin : STR_NONE;
}

static enum err cors_headers(const struct ctx *cx, const struct request *request, struct reply *reply)
{
	struct str origin = allowed_origin(cx, request);

	if (cx->config->server_cors_origins[0] == '\0')
		return OK;
	TRY(reply_header(reply, "Vary", STR("Origin")));
	if (str_absent(origin))
		return OK;
	TRY(reply_header(reply, "Access-Control-Allow-Origin", origin));
	TRY(reply_header(reply, "Access-Control-Allow-Credentials", STR("true")));
	return reply_header(reply, "Access-Control-Expose-Headers",
			    STR("ETag, Link, X-Request-Id, Retry-After, RateLimit-Limit, RateLimit-Remaining, "
				"RateLimit-Reset, Idempotent-Replayed"));
}

enum err answer_common_headers(const struct ctx *cx, const struct request *request, struct reply *reply)
{
	TRY(reply_header(reply, "X-Request-Id", cx->request_text));
	TRY(reply_header(reply, "Cache-Control", STR("no-store")));
	return cors_headers(cx, request, reply);
}

static enum err number_header(struct reply *reply, const char *name, int64_t value)
{
	char text[24];
	int n = snprintf(text, sizeof text, "%" PRId64, value);

	return reply_header(reply, name, (struct str){ text, (size_t)n });
}

enum err answer_rate_limited(struct ctx *cx, const struct rate_verdict *verdict, struct reply *reply)
{
	cx->problem.retry_after_s = verdict->retry_s > 0 ? verdict->retry_s : 1;
	TRY(number_header(reply, "RateLimit-Limit", verdict->limit));
	TRY(number_header(reply, "RateLimit-Remaining", verdict->remaining));
	return number_header(reply, "RateLimit-Reset", verdict->reset_s);
}

enum err answer_preflight(const struct ctx *cx, const struct request *request, unsigned methods, struct reply *reply)
{
	char allow[ROUTE_ALLOW_MAX];
	struct str allowed = route_allow(methods, allow);

	reply->status = 204;
	reply->content_type = NULL;
	TRY(reply_header(reply, "Allow", allowed));
	if (str_absent(allowed_origin(cx, request)))
		return OK;
	TRY(reply_header(reply, "Access-Control-Allow-Methods", allowed));
	TRY(reply_header(reply, "Access-Control-Allow-Headers",
			 STR("Authorization, Content-Type, If-Match, If-None-Match, Idempotency-Key, X-CSRF-Token")));
	return reply_header(reply, "Access-Control-Max-Age", STR("600"));
}
