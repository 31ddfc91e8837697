/* GET /oauth/start/{type}: from the application to the provider's consent page. */
#include "audit/transact.h"
#include "base/json_read.h"
#include "base/json_write.h"
#include "connect/catalog.h"
#include "connect/connector.h"
#include "connect/oauth.h"
#include "connect/oauth_state.h"
#include "connect/template.h"
#include "connect/token.h"
#include "core/operations.h"
#include "core/query.h"
#include "fcgi/request.h"
#include "identity/authenticate.h"
#include "vault/seal.h"

struct start {
	const struct connector_type *type;
	const struct oauth_start_in *in;
	struct values
		asked; /* what fills the provider's addresses: from the query, or from an earlier connection */
	struct values values; /* the same with the client and the type's defaults */
	struct oauth_flow flow;
	struct oauth_state state;
	struct buf fields, scopes, return_to, url;
};

static enum err bad_parameter(struct ctx *cx, struct str name, const char *code,
			      const char *message)
{
	struct str field = arena_printf(cx->arena, "query.%.*s", STR_ARG(name));

	return str_absent(field) ? ERR_NO_MEMORY
				 : problem_field(&cx->problem, field, code, message);
}

/* --- what the provider's addresses need ---------------------------------------- */

/* A placeholder, or a field that is no secret and not the client's: those come as credentials, never in an address. */
static bool may_be_asked(const struct connector_type *type, struct str name)
{
	const struct connector_field *field = connector_field(type, name);

	if (str_eq(name, STR("client_id")) || (field && (field->secret || field->of_client)))
		return false;
	return field || connector_placeholder(type, name);
}

static bool is_ours(struct str name)
{
	return str_eq(name, STR("return_to")) || str_eq(name, STR("connector_id")) ||
	       str_eq(name, STR("credential_id")) || str_eq(name, STR("scopes"));
}

static enum err take_parameter(struct ctx *cx, struct start *s, struct str name, struct str value)
{
	if (is_ours(name))
		return OK;
	if (!may_be_asked(s->type, name))
		return bad_parameter(cx, name, "UNKNOWN_FIELD",
				     "isn't a field that this provider's addresses need");
	if (!oauth_value_good(s->type, name, value))
		return bad_parameter(cx, name, "BAD_FORMAT", "has a wrong form");
	return values_set(&s->asked, name, value);
}

static enum err take_query(struct ctx *cx, struct start *s)
{
	struct str rest = cx->request->query, name, value;
	enum err e, bad = OK;

	while ((e = query_next(&rest, cx->arena, &name, &value)) != ERR_END) {
		if (e == OK)
			e = take_parameter(cx, s, name, value);
		else if (e == ERR_BAD_REQUEST)
			e = bad_parameter(cx, STR("?"), "BAD_FORMAT", "can't be decoded");
		if (e != ERR_BAD_INPUT)
			TRY(e);
		else
			bad = e;
	}
	return bad;
}

/* One of the connection that is made anew, unless the type says it by itself. */
static enum err take_stored(struct start *s, const struct values *stored, struct str name,
			    struct str own)
{
	struct str value = values_get(stored, name);

	if (str_absent(value) || str_eq(value, own) || !may_be_asked(s->type, name) ||
	    !oauth_value_good(s->type, name, value))
		return OK;
	return values_set(&s->asked, name, value);
}

static enum err take_connection(struct ctx *cx, struct start *s, const struct id *credential)
{
	SECRET_AUTO struct secret plain = SECRET_EMPTY;
	VALUES_AUTO struct values stored;
	json_t *data;
	int64_t version;
	enum err e;

	values_init(&stored);
	e = vault_open(cx, credential, (struct opt_int){ 0 }, &version, &plain);
	if (e == ERR_NOT_FOUND)
		return OK;
	TRY(e);
	TRY(json_read(cx->arena, secret_str(&plain), &data, NULL));
	TRY(values_read(s->type, data, &stored));
	for (size_t i = 0; i < s->type->placeholders; i++)
		TRY(take_stored(s, &stored, s->type->placeholder[i].name,
				s->type->placeholder[i].default_value));
	for (size_t i = 0; i < s->type->fields; i++)
		TRY(take_stored(s, &stored, s->type->field[i].name,
				s->type->field[i].default_value));
	return OK;
}

static enum err take_connector(struct ctx *cx, struct start *s)
{
	struct connector c;

	if (!s->in->connector_id.set)
		return OK;
	TRY(connector_read(cx, &s->in->connector_id.v, &c));
	if (!str_eq(c.type, s->type->id))
		return bad_parameter(cx, STR("connector_id"), "OTHER_TYPE",
				     "is a connector of another provider");
	return c.credential.set ? take_connection(cx, s, &c.credential.v) : OK;
}

/* --- what is asked for ---------------------------------------------------------- */

static enum err take_return_to(struct ctx *cx, struct start *s)
{
	enum err e;

	if (str_absent(s->in->return_to))
		return OK;
	e = oauth_return_read(cx->config, s->in->return_to, &s->return_to);
	if (e == ERR_BAD_INPUT || e == ERR_TOO_BIG)
		return bad_parameter(cx, STR("return_to"), "NOT_ALLOWED",
				     "isn't an address on an origin that the operator allows");
	s->state.return_to = buf_str(&s->return_to);
	return e;
}

static enum err take_scopes(struct ctx *cx, struct start *s)
{
	if (str_absent(s->in->scopes))
		oauth_default_scopes(s->type, &s->scopes);
	else if (oauth_scopes_valid(s->in->scopes))
		buf_add_str(&s->scopes, s->in->scopes);
	else
		return bad_parameter(cx, STR("scopes"), "BAD_FORMAT",
				     "needs scopes with one space between them");
	s->state.scopes = buf_str(&s->scopes);
	return buf_error(&s->scopes);
}

static enum err write_fields(struct start *s)
{
	struct json_writer w;

	jw_start(&w, &s->fields);
	jw_object(&w);
	for (size_t i = 0; i < s->asked.n; i++) {
		struct str name = { s->asked.text.p + s->asked.v[i].name_at, s->asked.v[i].name_n };

		jw_key_str(&w, name);
		jw_add_text(&w, values_get(&s->asked, name));
	}
	jw_object_end(&w);
	s->state.fields = buf_str(&s->fields);
	return buf_error(&s->fields);
}

static enum err name_fault(struct ctx *cx, enum err e, struct str missing)
{
	if (e == ERR_TOO_BIG)
		return ctx_fail(cx, ERR_BAD_INPUT,
				"All of it together makes too long an address for the provider.");
	if (e == ERR_BAD_INPUT && !str_absent(missing))
		return bad_parameter(cx, missing, "REQUIRED",
				     "is missing: this provider's addresses need it");
	return e;
}

/* What the callback itself brings may be missing now. */
static enum err check_token_url(struct ctx *cx, struct start *s)
{
	BUF_AUTO struct buf url = { 0 };
	struct str missing = STR_NONE;
	enum err e;

	buf_init(&url, OAUTH_URL_MAX);
	e = template_url(s->type, s->type->oauth2.token_url, &s->values, &url, &missing);
	for (size_t i = 0; e == ERR_BAD_INPUT && i < s->type->oauth2.callback_params.n; i++)
		if (str_eq(missing, s->type->oauth2.callback_params.v[i]))
			return OK;
	return name_fault(cx, e, missing);
}

static enum err make_url(struct ctx *cx, struct start *s)
{
	BUF_AUTO struct buf redirect = { 0 };
	struct str missing = STR_NONE;
	json_t *fields;
	enum err e;

	TRY(write_fields(s));
	TRY(json_read(cx->arena, s->state.fields, &fields, NULL));
	TRY(values_read(s->type, fields, &s->values));
	TRY(oauth_client(cx, s->type, s->in->credential_id, &s->values, &s->state.client));
	buf_init(&redirect, OAUTH_URL_MAX);
	TRY(oauth_redirect_uri(cx->config, s->type->id, &redirect));
	e = oauth_authorize_url(s->type, &s->values, secret_str(&s->flow.state),
				str_of(s->flow.challenge), buf_str(&redirect), s->state.scopes,
				&s->url, &missing);
	TRY(name_fault(cx, e, missing));
	return check_token_url(cx, s);
}

/* --- the answer ------------------------------------------------------------------ */

static enum err insert(struct ctx *cx, void *arg)
{
	const struct start *s = arg;
	char id[ID_TEXT_MAX];
	struct str client = s->state.client.set ? id_format(ID_CREDENTIAL, &s->state.client.v, id)
						: STR("operator");

	cx->audit.service = s->type->id;
	if (s->state.connector.set)
		ctx_audit_target(cx, ID_CONNECTOR, &s->state.connector.v);
	client = arena_copy(cx->arena, client);
	if (str_absent(client))
		return ERR_NO_MEMORY;
	ctx_audit_detail(cx, "client", client);
	return oauth_state_insert(cx, &s->flow, &s->state);
}

static bool wants_json(const struct ctx *cx)
{
	struct str rest = request_header(cx->request, "ACCEPT");

	while (!str_absent(rest)) {
		struct str range = str_cut(&rest, ',');

		if (str_eq_nocase(str_trim(str_cut(&range, ';')), STR("application/json")))
			return true;
	}
	return false;
}

static enum err answer(struct ctx *cx, const struct start *s, struct reply *reply)
{
	struct json_writer w;

	TRY(oauth_flow_cookie(cx, &s->flow, reply));
	if (!wants_json(cx)) {
		reply->status = 302;
		reply->content_type = NULL;
		return reply_header(reply, "Location", buf_str(&s->url));
	}
	jw_start(&w, &reply->body);
	jw_object(&w);
	jw_put_text(&w, "authorize_url", buf_str(&s->url));
	jw_object_end(&w);
	return buf_error(&reply->body);
}

static enum err begin(struct ctx *cx, struct start *s, struct reply *reply)
{
	TRY(take_return_to(cx, s));
	TRY(take_scopes(cx, s));
	TRY(take_connector(cx, s));
	TRY(take_query(cx, s));
	TRY(oauth_flow_new(cx, &s->flow));
	TRY(make_url(cx, s));
	TRY(audit_transact(cx, AUDIT_OAUTH_START, insert, s));
	return answer(cx, s, reply);
}

enum err oauth_start(struct ctx *cx, const struct oauth_start_in *in, struct reply *reply)
{
	struct start s = { .type = catalog_find(cx->catalog, in->type), .in = in };
	enum err e;

	/* It writes before the pipeline would look. */
	TRY(identity_confirm_live(cx));
	if (!s.type)
		return ERR_NOT_FOUND;
	if (!oauth_way(s.type))
		return ctx_fail(
			cx, ERR_CONFLICT,
			"This provider has no consent page: POST /api/v1/connectors connects it.");
	s.state = (struct oauth_state){ .type = s.type->id,
					.connector = in->connector_id,
					.expires_at = cx->now_ms + cx->config->oauth_state_ms };
	values_init(&s.asked);
	values_init(&s.values);
	buf_init(&s.fields, OAUTH_FIELDS_MAX);
	buf_init(&s.scopes, OAUTH_FIELDS_MAX);
	buf_init(&s.return_to, OAUTH_URL_MAX);
	buf_init(&s.url, OAUTH_URL_MAX);
	e = begin(cx, &s, reply);
	oauth_flow_done(&s.flow);
	values_done(&s.asked);
	values_done(&s.values);
	buf_done(&s.fields);
	buf_done(&s.scopes);
	buf_done(&s.return_to);
	buf_done(&s.url);
	return e;
}
