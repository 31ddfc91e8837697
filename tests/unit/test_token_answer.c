/* What token endpoints answer, the good and the odd: a table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json_read.h"
#include "connect/token_request.h"

static const int64_t NOW = 1700000000000;

static const struct str SLACKS_ERRORS[] = { STR("token_revoked"), STR("http_404"), STR("BAD_REFRESH_TOKEN") };
static const struct str TWO_PATHS[] = { STR("access_token"), STR("authed_user.access_token") };

static const struct connector_type PLAIN = { .oauth2 = { .scope_separator = STR(" ") } };
static const struct connector_type COMMAS = { .oauth2 = { .scope_separator = STR(",") } };
static const struct connector_type LASTS = { .oauth2 = { .token = { .access_ttl_s = 7200 } } };
static const struct connector_type MOMENT = { .oauth2 = { .token = { .expiry = EXPIRY_AT } } };
static const struct connector_type ENDLESS = { .oauth2 = { .token = { .expiry = EXPIRY_NONE } } };
static const struct connector_type SLACK = {
	.oauth2 = { .scope_separator = STR(","),
		    .token = { .error_in_200 = true,
			       .access_token = { TWO_PATHS, ARRAY_SIZE(TWO_PATHS) },
			       .terminal_errors = { SLACKS_ERRORS, ARRAY_SIZE(SLACKS_ERRORS) } } }
};

/* Left out: nothing is expected of it. */
struct row {
	const char *what;
	const struct connector_type *type; /* NULL: PLAIN */
	enum token_grant grant;            /* GRANT_CODE is 0: the table means GRANT_REFRESH unless `as` is set */
	bool as;
	int status; /* 0: 200 */
	const char *content_type, *body;
	int64_t retry_after_s; /* 0: not sent */
	const char *access, *refresh, *scopes; /* of a good answer; "" for none */
	int64_t life_s;                        /* -1: no end is known */
	const char *code, *words;              /* of a failure; the words are what is in its message */
	bool terminal, client_wrong, maybe_done;
};

#define FORM "application/x-www-form-urlencoded"

static const struct row ROWS[] = {
	{ .what = "the answer of the standard",
	  .body = "{\"access_token\":\"a\",\"refresh_token\":\"r\",\"expires_in\":3600,\"scope\":\"x y\"}",
	  .access = "a", .refresh = "r", .scopes = "x y", .life_s = 3600 },
	{ .what = "201 is as good", .status = 201, .body = "{\"access_token\":\"a\"}", .access = "a", .life_s = -1 },
	{ .what = "no refresh token: the old one stays", .body = "{\"access_token\":\"a\",\"expires_in\":5}",
	  .access = "a", .refresh = "", .life_s = 5 },
	{ .what = "null and empty members are none",
	  .body = "{\"access_token\":\"a\",\"refresh_token\":null,\"expires_in\":null,\"scope\":\"\"}",
	  .access = "a", .refresh = "", .scopes = "", .life_s = -1 },
	{ .what = "expires_in as a text", .body = "{\"access_token\":\"a\",\"expires_in\":\"1800\"}", .access = "a", .life_s = 1800 },
	{ .what = "expires_in as a fraction", .body = "{\"access_token\":\"a\",\"expires_in\":3599.9}", .access = "a", .life_s = 3599 },
	{ .what = "expires_in as a fraction in a text", .body = "{\"access_token\":\"a\",\"expires_in\":\"59.5\"}", .access = "a", .life_s = 59 },
	{ .what = "expires_in that is missing: as the file says", .type = &LASTS, .body = "{\"access_token\":\"a\"}",
	  .access = "a", .life_s = 7200 },
	{ .what = "expires_in 0: not told", .type = &LASTS, .body = "{\"access_token\":\"a\",\"expires_in\":0}", .access = "a", .life_s = 7200 },
	{ .what = "a huge expires_in is ten years", .body = "{\"access_token\":\"a\",\"expires_in\":9007199254740993}",
	  .access = "a", .life_s = 315360000 },
	{ .what = "a huge fraction, too", .body = "{\"access_token\":\"a\",\"expires_in\":1e300}", .access = "a", .life_s = 315360000 },
	{ .what = "a negative expires_in", .body = "{\"access_token\":\"a\",\"refresh_token\":\"r2\",\"expires_in\":-1}",
	  .refresh = "r2", .code = "BAD_RESPONSE", .maybe_done = true },
	{ .what = "an expires_in in words", .body = "{\"access_token\":\"a\",\"expires_in\":\"soon\"}", .code = "BAD_RESPONSE", .maybe_done = true },
	{ .what = "an expires_in that is a list", .body = "{\"access_token\":\"a\",\"expires_in\":[1]}", .code = "BAD_RESPONSE", .maybe_done = true },
	{ .what = "an expires_in that is true", .body = "{\"access_token\":\"a\",\"expires_in\":true}", .code = "BAD_RESPONSE", .maybe_done = true },
	{ .what = "hexadecimal is no number", .body = "{\"access_token\":\"a\",\"expires_in\":\"0x10\"}", .code = "BAD_RESPONSE", .maybe_done = true },
	{ .what = "a moment", .type = &MOMENT, .body = "{\"access_token\":\"a\",\"expires_at\":\"2023-11-14T23:13:20Z\"}",
	  .access = "a", .life_s = 3600 },
	{ .what = "a moment in seconds", .type = &MOMENT, .body = "{\"access_token\":\"a\",\"expires_at\":1700000060}", .access = "a", .life_s = 60 },
	{ .what = "a moment in milliseconds", .type = &MOMENT, .body = "{\"access_token\":\"a\",\"expires_at\":\"1700000060000\"}",
	  .access = "a", .life_s = 60 },
	{ .what = "a moment that is over", .type = &MOMENT, .body = "{\"access_token\":\"a\",\"expires_at\":\"2020-01-01T00:00:00Z\"}",
	  .code = "BAD_RESPONSE", .maybe_done = true },
	{ .what = "no end is told by those", .type = &ENDLESS, .body = "{\"access_token\":\"a\",\"expires_in\":-5}", .access = "a", .life_s = -1 },
	{ .what = "scopes between commas", .type = &COMMAS, .body = "{\"access_token\":\"a\",\"scope\":\"x, y,z\"}", .access = "a",
	  .scopes = "x y z", .life_s = -1 },
	{ .what = "scopes between spaces where commas are the rule", .type = &COMMAS, .body = "{\"access_token\":\"a\",\"scope\":\"x y\"}",
	  .access = "a", .scopes = "x y", .life_s = -1 },
	{ .what = "scopes as a list", .body = "{\"access_token\":\"a\",\"scope\":[\"x\",\"y\"]}", .access = "a", .scopes = "x y", .life_s = -1 },
	{ .what = "scopes with control characters aren't kept", .body = "{\"access_token\":\"a\",\"scope\":\"x\\u0007\"}", .access = "a",
	  .scopes = "", .life_s = -1 },
	{ .what = "the second path", .type = &SLACK, .body = "{\"ok\":true,\"authed_user\":{\"access_token\":\"u\"}}", .access = "u", .life_s = -1 },
	{ .what = "a form", .content_type = FORM "; charset=utf-8", .body = "access_token=a%2Bb&expires_in=60&scope=x+y&token_type=bearer",
	  .access = "a+b", .scopes = "x y", .life_s = 60 },
	{ .what = "a form's error", .content_type = FORM, .body = "error=bad_verification_code&error_description=hush",
	  .code = "REFUSED", .words = "(bad_verification_code)" },
	{ .what = "a form with a name that comes twice", .content_type = FORM, .body = "access_token=a&access_token=b",
	  .code = "BAD_RESPONSE", .maybe_done = true },
	{ .what = "a form that nobody announced", .body = "access_token=a", .code = "BAD_RESPONSE", .maybe_done = true },
	{ .what = "a page with 200", .content_type = "text/html", .body = "<html>", .code = "BAD_RESPONSE", .maybe_done = true },
	{ .what = "nothing at all", .body = "", .code = "BAD_RESPONSE", .maybe_done = true },
	{ .what = "a list", .body = "[]", .code = "BAD_RESPONSE", .maybe_done = true },
	{ .what = "a truncated answer", .body = "{\"access_token\":\"a\",\"refr", .code = "BAD_RESPONSE", .maybe_done = true },
	{ .what = "no access token", .body = "{\"refresh_token\":\"r2\"}", .refresh = "r2", .code = "BAD_RESPONSE", .maybe_done = true },
	{ .what = "an access token that is a number", .body = "{\"access_token\":5}", .code = "BAD_RESPONSE", .maybe_done = true },
	{ .what = "an empty access token", .body = "{\"access_token\":\"\",\"refresh_token\":\"r2\"}", .refresh = "r2",
	  .code = "BAD_RESPONSE", .maybe_done = true },
	{ .what = "a line end in a token", .body = "{\"access_token\":\"a\\r\\nX: y\",\"refresh_token\":\"r2\"}", .refresh = "r2",
	  .code = "BAD_RESPONSE", .maybe_done = true },
	{ .what = "a refresh token that can't be one", .body = "{\"access_token\":\"a\",\"refresh_token\":\"r\\u0000\"}",
	  .code = "BAD_RESPONSE", .maybe_done = true },
	{ .what = "a refresh token with a control character", .body = "{\"access_token\":\"a\",\"refresh_token\":\"r\\t\"}", .refresh = "",
	  .code = "BAD_RESPONSE", .maybe_done = true },
	{ .what = "the grant is over", .status = 400, .body = "{\"error\":\"invalid_grant\",\"error_description\":\"hush words\"}",
	  .code = "INVALID_GRANT", .words = "(invalid_grant)", .terminal = true },
	{ .what = "a status that isn't the standard's", .status = 401, .body = "{\"error\":\"invalid_grant\"}", .code = "INVALID_GRANT", .terminal = true },
	{ .what = "the grant of a code is no connection yet", .as = true, .grant = GRANT_CODE, .status = 400,
	  .body = "{\"error\":\"invalid_grant\"}", .code = "REFUSED" },
	{ .what = "a service account's key", .as = true, .grant = GRANT_JWT_BEARER, .status = 400, .body = "{\"error\":\"invalid_grant\"}",
	  .code = "INVALID_CLIENT", .client_wrong = true },
	{ .what = "the client is wrong", .status = 401, .body = "{\"error\":\"invalid_client\"}", .code = "INVALID_CLIENT", .client_wrong = true },
	{ .what = "the client may not", .status = 400, .body = "{\"error\":\"unauthorized_client\"}", .code = "INVALID_CLIENT", .client_wrong = true },
	{ .what = "401 without words", .status = 401, .body = "no", .code = "INVALID_CLIENT", .words = "(status 401)", .client_wrong = true },
	{ .what = "a type's own end", .type = &SLACK, .body = "{\"ok\":false,\"error\":\"token_revoked\"}", .code = "INVALID_GRANT", .terminal = true },
	{ .what = "a type's own end by a status", .type = &SLACK, .status = 404, .body = "<html>", .code = "INVALID_GRANT", .terminal = true },
	{ .what = "a type's own end in another member", .type = &SLACK, .status = 400, .body = "{\"status\":\"BAD_REFRESH_TOKEN\"}",
	  .code = "INVALID_GRANT", .words = "(status 400)", .terminal = true },
	{ .what = "a status that is said again", .as = true, .grant = GRANT_JWT_BEARER, .status = 401,
	  .body = "{\"message\":\"Bad credentials\",\"status\":\"401\"}", .code = "INVALID_CLIENT", .client_wrong = true },
	{ .what = "ok is false", .type = &SLACK, .body = "{\"ok\":false,\"access_token\":\"a\"}", .code = "REFUSED" },
	{ .what = "an error beside a token counts where the type says so", .type = &SLACK,
	  .body = "{\"access_token\":\"a\",\"error\":\"ratelimited\"}", .code = "REFUSED", .words = "(ratelimited)" },
	{ .what = "an error with 200", .body = "{\"error\":\"invalid_grant\"}", .code = "INVALID_GRANT", .terminal = true },
	{ .what = "an error that is an object", .status = 400, .body = "{\"error\":{\"message\":\"hush\",\"code\":190}}", .code = "REFUSED", .words = "(190)" },
	{ .what = "an error whose text is unsafe", .status = 400, .body = "{\"error\":\"<b>Alice's token</b>\"}", .code = "REFUSED", .words = "(status 400)" },
	{ .what = "a firewall's page", .status = 403, .content_type = "text/html", .body = "<html>", .code = "BAD_RESPONSE", .words = "(status 403)" },
	{ .what = "too many requests", .status = 429, .retry_after_s = 120, .body = "{\"error\":\"invalid_grant\"}", .code = "RATE_LIMITED" },
	{ .what = "the provider is down, and says anything", .status = 503, .retry_after_s = 7, .body = "{\"error\":\"invalid_grant\"}",
	  .code = "PROVIDER_ERROR", .words = "(status 503)", .maybe_done = true },
	{ .what = "a gateway gave up", .status = 504, .body = "<html>", .code = "PROVIDER_ERROR", .maybe_done = true },
	{ .what = "a redirect", .status = 302, .body = "", .code = "BAD_RESPONSE", .maybe_done = true },
};

static void same(const char *what, const char *member, const char *wanted, struct str got)
{
	struct str text = str_of(wanted);

	if (text.n == 0 ? got.n > 0 : !str_eq(text, got))
		fail_msg("%s: %s is \"%.*s\" instead of \"%s\"", what, member, STR_ARG(got), wanted);
}

static void check_good(const struct row *row, const struct token_answer *answer)
{
	int64_t life_s = answer->expires_at.set ? (answer->expires_at.v - NOW) / 1000 : -1;

	same(row->what, "access_token", row->access, answer->access_token);
	if (row->scopes)
		same(row->what, "scopes", row->scopes, answer->scopes);
	if (life_s != row->life_s)
		fail_msg("%s: it ends in %lld s instead of %lld", row->what, (long long)life_s, (long long)row->life_s);
}

static void check_bad(const struct row *row, const struct token_failure *failure)
{
	if (!row->code)
		fail_msg("%s: failed with %.*s", row->what, STR_ARG(failure->code));
	same(row->what, "code", row->code, failure->code);
	if (row->words && !memmem(failure->message.p, failure->message.n, row->words, strlen(row->words)))
		fail_msg("%s: %.*s", row->what, STR_ARG(failure->message));
	if (failure->message.n == 0 || memmem(failure->message.p, failure->message.n, "hush", 4) ||
	    memchr(failure->message.p, '<', failure->message.n))
		fail_msg("%s: %.*s", row->what, STR_ARG(failure->message));
	if (failure->terminal != row->terminal || failure->client_wrong != row->client_wrong ||
	    failure->maybe_done != row->maybe_done)
		fail_msg("%s: terminal %d, client_wrong %d, maybe_done %d", row->what, failure->terminal,
			 failure->client_wrong, failure->maybe_done);
	if (row->retry_after_s != (failure->retry_after_s.set ? failure->retry_after_s.v : 0))
		fail_msg("%s: Retry-After", row->what);
}

static enum err read_row(struct arena *arena, const struct row *row, struct token_answer *answer,
			 struct token_failure *failure)
{
	const struct token_request request = { .type = row->type ? row->type : &PLAIN,
					       .grant = row->as ? row->grant : GRANT_REFRESH,
					       .now_ms = NOW };
	struct http_answer http = { .status = row->status ? row->status : 200,
				    .retry_after_s = row->retry_after_s ? row->retry_after_s : -1 };

	snprintf(http.content_type, sizeof http.content_type, "%s",
		 row->content_type ? row->content_type : "application/json");
	return token_answer_read(arena, &request, &http, str_of(row->body), answer, failure);
}

static void an_answer_is_understood_or_costs_nobody_a_connection(void **state)
{
	struct arena *arena = arena_new(1 << 20);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
		const struct row *row = &ROWS[i];
		struct token_answer answer;
		struct token_failure failure;

		if (read_row(arena, row, &answer, &failure) == OK)
			check_good(row, &answer);
		else
			check_bad(row, &failure);
		if (row->refresh)
			same(row->what, "refresh_token", row->refresh, answer.refresh_token);
		arena_reset(arena);
	}
	arena_free(arena);
}

/* A text of `n` times 'x' in a JSON answer. */
static enum err read_long(size_t access_n, size_t refresh_n, struct token_answer *answer, struct token_failure *failure,
			  struct arena *arena)
{
	char *body = malloc(access_n + refresh_n + 100);
	struct row row = { .body = body };
	size_t n = (size_t)sprintf(body, "{\"access_token\":\"");
	enum err e;

	memset(body + n, 'x', access_n);
	n += access_n;
	n += (size_t)sprintf(body + n, "\",\"refresh_token\":\"");
	memset(body + n, 'y', refresh_n);
	strcpy(body + n + refresh_n, "\"}");
	e = read_row(arena, &row, answer, failure);
	free(body);
	return e;
}

static void a_token_that_is_too_long_is_none_and_the_refresh_token_is_saved(void **state)
{
	struct arena *arena = arena_new(4 << 20);
	struct token_answer answer;
	struct token_failure failure;

	(void)state;
	assert_int_equal(read_long(TOKEN_TEXT_MAX, 10, &answer, &failure, arena), OK);
	assert_int_equal(read_long(TOKEN_TEXT_MAX + 1, 10, &answer, &failure, arena), ERR_UPSTREAM);
	assert_int_equal(answer.refresh_token.n, 10);
	assert_int_equal(read_long(10, TOKEN_TEXT_MAX + 1, &answer, &failure, arena), ERR_UPSTREAM);
	assert_true(str_absent(answer.refresh_token));
	assert_int_equal(read_long(TOKEN_TEXT_MAX, TOKEN_TEXT_MAX, &answer, &failure, arena), ERR_UPSTREAM);
	assert_int_equal(answer.refresh_token.n, TOKEN_TEXT_MAX);
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_answer_is_understood_or_costs_nobody_a_connection),
		cmocka_unit_test(a_token_that_is_too_long_is_none_and_the_refresh_token_is_saved),
	};

	if (json_setup() != OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
