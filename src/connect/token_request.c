/*
 * What a token endpoint is asked: the grants of RFC 6749 and what each
 * provider's file says beyond them.
 */
#include "connect/token_request.h"

#include "base/json_write.h"
#include "connect/template.h"
#include "core/metrics.h"
#include "crypt/encode.h"

enum { VALUE_MAX = 64 << 10, NAME_BYTES_MAX = 256, SCOPES_MAX = 16 << 10 };

/* One of the three endpoints that a type may have, seen the same way. */
struct endpoint {
	struct str token_url;
	enum client_auth client_auth;
	bool json;
	struct pairs params, headers;
	struct texts scopes;
	const struct token_rules *rules;
};

static struct endpoint endpoint_of(const struct token_request *r)
{
	const struct client_credentials_spec *cc = &r->type->client_credentials;
	const struct service_account_spec *account = &r->type->service_account;
	const struct oauth2_spec *oauth2 = &r->type->oauth2;

	if (r->grant == GRANT_CLIENT_CREDENTIALS)
		return (struct endpoint){ cc->token_url, cc->client_auth, cc->token_json, cc->token_params,
					  { 0 },         cc->scopes,      &cc->token };
	if (r->grant == GRANT_JWT_BEARER)
		return (struct endpoint){ .token_url = account->token_url, .scopes = account->scopes,
					  .rules = &account->token };
	return (struct endpoint){ oauth2->token_url,     oauth2->client_auth, oauth2->token_json, oauth2->token_params,
				  oauth2->token_headers, oauth2->scopes,      &oauth2->token };
}

const struct token_rules *token_rules_of(const struct token_request *request)
{
	return endpoint_of(request).rules;
}

/* --- the body ----------------------------------------------------------------- */

/* A request on its way; the first error sticks. */
struct making {
	const struct token_request *request;
	struct endpoint endpoint;
	struct call *call;
	struct json_writer json;
	struct str *ret_missing;
	enum err error;
};

static void put(struct making *m, struct str name, struct str value)
{
	struct buf *body = &m->call->body;

	if (m->endpoint.json) {
		jw_key_str(&m->json, name);
		jw_add_text(&m->json, value);
		return;
	}
	if (body->n > 0)
		buf_add_char(body, '&');
	buf_add_percent(body, name);
	buf_add_char(body, '=');
	buf_add_percent(body, value);
}

/* What the type's file says about a parameter goes before what we would send. */
static bool is_overridden(const struct making *m, struct str name)
{
	for (size_t i = 0; i < m->endpoint.params.n; i++)
		if (str_eq(m->endpoint.params.v[i].name, name))
			return true;
	return false;
}

static void add(struct making *m, const char *name, struct str value)
{
	if (!str_absent(value) && !is_overridden(m, str_of(name)))
		put(m, str_of(name), value);
}

static void add_value(struct making *m, const char *name, const char *value_name)
{
	struct str value = values_get(m->request->values, str_of(value_name));

	if (is_overridden(m, str_of(name)))
		return;
	if (value.n > 0) {
		put(m, str_of(name), value);
	} else if (m->error == OK) {
		*m->ret_missing = str_of(value_name);
		m->error = ERR_BAD_INPUT;
	}
}

/* Calls `take` with each pair filled in; one whose optional value is missing is left out. */
static enum err each_pair(struct making *m, struct pairs pairs,
			  enum err (*take)(struct making *m, struct str name, struct str value))
{
	BUF_AUTO struct buf value = { 0 };

	buf_init(&value, VALUE_MAX);
	for (size_t i = 0; i < pairs.n; i++) {
		enum err e;

		buf_clear(&value);
		e = template_fill(pairs.v[i].value, m->request->values, ESCAPE_NONE, &value, m->ret_missing);
		if (e == ERR_NOT_FOUND)
			continue;
		TRY(e);
		TRY(buf_error(&value));
		TRY(take(m, pairs.v[i].name, buf_str(&value)));
	}
	return OK;
}

static enum err take_param(struct making *m, struct str name, struct str value)
{
	put(m, name, value);
	return OK;
}

static enum err take_header(struct making *m, struct str name, struct str value)
{
	char text[NAME_BYTES_MAX];

	if (name.n >= sizeof text)
		return ERR_BAD_INPUT;
	for (size_t i = 0; i < name.n; i++)
		text[i] = name.p[i];
	text[name.n] = '\0';
	return call_header(m->call, text, value);
}

/* --- who asks ------------------------------------------------------------------ */

/* RFC 6749, section 2.3.1: both halves are encoded before they are joined. */
static enum err basic_header(struct making *m, struct str id, struct str secret)
{
	BUF_AUTO struct buf pair = { 0 };
	BUF_AUTO struct buf value = { 0 };

	buf_init(&pair, VALUE_MAX);
	buf_init(&value, 2 * VALUE_MAX);
	buf_add_percent(&pair, id);
	buf_add_char(&pair, ':');
	buf_add_percent(&pair, secret);
	TRY(buf_error(&pair));
	buf_add_c(&value, "Basic ");
	base64_encode(&value, buf_str(&pair));
	TRY(buf_error(&value));
	return call_header(m->call, "Authorization", buf_str(&value));
}

/* A client without a secret is a public one: it only says who it is (section 3.2.1). */
static enum err add_client(struct making *m)
{
	struct str id = values_get(m->request->values, STR("client_id"));
	struct str secret = values_get(m->request->values, STR("client_secret"));
	enum client_auth how = secret.n > 0 ? m->endpoint.client_auth : CLIENT_NO_SECRET;

	if (how == CLIENT_BASIC && id.n > 0)
		return basic_header(m, id, secret);
	add_value(m, "client_id", "client_id");
	if (how == CLIENT_POST || how == CLIENT_BASIC)
		add(m, "client_secret", secret);
	return OK;
}

/* --- the grants ---------------------------------------------------------------- */

static void add_refresh(struct making *m)
{
	struct str grant = m->request->type->oauth2.refresh_grant;

	if (grant.n == 0 || str_eq(grant, STR("refresh_token"))) {
		add(m, "grant_type", STR("refresh_token"));
		add_value(m, "refresh_token", "refresh_token");
		return;
	}
	/* The access token itself is exchanged for a newer one. */
	add(m, "grant_type", grant);
	if (str_eq(grant, STR("fb_exchange_token")))
		add_value(m, "fb_exchange_token", "access_token");
	else
		add_value(m, "access_token", "access_token");
}

static void add_code(struct making *m)
{
	add(m, "grant_type", STR("authorization_code"));
	add(m, "code", m->request->code);
	add(m, "redirect_uri", m->request->redirect_uri);
	add(m, "code_verifier", m->request->verifier);
}

static enum err add_client_credentials(struct making *m)
{
	BUF_AUTO struct buf text = { 0 };

	buf_init(&text, SCOPES_MAX);
	buf_add_str(&text, m->request->scopes);
	for (size_t i = 0; str_absent(m->request->scopes) && i < m->endpoint.scopes.n; i++) {
		if (i > 0)
			buf_add_char(&text, ' ');
		buf_add_str(&text, m->endpoint.scopes.v[i]);
	}
	TRY(buf_error(&text));
	add(m, "grant_type", STR("client_credentials"));
	if (text.n > 0)
		add(m, "scope", buf_str(&text));
	return OK;
}

static enum err add_assertion(struct making *m)
{
	BUF_AUTO struct buf assertion = { 0 };
	BUF_AUTO struct buf bearer = { 0 };

	buf_init(&assertion, VALUE_MAX);
	TRY(token_assertion(m->request, buf_str(&m->call->url), &assertion, m->ret_missing));
	if (m->request->type->service_account.google) {
		put(m, STR("grant_type"), STR("urn:ietf:params:oauth:grant-type:jwt-bearer"));
		put(m, STR("assertion"), buf_str(&assertion));
		return OK;
	}
	buf_init(&bearer, VALUE_MAX);
	buf_add_c(&bearer, "Bearer ");
	buf_add_str(&bearer, buf_str(&assertion));
	TRY(buf_error(&bearer));
	return call_header(m->call, "Authorization", buf_str(&bearer));
}

static enum err add_grant(struct making *m)
{
	switch (m->request->grant) {
	case GRANT_CODE: add_code(m); return add_client(m);
	case GRANT_REFRESH: add_refresh(m); return add_client(m);
	case GRANT_CLIENT_CREDENTIALS: TRY(add_client_credentials(m)); return add_client(m);
	case GRANT_JWT_BEARER: break;
	}
	return add_assertion(m);
}

static enum err add_body(struct making *m)
{
	if (m->endpoint.json) {
		jw_start(&m->json, &m->call->body);
		jw_object(&m->json);
	}
	TRY(add_grant(m));
	TRY(each_pair(m, m->endpoint.params, take_param));
	if (m->endpoint.json)
		jw_object_end(&m->json);
	m->call->has_body = m->call->body.n > 0;
	TRY(m->error);
	return buf_error(&m->call->body);
}

static enum err default_header(struct making *m, const char *name, const char *value)
{
	return str_absent(call_header_value(m->call, str_of(name))) ? call_header(m->call, name, str_of(value)) : OK;
}

enum err token_request_make(const struct token_request *request, struct call *call, struct str *ret_missing)
{
	struct making m = { .request = request,
			    .endpoint = endpoint_of(request),
			    .call = call,
			    .ret_missing = ret_missing };

	*ret_missing = STR_NONE;
	call->method = "POST";
	TRY(template_url(request->type, m.endpoint.token_url, request->values, &call->url, ret_missing));
	TRY(buf_error(&call->url));
	TRY(each_pair(&m, m.endpoint.headers, take_header));
	TRY(add_body(&m));
	TRY(default_header(&m, "Accept", "application/json"));
	if (!call->has_body)
		return OK;
	return default_header(&m, "Content-Type",
			      m.endpoint.json ? "application/json" : "application/x-www-form-urlencoded");
}

/* --- sending ------------------------------------------------------------------- */

void token_request_failed(struct ctx *cx, enum err e, struct str missing, struct token_failure *ret_failure)
{
	*ret_failure = (struct token_failure){ .code = STR("INCOMPLETE"),
					       .message = STR("The connection can't be made into a token request.") };
	if (e == ERR_HOST_FORBIDDEN) {
		ret_failure->code = STR("HOST_FORBIDDEN");
		ret_failure->message = STR("The token address is not one of the provider's hosts.");
	} else if (!str_absent(missing)) {
		struct str words = arena_printf(cx->arena, "The connection lacks %.*s.", STR_ARG(missing));

		if (!str_absent(words))
			ret_failure->message = words;
	}
}

/* Nothing came back that could be read. */
static void no_answer(const struct http_answer *answer, enum err e, struct token_failure *ret_failure)
{
	static const struct {
		enum http_failure failure;
		struct str code, message;
	} KINDS[] = {
		{ HTTP_FORBIDDEN, STR("HOST_FORBIDDEN"), STR("That host may not be called.") },
		{ HTTP_UNREACHABLE, STR("HOST_UNREACHABLE"), STR("The provider can't be reached.") },
		{ HTTP_NO_TLS, STR("TLS_FAILED"), STR("No trusted TLS connection could be made to the provider.") },
		{ HTTP_TIMEOUT, STR("TIMEOUT"), STR("The provider didn't answer in time.") },
		{ HTTP_TOO_LARGE, STR("BAD_RESPONSE"), STR("The provider's answer is too large.") },
	};

	*ret_failure = (struct token_failure){ .maybe_done = answer->sent,
					       .code = STR("BAD_RESPONSE"),
					       .message = STR("The provider's answer can't be read.") };
	for (size_t i = 0; i < ARRAY_SIZE(KINDS); i++)
		if (KINDS[i].failure == answer->failure) {
			ret_failure->code = KINDS[i].code;
			ret_failure->message = KINDS[i].message;
		}
	if (e == ERR_PROVIDER_BUSY) {
		ret_failure->code = STR("BUSY");
		ret_failure->message = STR("Too many calls to that provider are under way.");
	} else if (answer->failure == HTTP_OURS) {
		ret_failure->code = STR("NOT_SENT");
		ret_failure->message = STR("The request to the provider could not be sent.");
	}
}

enum err token_send(struct ctx *cx, const struct token_request *request, const struct call *call, struct buf *body,
		    struct token_answer *ret_answer, struct token_failure *ret_failure)
{
	struct http_answer answer = { .failure = HTTP_OURS };
	enum err e;

	*ret_answer = (struct token_answer){ 0 };
	*ret_failure = (struct token_failure){ 0 };
	e = call_send(cx, call, body, &answer);
	if (e == OK)
		e = token_answer_read(cx->arena, request, &answer, buf_str(body), ret_answer, ret_failure);
	else
		no_answer(&answer, e, ret_failure);
	if (cx->metrics)
		metrics_add(cx->metrics, e == OK ? METRIC_TOKEN_EXCHANGES : METRIC_TOKEN_FAILURES, 1);
	return e;
}

enum err token_fetch(struct ctx *cx, const struct token_request *request, struct buf *body,
		     struct token_answer *ret_answer, struct token_failure *ret_failure)
{
	CALL_AUTO struct call call;
	struct str missing = STR_NONE;
	enum err e;

	*ret_answer = (struct token_answer){ 0 };
	call_init(&call);
	e = token_request_make(request, &call, &missing);
	if (e == OK)
		return token_send(cx, request, &call, body, ret_answer, ret_failure);
	token_request_failed(cx, e, missing, ret_failure);
	return e;
}
