#include "connect/sigv4.h"

#include <string.h>

#include "base/clock.h"
#include "base/secret.h"
#include "crypt/encode.h"
#include "crypt/hash.h"

enum { DATE_CHARS = 8, STAMP_CHARS = 16, CANONICAL_MAX = 64 << 10, PARAMETERS_MAX = 64 };
enum { HASH_TEXT_MAX = HEX_CHARS(SHA256_BYTES) + 1 };

#define ALGORITHM "AWS4-HMAC-SHA256"

struct url_parts {
	struct str host, path, query; /* the query may be absent */
};

struct signing {
	struct call *call;
	const struct sigv4_keys *keys;
	struct url_parts url;
	char stamp[STAMP_CHARS + 1]; /* 20150830T123600Z */
};

/* --- the parts --------------------------------------------------------------- */

static bool cut_url(struct str url, struct url_parts *ret)
{
	size_t begin, end;

	if (str_starts(url, STR("https://")))
		begin = strlen("https://");
	else if (str_starts(url, STR("http://")))
		begin = strlen("http://");
	else
		return false;
	url = str_slice(url, begin, url.n);
	end = str_find(url, '/');
	if (str_find(url, '?') < end)
		end = str_find(url, '?');
	ret->host = str_slice(url, 0, end);
	ret->query = str_slice(url, end, url.n);
	ret->path = str_cut(&ret->query, '?');
	if (ret->path.n == 0)
		ret->path = STR("/");
	return ret->host.n > 0;
}

void sigv4_place(struct str url, struct str *ret_service, struct str *ret_region)
{
	static const struct str SUFFIXES[] = { STR(".amazonaws.com"), STR(".amazonaws.com.cn") };
	struct url_parts parts;
	struct str rest = STR_NONE;

	*ret_service = *ret_region = STR_NONE;
	if (!cut_url(url, &parts))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(SUFFIXES); i++)
		if (str_ends(parts.host, SUFFIXES[i]))
			rest = str_slice(parts.host, 0, parts.host.n - SUFFIXES[i].n);
	if (str_absent(rest))
		return;
	*ret_service = str_cut(&rest, '.');
	if (!str_absent(rest) && str_find(rest, '.') == rest.n)
		*ret_region = rest;
}

/* 2015-08-30T12:36:00.000Z without what separates, and without the fraction. */
static bool set_stamp(int64_t now_ms, char stamp[STAMP_CHARS + 1])
{
	char text[TIME_TEXT_MAX];
	struct str time;
	size_t n = 0;

	if (now_ms < 0)
		return false;
	time = time_format(now_ms, text);
	for (size_t i = 0; i < time.n && time.p[i] != '.' && n < STAMP_CHARS - 1; i++)
		if (time.p[i] != '-' && time.p[i] != ':')
			stamp[n++] = time.p[i];
	stamp[n++] = 'Z';
	stamp[n] = '\0';
	return n == STAMP_CHARS;
}

static struct str date_of(const struct signing *s) { return (struct str){ s->stamp, DATE_CHARS }; }

static void add_hash(struct buf *out, struct str text)
{
	uint8_t hash[SHA256_BYTES];

	sha256_of(BYTES(text), hash);
	hex_encode(out, (struct str){ (const char *)hash, sizeof hash });
}

/* --- the canonical request --------------------------------------------------- */

/* Each segment is encoded again, so '%' becomes "%25"; the slashes stay. */
static void add_path(struct buf *out, struct str path)
{
	struct str rest = path;

	while (!str_absent(rest)) {
		buf_add_percent(out, str_cut(&rest, '/'));
		if (!str_absent(rest))
			buf_add_char(out, '/');
	}
}

static int compare(struct str a, struct str b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int order = n > 0 ? memcmp(a.p, b.p, n) : 0;

	return order != 0 ? order : (a.n > b.n) - (a.n < b.n);
}

/* By name, then by value. */
static int compare_parameters(struct str a, struct str b)
{
	int order = compare(str_slice(a, 0, str_find(a, '=')), str_slice(b, 0, str_find(b, '=')));

	return order != 0 ? order : compare(a, b);
}

static size_t insert_sorted(struct str *list, size_t n, struct str item,
			    int (*order)(struct str, struct str))
{
	size_t at = n;

	while (at > 0 && order(list[at - 1], item) > 0) {
		list[at] = list[at - 1];
		at--;
	}
	list[at] = item;
	return n + 1;
}

/* The query of a URL that we made is encoded already: it is sorted, and a name alone gets its '='. */
static enum err add_query(struct buf *out, struct str query)
{
	struct str list[PARAMETERS_MAX];
	size_t n = 0;

	while (!str_absent(query)) {
		struct str parameter = str_cut(&query, '&');

		if (parameter.n == 0)
			continue;
		if (n == PARAMETERS_MAX)
			return ERR_BAD_INPUT;
		n = insert_sorted(list, n, parameter, compare_parameters);
	}
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			buf_add_char(out, '&');
		buf_add_str(out, list[i]);
		if (str_find(list[i], '=') == list[i].n)
			buf_add_char(out, '=');
	}
	return OK;
}

static void add_lower(struct buf *out, struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		buf_add_char(out, (char)(s.p[i] >= 'A' && s.p[i] <= 'Z' ? s.p[i] + ('a' - 'A')
									: s.p[i]));
}

/* Runs of spaces become one. */
static void add_trimmed(struct buf *out, struct str value)
{
	value = str_trim(value);
	for (size_t i = 0; i < value.n; i++)
		if (value.p[i] != ' ' || value.p[i - 1] != ' ')
			buf_add_char(out, value.p[i]);
}

static int compare_nocase(struct str a, struct str b)
{
	for (size_t i = 0; i < a.n && i < b.n; i++) {
		int x = a.p[i] | ((a.p[i] >= 'A' && a.p[i] <= 'Z') << 5);
		int y = b.p[i] | ((b.p[i] >= 'A' && b.p[i] <= 'Z') << 5);

		if (x != y)
			return x - y;
	}
	return (a.n > b.n) - (a.n < b.n);
}

static bool is_signed(struct str name)
{
	return str_eq_nocase(name, STR("Host")) || str_eq_nocase(name, STR("Content-Type")) ||
	       str_eq_nocase(str_slice(name, 0, 6), STR("X-Amz-"));
}

/* The names of the headers that are signed, in order. */
static size_t signed_names(const struct call *call, struct str list[CALL_HEADERS_MAX + 1])
{
	size_t n = insert_sorted(list, 0, STR("host"), compare_nocase);

	for (size_t i = 0; i < call->headers; i++) {
		struct str name = str_of(call->headers_text.p + call->header[i].name_at);

		if (is_signed(name))
			n = insert_sorted(list, n, name, compare_nocase);
	}
	return n;
}

static void add_names(struct buf *out, const struct str *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			buf_add_char(out, ';');
		add_lower(out, list[i]);
	}
}

static enum err add_canonical(const struct signing *s, struct buf *out)
{
	struct str list[CALL_HEADERS_MAX + 1];
	size_t n = signed_names(s->call, list);

	buf_printf(out, "%s\n", s->call->method);
	add_path(out, s->url.path);
	buf_add_char(out, '\n');
	TRY(add_query(out, s->url.query));
	buf_add_char(out, '\n');
	for (size_t i = 0; i < n; i++) {
		struct str value = str_eq_nocase(list[i], STR("host"))
					   ? s->url.host
					   : call_header_value(s->call, list[i]);
		add_lower(out, list[i]);
		buf_add_char(out, ':');
		add_trimmed(out, value);
		buf_add_char(out, '\n');
	}
	buf_add_char(out, '\n');
	add_names(out, list, n);
	buf_add_char(out, '\n');
	add_hash(out, buf_str(&s->call->body));
	return buf_error(out);
}

/* --- the signature ------------------------------------------------------------ */

static void add_scope(const struct signing *s, struct buf *out)
{
	buf_printf(out, "%.*s/%.*s/%.*s/aws4_request", STR_ARG(date_of(s)),
		   STR_ARG(s->keys->region), STR_ARG(s->keys->service));
}

/* The key of a day, a region and a service: an HMAC of each with the one before. */
static enum err derive_key(const struct signing *s, uint8_t key[SHA256_BYTES])
{
	const struct str steps[] = { s->keys->region, s->keys->service, STR("aws4_request") };
	SECRET_AUTO struct secret first = SECRET_EMPTY;

	TRY(secret_new(4 + s->keys->secret_access_key.n, &first));
	memcpy(first.p, "AWS4", 4);
	memcpy(first.p + 4, s->keys->secret_access_key.p, s->keys->secret_access_key.n);
	hmac_sha256_of(&first, BYTES(date_of(s)), key);
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++)
		hmac_sha256_of(&(struct secret){ key, SHA256_BYTES }, BYTES(steps[i]), key);
	return OK;
}

static enum err make_signature(const struct signing *s, char ret_text[HASH_TEXT_MAX])
{
	BUF_AUTO struct buf canonical = { 0 };
	BUF_AUTO struct buf to_sign = { 0 };
	uint8_t key[SHA256_BYTES], mac[SHA256_BYTES];

	buf_init(&canonical, CANONICAL_MAX);
	buf_init(&to_sign, CANONICAL_MAX);
	TRY(add_canonical(s, &canonical));
	buf_printf(&to_sign, ALGORITHM "\n%s\n", s->stamp);
	add_scope(s, &to_sign);
	buf_add_char(&to_sign, '\n');
	add_hash(&to_sign, buf_str(&canonical));
	TRY(buf_error(&to_sign));
	TRY(derive_key(s, key));
	hmac_sha256_of(&(struct secret){ key, sizeof key }, BYTES(buf_str(&to_sign)), mac);
	wipe(key, sizeof key);
	hex_encode_to((struct str){ (const char *)mac, sizeof mac }, ret_text);
	return OK;
}

static enum err add_authorization(const struct signing *s)
{
	BUF_AUTO struct buf value = { 0 };
	struct str list[CALL_HEADERS_MAX + 1];
	char signature[HASH_TEXT_MAX];

	TRY(make_signature(s, signature));
	buf_init(&value, CANONICAL_MAX);
	buf_printf(&value, ALGORITHM " Credential=%.*s/", STR_ARG(s->keys->access_key_id));
	add_scope(s, &value);
	buf_add_c(&value, ", SignedHeaders=");
	add_names(&value, list, signed_names(s->call, list));
	buf_printf(&value, ", Signature=%s", signature);
	TRY(buf_error(&value));
	return call_header(s->call, "Authorization", buf_str(&value));
}

enum err sigv4_sign(struct call *call, const struct sigv4_keys *keys, int64_t now_ms)
{
	struct signing s = { .call = call, .keys = keys };

	if (!cut_url(buf_str(&call->url), &s.url) || !set_stamp(now_ms, s.stamp) ||
	    str_absent(keys->service) || str_absent(keys->region))
		return ERR_BAD_INPUT;
	TRY(call_header(call, "X-Amz-Date", str_of(s.stamp)));
	if (keys->session_token.n > 0)
		TRY(call_header(call, "X-Amz-Security-Token", keys->session_token));
	return add_authorization(&s);
}
