/* Consent and tokens: what the provider is asked, and what its answers mean. */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "connect/call.h"
#include "connect/oauth.h"
#include "connect/template.h"
#include "connect/token_request.h"
#include "connect/values.h"
#include "connector_vectors.h"

enum { PLACE_MAX = 120 };

/* RFC 7636, appendix B, and other values that stand in every vector. */
#define STATE STR("state-of-256-bits")
#define CHALLENGE STR("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM")
#define CODE STR("fake-code")
#define VERIFIER STR("dBjftJeZ4CVP-mBU6gyCTjaW")
#define REDIRECT "https://latchwork.example/api/v1/oauth/callback/"

static json_t *member(const json_t *object, const char *name)
{
	return json_object_get(object, name);
}

static const struct {
	const char *name;
	enum token_grant grant;
} GRANTS[] = {
	{ "code", GRANT_CODE },
	{ "refresh", GRANT_REFRESH },
	{ "client_credentials", GRANT_CLIENT_CREDENTIALS },
	{ "jwt_bearer", GRANT_JWT_BEARER },
};

/* --- answers -------------------------------------------------------------------------- */

static bool moment_is(struct opt_int got, const json_t *seconds)
{
	return got.set == (seconds != NULL) &&
	       (!seconds || got.v == VECTOR_NOW_MS + json_integer_value(seconds) * 1000);
}

static bool text_is(struct str got, const json_t *want)
{
	return want ? str_eq(got, str_of(json_string_value(want))) : str_absent(got);
}

static bool kept_is(struct vector_run *run, const char *place, const struct texts *keep,
		    const json_t *body, const json_t *want)
{
	size_t found = 0;

	for (size_t i = 0; i < keep->n; i++) {
		char text[KEPT_NAME_MAX];
		struct str name = kept_name(keep->v[i], text),
			   value = json_text_at(run->arena, body, keep->v[i]);

		if (str_absent(value))
			continue;
		found++;
		if (!text_is(value, json_object_getn(want, name.p, name.n)))
			return vector_fails(run, "%s: kept %.*s is %.*s", place, STR_ARG(name),
					    STR_ARG(value));
	}
	return found == json_object_size(want) ||
	       vector_fails(run, "%s: %zu values are kept", place, found);
}

static bool answer_is(struct vector_run *run, const char *place,
		      const struct token_request *request, const struct token_answer *got,
		      const json_t *want)
{
	if (!text_is(got->access_token, member(want, "access_token")))
		return vector_fails(run, "%s: access token %.*s", place,
				    STR_ARG(got->access_token));
	if (!text_is(got->refresh_token, member(want, "refresh_token")))
		return vector_fails(run, "%s: refresh token %.*s", place,
				    STR_ARG(got->refresh_token));
	if (!moment_is(got->expires_at, member(want, "expires_in_s")))
		return vector_fails(run, "%s: expires_at %lld", place,
				    got->expires_at.set ? (long long)got->expires_at.v : -1LL);
	if (!moment_is(got->refresh_expires_at, member(want, "refresh_expires_in_s")))
		return vector_fails(run, "%s: refresh_expires_at", place);
	if (!text_is(got->scopes, member(want, "scopes")))
		return vector_fails(run, "%s: scopes %.*s", place, STR_ARG(got->scopes));
	return kept_is(run, place, &token_rules_of(request)->keep, got->body, member(want, "kept"));
}

static bool failure_is(struct vector_run *run, const char *place, const struct token_failure *got,
		       const json_t *want)
{
	const char *code = json_string_value(member(want, "failure"));

	if (!code || !str_eq(got->code, str_of(code)))
		return vector_fails(run, "%s: failure %.*s, not %s", place, STR_ARG(got->code),
				    code ? code : "none");
	return got->terminal == json_is_true(member(want, "terminal")) ||
	       vector_fails(run, "%s: terminal is wrong", place);
}

/* `expect` may be told for each grant: what ends a connection isn't the same as what refuses a first token. */
static const json_t *expectation(const json_t *vector, const char *grant)
{
	const json_t *of_grant = member(member(vector, "expect_of"), grant);

	return of_grant ? of_grant : member(vector, "expect");
}

static bool answer_holds(struct vector_run *run, const char *part, const char *grant,
			 const struct token_request *request, const json_t *vector)
{
	const json_t *body = member(vector, "body"), *want = expectation(vector, grant),
		     *status = member(vector, "status");
	const json_t *only = member(vector, "grant"), *retry = member(vector, "retry_after_s");
	const char *media = json_string_value(member(vector, "content_type"));
	struct http_answer http = { .status = status ? (int)json_integer_value(status) : 200,
				    .retry_after_s = retry ? json_integer_value(retry) : -1 };
	struct token_answer answer = { 0 };
	struct token_failure failure = { 0 };
	char place[PLACE_MAX + 200];
	char *text;
	bool good;

	if (only && strcmp(json_string_value(only), grant) != 0)
		return true;
	snprintf(http.content_type, sizeof http.content_type, "%s",
		 media ? media : "application/json");
	text = json_is_string(body) ? strdup(json_string_value(body))
				    : json_dumps(body, JSON_COMPACT);
	snprintf(place, sizeof place, "%s.%s: %.200s", part, grant, text);
	if (token_answer_read(run->arena, request, &http, str_of(text), &answer, &failure) == OK)
		good = member(want, "failure")
			       ? vector_fails(run, "%s: it is taken for a token", place)
			       : answer_is(run, place, request, &answer, want);
	else
		good = failure_is(run, place, &failure, want);
	free(text);
	return good;
}

/* --- requests --------------------------------------------------------------------------- */

static struct token_request request_of(struct vector_run *run, enum token_grant grant,
				       const struct values *values)
{
	struct token_request request = {
		.type = run->type, .grant = grant, .values = values, .now_ms = VECTOR_NOW_MS
	};

	if (grant == GRANT_CODE) {
		request.code = CODE;
		request.redirect_uri =
			arena_printf(run->arena, REDIRECT "%.*s", STR_ARG(run->type->id));
		request.verifier = run->type->oauth2.pkce ? VERIFIER : STR_NONE;
	}
	/* What a person chose goes before the type's own. */
	if (connector_field(run->type, STR("scopes")))
		request.scopes = values_get(values, STR("scopes"));
	return request;
}

static bool grant_holds(struct vector_run *run, const char *part, const json_t *vector,
			const char *name, const struct token_request *request)
{
	const json_t *lists[] = { member(vector, "answers"), member(run->shared, "token") };
	CALL_AUTO struct call call;
	char place[PLACE_MAX];
	struct str missing;
	json_t *answer;
	size_t n;

	call_init(&call);
	snprintf(place, sizeof place, "%s.requests.%s", part, name);
	if (token_request_make(request, &call, &missing) != OK)
		return vector_fails(run, "%s: it can't be made (%.*s)", place, STR_ARG(missing));
	if (strcmp(call.method, "POST") != 0)
		return vector_fails(run, "%s: method %s", place, call.method);
	call.method = "GET"; /* the vectors leave the method out, where there is one only */
	if (!vector_call_is(run, place, &call, member(member(vector, "requests"), name)))
		return false;
	for (size_t i = 0; i < 2; i++)
		json_array_foreach(lists[i], n, answer) if (!answer_holds(run, part, name, request,
									  answer)) return false;
	return true;
}

/* What the file says of the tokens' behaviour, which isn't all read by the program. */
static bool rules_are(struct vector_run *run, const char *part, const json_t *want)
{
	static const char *const NAMES[] = { "refresh_issued", "rotates",    "single_use",
					     "grace_s",        "idle_ttl_s", "absolute_ttl_s" };
	const json_t *rules = member(member(run->type->file, part), "token");
	json_t *got = json_object();
	bool same;

	for (size_t i = 0; i < ARRAY_SIZE(NAMES); i++) {
		json_t *value = member(rules, NAMES[i]);

		if (json_is_true(value) || json_integer_value(value) != 0)
			json_object_set(got, NAMES[i], value);
	}
	same = want ? json_equal(got, want) : json_object_size(got) == 0;
	json_decref(got);
	return same || vector_fails(run, "%s.rules", part);
}

static bool part_holds(struct vector_run *run, const char *part, enum auth_mode mode)
{
	const json_t *vector = member(run->vector, part);
	VALUES_AUTO struct values values;
	const char *way = NULL;

	values_init(&values);
	for (size_t i = 0; i < run->type->ways; i++)
		if (run->type->way[i].mode == mode)
			way = run->type->way[i].id.p;
	if (!vector || !way)
		return vector_fails(run, "%s: the vector or the way isn't there", part);
	if (!vector_values(run, way, &values) ||
	    !rules_are(run, part, member(vector, "rules")))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(GRANTS); i++) {
		struct token_request request = request_of(run, GRANTS[i].grant, &values);

		if (member(member(vector, "requests"), GRANTS[i].name) &&
		    !grant_holds(run, part, vector, GRANTS[i].name, &request))
			return false;
	}
	return true;
}

/* --- the consent ---------------------------------------------------------------------------- */

static bool authorize_is(struct vector_run *run, const struct values *values, const json_t *want)
{
	struct str redirect = arena_printf(run->arena, REDIRECT "%.*s", STR_ARG(run->type->id)),
		   missing;
	struct str asked = connector_field(run->type, STR("scopes"))
				   ? values_get(values, STR("scopes"))
				   : STR_NONE;
	CALL_AUTO struct call call;
	json_t *request = json_pack("{sO}", "url", want);
	bool same;

	call_init(&call);
	same = oauth_authorize_url(run->type, values, STATE, CHALLENGE, redirect, asked, &call.url,
				   &missing) == OK
		       ? vector_call_is(run, "oauth2.authorize", &call, request)
		       : vector_fails(run, "oauth2.authorize: it can't be made (%.*s)",
				      STR_ARG(missing));
	json_decref(request);
	return same;
}

static bool callback_is(struct vector_run *run, const json_t *vector)
{
	const struct texts *got = &run->type->oauth2.callback_params;
	const json_t *want = member(vector, "callback_params");

	if (got->n != json_array_size(want))
		return vector_fails(run, "oauth2.callback_params: %zu", got->n);
	for (size_t i = 0; i < got->n; i++)
		if (!str_eq(got->v[i], str_of(json_string_value(json_array_get(want, i)))))
			return vector_fails(run, "oauth2.callback_params[%zu]", i);
	return run->type->oauth2.shopify_hmac == (member(vector, "callback_check") != NULL) ||
	       vector_fails(run, "oauth2.callback_check");
}

static bool after_token_is(struct vector_run *run, const struct values *values, const json_t *want)
{
	const struct after_token_spec *spec = &run->type->oauth2.after_token;

	if (!run->type->oauth2.has_after_token || !want)
		return run->type->oauth2.has_after_token == (want != NULL) ||
		       vector_fails(run, "oauth2.after_token");
	if (!vector_request_is(run, "oauth2.after_token", NULL, &spec->request, values,
			       member(want, "request")))
		return false;
	if (spec->values.n != json_object_size(member(want, "values")))
		return vector_fails(run, "oauth2.after_token: %zu values", spec->values.n);
	for (size_t i = 0; i < spec->values.n; i++)
		if (!text_is(
			    json_text_at(run->arena, member(want, "body"), spec->values.v[i].value),
			    member(member(want, "values"), spec->values.v[i].name.p)))
			return vector_fails(run, "oauth2.after_token: %s",
					    spec->values.v[i].name.p);
	return true;
}

static bool revoke_is(struct vector_run *run, const struct values *values, const json_t *want)
{
	if (!run->type->oauth2.has_revoke || !want)
		return run->type->oauth2.has_revoke == (want != NULL) ||
		       vector_fails(run, "oauth2.revoke");
	return vector_request_is(run, "oauth2.revoke", NULL, &run->type->oauth2.revoke, values,
				 want);
}

static bool oauth2_holds(struct vector_run *run)
{
	const json_t *vector = member(run->vector, "oauth2");
	const struct auth_way *way = oauth_way(run->type);
	VALUES_AUTO struct values values;

	values_init(&values);
	return way && vector_values(run, way->id.p, &values) &&
	       authorize_is(run, &values, member(vector, "authorize")) &&
	       callback_is(run, vector) && revoke_is(run, &values, member(vector, "revoke")) &&
	       after_token_is(run, &values, member(vector, "after_token")) &&
	       part_holds(run, "oauth2", AUTH_OAUTH2);
}

bool vector_tokens_hold(struct vector_run *run)
{
	const struct connector_type *t = run->type;

	if (t->has_oauth2 != (member(run->vector, "oauth2") != NULL) ||
	    t->has_client_credentials != (member(run->vector, "client_credentials") != NULL) ||
	    t->has_service_account != (member(run->vector, "service_account") != NULL))
		return vector_fails(run, "another set of grants");
	return (!t->has_oauth2 || oauth2_holds(run)) &&
	       (!t->has_client_credentials ||
		part_holds(run, "client_credentials", AUTH_CLIENT_CREDENTIALS)) &&
	       (!t->has_service_account || part_holds(run, "service_account", AUTH_SERVICE_ACCOUNT));
}
