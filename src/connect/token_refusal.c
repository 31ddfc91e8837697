/* Why there is no token: what a provider's refusal means, in words that are safe to show. */
#include "base/json_read.h"
#include "connect/template.h"
#include "connect/token_reading.h"

enum { CODE_MAX = 64 };

/* Only what a log and a page can show without harm. */
static bool is_safe_code(struct str code)
{
	if (code.n == 0 || code.n > CODE_MAX)
		return false;
	for (size_t i = 0; i < code.n; i++) {
		char c = code.p[i];

		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-'))
			return false;
	}
	return true;
}

/* RFC 6749, section 5.2, says "error"; the others are what providers make of it. */
static struct str error_code(const struct reading *r)
{
	static const struct str PATHS[] = { STR("error"), STR("error.code"), STR("error.status"), STR("error.type"),
					    STR("errorCode"), STR("error_code"), STR("code") };

	for (size_t i = 0; i < ARRAY_SIZE(PATHS); i++) {
		struct str code = json_text_at(r->arena, r->body, PATHS[i]);

		if (code.n > 0)
			return code;
	}
	/* Some say there again which status the answer has: that is no code. */
	struct str word = json_text(json_member(r->body, "status"));
	return word.n > 0 && (word.p[0] < '0' || word.p[0] > '9') ? word : STR_NONE;
}

static bool is_listed(const struct texts *texts, struct str code)
{
	for (size_t i = 0; i < texts->n; i++)
		if (str_eq_nocase(texts->v[i], code))
			return true;
	return false;
}

/* Only a consent can be gone for good. A key or a client's secret that is refused is corrected, and works again. */
static bool is_terminal(const struct reading *r, struct str code)
{
	struct str status = arena_printf(r->arena, "http_%d", r->http->status);

	if (r->request->grant != GRANT_REFRESH)
		return false;
	if (str_eq_nocase(code, STR("invalid_grant")) || is_listed(&r->rules->terminal_errors, code))
		return true;
	return !str_absent(status) && is_listed(&r->rules->terminal_errors, status);
}

static bool is_clients_fault(const struct reading *r, struct str code)
{
	if (str_eq_nocase(code, STR("invalid_client")) || str_eq_nocase(code, STR("unauthorized_client")))
		return true;
	/* The key is the client here. */
	if (r->request->grant == GRANT_JWT_BEARER && str_eq_nocase(code, STR("invalid_grant")))
		return true;
	return r->http->status == 401 && str_absent(code);
}

static struct str words_of(const struct reading *r, const char *words, struct str code)
{
	struct str text = STR_NONE;

	if (is_safe_code(code))
		text = arena_printf(r->arena, "%s (%.*s).", words, STR_ARG(code));
	if (str_absent(text))
		text = arena_printf(r->arena, "%s (status %d).", words, r->http->status);
	return str_absent(text) ? str_of(words) : text;
}

enum err token_refused(const struct reading *r, struct token_failure *failure)
{
	struct str code = error_code(r);

	failure->terminal = is_terminal(r, code);
	failure->client_wrong = !failure->terminal && is_clients_fault(r, code);
	if (failure->terminal) {
		failure->code = STR("INVALID_GRANT");
		failure->message = words_of(r, "The provider takes this connection no more", code);
	} else if (failure->client_wrong) {
		failure->code = STR("INVALID_CLIENT");
		failure->message = words_of(r, r->request->grant == GRANT_JWT_BEARER
						       ? "The provider refuses the service account's key"
						       : "The provider refuses the OAuth client: its id or secret is wrong",
					    code);
	} else {
		failure->code = STR("REFUSED");
		failure->message = words_of(r, "The provider refused the token request", code);
	}
	return ERR_OAUTH_REFUSED;
}

enum err token_bad_response(struct token_failure *failure, const char *words)
{
	failure->code = STR("BAD_RESPONSE");
	failure->message = str_of(words);
	failure->maybe_done = true;
	return ERR_UPSTREAM;
}

enum err token_read_failure(const struct reading *r, struct token_failure *failure)
{
	int status = r->http->status;

	if (r->http->retry_after_s >= 0)
		failure->retry_after_s = (struct opt_int){ true, r->http->retry_after_s };
	if (status == 429) {
		failure->code = STR("RATE_LIMITED");
		failure->message = STR("The provider wants fewer requests.");
		return ERR_UPSTREAM;
	}
	if (status >= 500 || status == 408 || status == 425) {
		failure->code = STR("PROVIDER_ERROR");
		failure->message = words_of(r, "The provider is in trouble", STR_NONE);
		failure->maybe_done = true; /* a gateway may have lost what stood behind it */
		return ERR_UPSTREAM;
	}
	if (status < 400)
		return token_bad_response(failure, "The provider answered with a redirect.");
	/* A page of some firewall says nothing about the grant. */
	if (!r->body && status != 401 && !is_terminal(r, STR_NONE)) {
		(void)!token_bad_response(failure, "");
		failure->message = words_of(r, "The provider's refusal can't be read", STR_NONE);
		failure->maybe_done = false;
		return ERR_UPSTREAM;
	}
	return token_refused(r, failure);
}
