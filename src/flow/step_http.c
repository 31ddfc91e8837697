/*
 * The step `http`: one request. Where it may go to is its connector's or its
 * credential's type to say, and the egress guard's; what proves it is put in as
 * it leaves, and blotted out of what comes back.
 */
#include <string.h>

#include "base/json_read.h"
#include "base/json_write.h"
#include "connect/blot.h"
#include "flow/execution.h"
#include "flow/reach.h"
#include "flow/step.h"

enum { BODY_MAX = 768 << 10, STATUS_BAD = 400 };

/* Pairs that grow. */
struct list {
	struct pair *v;
	size_t n;
};

struct request {
	struct step_run *run;
	const json_t *config;
	struct request_spec spec;
	struct list headers;
	struct reach reach;
	struct call call;
	struct buf body;   /* of the request */
	struct buf answer;
	struct http_answer http;
};

/* Of the answer's headers, those that say something about what came, and hold no cookie. */
static const struct str KEPT[] = { STR("location"), STR("etag"), STR("last-modified"), STR("link"), STR("x-request-id"),
				   STR("x-total-count"), STR("x-ratelimit-remaining") };

static struct str member(const struct request *r, const char *name) { return json_member_text(r->config, name); }

/* A GET may be sent again, whatever became of the first. */
static bool is_safe(const struct request *r)
{
	return str_eq(r->spec.method, STR("GET")) || str_eq(r->spec.method, STR("HEAD"));
}

/* --- where to ------------------------------------------------------------------------------------------ */

/* Nothing that has to be encoded, and no brace: an address that a step makes is no template. */
static bool is_plain(struct str url)
{
	for (size_t i = 0; i < url.n; i++)
		if (url.p[i] <= ' ' || url.p[i] >= 0x7f || strchr("\"#<>\\^`{|}", url.p[i]))
			return false;
	return url.n > 0;
}

/* Below the provider's base address. */
static enum err go_below(struct ctx *cx, struct request *r, struct str path)
{
	struct str base = r->reach.type->api_base;

	if (base.n == 0)
		return step_wrong(cx, r->run, "There is no base address to go on from: `url` has to be a whole one.");
	if (!call_path_ok(path))
		return step_wrong(cx, r->run, "`url` is no path below the provider's address: odd characters have to be encoded.");
	r->spec.url = arena_printf(cx->arena, "%.*s%.*s", STR_ARG(base), STR_ARG(path));
	return str_absent(r->spec.url) ? ERR_NO_MEMORY : OK;
}

static enum err read_url(struct ctx *cx, struct request *r)
{
	struct str url = str_trim(member(r, "url"));

	if (str_starts(url, STR("/")))
		return go_below(cx, r, url);
	if (!is_plain(url) || call_origin(url) == 0)
		return step_wrong(cx, r->run, "`url` is no address: it begins with https:// and has its odd characters encoded.");
	r->spec.url = url;
	return OK;
}

/*
 * Without a type, the host that the step names is the only one. The name can't be one of the credential's: their
 * values are set before it.
 */
static enum err declare_host(struct request *r)
{
	static const struct str NAME = STR("step_url"), HOSTS[] = { STR("{step_url}") };

	if (r->reach.type != &r->reach.own)
		return OK;
	r->reach.own.hosts = (struct texts){ HOSTS, 1 };
	return values_set(&r->reach.values, NAME, r->spec.url);
}

/* --- what with ------------------------------------------------------------------------------------------- */

/* An object's texts, numbers and flags; null leaves one out. */
static enum err read_pairs(struct ctx *cx, struct request *r, const json_t *map, size_t room, struct list *ret_list)
{
	struct pair *pair = arena_array(cx->arena, json_length(map) + room, sizeof *pair);
	char text[JSON_SCALAR_MAX];
	size_t n = 0;

	if (!pair)
		return ERR_NO_MEMORY;
	for (void *i = json_first(map); i; i = json_next(map, i)) {
		const json_t *value = json_iter_value(i);

		if (json_is_kind(value, JSON_NULL))
			continue;
		pair[n].name = json_iter_key(i);
		pair[n].value = json_scalar_text(value, text);
		if (str_absent(pair[n].value))
			return step_wrong(cx, r->run, "A header, a parameter or a member of a form is no text and no number.");
		pair[n].value = arena_copy(cx->arena, pair[n].value);
		if (str_absent(pair[n++].value))
			return ERR_NO_MEMORY;
	}
	*ret_list = (struct list){ pair, n };
	return OK;
}

static bool has(const struct list *headers, struct str name)
{
	for (size_t i = 0; i < headers->n; i++)
		if (str_eq_nocase(headers->v[i].name, name))
			return true;
	return false;
}

/* What frames a message, names its host, or proves whose it is where a credential does. */
static enum err check_headers(struct ctx *cx, const struct request *r, const struct list *headers)
{
	static const struct str OURS[] = { STR("Host"), STR("Content-Length"), STR("Transfer-Encoding"), STR("Connection"),
					   STR("Upgrade"), STR("TE"), STR("Trailer"), STR("Expect"), STR("Accept-Encoding"),
					   STR("Proxy-Authorization"), STR("Proxy-Connection"), STR("Keep-Alive") };

	for (size_t i = 0; i < ARRAY_SIZE(OURS); i++)
		if (has(headers, OURS[i]))
			return step_wrong(cx, r->run, arena_printf(cx->arena, "The header %.*s isn't a step's to set.",
								   STR_ARG(OURS[i])).p);
	if (r->reach.way && has(headers, STR("Authorization")))
		return step_wrong(cx, r->run, "The header Authorization is the credential's to set.");
	for (size_t i = 0; i < headers->n; i++)
		if (!str_is_token(headers->v[i].name) || str_has_control(headers->v[i].value))
			return step_wrong(cx, r->run, "A header has characters that can't be sent.");
	return OK;
}

static void add_header(struct list *headers, const char *name, struct str value)
{
	if (!has(headers, str_of(name)))
		headers->v[headers->n++] = (struct pair){ str_of(name), value };
}

static enum err read_headers(struct ctx *cx, struct request *r)
{
	enum { ADDED = 3 };
	struct list *headers = &r->headers;

	TRY(read_pairs(cx, r, json_member(r->config, "headers"), ADDED, headers));
	TRY(check_headers(cx, r, headers));
	if (!is_safe(r))
		add_header(headers, "Idempotency-Key", r->run->effect_key);
	return OK;
}

static enum err read_body(struct ctx *cx, struct request *r)
{
	const json_t *body = json_member(r->config, "body");
	struct str type = member(r, "body_type");
	struct json_writer w;
	struct list form;

	if (!body || json_is_kind(body, JSON_NULL))
		return OK;
	if (str_eq(r->spec.method, STR("HEAD")))
		return step_wrong(cx, r->run, "A HEAD request has no body.");
	if (str_eq(type, STR("form"))) {
		if (!json_is_kind(body, JSON_OBJECT))
			return step_wrong(cx, r->run, "The body of a form has to be an object.");
		TRY(read_pairs(cx, r, body, 1, &form));
		r->spec.form = (struct pairs){ form.v, form.n };
		return OK;
	}
	if (str_eq(type, STR("text"))) {
		if (!json_is_kind(body, JSON_STRING))
			return step_wrong(cx, r->run, "A body that is text has to be a text.");
		add_header(&r->headers, "Content-Type", STR("text/plain; charset=utf-8"));
		r->spec.body = json_text(body);
		return OK;
	}
	add_header(&r->headers, "Content-Type", STR("application/json"));
	jw_start(&w, &r->body);
	jw_add_tree(&w, body);
	TRY(buf_error(&r->body));
	r->spec.body = buf_str(&r->body);
	return OK;
}

/* --- the request ------------------------------------------------------------------------------------------ */

static enum err find(struct ctx *cx, struct request *r)
{
	struct str connector = member(r, "connector_id"), credential = member(r, "credential_id");
	const struct auth_way *way;

	if (!str_absent(connector))
		TRY(reach_connector(cx, connector, &r->reach));
	else if (!str_absent(credential))
		TRY(reach_credential(cx, credential, &r->reach));
	way = r->reach.way;
	if ((!way && r->reach.credential.set) || (way && (way->mode == AUTH_DATABASE || way->mode == AUTH_SMTP)))
		return step_wrong(cx, r->run, "A credential of this type doesn't go along with a request.");
	return OK;
}

static enum err read_config(struct ctx *cx, struct request *r)
{
	struct list query;

	r->spec.literal = true;
	r->spec.method = member(r, "method");
	if (str_absent(r->spec.method))
		r->spec.method = STR("GET");
	TRY(read_url(cx, r));
	TRY(read_pairs(cx, r, json_member(r->config, "query"), 1, &query));
	r->spec.query = (struct pairs){ query.v, query.n };
	TRY(read_headers(cx, r));
	TRY(read_body(cx, r));
	r->spec.headers = (struct pairs){ r->headers.v, r->headers.n };
	return OK;
}

static enum err make(struct ctx *cx, struct request *r)
{
	struct str missing = STR_NONE;
	size_t at;
	enum err e;

	TRY(declare_host(r));
	e = call_make(r->reach.type, r->reach.way, &r->spec, &r->reach.values, cx->now_ms, &r->call, &missing);
	if (e == ERR_CONFLICT)
		return step_wrong(cx, r->run, "A header is there twice, or is the credential's to set.");
	if (e == ERR_BAD_INPUT && !str_absent(missing))
		return ctx_fail(cx, ERR_NOT_CONNECTED, "The connection lacks a value that its requests need: test it.");
	if (e == ERR_BAD_INPUT)
		return step_wrong(cx, r->run, "The request has characters that can't be sent.");
	if (e == ERR_TOO_BIG)
		return step_wrong(cx, r->run, "The request is too large: 24 headers, 8 KiB of address, 768 KiB of body at most.");
	TRY(e);
	for (size_t i = 0; i < ARRAY_SIZE(KEPT); i++)
		TRY(call_want(&r->call, KEPT[i], &at));
	r->call.timeout_ms = step_left_ms(r->run);
	return OK;
}

/* --- the answer -------------------------------------------------------------------------------------------- */

static enum err no_answer(struct ctx *cx, struct request *r, enum err e)
{
	struct step_run *run = r->run;

	run->unsent = is_safe(r) || !r->http.sent;
	if (e == ERR_PROVIDER_BUSY)
		return reach_failed(cx, run, e);
	if (e == ERR_BAD_INPUT)
		return step_wrong(cx, run, "The request has something that can't be sent.");
	run->hopeless = e == ERR_HOST_FORBIDDEN || r->http.failure == HTTP_TOO_LARGE;
	if (r->http.failure == HTTP_TOO_LARGE)
		return ctx_fail(cx, ERR_STEP_OUTPUT_TOO_LARGE, "The answer is larger than 256 KiB.");
	if (e == ERR_UPSTREAM && r->http.why)
		return ctx_fail(cx, e, arena_printf(cx->arena, "There is no answer: %s.", r->http.why).p);
	return e;
}

/* What was too much or too early may be tried again, and so may what went wrong over there. */
static enum err refused(struct ctx *cx, struct request *r)
{
	struct step_run *run = r->run;
	int status = r->http.status;

	run->hopeless = status < 500 && status != 408 && status != 425 && status != 429;
	run->unsent = is_safe(r) || status == 429;
	if (r->http.retry_after_s > 0)
		run->retry_after_ms = r->http.retry_after_s * 1000;
	return ctx_fail(cx, ERR_UPSTREAM, arena_printf(cx->arena, "The answer's status is %d.", status).p);
}

static enum err put_clean(struct ctx *cx, struct texts secrets, struct json_writer *w, struct str name, struct str text)
{
	TRY(blot_text(cx->arena, secrets, &text));
	jw_key_str(w, name);
	jw_add_text(w, text);
	return OK;
}

static enum err write_headers(struct ctx *cx, const struct request *r, struct texts secrets, struct json_writer *w)
{
	jw_key(w, "headers");
	jw_object(w);
	if (r->http.content_type[0])
		TRY(put_clean(cx, secrets, w, STR("content-type"), str_of(r->http.content_type)));
	for (size_t i = 0; i < ARRAY_SIZE(KEPT); i++)
		if (r->http.wanted[i][0])
			TRY(put_clean(cx, secrets, w, KEPT[i], str_of(r->http.wanted[i])));
	jw_object_end(w);
	return OK;
}

static bool says_json(const char *type)
{
	const char *end = strpbrk(type, "; ");
	struct str name = { type, end ? (size_t)(end - type) : strlen(type) };

	return name.n == 0 || str_eq_nocase(name, STR("application/json")) || str_eq_nocase(name, STR("text/json")) ||
	       (name.n > 5 && str_eq_nocase(str_slice(name, name.n - 5, 5), STR("+json")));
}

static enum err write_body(struct ctx *cx, struct request *r, struct texts secrets, struct json_writer *w)
{
	struct str body = buf_str(&r->answer);
	json_t *json = NULL;
	enum err e = ERR_BAD_JSON;

	if (body.n == 0) {
		jw_put_null(w, "body");
		return OK;
	}
	if (says_json(r->http.content_type))
		e = json_read(cx->arena, body, &json, NULL);
	if (e == ERR_BAD_JSON)
		return put_clean(cx, secrets, w, STR("body"), body);
	TRY(e);
	jw_key(w, "body");
	return blot_json(cx->arena, secrets, json, w);
}

static enum err write_output(struct ctx *cx, struct request *r)
{
	struct texts secrets;
	struct json_writer w;

	TRY(reach_secrets(cx, &r->reach, &r->call, &secrets));
	jw_start(&w, &r->run->output);
	jw_object(&w);
	jw_put_int(&w, "status", r->http.status);
	TRY(write_headers(cx, r, secrets, &w));
	TRY(write_body(cx, r, secrets, &w));
	jw_object_end(&w);
	return buf_error(&r->run->output) == ERR_TOO_BIG ? ERR_STEP_OUTPUT_TOO_LARGE : buf_error(&r->run->output);
}

/* --- all of it ---------------------------------------------------------------------------------------------- */

static enum err perform(struct ctx *cx, struct request *r)
{
	bool fails = true;
	enum err e = find(cx, r);

	if (e == OK)
		e = read_config(cx, r);
	if (e == OK)
		e = reach_open(cx, r->run, &r->reach);
	if (e == OK)
		e = make(cx, r);
	if (e != OK)
		return reach_failed(cx, r->run, e);
	e = call_send(cx, &r->call, &r->answer, &r->http);
	if (e != OK)
		return no_answer(cx, r, e);
	if (json_bool_of(json_member(r->config, "fail_on_status"), &fails) && !fails)
		return write_output(cx, r);
	return r->http.status >= STATUS_BAD ? refused(cx, r) : write_output(cx, r);
}

enum err step_http(struct ctx *cx, struct step_run *run)
{
	struct request *r = ARENA_NEW(cx->arena, struct request);
	enum err e;

	if (!r)
		return ERR_NO_MEMORY;
	r->run = run;
	r->config = run->config;
	reach_init(&r->reach);
	call_init(&r->call);
	buf_init(&r->body, BODY_MAX);
	buf_init(&r->answer, EXECUTION_OUTPUT_MAX);
	e = perform(cx, r);
	buf_done(&r->answer);
	buf_done(&r->body);
	call_done(&r->call);
	reach_done(&r->reach);
	return e;
}
