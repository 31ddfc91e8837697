/*
 * URLs from templates. A credential goes only to hosts that its type declares:
 * this is where that is kept, whatever a value holds.
 *
 * No value gets into the host but one that is made of a host name's characters
 * and holds its pattern; everything else is percent-encoded; then the finished
 * URL is read again by the strict reader, and the host found there is compared.
 */
#include "connect/pattern.h"
#include "connect/template.h"
#include "net/url.h"

enum { URL_MAX = 16384, HOST_MAX = 512 };

static const struct str HTTPS = { "https://", 8 }, HTTP = { "http://", 7 };

struct filling {
	const struct connector_type *type;
	const struct values *values;
	struct buf *out;
	struct str missing;
};

/* What a name must look like by its field and its placeholder. */
static bool patterns_hold(const struct filling *f, struct str name, struct str value)
{
	const struct connector_field *field = connector_field(f->type, name);
	const struct placeholder *placeholder = connector_placeholder(f->type, name);

	return (!field || pattern_holds(field->pattern, value)) &&
	       (!placeholder || pattern_holds(placeholder->pattern, value));
}

static enum err value_of(struct filling *f, struct str name, struct str *ret_value)
{
	*ret_value = values_get(f->values, name);
	if (str_absent(*ret_value) || ret_value->n == 0) {
		f->missing = name;
		return ERR_BAD_INPUT;
	}
	return OK;
}

/* --- the host ----------------------------------------------------------------- */

static bool is_host_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '.' || c == '_';
}

/* No port, no user, no path: nothing that ends a host or begins another one. */
static bool is_plain_host(struct str value)
{
	for (size_t i = 0; i < value.n; i++)
		if (!is_host_char(value.p[i]))
			return false;
	return value.n > 0;
}

static enum err fill_host(struct filling *f, struct str text)
{
	struct template_piece piece;
	struct str value;

	while (template_next(&text, &piece)) {
		buf_add_str(f->out, piece.literal);
		if (str_absent(piece.name))
			continue;
		TRY(value_of(f, piece.name, &value));
		if (!is_plain_host(value) || !patterns_hold(f, piece.name, value))
			return ERR_HOST_FORBIDDEN;
		buf_add_str(f->out, value);
	}
	return buf_error(f->out);
}

/* --- the path and what follows --------------------------------------------------- */

/* A name whose pattern begins with ^/ stands for a path: its slashes and its query stay. */
static bool is_path(const struct filling *f, struct str name, struct str value)
{
	const struct connector_field *field = connector_field(f->type, name);
	const struct placeholder *placeholder = connector_placeholder(f->type, name);
	bool declared = (field && str_starts(field->pattern, STR("^/"))) ||
			(placeholder && str_starts(placeholder->pattern, STR("^/")));

	return declared && str_starts(value, STR("/")) && patterns_hold(f, name, value);
}

static void add_path(struct buf *out, struct str value)
{
	for (size_t i = 0; i < value.n; i++) {
		char c = value.p[i];

		if (c > 0x20 && c < 0x7f && str_find(STR("#\\\"<>^`{|}"), c) == 10)
			buf_add_char(out, c);
		else
			buf_printf(out, "%%%02X", (unsigned char)c);
	}
}

/* "." and ".." would climb in the path, however they are written. */
static bool climbs(struct str value) { return str_eq(value, STR(".")) || str_eq(value, STR("..")); }

static enum err add_to_path(struct filling *f, struct str name)
{
	struct str value;

	TRY(value_of(f, name, &value));
	if (climbs(value)) {
		f->missing = name;
		return ERR_BAD_INPUT;
	}
	if (is_path(f, name, value))
		add_path(f->out, value);
	else
		buf_add_percent(f->out, value);
	return OK;
}

static enum err fill_rest(struct filling *f, struct str text)
{
	struct template_piece piece;

	while (template_next(&text, &piece)) {
		buf_add_str(f->out, piece.literal);
		if (!str_absent(piece.name) &&
		    !(piece.optional && values_get(f->values, piece.name).n == 0))
			TRY(add_to_path(f, piece.name));
	}
	return buf_error(f->out);
}

/* --- a whole URL as a value --------------------------------------------------------- */

static enum err fill_base(struct filling *f, struct str name)
{
	struct url_place place;
	struct str value;
	const char *why;

	TRY(value_of(f, name, &value));
	if (!patterns_hold(f, name, value) || !url_read(value, &place, &why) ||
	    str_find(value, '?') < value.n || str_find(value, '#') < value.n)
		return ERR_HOST_FORBIDDEN;
	while (str_ends(value, STR("/")))
		value.n--;
	buf_add_str(f->out, value);
	return buf_error(f->out);
}

/* What follows a whole URL mustn't go on with its host: "https://a" and ".evil.example". */
static bool goes_on_well(struct str url, size_t at)
{
	return at == url.n || url.p[at] == '/' || url.p[at] == '?';
}

/* --- the hosts of the type --------------------------------------------------------------- */

static bool same_place(const struct url_place *a, const struct url_place *b)
{
	return a->tls == b->tls && a->port == b->port && str_eq_nocase(a->host, b->host);
}

/* An entry that is one name alone may stand for a URL: then it means that URL's host. */
static bool entry_is_url_of(const struct filling *f, struct str entry,
			    const struct url_place *place)
{
	struct template_piece piece;
	struct url_place declared;
	struct str value;
	const char *why;

	if (!template_next(&entry, &piece) || str_absent(piece.name) || piece.literal.n > 0 ||
	    entry.n > 0)
		return false;
	value = values_get(f->values, piece.name);
	return patterns_hold(f, piece.name, value) && url_read(value, &declared, &why) &&
	       same_place(&declared, place);
}

/* A server in the own network, which an operator's file may name: the egress guard decides about it. */
static bool is_local(const struct url_place *place)
{
	return place->literal || str_eq_nocase(place->host, STR("localhost"));
}

static bool host_has_suffix(struct str host, struct str suffix)
{
	return host.n > suffix.n &&
	       str_eq_nocase(str_slice(host, host.n - suffix.n, suffix.n), suffix);
}

static bool entry_allows(const struct filling *f, struct str entry, const struct url_place *place)
{
	BUF_AUTO struct buf text = { 0 };
	struct filling host = { f->type, f->values, &text, STR_NONE };
	struct url_place declared;
	const char *why;

	if (entry_is_url_of(f, entry, place))
		return true;
	if (!place->tls && !is_local(place))
		return false;
	if (str_starts(entry, STR(".")))
		return place->tls && place->port == 443 && !place->literal &&
		       host_has_suffix(place->host, entry);
	buf_init(&text, HOST_MAX);
	buf_add_str(&text, place->tls ? HTTPS : HTTP);
	if (fill_host(&host, entry) != OK || !url_read(buf_str(&text), &declared, &why))
		return false;
	return same_place(&declared, place);
}

static bool is_declared(const struct filling *f, struct str url)
{
	struct url_place place;
	const char *why;

	if (!url_read(url, &place, &why))
		return false;
	for (size_t i = 0; i < f->type->hosts.n; i++)
		if (entry_allows(f, f->type->hosts.v[i], &place))
			return true;
	return false;
}

/* --- all of it ------------------------------------------------------------------------------ */

size_t template_authority(struct str text, struct str *ret_authority)
{
	size_t start = str_starts(text, HTTPS)  ? HTTPS.n
		       : str_starts(text, HTTP) ? HTTP.n
						: 0,
	       end = start;

	while (start > 0 && end < text.n && text.p[end] != '/' && text.p[end] != '?' &&
	       text.p[end] != '#')
		end++;
	*ret_authority = str_slice(text, start, end - start);
	return end;
}

static enum err fill_url(struct filling *f, struct str text)
{
	struct str authority, rest = text;
	struct template_piece piece;
	size_t end = template_authority(text, &authority);

	if (end > 0) {
		buf_add_str(f->out, str_slice(text, 0, end - authority.n));
		TRY(fill_host(f, authority));
		return fill_rest(f, str_slice(text, end, SIZE_MAX));
	}
	if (!template_next(&rest, &piece) || str_absent(piece.name) || piece.literal.n > 0)
		return ERR_HOST_FORBIDDEN;
	TRY(fill_base(f, piece.name));
	end = f->out->n;
	TRY(fill_rest(f, rest));
	return goes_on_well(buf_str(f->out), end) ? OK : ERR_HOST_FORBIDDEN;
}

enum err template_url(const struct connector_type *type, struct str text,
		      const struct values *values, struct buf *out, struct str *ret_missing)
{
	BUF_AUTO struct buf url = { 0 };
	struct filling f = { type, values, &url, STR_NONE };
	enum err e = type ? OK : ERR_HOST_FORBIDDEN;

	buf_init(&url, URL_MAX);
	if (e == OK)
		e = fill_url(&f, text);
	if (e == OK && !is_declared(&f, buf_str(&url)))
		e = ERR_HOST_FORBIDDEN;
	if (ret_missing)
		*ret_missing = f.missing;
	TRY(e);
	buf_add_str(out, buf_str(&url));
	return buf_error(out);
}
