/* How a credential would be renewed: by which grant, where, and as which client. Nothing is written or sent. */
#include "base/json_read.h"
#include "connect/catalog.h"
#include "connect/own_type.h"
#include "connect/refresh.h"
#include "connect/token.h"

/* --- the grant ------------------------------------------------------------------- */

static bool has(const struct values *values, const char *name) { return values_get(values, str_of(name)).n > 0; }

static bool has_client(const struct values *values) { return has(values, "client_id") && has(values, "client_secret"); }

static bool exchanges(const struct connector_type *type)
{
	return type->has_oauth2 && type->oauth2.refresh_grant.n > 0 &&
	       !str_eq(type->oauth2.refresh_grant, STR("refresh_token"));
}

bool connector_has_way(const struct connector_type *type, enum auth_mode mode, struct str credential)
{
	for (size_t i = 0; i < type->ways; i++)
		if (type->way[i].mode == mode && str_eq(type->way[i].credential, credential))
			return true;
	return false;
}

static bool has_key(const struct renewal *r)
{
	struct str field = r->type->service_account.key_field;

	return has(&r->values, "private_key") || values_get(&r->values, field).n > 0;
}

/* A consent goes first; a client that acts for itself is what is left. */
static enum err choose_listed(struct renewal *r)
{
	const struct connector_type *type = r->type;
	struct str kind = r->source.type;

	if (connector_has_way(type, AUTH_OAUTH2, kind) && type->has_oauth2) {
		r->exchanged = exchanges(type);
		r->grant = GRANT_REFRESH;
		if (!str_absent(r->exchanged ? r->source.access : r->source.refresh))
			return OK;
	}
	r->exchanged = false;
	r->grant = GRANT_CLIENT_CREDENTIALS;
	if (type->has_client_credentials && connector_has_way(type, AUTH_CLIENT_CREDENTIALS, kind) &&
	    has_client(&r->values))
		return OK;
	r->grant = GRANT_JWT_BEARER;
	if (type->has_service_account && connector_has_way(type, AUTH_SERVICE_ACCOUNT, kind) && has_key(r))
		return OK;
	return ERR_NO_TOKEN_HERE;
}

static enum err choose_described(struct ctx *cx, struct renewal *r)
{
	bool account = str_eq(r->source.type, STR("service_account"));

	if (!account && !str_eq(r->source.type, STR("oauth2")))
		return ERR_NO_TOKEN_HERE;
	TRY(own_type(cx, &r->values, account ? STR("token_uri") : STR("token_url"), &r->type));
	r->exchanged = false;
	if (account) {
		r->grant = GRANT_JWT_BEARER;
		return has_key(r) ? OK : ERR_NO_TOKEN_HERE;
	}
	if (!str_absent(r->source.refresh)) {
		r->grant = GRANT_REFRESH;
		return has(&r->values, "client_id") ? OK : ERR_NO_TOKEN_HERE;
	}
	r->grant = GRANT_CLIENT_CREDENTIALS;
	return has_client(&r->values) ? OK : ERR_NO_TOKEN_HERE;
}

/* Whether the type says anything about tokens at all: else the credential may. */
static bool knows_tokens(const struct connector_type *type)
{
	return type && (type->has_oauth2 || type->has_client_credentials || type->has_service_account);
}

static enum err choose(struct ctx *cx, struct renewal *r)
{
	r->type = cx->catalog && r->source.service.n > 0 ? catalog_find(cx->catalog, r->source.service) : NULL;
	values_done(&r->values);
	values_init(&r->values);
	TRY(values_read(r->type, r->source.data, &r->values));
	/* What a version that was made by an earlier refresh says is the truth; a field of the same name isn't. */
	if (!str_absent(r->source.access))
		TRY(values_set(&r->values, STR("access_token"), r->source.access));
	if (!str_absent(r->source.refresh))
		TRY(values_set(&r->values, STR("refresh_token"),
			       str_absent(r->source.untried) ? r->source.refresh : r->source.untried));
	return knows_tokens(r->type) ? choose_listed(r) : choose_described(cx, r);
}

/* --- the request ----------------------------------------------------------------- */

/* The client that the consent was given to: its own, the tenant's, or the operator's. */
static enum err find_client(struct ctx *cx, struct renewal *r)
{
	r->client = r->has_row ? r->row.client_credential_id : (struct opt_id){ 0 };
	if (r->grant == GRANT_JWT_BEARER || (has(&r->values, "client_id") && !r->client.set))
		return OK;
	/* Tokens that a person brought along belong to whichever client there is. */
	if (r->has_row && renewal_knows_client(&r->row))
		return oauth_client_again(cx, r->type, r->client, &r->values);
	return oauth_client(cx, r->type, r->client, &r->values, &r->client);
}

enum err renewal_plan(struct ctx *cx, struct renewal *r)
{
	struct str missing = STR_NONE;
	enum err e;

	r->failure = (struct token_failure){ 0 };
	TRY(choose(cx, r));
	e = find_client(cx, r);
	if (e != OK) {
		r->failure.code = STR("NO_CLIENT");
		r->failure.message = STR("There is no OAuth client to renew the token with.");
		return e;
	}
	r->request = (struct token_request){ .type = r->type,
					     .grant = r->grant,
					     .values = &r->values,
					     .scopes = r->grant == GRANT_REFRESH ? STR_NONE : r->source.scopes,
					     .now_ms = cx->now_ms };
	call_done(&r->call);
	call_init(&r->call);
	e = token_request_make(&r->request, &r->call, &missing);
	if (e != OK)
		token_request_failed(cx, e, missing, &r->failure);
	return e;
}
