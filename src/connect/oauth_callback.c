/*
 * GET /oauth/callback/{type}: back from the provider.
 *
 * The checks stand in the order in which they may tell something: nothing is said about a state that isn't known, no
 * address is gone to for another browser, and the provider's token URL is called for a state that was used up before,
 * in a transaction of its own: it is called once, whoever comes with it how often.
 */
#include "audit/audit.h"
#include "audit/transact.h"
#include "base/json_read.h"
#include "connect/call.h"
#include "connect/catalog.h"
#include "connect/oauth.h"
#include "connect/oauth_connect.h"
#include "connect/oauth_page.h"
#include "connect/oauth_state.h"
#include "connect/template.h"
#include "connect/token.h"
#include "connect/token_source.h"
#include "core/operations.h"
#include "fcgi/request.h"
#include "vault/use.h"

struct visit {
	const struct connector_type *type; /* NULL until the state is known to be for it */
	struct oauth_params params;
	struct oauth_state state;
	bool same_browser; /* it may be told where the application is */
	bool used_up;      /* by this request: it may be sent there */
	struct values values, kept;
	struct oauth_connect connect;
};

/* --- whose it is ------------------------------------------------------------------ */

static void become(struct ctx *cx, const struct oauth_state *state)
{
	cx->who = (struct principal){ .who = WHO_USER,
				      .tenant = state->tenant,
				      .user = state->user,
				      .role = state->role,
				      .live = true };
	ctx_enter(cx);
}

static enum err use_up(struct ctx *cx, void *arg) { return oauth_state_use(cx, arg); }

static enum err identify(struct ctx *cx, struct visit *v, struct str type)
{
	TRY(oauth_params_read(cx->arena, cx->request->query, &v->params));
	TRY(oauth_state_find(cx, oauth_param(&v->params, STR("state")), &v->state));
	cx->audit.about_tenant = (struct opt_id){ true, v->state.tenant };
	cx->audit.about_user = (struct opt_id){ true, v->state.user };
	cx->audit.service = v->state.type;
	if (!str_eq(v->state.type, type))
		return ERR_BAD_CALLBACK;
	v->type = catalog_find(cx->catalog, type);
	if (!v->type || !oauth_way(v->type))
		return ctx_fail(cx, ERR_NOT_FOUND, "This provider is gone from the catalogue.");
	v->same_browser = oauth_state_is_of_browser(cx, &v->state);
	if (!v->same_browser)
		return ERR_STATE_ELSEWHERE;
	become(cx, &v->state);
	if (v->state.role < ROLE_MEMBER)
		return ctx_fail(cx, ERR_DENIED, "You may not connect anything here any more.");
	TRY(vault_may_use(cx));
	TRY(audit_transact(cx, AUDIT_NONE, use_up, &v->state));
	v->used_up = true;
	return OK;
}

/* --- what the provider says ---------------------------------------------------------- */

static enum err refused(struct ctx *cx, struct str error)
{
	struct str code = oauth_error_code(error), words;

	if (str_eq(error, STR("access_denied")) || str_starts(error, STR("user_cancelled")))
		return ERR_CONSENT_DENIED;
	if (str_absent(code))
		return ERR_OAUTH_REFUSED;
	words = arena_printf(cx->arena, "The provider refused. Its own code for that is %.*s.",
			     STR_ARG(code));
	cx->problem.detail = words;
	return ERR_OAUTH_REFUSED;
}

static enum err check_answer(struct ctx *cx, const struct visit *v)
{
	struct str iss = oauth_param(&v->params, STR("iss"));

	if (!str_absent(iss) && !oauth_issuer_good(v->type, &v->values, iss))
		return ctx_fail(cx, ERR_BAD_CALLBACK, "This answer was made by another provider.");
	if (v->type->oauth2.shopify_hmac && !oauth_shopify_good(&v->params, &v->values, cx->now_ms))
		return ctx_fail(cx, ERR_BAD_CALLBACK,
				"This answer isn't signed as the provider signs it.");
	if (oauth_param(&v->params, STR("code")).n == 0)
		return ctx_fail(cx, ERR_BAD_CALLBACK, "This answer holds no code.");
	return OK;
}

/* --- values --------------------------------------------------------------------------- */

static enum err keep(struct visit *v, struct str name, struct str value)
{
	TRY(values_set(&v->values, name, value));
	return values_set(&v->kept, name, value);
}

/* What the client brought is needed for each later request, too. */
static enum err keep_places(struct visit *v)
{
	for (size_t i = 0; i < v->type->fields; i++) {
		struct str name = v->type->field[i].name, value = values_get(&v->values, name);

		if (v->type->field[i].of_client && value.n > 0)
			TRY(values_set(&v->kept, name, value));
	}
	return OK;
}

/* What the consent began with; it holds whatever the callback says. */
static enum err read_begun(struct ctx *cx, struct visit *v)
{
	json_t *fields;

	TRY(json_read(cx->arena, v->state.fields, &fields, NULL));
	for (void *i = json_first(fields); i; i = json_next(fields, i))
		TRY(values_set(&v->kept, json_iter_key(i), json_text(json_iter_value(i))));
	TRY(values_read(v->type, fields, &v->values));
	TRY(oauth_client_again(cx, v->type, v->state.client, &v->values));
	return keep_places(v);
}

static enum err read_brought(struct visit *v)
{
	const struct texts *names = &v->type->oauth2.callback_params;

	for (size_t i = 0; i < names->n; i++) {
		const struct connector_field *field = connector_field(v->type, names->v[i]);
		struct str value = oauth_param(&v->params, names->v[i]);

		if (value.n == 0 || (field && field->of_client) ||
		    !str_absent(values_get(&v->kept, names->v[i])))
			continue;
		if (!oauth_value_good(v->type, names->v[i], value))
			return ERR_BAD_CALLBACK;
		TRY(keep(v, names->v[i], value));
	}
	return OK;
}

/* --- the exchange ---------------------------------------------------------------------- */

static enum err explain(struct ctx *cx, const struct token_failure *failure, enum err e)
{
	if (failure->client_wrong)
		return ctx_fail(
			cx, e,
			"The provider refuses the OAuth client: its id or its secret is wrong.");
	if (!str_absent(failure->message))
		cx->problem.detail = failure->message;
	/* A value that the token URL needs and nobody brought. */
	return e == ERR_BAD_INPUT ? ERR_BAD_CALLBACK : e;
}

static enum err fetch_tokens(struct ctx *cx, struct visit *v, struct buf *body,
			     struct token_answer *ret_answer)
{
	SECRET_AUTO struct secret verifier = SECRET_EMPTY;
	BUF_AUTO struct buf redirect = { 0 };
	struct token_failure failure = { 0 };
	struct token_request request = {
		.type = v->type,
		.grant = GRANT_CODE,
		.values = &v->values,
		.code = oauth_param(&v->params, STR("code")),
		.scopes = v->state.scopes,
		.now_ms = cx->now_ms,
	};
	enum err e;

	buf_init(&redirect, OAUTH_URL_MAX);
	TRY(oauth_redirect_uri(cx->config, v->type->id, &redirect));
	request.redirect_uri = buf_str(&redirect);
	if (v->type->oauth2.pkce) {
		TRY(oauth_verifier(cx, v->state.root_key_id, oauth_param(&v->params, STR("state")),
				   &verifier));
		request.verifier = secret_str(&verifier);
	}
	e = token_fetch(cx, &request, body, ret_answer, &failure);
	return e == OK ? OK : explain(cx, &failure, e);
}

/* The one question more that some providers need: which of the person's organisations is this? */
static enum err ask_after(struct ctx *cx, struct visit *v)
{
	static const char WORDS[] = "The provider didn't say what it was connected to.";
	const struct after_token_spec *after = &v->type->oauth2.after_token;
	CALL_AUTO struct call call;
	BUF_AUTO struct buf body = { 0 };
	struct http_answer answer;
	struct str missing;
	json_t *json;
	enum err e;

	call_init(&call);
	buf_init(&body, CALL_ANSWER_MAX);
	e = call_make(v->type, NULL, &after->request, &v->values, cx->now_ms, &call, &missing);
	if (e == OK)
		e = call_send(cx, &call, &body, &answer);
	if (e == OK && (answer.status < 200 || answer.status > 299 ||
			json_read(cx->arena, buf_str(&body), &json, NULL) != OK))
		e = ERR_UPSTREAM;
	if (e != OK)
		return ctx_fail(cx, e == ERR_BAD_INPUT ? ERR_UPSTREAM : e, WORDS);
	for (size_t i = 0; i < after->values.n; i++) {
		struct str value = json_text_at(cx->arena, json, after->values.v[i].value);

		if (!str_absent(value))
			TRY(keep(v, after->values.v[i].name, value));
	}
	return OK;
}

static enum err exchange(struct ctx *cx, struct visit *v)
{
	BUF_AUTO struct buf body = { 0 };
	struct token_answer answer = { 0 };
	json_t *stored;

	buf_init(&body, CALL_ANSWER_MAX);
	TRY(fetch_tokens(cx, v, &body, &answer));
	/* The values as they will be read out of the stored credential. */
	TRY(token_change(cx, false, &v->type->oauth2.token, &answer, NULL, &stored));
	TRY(values_read(v->type, stored, &v->values));
	if (v->type->oauth2.has_after_token)
		TRY(ask_after(cx, v));
	v->connect = (struct oauth_connect){ .type = v->type,
					     .way = oauth_way(v->type),
					     .state = &v->state,
					     .answer = &answer,
					     .values = &v->values,
					     .kept = &v->kept };
	return oauth_connect(cx, &v->connect);
}

static enum err finish(struct ctx *cx, struct visit *v, struct str type)
{
	struct str error;

	TRY(identify(cx, v, type));
	error = oauth_param(&v->params, STR("error"));
	if (!str_absent(error))
		return refused(cx, error);
	TRY(read_begun(cx, v));
	TRY(check_answer(cx, v));
	TRY(read_brought(v));
	return exchange(cx, v);
}

/* --- the answers ------------------------------------------------------------------------- */

static enum err send_back(const struct visit *v, struct pairs outcome, struct reply *reply)
{
	BUF_AUTO struct buf url = { 0 };

	buf_init(&url, OAUTH_URL_MAX);
	oauth_return_with(v->state.return_to, outcome, &url);
	TRY(buf_error(&url));
	reply->status = 303;
	reply->content_type = NULL;
	return reply_header(reply, "Location", buf_str(&url));
}

static enum err connected_page(struct ctx *cx, const struct visit *v, struct reply *reply)
{
	const struct verify_outcome *outcome = &v->connect.outcome;
	bool good = outcome->code == VERIFY_OK || outcome->code == VERIFY_UNSUPPORTED;
	struct str label = outcome->account_label, words = STR("The connection is made.");
	struct oauth_page page = {
		.title = arena_printf(cx->arena, "%.*s is connected", STR_ARG(v->type->name)),
		.next = STR("You can close this page and go back to your application."),
	};

	if (label.n > 0)
		words = arena_printf(cx->arena, "The account is %.*s.", STR_ARG(label));
	if (v->connect.limited)
		page.next = STR(
			"Not everything that was asked for was granted, so some things may not work. Connect it "
			"again to grant the rest; otherwise you can close this page.");
	if (!good)
		words = arena_printf(cx->arena, "The connection is made, but trying it failed: %s",
				     verify_code_words(outcome->code));
	page.words = words;
	return oauth_page_write(&page, reply);
}

static enum err answer_connected(struct ctx *cx, const struct visit *v, struct reply *reply)
{
	char id[ID_TEXT_MAX];
	const struct pair outcome[] = {
		{ STR("status"), v->connect.limited ? STR("limited") : STR("connected") },
		{ STR("connector_id"), id_format(ID_CONNECTOR, &v->connect.connector, id) },
		{ STR("connector_type"), v->type->id },
	};

	if (str_absent(v->state.return_to))
		return connected_page(cx, v, reply);
	return send_back(v, (struct pairs){ outcome, ARRAY_SIZE(outcome) }, reply);
}

static struct str what_next(enum err e)
{
	switch (e) {
	case ERR_CONSENT_DENIED:
		return STR("If you do want to connect it, begin again in your application.");
	case ERR_STATE_ELSEWHERE:
		return STR(
			"Go on in the browser in which you began, or begin again in this one, in your application.");
	case ERR_OTHER_ACCOUNT:
		return STR(
			"Sign out at the provider, then begin again with the account that this connector is for.");
	case ERR_OAUTH_NO_CLIENT:
	case ERR_DENIED: return STR("Ask whoever looks after your application.");
	case ERR_OAUTH_REFUSED:
		return STR(
			"Begin again; if it fails again, ask whoever looks after your application.");
	default: return STR("Go back to your application and begin again.");
	}
}

static enum err failure_page(struct ctx *cx, const struct visit *v, enum err e, struct reply *reply)
{
	const struct oauth_page page = {
		.title = v->type && v->same_browser
				 ? arena_printf(cx->arena, "%.*s is not connected",
						STR_ARG(v->type->name))
				 : STR("Nothing was connected"),
		.words = str_absent(cx->problem.detail) ? str_of(err_words(e)) : cx->problem.detail,
		.next = what_next(e),
		.code = str_of(err_code(e)),
		.request = cx->request_text,
		.link = v->same_browser ? v->state.return_to : STR_NONE,
	};

	reply->status = err_status(e);
	if (reply->status == 503)
		TRY(reply_header(reply, "Retry-After", STR("2")));
	return oauth_page_write(&page, reply);
}

static enum err answer_failed(struct ctx *cx, const struct visit *v, enum err e,
			      struct reply *reply)
{
	const struct pair outcome[] = {
		{ STR("error"), str_of(err_code(e)) },
		{ STR("connector_type"), v->state.type },
	};

	if (v->used_up && !str_absent(v->state.return_to))
		return send_back(v, (struct pairs){ outcome, ARRAY_SIZE(outcome) }, reply);
	return failure_page(cx, v, e, reply);
}

/* An answer for people, not a problem document; so its audit row is written here. No row, no answer. */
static enum err fail(struct ctx *cx, const struct visit *v, enum err e, struct reply *reply)
{
	reply_reset(reply);
	if (cx->audit.about_tenant.set)
		TRY(audit_write(cx, AUDIT_OAUTH_CONNECT, e));
	TRY(answer_failed(cx, v, e, reply));
	cx->keep_changes = true;
	return e;
}

enum err oauth_callback(struct ctx *cx, const struct oauth_callback_in *in, struct reply *reply)
{
	struct visit v = { .type = NULL };
	enum err e;

	values_init(&v.values);
	values_init(&v.kept);
	e = finish(cx, &v, in->type);
	e = e == OK ? answer_connected(cx, &v, reply) : fail(cx, &v, e, reply);
	values_done(&v.values);
	values_done(&v.kept);
	return e;
}
