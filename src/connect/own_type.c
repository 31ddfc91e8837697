#include "connect/own_type.h"

#include "connect/call.h"

/* The host, and its port, of a URL: the only place that the credential may be sent to. */
static struct str host_of(struct str url)
{
	const struct str origin = str_slice(url, 0, call_origin(url));
	const size_t start = str_find(origin, ':') + sizeof("://") - 1;

	return origin.n > start ? str_slice(origin, start, origin.n) : STR_NONE;
}

/* RFC 6749, section 2.3.1: every server takes Basic; one that doesn't is told apart by extra.client_auth. */
static enum client_auth own_client_auth(const struct values *values)
{
	return str_eq(values_get(values, STR("client_auth")), STR("post")) ? CLIENT_POST : CLIENT_BASIC;
}

enum err own_type(struct ctx *cx, const struct values *values, struct str url_name,
		  const struct connector_type **ret_type)
{
	static const struct auth_way WAY = { .mode = AUTH_CLIENT_CREDENTIALS,
					     .id = STR("oauth2_client_credentials"),
					     .credential = STR("oauth2") };
	static const struct verify_spec BY_TOKEN = { .kind = VERIFY_TOKEN };
	struct connector_type *type = ARENA_NEW(cx->arena, struct connector_type);
	struct str *host = ARENA_NEW(cx->arena, struct str);
	struct str url = values_get(values, url_name);

	if (!type || !host)
		return ERR_NO_MEMORY;
	if (url.n == 0)
		return ERR_NO_TOKEN_HERE;
	url = arena_copy(cx->arena, url);
	*host = host_of(url);
	if (str_absent(url))
		return ERR_NO_MEMORY;
	if (str_absent(*host))
		return ERR_NO_TOKEN_HERE;
	type->id = STR("");
	type->name = *host;
	type->hosts = (struct texts){ host, 1 };
	type->oauth2 = (struct oauth2_spec){ .token_url = url,
					     .scope_separator = STR(" "),
					     .client_auth = own_client_auth(values) };
	type->client_credentials =
		(struct client_credentials_spec){ .token_url = url, .client_auth = type->oauth2.client_auth };
	type->service_account = (struct service_account_spec){
		.token_url = url, .issuer = STR("{client_email}"), .subject = STR("{subject_email}"), .google = true
	};
	type->way = &WAY;
	type->ways = 1;
	type->verify = &BY_TOKEN;
	type->verifies = 1;
	*ret_type = type;
	return OK;
}
