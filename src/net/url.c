/*
 * One strict reader, so that no two parsers can disagree about where a URL leads:
 * what passes here means the same to every one of them.
 */
#include "net/url.h"

#include <string.h>

#include "net/address.h"
#include "net/egress.h"

static bool refuse(const char **ret_why, const char *why)
{
	*ret_why = why;
	return false;
}

static bool plain_ascii(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= 0x20 || s.p[i] >= 0x7f || s.p[i] == '\\')
			return false;
	return s.n > 0;
}

static bool label_ok(struct str label)
{
	if (label.n == 0 || label.n > 63)
		return false;
	for (size_t i = 0; i < label.n; i++)
		if (!char_is_letter(label.p[i]) && !char_is_digit(label.p[i]) && label.p[i] != '-' &&
		    label.p[i] != '_')
			return false;
	return true;
}

/* Some readers take a host whose last label is a number for an IPv4 address: 127.1, 0x7f.1, 2130706433. */
static bool looks_like_number(struct str label)
{
	size_t digits = 0;

	while (digits < label.n && char_is_digit(label.p[digits]))
		digits++;
	return digits == label.n ||
	       (label.n >= 2 && label.p[0] == '0' && (label.p[1] == 'x' || label.p[1] == 'X'));
}

static bool name_ok(struct str host)
{
	struct str rest = host, last = STR_NONE;

	if (host.n == 0 || host.n > EGRESS_HOST_MAX)
		return false;
	while (!str_absent(rest)) {
		last = str_cut(&rest, '.');
		if (!label_ok(last))
			return false;
	}
	return !looks_like_number(last);
}

bool url_read_host(struct str host, struct url_place *ret_place, const char **ret_why)
{
	struct address address;

	ret_place->host = host;
	ret_place->literal = address_parse(host, &address);
	return ret_place->literal || name_ok(host) ||
	       refuse(ret_why, "the host isn't spelled plainly");
}

static bool read_port(struct str text, struct url_place *ret_place, const char **ret_why)
{
	uint64_t port;

	if (text.n == 0 || text.n > 5 || !str_to_u64(text, &port) || port == 0 || port > UINT16_MAX)
		return refuse(ret_why, "the port isn't a number from 1 to 65535");
	ret_place->port = (uint16_t)port;
	return true;
}

/* Splits "host", "host:port", "[v6]" and "[v6]:port"; `ret_port` is absent when there is none. */
static bool split_authority(struct str text, struct str *ret_host, struct str *ret_port,
			    bool *ret_brackets)
{
	*ret_brackets = str_starts(text, STR("["));
	*ret_port = STR_NONE;
	if (!*ret_brackets) {
		*ret_port = text;
		*ret_host = str_cut(ret_port, ':');
		return true;
	}
	size_t end = str_find(text, ']');
	if (end == text.n)
		return false;
	*ret_host = str_slice(text, 1, end - 1);
	struct str behind = str_slice(text, end + 1, SIZE_MAX);
	if (behind.n > 0) {
		if (behind.p[0] != ':')
			return false;
		*ret_port = str_slice(behind, 1, SIZE_MAX);
	}
	return true;
}

static bool read_authority(struct str text, bool need_port, struct url_place *ret_place,
			   const char **ret_why)
{
	struct str host, port;
	bool brackets;

	if (!plain_ascii(text) || !split_authority(text, &host, &port, &brackets) ||
	    brackets != (str_find(host, ':') < host.n))
		return refuse(ret_why, "the host isn't spelled plainly");
	if (!url_read_host(host, ret_place, ret_why))
		return false;
	if (str_absent(port))
		return !need_port || refuse(ret_why, "the port is missing");
	return read_port(port, ret_place, ret_why);
}

bool url_read_authority(struct str text, struct url_place *ret_place, const char **ret_why)
{
	*ret_place = (struct url_place){ .tls = true };
	return read_authority(text, true, ret_place, ret_why);
}

bool url_read(struct str url, struct url_place *ret_place, const char **ret_why)
{
	static const struct str HTTPS = { "https://", 8 }, HTTP = { "http://", 7 };
	struct str rest;
	size_t end = 0;

	*ret_place = (struct url_place){ .tls = true, .port = 443 };
	if (!plain_ascii(url))
		return refuse(ret_why, "the URL isn't plain ASCII");
	if (str_eq_nocase(str_slice(url, 0, HTTPS.n), HTTPS)) {
		rest = str_slice(url, HTTPS.n, SIZE_MAX);
	} else if (str_eq_nocase(str_slice(url, 0, HTTP.n), HTTP)) {
		rest = str_slice(url, HTTP.n, SIZE_MAX);
		ret_place->tls = false;
		ret_place->port = 80;
	} else {
		return refuse(ret_why, "the scheme isn't https");
	}
	while (end < rest.n && rest.p[end] != '/' && rest.p[end] != '?' && rest.p[end] != '#')
		end++;
	if (str_find(str_slice(rest, 0, end), '@') < end)
		return refuse(ret_why, "the URL names a user");
	return read_authority(str_slice(rest, 0, end), false, ret_place, ret_why);
}
