#include "sync/pull.h"

#include "base/clock.h"
#include "base/json_read.h"
#include "sync/store.h"

/* A page may be longer than other answers. A provider's wish to wait is heeded up to six hours. */
enum { ANSWER_MAX = 4 << 20, WAIT_MAX_S = 6 * 3600 };

static const struct str LINK = STR("Link");

void pulled_init(struct pulled *pulled)
{
	*pulled = (struct pulled){ .secrets = { NULL, 0 } };
	call_init(&pulled->call);
	buf_init(&pulled->body, ANSWER_MAX);
}

void pulled_done(struct pulled *pulled)
{
	call_done(&pulled->call);
	buf_done(&pulled->body);
}

/* --- what went wrong ------------------------------------------------------------------------ */

static enum err trouble(enum trouble_kind kind, struct str code, struct str words,
			struct trouble *ret_trouble)
{
	ret_trouble->kind = kind;
	ret_trouble->code = code;
	ret_trouble->words = words;
	return OK;
}

static enum err trouble_of(enum trouble_kind kind, const struct verify_outcome *outcome,
			   struct trouble *ret_trouble)
{
	struct str words = str_absent(outcome->message) ? str_of(verify_code_words(outcome->code))
							: outcome->message;

	return trouble(kind, str_of(verify_code_text(outcome->code)), words, ret_trouble);
}

static struct str words_of(const struct ctx *cx, enum err e)
{
	return str_absent(cx->problem.detail) ? str_of(err_words(e)) : cx->problem.detail;
}

enum err pull_no_values(struct ctx *cx, enum err e, struct trouble *ret_trouble)
{
	const struct str words = words_of(cx, e), code = str_of(err_code(e));

	switch (e) {
	case ERR_UPSTREAM:
	case ERR_UPSTREAM_TIMEOUT:
	case ERR_PROVIDER_BUSY: return trouble(TROUBLE_PASSES, code, words, ret_trouble);
	case ERR_NEEDS_RECONNECT:
	case ERR_NOT_CONNECTED:
	case ERR_NOT_FOUND:
	case ERR_NO_TOKEN_HERE:
	case ERR_OAUTH_NO_CLIENT:
	case ERR_OAUTH_REFUSED:
	case ERR_HOST_FORBIDDEN: return trouble(TROUBLE_OF_RUN, code, words, ret_trouble);
	default: return e;
	}
}

/* --- asking ------------------------------------------------------------------------------------ */

static enum err not_made(struct ctx *cx, enum err e, struct str missing,
			 struct trouble *ret_trouble)
{
	struct verify_outcome outcome = { .code = VERIFY_OK };

	TRY(verify_not_made(cx, e, missing, &outcome));
	return trouble_of(TROUBLE_OF_RUN, &outcome, ret_trouble);
}

static enum err not_answered(const struct pulled *pulled, enum err e, struct trouble *ret_trouble)
{
	struct verify_outcome outcome = { .code = VERIFY_OK };
	enum http_failure failure = pulled->answer.failure;

	if (e == ERR_PROVIDER_BUSY)
		return trouble(TROUBLE_PASSES, str_of(err_code(e)), str_of(err_words(e)),
			       ret_trouble);
	TRY(verify_not_answered(e, failure, &outcome));
	if (e == ERR_HOST_FORBIDDEN || e == ERR_BAD_INPUT)
		return trouble_of(TROUBLE_OF_RUN, &outcome, ret_trouble);
	return trouble_of(failure == HTTP_TOO_LARGE ? TROUBLE_OF_LIST : TROUBLE_PASSES, &outcome,
			  ret_trouble);
}

/* The wish to wait of a 429 or a 503 (RFC 9110, section 10.2.3). */
static int64_t wanted_time(const struct ctx *cx, const struct http_answer *answer)
{
	int64_t s = answer->retry_after_s;

	return s <= 0 ? 0 : cx->now_ms + (s < WAIT_MAX_S ? s : WAIT_MAX_S) * 1000;
}

static enum trouble_kind kind_of(enum verify_code code, int status)
{
	switch (code) {
	case VERIFY_INVALID_CREDENTIALS:
	case VERIFY_TOKEN_EXPIRED: return TROUBLE_OF_RUN;
	case VERIFY_RATE_LIMITED: return TROUBLE_PASSES;
	case VERIFY_BAD_RESPONSE:
		return status >= 500 || status == 408 ? TROUBLE_PASSES : TROUBLE_OF_LIST;
	default: return TROUBLE_OF_LIST;
	}
}

/* An answer that isn't a good one says what a test's would. */
static enum err refused(struct ctx *cx, const struct pulling *p, const struct pulled *pulled,
			struct trouble *ret_trouble)
{
	const struct verify_spec *verify = connector_verify(p->type, p->way);
	const struct verify_spec spec = { .bad_key = verify ? verify->bad_key
							    : (struct texts){ NULL, 0 } };
	struct verify_outcome *outcome = &ret_trouble->outcome;

	TRY(verify_answer_read(cx->arena, &spec, &p->values, &pulled->answer,
			       buf_str(&pulled->body), outcome));
	ret_trouble->retry_at = wanted_time(cx, &pulled->answer);
	ret_trouble->tells = outcome->code == VERIFY_INVALID_CREDENTIALS ||
			     outcome->code == VERIFY_TOKEN_EXPIRED;
	return trouble_of(kind_of(outcome->code, pulled->answer.status), outcome, ret_trouble);
}

static enum err ask(struct ctx *cx, const struct pulling *p, const struct sync_spec *list,
		    const struct sync_place *place, struct pulled *pulled,
		    struct trouble *ret_trouble)
{
	struct str missing = STR_NONE;
	size_t at;
	enum err e = sync_request(p->type, p->way, list, &p->values, place, cx->now_ms,
				  &pulled->call, &missing);

	if (e == OK)
		e = call_want(&pulled->call, LINK, &at);
	if (e != OK)
		return not_made(cx, e, missing, ret_trouble);
	e = call_send(cx, &pulled->call, &pulled->body, &pulled->answer);
	if (e != OK)
		return not_answered(pulled, e, ret_trouble);
	if (pulled->answer.status < 200 || pulled->answer.status >= 300)
		return refused(cx, p, pulled, ret_trouble);
	return OK;
}

/* --- reading ------------------------------------------------------------------------------------- */

static enum err read_page(struct ctx *cx, const struct pulling *p, const struct sync_spec *list,
			  const struct sync_place *place, struct pulled *pulled,
			  struct trouble *ret_trouble)
{
	struct sync_answer answer = { .link = str_of(pulled->answer.wanted[0]) };
	struct sync_paths paths;
	json_t *json;
	enum err e = json_read(cx->arena, buf_str(&pulled->body), &json, NULL);

	if (e == ERR_BAD_JSON)
		return trouble(TROUBLE_OF_LIST, STR("BAD_RESPONSE"),
			       STR("The answer isn't JSON that can be read."), ret_trouble);
	TRY(e);
	answer.json = json;
	e = sync_paths(cx->arena, list, &p->values, &paths);
	if (e == ERR_BAD_INPUT)
		return not_made(cx, e, STR_NONE, ret_trouble);
	TRY(e);
	e = sync_read(cx->arena, p->way, list, &p->values, &paths, place, &pulled->call, &answer,
		      &pulled->page);
	if (e == ERR_UPSTREAM)
		return trouble(TROUBLE_OF_LIST, pulled->page.code, pulled->page.words, ret_trouble);
	return e;
}

enum err pull_page(struct ctx *cx, const struct pulling *p, const struct sync_spec *list,
		   const struct sync_place *place, struct pulled *pulled,
		   struct trouble *ret_trouble)
{
	*ret_trouble = (struct trouble){ .kind = TROUBLE_NONE };
	TRY(ask(cx, p, list, place, pulled, ret_trouble));
	if (ret_trouble->kind != TROUBLE_NONE)
		return OK;
	TRY(read_page(cx, p, list, place, pulled, ret_trouble));
	sha256_of(BYTES(buf_str(&pulled->body)), pulled->hash);
	pulled->secrets = connection_secrets(p->type, &p->values, &pulled->call, pulled->secret);
	if (ret_trouble->kind == TROUBLE_NONE &&
	    connection_holds_secret(pulled->page.next, pulled->secrets))
		return trouble(TROUBLE_OF_LIST, STR("BAD_NEXT_PAGE"),
			       STR("What the next page has to be asked for with holds a secret."),
			       ret_trouble);
	return OK;
}
