/*
 * Whatever a token endpoint answers: tokens that come out of it can stand in a header, an end lies ahead, and words for
 * people hold nothing that the provider wrote but a short code.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_read.h"
#include "connect/token_request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ARENA_BYTES = 64 << 20, HEAD = 2 };

static const int64_t NOW = 1700000000000;

static void must_be_visible(struct str token)
{
	if (token.n > TOKEN_TEXT_MAX)
		abort();
	for (size_t i = 0; i < token.n; i++)
		if ((unsigned char)token.p[i] < 0x20 || (unsigned char)token.p[i] > 0x7e)
			abort();
}

static void must_be_safe(struct str words)
{
	if (words.n == 0 || words.n > 400)
		abort();
	for (size_t i = 0; i < words.n; i++)
		if ((unsigned char)words.p[i] < 0x20 || (unsigned char)words.p[i] > 0x7e || words.p[i] == '<')
			abort();
}

/* The first byte chooses the type's rules, the second the status. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct str SEPARATORS[] = { STR(" "), STR(",") }, TERMINAL[] = { STR("gone") };
	static const int STATUSES[] = { 200, 201, 302, 400, 401, 403, 404, 429, 500, 503 };
	static struct arena *arena;
	struct token_answer answer;
	struct token_failure failure;
	struct connector_type type = { 0 };
	struct http_answer http = { .retry_after_s = -1 };
	enum err e;

	if (!arena && (json_setup() != OK || !(arena = arena_new(ARENA_BYTES))))
		abort();
	if (size < HEAD)
		return 0;
	type.oauth2.scope_separator = SEPARATORS[data[0] & 1];
	type.oauth2.token.error_in_200 = data[0] & 2;
	type.oauth2.token.expiry = data[0] & 4 ? EXPIRY_AT : EXPIRY_IN;
	type.oauth2.token.refresh_expiry = data[0] & 8 ? STR("x_in") : STR_NONE;
	type.oauth2.token.terminal_errors = (struct texts){ TERMINAL, 1 };
	if (data[0] & 16)
		strcpy(http.content_type, "application/x-www-form-urlencoded");
	http.status = STATUSES[data[1] % ARRAY_SIZE(STATUSES)];
	e = token_answer_read(arena, &(struct token_request){ .type = &type, .grant = GRANT_REFRESH, .now_ms = NOW }, &http,
			      (struct str){ (const char *)data + HEAD, size - HEAD }, &answer, &failure);
	must_be_visible(answer.refresh_token);
	if (e == OK) {
		must_be_visible(answer.access_token);
		if (answer.access_token.n == 0 || (answer.expires_at.set && answer.expires_at.v < NOW))
			abort();
	} else if (e == ERR_OAUTH_REFUSED || e == ERR_UPSTREAM) {
		must_be_safe(failure.message);
		if (failure.code.n == 0 || (failure.terminal && http.status >= 500))
			abort();
	}
	arena_reset(arena);
	return 0;
}
