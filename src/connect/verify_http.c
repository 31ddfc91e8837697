/* A type's verification request, and what its answer says about the credentials. */
#include "base/json_read.h"
#include "connect/template.h"
#include "connect/verify.h"

#define HEADER_SOURCE STR("header:")
#define JSON_SOURCE STR("json:")
#define VALUE_SOURCE STR("value:")

static bool cut_prefix(struct str source, struct str prefix, struct str *ret_rest)
{
	*ret_rest = str_slice(source, prefix.n, source.n);
	return str_starts(source, prefix);
}

/* --- the request -------------------------------------------------------------------- */

/* Asks for the headers that the account comes from, and finds out where a name is among them. */
static enum err want_headers(const struct verify_spec *spec, struct call *call, struct str sought,
			     size_t *ret_at)
{
	const struct texts *lists[] = { &spec->account_id, &spec->account_label };

	for (size_t l = 0; l < ARRAY_SIZE(lists); l++) {
		for (size_t i = 0; i < lists[l]->n; i++) {
			struct str name;
			size_t at;

			if (!cut_prefix(lists[l]->v[i], HEADER_SOURCE, &name))
				continue;
			TRY(call_want(call, name, &at));
			if (ret_at && str_eq_nocase(name, sought))
				*ret_at = at;
		}
	}
	return OK;
}

enum err verify_request_make(const struct connector_type *type, const struct auth_way *way,
			     const struct verify_spec *spec, const struct values *values,
			     int64_t now_ms, struct call *call, struct str *ret_missing)
{
	*ret_missing = STR_NONE;
	TRY(call_make(type, way, &spec->request, values, now_ms, call, ret_missing));
	return want_headers(spec, call, STR_NONE, NULL);
}

/* --- the account --------------------------------------------------------------------- */

/* call_want gives the same places for the same names in the same order. */
static struct str header_value(const struct verify_spec *spec, const struct http_answer *answer,
			       struct str name)
{
	struct call places = { .wanteds = 0 };
	size_t at = HTTP_WANTED_MAX;

	if (!answer || want_headers(spec, &places, name, &at) != OK || at == HTTP_WANTED_MAX)
		return STR_NONE;
	return str_of(answer->wanted[at]);
}

static struct str from_sources(struct arena *arena, const struct verify_spec *spec,
			       const struct texts *sources, const struct values *values,
			       const struct http_answer *answer, const json_t *json)
{
	for (size_t i = 0; i < sources->n; i++) {
		struct str rest, found = STR_NONE;

		if (cut_prefix(sources->v[i], JSON_SOURCE, &rest))
			found = json ? json_text_at(arena, json, rest) : STR_NONE;
		else if (cut_prefix(sources->v[i], HEADER_SOURCE, &rest))
			found = header_value(spec, answer, rest);
		else if (cut_prefix(sources->v[i], VALUE_SOURCE, &rest))
			found = values_get(values, rest);
		found = verify_plain_text(arena, found);
		if (!str_absent(found))
			return found;
	}
	return STR_NONE;
}

void verify_account(struct arena *arena, const struct verify_spec *spec,
		    const struct values *values, const struct http_answer *answer,
		    const json_t *json, struct verify_outcome *outcome)
{
	outcome->account_id = from_sources(arena, spec, &spec->account_id, values, answer, json);
	outcome->account_label =
		from_sources(arena, spec, &spec->account_label, values, answer, json);
}

/* --- the answer ------------------------------------------------------------------------ */

static bool holds(struct str text, struct str part)
{
	for (size_t at = 0; part.n > 0 && at + part.n <= text.n; at++)
		if (str_eq(str_slice(text, at, part.n), part))
			return true;
	return false;
}

static bool says_bad_key(const struct verify_spec *spec, struct str body)
{
	for (size_t i = 0; i < spec->bad_key.n; i++)
		if (holds(body, spec->bad_key.v[i]))
			return true;
	return false;
}

static enum verify_code code_of_status(const struct verify_spec *spec, int status, struct str body)
{
	if (status >= 400 && status < 500 && says_bad_key(spec, body))
		return VERIFY_INVALID_CREDENTIALS;
	switch (status) {
	case 401: return VERIFY_INVALID_CREDENTIALS;
	case 403: return VERIFY_INSUFFICIENT_SCOPE;
	case 429: return VERIFY_RATE_LIMITED;
	default: return status >= 200 && status < 300 ? VERIFY_OK : VERIFY_BAD_RESPONSE;
	}
}

static bool is_page(const char *content_type)
{
	return str_eq_nocase(str_slice(str_of(content_type), 0, 9), STR("text/html"));
}

/* null and false are how some providers say in a good answer that nobody is signed in. */
static bool has_member(const json_t *json, struct str path)
{
	const json_t *value = json_at(json, path);
	bool flag = true;

	return value && !json_is_kind(value, JSON_NULL) && (!json_bool_of(value, &flag) || flag);
}

static enum err read_good(struct arena *arena, const struct verify_spec *spec,
			  const struct values *values, const struct http_answer *answer,
			  struct str body, struct verify_outcome *ret_outcome)
{
	json_t *json = NULL;
	enum err e = json_read(arena, body, &json, NULL);

	if (e != OK && e != ERR_BAD_JSON)
		return e;
	/* "null" or a number says as little as no JSON at all. */
	bool readable =
		e == OK && (json_is_kind(json, JSON_OBJECT) || json_is_kind(json, JSON_ARRAY));
	if (is_page(answer->content_type) || (!readable && spec->must_have.n > 0)) {
		ret_outcome->code = VERIFY_BAD_RESPONSE;
		return OK;
	}
	json = e == OK ? json : NULL;
	if (spec->must_have.n > 0 && !has_member(json, spec->must_have)) {
		ret_outcome->code = VERIFY_INVALID_CREDENTIALS;
		return OK;
	}
	verify_account(arena, spec, values, answer, json, ret_outcome);
	return OK;
}

enum err verify_answer_read(struct arena *arena, const struct verify_spec *spec,
			    const struct values *values, const struct http_answer *answer,
			    struct str body, struct verify_outcome *ret_outcome)
{
	*ret_outcome =
		(struct verify_outcome){ .code = code_of_status(spec, answer->status, body) };
	if (ret_outcome->code == VERIFY_OK)
		return read_good(arena, spec, values, answer, body, ret_outcome);
	if (ret_outcome->code != VERIFY_BAD_RESPONSE)
		return OK;
	ret_outcome->message =
		arena_printf(arena, "The provider answered with status %d.", answer->status);
	return str_absent(ret_outcome->message) ? ERR_NO_MEMORY : OK;
}

/* --- together --------------------------------------------------------------------------- */

enum err verify_http(struct ctx *cx, const struct connector_type *type, const struct auth_way *way,
		     const struct verify_spec *spec, const struct values *values,
		     struct verify_outcome *ret_outcome)
{
	CALL_AUTO struct call call;
	BUF_AUTO struct buf body = { 0 };
	struct http_answer answer;
	struct str missing;
	enum err e;

	call_init(&call);
	buf_init(&body, CALL_ANSWER_MAX);
	e = verify_request_make(type, way, spec, values, cx->now_ms, &call, &missing);
	if (e != OK)
		return verify_not_made(cx, e, missing, ret_outcome);
	e = call_send(cx, &call, &body, &answer);
	if (e != OK)
		return verify_not_answered(e, answer.failure, ret_outcome);
	return verify_answer_read(cx->arena, spec, values, &answer, buf_str(&body), ret_outcome);
}
