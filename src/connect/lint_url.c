/* Templates, URLs and hosts of a type: every URL leads to a host that is declared. */
#include <string.h>

#include "connect/lint.h"
#include "connect/pattern.h"
#include "connect/template.h"
#include "net/url.h"
#include "vault/types.h"

enum { HOST_LABELS_LEAST = 2 };

/* What OAuth leaves in a credential or a request. */
static const char *const ALWAYS[] = { "client_id", "client_secret", "access_token", "refresh_token",
				      "scopes" };

static bool keeps(const struct token_rules *token, struct str name)
{
	char text[KEPT_NAME_MAX];

	for (size_t i = 0; i < token->keep.n; i++)
		if (str_eq(kept_name(token->keep.v[i], text), name))
			return true;
	return false;
}

static bool asks_after(const struct pairs *values, struct str name)
{
	for (size_t i = 0; i < values->n; i++)
		if (str_eq(values->v[i].name, name))
			return true;
	return false;
}

/* Whether the name comes from the provider's answers: then it mustn't choose a host by itself. */
static bool is_kept(const struct connector_type *type, struct str name)
{
	return asks_after(&type->oauth2.after_token.values, name) ||
	       texts_have(&type->oauth2.callback_params, name) ||
	       keeps(&type->oauth2.token, name) || keeps(&type->client_credentials.token, name) ||
	       keeps(&type->service_account.token, name);
}

/* The members of a credential are values under their own names. */
static bool is_member(const struct connector_type *type, struct str name)
{
	for (size_t i = 0; i < type->ways; i++) {
		enum credential_type credential;

		if (vault_type_parse(type->way[i].credential, &credential) &&
		    vault_member_find(credential, name))
			return true;
	}
	return false;
}

static bool is_known(const struct connector_type *type, struct str name)
{
	for (size_t i = 0; i < ARRAY_SIZE(ALWAYS); i++)
		if (str_eq(name, str_of(ALWAYS[i])))
			return true;
	return connector_field(type, name) || connector_placeholder(type, name) ||
	       is_kept(type, name) || is_member(type, name);
}

static void check_names(const struct lint *lint, struct str text)
{
	struct template_piece piece;

	while (template_next(&text, &piece))
		if (!str_absent(piece.name) && !is_known(lint->type, piece.name))
			fault(lint->faults, "{%.*s} is no field, placeholder or kept value",
			      STR_ARG(piece.name));
}

void lint_template(const struct lint *lint, const char *member, struct str text)
{
	size_t before = faults_enter(lint->faults, str_of(member));

	check_names(lint, text);
	faults_leave(lint->faults, before);
}

/* --- hosts ------------------------------------------------------------------------------ */

static bool has_pattern(const struct connector_type *type, struct str name)
{
	const struct connector_field *field = connector_field(type, name);
	const struct placeholder *placeholder = connector_placeholder(type, name);

	return (field && !str_absent(field->pattern)) ||
	       (placeholder && !str_absent(placeholder->pattern));
}

/* Whether the text is one {name} alone. */
static bool is_one_name(struct str text, struct str *ret_name)
{
	struct template_piece piece;
	bool found = template_next(&text, &piece);

	*ret_name = found ? piece.name : STR_NONE;
	return !str_absent(*ret_name) && piece.literal.n == 0 && text.n == 0;
}

/* "https://" and the authority, each {name} replaced by a letter. */
static struct str with_letters(const struct lint *lint, struct str authority)
{
	struct str url = arena_copy(lint->arena, STR("https://"));
	struct template_piece piece;

	while (!str_absent(url) && template_next(&authority, &piece))
		url = arena_printf(lint->arena, "%.*s%.*s%s", STR_ARG(url), STR_ARG(piece.literal),
				   str_absent(piece.name) ? "" : "x");
	return url;
}

static void check_host_names(const struct lint *lint, struct str host)
{
	struct template_piece piece;
	struct str name, rest = host;
	bool whole = is_one_name(host, &name);

	while (template_next(&rest, &piece)) {
		name = piece.name;
		if (str_absent(name))
			continue;
		if (piece.optional || (!connector_field(lint->type, name) &&
				       !connector_placeholder(lint->type, name)))
			fault(lint->faults, "{%.*s} in a host has to be a field or a placeholder",
			      STR_ARG(name));
		else if (!has_pattern(lint->type, name) &&
			 (!whole || is_kept(lint->type, name)))
			fault(lint->faults, "{%.*s} in a host needs a pattern", STR_ARG(name));
	}
}

static size_t labels(struct str host)
{
	size_t n = 1;

	for (size_t i = 0; i < host.n; i++)
		n += host.p[i] == '.';
	return n;
}

static void check_host(const struct lint *lint, struct str host)
{
	bool suffix = str_starts(host, STR("."));
	struct str text = suffix ? str_slice(host, 1, SIZE_MAX) : host;
	struct url_place place;
	const char *why = "";

	check_host_names(lint, text);
	if (str_find(text, '/') < text.n || !url_read(with_letters(lint, text), &place, &why))
		fault(lint->faults, "this isn't host, host:port, {name}, or .suffix");
	else if (suffix && (labels(text) < HOST_LABELS_LEAST || str_find(text, ':') < text.n ||
			    str_find(text, '{') < text.n))
		fault(lint->faults, "a suffix is a domain: .example.com");
}

void lint_hosts(const struct lint *lint)
{
	size_t before = faults_enter(lint->faults, STR("hosts"));

	for (size_t i = 0; i < lint->type->hosts.n; i++) {
		size_t item = faults_enter_item(lint->faults, i);

		check_host(lint, lint->type->hosts.v[i]);
		faults_leave(lint->faults, item);
	}
	faults_leave(lint->faults, before);
}

/* --- URLs ---------------------------------------------------------------------------------- */

static bool ends_with_nocase(struct str host, struct str suffix)
{
	return host.n > suffix.n &&
	       str_eq_nocase(str_slice(host, host.n - suffix.n, suffix.n), suffix);
}

static bool is_declared(const struct connector_type *type, struct str authority)
{
	for (size_t i = 0; i < type->hosts.n; i++) {
		struct str entry = type->hosts.v[i];

		if (str_eq_nocase(entry, authority) ||
		    (str_starts(entry, STR(".")) && ends_with_nocase(authority, entry)))
			return true;
	}
	return false;
}

/* Plain http is for a server in the own network that an operator's file names by its address. */
static bool may_be_plain(const struct lint *lint, struct str authority)
{
	struct url_place place;
	const char *why;

	return str_find(authority, '{') == authority.n &&
	       url_read(with_letters(lint, authority), &place, &why) &&
	       (place.literal || str_eq_nocase(place.host, STR("localhost")));
}

static void check_authority(const struct lint *lint, struct str url, struct str authority)
{
	struct url_place place;
	const char *why = "";

	if (str_starts(url, STR("http://")) && !may_be_plain(lint, authority))
		fault(lint->faults, "it has to be https");
	check_host_names(lint, authority);
	if (!url_read(with_letters(lint, authority), &place, &why))
		fault(lint->faults, "%s", why);
	else if (!is_declared(lint->type, authority))
		fault(lint->faults, "%.*s isn't in hosts", STR_ARG(authority));
}

static void check_whole_url(const struct lint *lint, struct str url)
{
	struct template_piece piece;
	struct str rest = url;

	if (!template_next(&rest, &piece) || str_absent(piece.name) || piece.literal.n > 0)
		fault(lint->faults, "it has to begin with https:// or with a {name} that is a URL");
	else if (rest.n > 0 && !strchr("/?{", rest.p[0]))
		fault(lint->faults, "what follows {%.*s} has to begin with a slash",
		      STR_ARG(piece.name));
	else if (lint->type->hosts.n == 0)
		fault(lint->faults, "{%.*s} isn't in hosts", STR_ARG(piece.name));
}

static bool is_plain(struct str url)
{
	for (size_t i = 0; i < url.n; i++)
		if (url.p[i] <= 0x20 || url.p[i] >= 0x7f || strchr("\\\"<>^`|#", url.p[i]))
			return false;
	return true;
}

void lint_url(const struct lint *lint, const char *member, struct str url)
{
	size_t before = faults_enter(lint->faults, str_of(member));
	struct str authority;

	check_names(lint, url);
	if (!str_absent(url) && !is_plain(url))
		fault(lint->faults, "it holds a character that a URL can't hold");
	else if (!str_absent(url) && template_authority(url, &authority) > 0)
		check_authority(lint, url, authority);
	else if (!str_absent(url))
		check_whole_url(lint, url);
	faults_leave(lint->faults, before);
}

/* --- where an OAuth client's secret goes ------------------------------------------------- */

static bool takes(const struct connector_type *type, struct str name, struct str value)
{
	const struct connector_field *field = connector_field(type, name);
	const struct placeholder *placeholder = connector_placeholder(type, name);

	return (!field || (pattern_holds(field->pattern, value) &&
			   (field->choices.n == 0 || texts_have(&field->choices, value)))) &&
	       (!placeholder || pattern_holds(placeholder->pattern, value));
}

/* Whether the name can stand for a host that anybody may have. */
static bool is_anywhere(const struct connector_type *type, struct str name)
{
	static const struct str PROBES[] = { STR("evil"), STR("evil.example"),
					     STR("a.evil.example.com"), STR("https://evil.example"),
					     STR("https://a.evil.example.com/x") };
	const struct connector_field *field = connector_field(type, name);

	for (size_t i = 0; i < ARRAY_SIZE(PROBES); i++)
		if (takes(type, name, PROBES[i]))
			return !field || !field->of_client;
	return false;
}

void lint_client_place(const struct lint *lint, const char *member, struct str url)
{
	size_t before = faults_enter(lint->faults, str_of(member));
	struct str authority, rest = url;
	struct template_piece piece;

	if (template_authority(url, &authority) > 0)
		rest = authority;
	/* A name that is the whole URL, or within the last two labels of the host, decides whose host it is. */
	while (!str_absent(url) && template_next(&rest, &piece)) {
		bool decides = authority.n == 0 || labels(rest) <= HOST_LABELS_LEAST;

		if (!str_absent(piece.name) && decides && is_anywhere(lint->type, piece.name))
			fault(lint->faults,
			      "{%.*s} can be any host, and the client's secret goes there: "
			      "it needs a pattern that ends in the provider's domain, or of_client",
			      STR_ARG(piece.name));
		if (authority.n == 0)
			break;
	}
	faults_leave(lint->faults, before);
}
