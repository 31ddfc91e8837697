#include "ai/ask.h"

#include "base/clock.h"
#include "base/json_read.h"
#include "connect/blot.h"
#include "connect/call.h"
#include "connect/connection_values.h"

enum {
	REQUEST_MAX = 8 << 20,
	ANSWER_MAX = 4 << 20,
	REFUSAL_MAX = 64 << 10,
	URL_MAX = 1 << 10,
	LEFT_MIN_MS = 100
};

static const struct str OPERATORS_URL = { "ai_url", 6 };

static struct str operators_url(const struct ctx *cx, enum model_wire wire)
{
	switch (wire) {
	case MODEL_OPENAI: return str_of(cx->config->ai_openai_url);
	case MODEL_ANTHROPIC: return str_of(cx->config->ai_anthropic_url);
	default: return str_of(cx->config->ai_gemini_url);
	}
}

/* --- the request -------------------------------------------------------------------------------- */

struct asking {
	const struct model_asking *what;
	struct model_request request;
	struct connector_type type; /* with the operator's address, where there is one */
	struct str host[1];
	struct call call;
	struct str secret[CONNECTION_SECRETS_MAX];
	struct texts secrets;
};

/* An address of the operator's stands for the type's own, its hosts with it: the key goes there and nowhere else. */
static enum err use_operators_url(struct ctx *cx, struct asking *a, struct values *values)
{
	struct str url = operators_url(cx, a->what->choice->wire);

	if (url.n == 0)
		return OK;
	a->host[0] = STR("{ai_url}");
	a->type.hosts = (struct texts){ a->host, 1 };
	a->type.api_base = a->host[0];
	return values_set(values, OPERATORS_URL, url);
}

/* Put in behind the templates: nothing in a prompt that looks like {name} is filled. */
static enum err add_body(struct asking *a)
{
	struct call *call = &a->call;

	buf_done(&call->body);
	buf_init(&call->body, REQUEST_MAX);
	model_body(a->what->choice->wire, &a->request, a->what->listen != NULL, &call->body);
	call->has_body = true;
	return buf_error(&call->body) == ERR_TOO_BIG ? ERR_AI_TOO_LONG : buf_error(&call->body);
}

/* Not OpenAI's own server, whatever address that is. */
static bool looks_alike(const struct asking *a)
{
	return a->what->choice->wire == MODEL_OPENAI &&
	       !str_starts(buf_str(&a->call.url), STR("https://api.openai.com/"));
}

static enum err make_url(struct asking *a, struct buf *out)
{
	buf_add_str(out, a->type.api_base);
	model_path(a->what->choice->wire, &a->request, a->what->listen != NULL, out);
	return buf_error(out);
}

/* At most the configuration's time, at most what is left. */
static enum err time_left(const struct ctx *cx, int64_t deadline_ms, int *ret_ms)
{
	int64_t left = deadline_ms - clock_now_ms();

	*ret_ms = (int)cx->config->ai_timeout_ms;
	if (deadline_ms == 0)
		return OK;
	if (left < LEFT_MIN_MS)
		return ERR_AI_TIMEOUT;
	if (left < *ret_ms)
		*ret_ms = (int)left;
	return OK;
}

static enum err make(struct ctx *cx, struct asking *a, struct values *values)
{
	BUF_AUTO struct buf url = { 0 };
	struct request_spec spec = { .method = STR("POST") };
	struct str missing = STR_NONE;
	enum err e;

	if (!model_name_ok(a->request.model))
		return ctx_fail(cx, ERR_AI_MODEL_UNKNOWN, "That is no name of a model.");
	TRY(use_operators_url(cx, a, values));
	buf_init(&url, URL_MAX);
	TRY(make_url(a, &url));
	spec.url = buf_str(&url);
	e = call_make(&a->type, connector_way(&a->type, STR_NONE), &spec, values, cx->now_ms,
		      &a->call, &missing);
	if (e == ERR_BAD_INPUT)
		return ctx_fail(cx, ERR_AI_KEY_REFUSED, "The key can't be sent.");
	TRY(e);
	TRY(call_header(&a->call, "Content-Type", STR("application/json")));
	a->request.look_alike = looks_alike(a);
	TRY(time_left(cx, a->what->deadline_ms, &a->call.timeout_ms));
	TRY(blot_spellings(cx->arena, connection_secrets(&a->type, values, &a->call, a->secret),
			   &a->secrets));
	return add_body(a);
}

/* --- the answer --------------------------------------------------------------------------------- */

/* What it means that there is no answer, or half a one. */
static enum err no_answer(enum err e, const struct http_answer *http)
{
	if (e == ERR_UPSTREAM_TIMEOUT)
		return ERR_AI_TIMEOUT;
	if (e != ERR_UPSTREAM)
		return e;
	switch (http->failure) {
	case HTTP_CUT: return ERR_AI_CUT;
	case HTTP_TOO_LARGE:
	case HTTP_UNREADABLE: return ERR_AI_ANSWER_UNREADABLE;
	default: return ERR_AI_UNAVAILABLE;
	}
}

static void note_wait(struct ctx *cx, enum err e, const struct http_answer *http, int64_t wait_s)
{
	if (e != ERR_AI_QUOTA && e != ERR_AI_UNAVAILABLE)
		return;
	if (http->retry_after_s >= 0)
		wait_s = http->retry_after_s;
	if (wait_s >= 0)
		cx->problem.retry_after_s = (int)(wait_s < INT32_MAX ? wait_s : INT32_MAX);
}

static enum err ask_whole(struct ctx *cx, struct asking *a, struct model_answer *ret_answer)
{
	BUF_AUTO struct buf body = { 0 };
	struct http_answer http;
	int64_t wait_s;
	enum err e;

	buf_init(&body, ANSWER_MAX);
	e = call_send(cx, &a->call, &body, &http);
	if (e != OK)
		return no_answer(e, &http);
	e = model_read(a->what->choice->wire, cx->arena, http.status, buf_str(&body), ret_answer,
		       &wait_s);
	note_wait(cx, e, &http, wait_s);
	return e;
}

struct hearing {
	struct model_stream *stream;
	struct buf refusal; /* the body of a bad status, which is no stream */
};

static bool is_good(const struct http_answer *http)
{
	return http->status >= 200 && http->status < 300;
}

static enum err hear(void *arg, const struct http_answer *http, struct str piece)
{
	struct hearing *h = arg;

	if (!is_good(http)) {
		buf_add_str(&h->refusal, piece);
		return buf_error(&h->refusal) == ERR_NO_MEMORY ? ERR_NO_MEMORY : OK;
	}
	TRY(model_stream_feed(h->stream, piece));
	/* Some keep the line open behind the end. */
	return model_stream_over(h->stream) ? ERR_END : OK;
}

static enum err end_stream(struct ctx *cx, struct asking *a, struct hearing *h, enum err sent,
			   const struct http_answer *http, struct model_answer *ret_answer)
{
	enum err e, lost = sent == OK || sent == ERR_END ? OK : no_answer(sent, http);
	int64_t wait_s = -1;

	if (http->status != 0 && !is_good(http)) {
		e = model_read(a->what->choice->wire, cx->arena, http->status, buf_str(&h->refusal),
			       ret_answer, &wait_s);
	} else {
		e = model_stream_end(h->stream, lost != OK, cx->arena, ret_answer, &wait_s);
		/* Without an end, how it was lost says more. */
		if (e == ERR_AI_CUT && lost != OK)
			e = lost;
	}
	note_wait(cx, e, http, wait_s);
	return e;
}

static enum err ask_stream(struct ctx *cx, struct asking *a, struct model_answer *ret_answer)
{
	struct blot blot;
	struct hearing h = { 0 };
	const struct http_sink sink = { .take = hear,
					.arg = &h,
					.max = MODEL_STREAM_MAX,
					.idle_ms = (int)cx->config->ai_idle_ms };
	struct http_answer http;
	enum err e, told;

	blot_init(&blot, a->secrets, a->what->listen, a->what->arg);
	buf_init(&h.refusal, REFUSAL_MAX);
	h.stream = model_stream_new(a->what->choice->wire, blot_listen, &blot);
	e = h.stream ? call_stream(cx, &a->call, &sink, &http) : ERR_NO_MEMORY;
	if (h.stream)
		e = end_stream(cx, a, &h, e, &http, ret_answer);
	told = blot_end(&blot);
	model_stream_free(h.stream);
	buf_done(&h.refusal);
	blot_done(&blot);
	return e != OK ? e : told;
}

/* --- both ---------------------------------------------------------------------------------------- */

/* Whoever serves the model has the key and could say it back. */
static enum err clean(struct ctx *cx, const struct asking *a, struct model_answer *answer)
{
	if (str_absent(answer->text))
		answer->text = STR("");
	TRY(blot_text(cx->arena, a->secrets, &answer->text));
	for (size_t i = 0; i < answer->calls; i++)
		if (connection_holds_secret(answer->call[i].arguments, a->secrets) ||
		    connection_holds_secret(answer->call[i].name, a->secrets) ||
		    connection_holds_secret(answer->call[i].id, a->secrets))
			return ERR_AI_ANSWER_UNREADABLE;
	if (connection_holds_secret(answer->model, a->secrets))
		answer->model = STR_NONE;
	return OK;
}

enum err model_send(struct ctx *cx, const struct model_asking *asking,
		    const struct connector_type *type, struct values *values,
		    struct model_answer *ret_answer)
{
	struct asking a = { .what = asking, .request = *asking->request, .type = *type };
	enum err e, cleaned;

	*ret_answer = (struct model_answer){ .text = STR("") };
	a.request.model = asking->choice->model;
	call_init(&a.call);
	e = make(cx, &a, values);
	if (e == OK)
		e = asking->listen ? ask_stream(cx, &a, ret_answer) : ask_whole(cx, &a, ret_answer);
	cleaned = clean(cx, &a, ret_answer);
	call_done(&a.call);
	return e != OK ? e : cleaned;
}
