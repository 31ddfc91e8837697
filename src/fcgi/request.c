/* What handlers ask of a request: its headers and its body. */
#include "fcgi/request.h"

#include <string.h>

#include "fcgi/decode.h"

enum { HEADER_NAME_MAX = 64 };

void request_is_slow(const struct request *request)
{
	const struct decoder *decoder = request ? request->fcgi : NULL;

	if (decoder && decoder->stand_alone)
		decoder->stand_alone(decoder->worker);
}

/* The value of "HTTP_<name>=<value>", or absent. */
static struct str header_in(const char *param, const char *name, size_t name_n)
{
	if (strncmp(param, "HTTP_", 5) != 0 || strncmp(param + 5, name, name_n) != 0 ||
	    param[5 + name_n] != '=')
		return STR_NONE;
	return str_of(param + 5 + name_n + 1);
}

/* All lines of a header as one text. With no room left it is absent: better refused than half read. */
static struct str joined(struct decoder *decoder, const char *name, size_t name_n)
{
	struct str separator = strcmp(name, "COOKIE") == 0 ? STR("; ") : STR(", ");

	if (decoder->joined_count == DECODER_JOINED_MAX)
		return STR_NONE;
	struct buf *all = &decoder->joined[decoder->joined_count++];
	for (char **p = decoder->params; *p; p++) {
		struct str value = header_in(*p, name, name_n);

		if (str_absent(value))
			continue;
		if (all->n > 0)
			buf_add_str(all, separator);
		buf_add_str(all, value);
	}
	return buf_error(all) == OK ? buf_str(all) : STR_NONE;
}

struct str request_header(const struct request *request, const char *cgi_name)
{
	struct decoder *decoder = request->fcgi;
	size_t name_n = strlen(cgi_name);
	struct str found = STR_NONE;

	for (char **p = decoder->params; p && *p; p++) {
		struct str value = header_in(*p, cgi_name, name_n);

		if (str_absent(value))
			continue;
		if (!str_absent(found))
			return joined(decoder, cgi_name, name_n);
		found = value;
	}
	return found;
}

struct str request_header_named(const struct request *request, struct str name)
{
	char cgi[HEADER_NAME_MAX + 1];

	if (name.n > HEADER_NAME_MAX || !str_is_token(name))
		return STR_NONE;
	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i];

		cgi[i] = c == '-' ? '_' : c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
	}
	cgi[name.n] = '\0';
	return request_header(request, cgi);
}

/* Reads with the smaller of two caps: the buffer's own is for whoever comes next, too. */
static enum err read_capped(struct decoder *decoder, size_t max, struct buf *body)
{
	size_t own = body->max;

	body->max = max < own ? max : own;
	enum err e = conn_read_body(decoder->conn, decoder->patience_ms, body);
	body->max = own;
	return e;
}

enum err request_read_body(struct request *request, size_t max, struct buf *body)
{
	struct decoder *decoder = request->fcgi;

	if (!str_absent(request->body))
		return ERR_INTERNAL;
	buf_clear(body);
	if (request->content_length > 0 && (uint64_t)request->content_length > max)
		return ERR_BODY_TOO_LARGE;
	TRY(read_capped(decoder, max, body));
	if (request->content_length >= 0 && (int64_t)body->n != request->content_length)
		return ERR_BAD_REQUEST;
	request->body = buf_str(body);
	return OK;
}
