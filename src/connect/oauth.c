#include "connect/oauth.h"

#include <string.h>

#include "connect/template.h"

const struct auth_way *oauth_way(const struct connector_type *type)
{
	for (size_t i = 0; type->has_oauth2 && i < type->ways; i++)
		if (type->way[i].mode == AUTH_OAUTH2)
			return &type->way[i];
	return NULL;
}

/* name=value behind a URL that may have a query of its own. */
static void add_param(struct buf *url, struct str name, struct str value)
{
	bool has_query = str_find(buf_str(url), '?') < url->n;

	if (!has_query)
		buf_add_char(url, '?');
	else if (url->p[url->n - 1] != '?' && url->p[url->n - 1] != '&')
		buf_add_char(url, '&');
	buf_add_percent(url, name);
	buf_add_char(url, '=');
	buf_add_percent(url, value);
}

void oauth_default_scopes(const struct connector_type *type, struct buf *out)
{
	for (size_t i = 0; i < type->oauth2.scopes.n; i++) {
		if (i > 0)
			buf_add_char(out, ' ');
		buf_add_str(out, type->oauth2.scopes.v[i]);
	}
}

static enum err add_scopes(const struct oauth2_spec *spec, struct str wanted, struct buf *url)
{
	BUF_AUTO struct buf joined = { 0 };

	buf_init(&joined, OAUTH_URL_MAX);
	while (!str_absent(wanted)) {
		struct str scope = str_cut(&wanted, ' ');

		if (scope.n > 0 && joined.n > 0)
			buf_add_str(&joined, spec->scope_separator);
		buf_add_str(&joined, scope);
	}
	TRY(buf_error(&joined));
	if (joined.n > 0)
		add_param(url, spec->scope_param, buf_str(&joined));
	return OK;
}

static enum err add_declared(const struct pairs *params, const struct values *values,
			     struct buf *url, struct str *ret_missing)
{
	BUF_AUTO struct buf value = { 0 };

	buf_init(&value, OAUTH_URL_MAX);
	for (size_t i = 0; i < params->n; i++) {
		buf_clear(&value);
		TRY(template_fill(params->v[i].value, values, ESCAPE_NONE, &value, ret_missing));
		TRY(buf_error(&value));
		add_param(url, params->v[i].name, buf_str(&value));
	}
	return OK;
}

enum err oauth_authorize_url(const struct connector_type *type, const struct values *values,
			     struct str state, struct str challenge, struct str redirect_uri,
			     struct str wanted, struct buf *url, struct str *ret_missing)
{
	const struct oauth2_spec *spec = &type->oauth2;
	BUF_AUTO struct buf own_scopes = { 0 };

	buf_init(&own_scopes, OAUTH_URL_MAX);
	if (str_absent(wanted)) {
		oauth_default_scopes(type, &own_scopes);
		TRY(buf_error(&own_scopes));
		wanted = buf_str(&own_scopes);
	}
	TRY(template_url(type, spec->authorization_url, values, url, ret_missing));
	if (!spec->omit_response_type)
		add_param(url, STR("response_type"), STR("code"));
	add_param(url, STR("client_id"), values_get(values, STR("client_id")));
	add_param(url, STR("redirect_uri"), redirect_uri);
	if (spec->scope_param.n > 0)
		TRY(add_scopes(spec, wanted, url));
	add_param(url, STR("state"), state);
	if (spec->pkce) {
		add_param(url, STR("code_challenge"), challenge);
		add_param(url, STR("code_challenge_method"), STR("S256"));
	}
	TRY(add_declared(&spec->authorize_params, values, url, ret_missing));
	return buf_error(url);
}

enum err oauth_redirect_uri(const struct config *config, struct str type, struct buf *uri)
{
	buf_add_c(uri, config->server_public_url);
	buf_add_c(uri, "/api/v1/oauth/callback/");
	buf_add_percent(uri, type);
	return buf_error(uri);
}

/* --- scopes ------------------------------------------------------------------ */

bool oauth_scopes_valid(struct str wanted)
{
	while (!str_absent(wanted)) {
		struct str scope = str_cut(&wanted, ' ');

		if (scope.n == 0)
			return false;
		for (size_t i = 0; i < scope.n; i++)
			if (scope.p[i] <= 0x20 || scope.p[i] >= 0x7f || scope.p[i] == '"' ||
			    scope.p[i] == '\\')
				return false;
	}
	return true;
}

/* OpenID Connect Core, sections 5.4 and 11. */
static bool is_openid(struct str scope)
{
	static const struct str OPENID[] = { { "openid", 6 }, { "profile", 7 },
					     { "email", 5 },  { "address", 7 },
					     { "phone", 5 },  { "offline_access", 14 } };

	for (size_t i = 0; i < ARRAY_SIZE(OPENID); i++)
		if (str_eq(scope, OPENID[i]))
			return true;
	return false;
}

static bool covers(struct str granted, struct str asked)
{
	struct str end = granted.n > asked.n ? str_slice(granted, granted.n - asked.n - 1, SIZE_MAX)
					     : STR("");

	if (str_eq_nocase(granted, asked))
		return true;
	if (end.n > 0 && end.p[0] == '/' && str_eq_nocase(str_slice(end, 1, SIZE_MAX), asked))
		return true;
	return str_starts(asked, STR("read_")) && str_starts(granted, STR("write_")) &&
	       str_eq(str_slice(asked, 5, SIZE_MAX), str_slice(granted, 6, SIZE_MAX));
}

static bool is_granted(struct str asked, struct str granted)
{
	while (!str_absent(granted))
		if (covers(str_cut(&granted, ' '), asked))
			return true;
	return is_openid(asked);
}

bool oauth_scopes_granted(struct str asked, struct str granted)
{
	while (!str_absent(asked)) {
		struct str scope = str_cut(&asked, ' ');

		if (scope.n > 0 && !is_granted(scope, granted))
			return false;
	}
	return true;
}

/* --- the way back to the application ----------------------------------------- */

/* What every reader of URLs takes for the same: no spaces, no controls, no backslash, nothing beyond ASCII. */
static bool is_plain(struct str url)
{
	for (size_t i = 0; i < url.n; i++)
		if (url.p[i] <= 0x20 || url.p[i] >= 0x7f || strchr("\\\"<>", url.p[i]))
			return false;
	return url.n > 0;
}

static bool is_below(struct str url, struct str origin)
{
	if (origin.n == 0 || !str_starts(url, origin))
		return false;
	return url.n == origin.n || url.p[origin.n] == '/' || url.p[origin.n] == '?' ||
	       url.p[origin.n] == '#';
}

static bool is_allowed(const struct config *config, struct str url)
{
	struct str origins = str_of(config->oauth_return_origins), origin;

	while (!str_absent(origin = config_list_next(&origins)))
		if (is_below(url, origin))
			return true;
	return is_below(url, str_of(config->server_public_url));
}

enum err oauth_return_read(const struct config *config, struct str text, struct buf *url)
{
	bool is_path = str_starts(text, STR("/")) && !str_starts(text, STR("//"));

	if (!is_plain(text) || (!is_path && !is_allowed(config, text)))
		return ERR_BAD_INPUT;
	if (is_path)
		buf_add_c(url, config->server_public_url);
	buf_add_str(url, text);
	TRY(buf_error(url));
	return url->n <= OAUTH_RETURN_MAX ? OK : ERR_TOO_BIG;
}

void oauth_return_with(struct str url, struct pairs outcome, struct buf *out)
{
	size_t fragment = str_find(url, '#');

	buf_add_str(out, str_slice(url, 0, fragment));
	for (size_t i = 0; i < outcome.n; i++)
		add_param(out, outcome.v[i].name, outcome.v[i].value);
	buf_add_str(out, str_slice(url, fragment, SIZE_MAX));
}
