#include "connect/verify.h"

#include "base/clock.h"
#include "connect/template.h"
#include "connect/token_request.h"

/* --- tokens that a trial fetches by itself --------------------------------------- */

/* A token request that has no effect but its token; a refresh would use up a refresh token. */
static bool grant_of(enum auth_mode mode, enum token_grant *ret_grant)
{
	*ret_grant = mode == AUTH_SERVICE_ACCOUNT ? GRANT_JWT_BEARER : GRANT_CLIENT_CREDENTIALS;
	return mode == AUTH_SERVICE_ACCOUNT || mode == AUTH_CLIENT_CREDENTIALS;
}

static enum verify_code code_of(struct str text)
{
	static const enum verify_code CODES[] = { VERIFY_HOST_FORBIDDEN, VERIFY_HOST_UNREACHABLE,
						  VERIFY_TLS_FAILED, VERIFY_TIMEOUT,
						  VERIFY_RATE_LIMITED };

	for (size_t i = 0; i < ARRAY_SIZE(CODES); i++)
		if (str_eq(text, str_of(verify_code_text(CODES[i]))))
			return CODES[i];
	return VERIFY_BAD_RESPONSE;
}

/* OK: an outcome. */
static enum err not_given(enum err e, const struct token_failure *failure,
			      struct verify_outcome *ret_outcome)
{
	switch (e) {
	case ERR_NO_MEMORY:
	case ERR_PROVIDER_BUSY:
	case ERR_CONFIG:
	case ERR_INTERNAL: return e;
	case ERR_OAUTH_REFUSED:
	case ERR_BAD_INPUT: ret_outcome->code = VERIFY_INVALID_CREDENTIALS; break;
	default: ret_outcome->code = code_of(failure->code); break;
	}
	ret_outcome->message = failure->message;
	return OK;
}

static enum err copy_values(const struct values *from, struct values *to)
{
	for (size_t i = 0; i < from->n; i++)
		TRY(values_set(
			to, (struct str){ from->text.p + from->v[i].name_at, from->v[i].name_n },
			(struct str){ from->text.p + from->v[i].value_at, from->v[i].value_n }));
	return OK;
}

/* Salesforce says in the answer where the organisation lives; PayPal, which app it is. */
static enum err copy_kept(struct arena *arena, const struct token_rules *rules, const json_t *body,
			  struct values *to)
{
	char name[KEPT_NAME_MAX];

	for (size_t i = 0; i < rules->keep.n; i++) {
		struct str value = json_text_at(arena, body, rules->keep.v[i]);

		if (!str_absent(value))
			TRY(values_set(to, kept_name(rules->keep.v[i], name), value));
	}
	return OK;
}

/* Puts the token into a copy of the values. OK with an outcome other than VERIFY_OK: there is none. */
static enum err fetch_token(struct ctx *cx, const struct connector_type *type,
			    enum token_grant grant, const struct values *values,
			    struct values *with_token, struct verify_outcome *ret_outcome)
{
	BUF_AUTO struct buf body = { 0 };
	const struct token_request request = {
		.type = type,
		.grant = grant,
		.values = values,
		.scopes = values_get(values, STR("scopes")),
		.now_ms = cx->now_ms,
	};
	struct token_answer answer;
	struct token_failure failure = { .message = STR_NONE };
	enum err e;

	buf_init(&body, CALL_ANSWER_MAX);
	e = token_fetch(cx, &request, &body, &answer, &failure);
	if (e != OK)
		return not_given(e, &failure, ret_outcome);
	TRY(copy_values(values, with_token));
	TRY(copy_kept(cx->arena, token_rules_of(&request), answer.body, with_token));
	return values_set(with_token, STR("access_token"), answer.access_token);
}

/* --- the trial -------------------------------------------------------------------- */

static enum err try_token(struct ctx *cx, const struct verify_spec *spec,
			  const struct values *values, struct verify_outcome *ret_outcome)
{
	if (values_get(values, STR("access_token")).n == 0)
		ret_outcome->code = VERIFY_UNSUPPORTED;
	else
		verify_account(cx->arena, spec, values, NULL, NULL, ret_outcome);
	return OK;
}

static enum err try_with(struct ctx *cx, const struct connector_type *type,
			 const struct auth_way *way, const struct verify_spec *spec,
			 const struct values *values, struct verify_outcome *ret_outcome)
{
	switch (spec->kind) {
	case VERIFY_HTTP: return verify_http(cx, type, way, spec, values, ret_outcome);
	case VERIFY_POSTGRESQL:
	case VERIFY_MYSQL:
	case VERIFY_SMTP: return verify_login(cx, spec, values, ret_outcome);
	case VERIFY_TOKEN: return try_token(cx, spec, values, ret_outcome);
	case VERIFY_NONE: break;
	}
	ret_outcome->code = VERIFY_UNSUPPORTED;
	return OK;
}

static enum err try_connection(struct ctx *cx, const struct connector_type *type,
			       const struct auth_way *way, const struct verify_spec *spec,
			       const struct values *values, struct verify_outcome *ret_outcome)
{
	VALUES_AUTO struct values with_token;
	bool has_token = values_get(values, STR("access_token")).n > 0;
	enum token_grant grant;

	values_init(&with_token);
	/* Where the token is all that there is to try, one from before would prove nothing. */
	if (!grant_of(way->mode, &grant) || (has_token && spec->kind != VERIFY_TOKEN))
		return try_with(cx, type, way, spec, values, ret_outcome);
	TRY(fetch_token(cx, type, grant, values, &with_token, ret_outcome));
	return ret_outcome->code == VERIFY_OK
		       ? try_with(cx, type, way, spec, &with_token, ret_outcome)
		       : OK;
}

enum err verify_connection(struct ctx *cx, const struct connector_type *type,
			   const struct auth_way *way, const struct values *values,
			   struct verify_outcome *ret_outcome)
{
	const struct verify_spec *spec = type && way ? connector_verify(type, way) : NULL;
	int64_t begun_us = clock_monotonic_us();

	*ret_outcome = (struct verify_outcome){ .code = VERIFY_OK };
	if (!spec) {
		ret_outcome->code = VERIFY_UNSUPPORTED;
		return OK;
	}
	TRY(try_connection(cx, type, way, spec, values, ret_outcome));
	ret_outcome->latency_ms = (clock_monotonic_us() - begun_us) / 1000;
	return OK;
}

/* --- what its parts share ------------------------------------------------------------ */

enum err verify_not_made(struct ctx *cx, enum err e, struct str missing,
			 struct verify_outcome *ret_outcome)
{
	if (e == ERR_HOST_FORBIDDEN) {
		ret_outcome->code = VERIFY_HOST_FORBIDDEN;
		ret_outcome->message = STR("The address isn't one of the provider's hosts.");
		return OK;
	}
	if (e != ERR_BAD_INPUT && e != ERR_TOO_BIG)
		return e;
	ret_outcome->code = VERIFY_INVALID_CREDENTIALS;
	ret_outcome->message = STR("A value has characters that can't be sent, or is too long.");
	if (str_absent(missing))
		return OK;
	ret_outcome->message =
		arena_printf(cx->arena, "The connection lacks a value: %.*s.", STR_ARG(missing));
	return str_absent(ret_outcome->message) ? ERR_NO_MEMORY : OK;
}

enum err verify_not_answered(enum err e, enum http_failure failure,
			     struct verify_outcome *ret_outcome)
{
	static const enum verify_code CODES[] = {
		[HTTP_FORBIDDEN] = VERIFY_HOST_FORBIDDEN,
		[HTTP_UNREACHABLE] = VERIFY_HOST_UNREACHABLE,
		[HTTP_NO_TLS] = VERIFY_TLS_FAILED,
		[HTTP_TIMEOUT] = VERIFY_TIMEOUT,
		[HTTP_TOO_LARGE] = VERIFY_BAD_RESPONSE,
		[HTTP_CUT] = VERIFY_BAD_RESPONSE,
		[HTTP_UNREADABLE] = VERIFY_BAD_RESPONSE,
	};

	if (e == ERR_BAD_INPUT) {
		ret_outcome->code = VERIFY_INVALID_CREDENTIALS;
		ret_outcome->message =
			STR("A value has characters that can't be sent, or is too long.");
		return OK;
	}
	if (failure == HTTP_ANSWERED || failure == HTTP_OURS)
		return e;
	ret_outcome->code = CODES[failure];
	if (failure == HTTP_TOO_LARGE)
		ret_outcome->message = STR("The answer is too large.");
	return OK;
}

struct str verify_plain_text(struct arena *arena, struct str text)
{
	char *out = arena_alloc(arena, text.n + 1);
	size_t n = 0, characters = 0, step;

	if (str_absent(text) || !out)
		return STR_NONE;
	for (size_t at = 0;
	     characters < VERIFY_ACCOUNT_CHARS && (step = str_utf8_step(text, at)) > 0;
	     at += step) {
		unsigned char first = (unsigned char)text.p[at];
		bool c1 = step == 2 && first == 0xc2 && (unsigned char)text.p[at + 1] < 0xa0;

		if (first < 0x20 || first == 0x7f || c1)
			continue;
		for (size_t i = 0; i < step; i++)
			out[n++] = text.p[at + i];
		characters++;
	}
	return n > 0 ? (struct str){ out, n } : STR_NONE;
}
