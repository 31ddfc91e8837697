/* Taking FastCGI records apart (FastCGI Specification 1.0, sections 3.3 to 5). */
#include "fcgi/records.h"

#include <string.h>

enum { VERSION = 1, RESPONDER = 1, KEEP_CONN = 1 };

void records_init(struct records *records)
{
	*records = (struct records){ .phase = RECORDS_BEGIN };
	buf_init(&records->params, RECORDS_PARAMS_BYTES);
}

void records_done(struct records *records)
{
	buf_done(&records->params);
}

void records_reset(struct records *records)
{
	struct buf params = records->params;

	buf_clear(&params);
	*records = (struct records){ .phase = RECORDS_BEGIN, .params = params };
}

bool records_untouched(const struct records *records)
{
	return records->phase == RECORDS_BEGIN && records->header_bytes == 0;
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* A length of one byte, or of four when its top bit is set. */
static bool take_length(struct str *rest, size_t *ret_length)
{
	const uint8_t *p = (const uint8_t *)rest->p;

	if (rest->n < 1)
		return false;
	if (p[0] < 0x80) {
		*ret_length = p[0];
		*rest = str_slice(*rest, 1, rest->n);
		return true;
	}
	if (rest->n < 4)
		return false;
	*ret_length = (size_t)(p[0] & 0x7f) << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
	*rest = str_slice(*rest, 4, rest->n);
	return true;
}

/* libfcgi makes "NAME=value" of a pair: a '=' in the name or a NUL would make another pair of it. */
static bool pair_is_plain(struct str name, struct str value)
{
	return name.n > 0 && str_find(name, '=') == name.n && str_find(name, '\0') == name.n &&
	       str_find(value, '\0') == value.n;
}

static bool params_are_sound(struct str rest)
{
	for (int count = 0; rest.n > 0; count++) {
		size_t name_n, value_n;

		if (count == RECORDS_PARAMS_COUNT || !take_length(&rest, &name_n) ||
		    !take_length(&rest, &value_n))
			return false;
		if (name_n > rest.n || value_n > rest.n - name_n)
			return false;
		if (!pair_is_plain(str_slice(rest, 0, name_n), str_slice(rest, name_n, value_n)))
			return false;
		rest = str_slice(rest, name_n + value_n, rest.n);
	}
	return true;
}

/* The header is whole: is this a record that may come now? */
static enum err begin_record(struct records *records)
{
	const uint8_t *h = records->header;
	uint16_t id = (uint16_t)(h[2] << 8 | h[3]);

	records->content_left = (size_t)(h[4] << 8 | h[5]);
	records->padding_left = h[6];
	if (h[0] != VERSION || id == 0)
		return ERR_BAD_REQUEST;
	switch (records->phase) {
	case RECORDS_BEGIN:
		records->request_id = id;
		return h[1] == FCGI_BEGIN_REQUEST && records->content_left == sizeof(records->begin) ?
			       OK :
			       ERR_BAD_REQUEST;
	case RECORDS_PARAMS:
		if (h[1] != FCGI_PARAMS || id != records->request_id)
			return ERR_BAD_REQUEST;
		return records->content_left <= RECORDS_PARAMS_BYTES - records->params.n ?
			       OK :
			       ERR_BAD_REQUEST;
	case RECORDS_STDIN:
		return h[1] == FCGI_STDIN && id == records->request_id ? OK : ERR_BAD_REQUEST;
	case RECORDS_DONE:
		break; /* a request before the answer to the last one */
	}
	return ERR_BAD_REQUEST;
}

static enum err take_content(struct records *records, const uint8_t *bytes, size_t n,
			     struct buf *body)
{
	switch (records->phase) {
	case RECORDS_BEGIN:
		memcpy(records->begin + sizeof(records->begin) - records->content_left, bytes, n);
		break;
	case RECORDS_PARAMS:
		buf_add(&records->params, bytes, n);
		if (buf_error(&records->params) != OK)
			return ERR_NO_MEMORY;
		break;
	case RECORDS_STDIN:
	case RECORDS_DONE:
		records->body_bytes += (int64_t)n;
		if (!body)
			break;
		buf_add(body, bytes, n);
		if (buf_error(body) == ERR_NO_MEMORY)
			return ERR_NO_MEMORY; /* ERR_TOO_BIG is for the body's owner to judge */
		break;
	}
	records->content_left -= n;
	return OK;
}

/* The record is whole: on to the next phase. An empty record ends a stream. */
static enum err end_record(struct records *records)
{
	bool empty = records->header[4] == 0 && records->header[5] == 0;

	records->header_bytes = 0;
	switch (records->phase) {
	case RECORDS_BEGIN:
		if ((records->begin[0] << 8 | records->begin[1]) != RESPONDER)
			return ERR_BAD_REQUEST;
		records->keep = records->begin[2] & KEEP_CONN;
		records->phase = RECORDS_PARAMS;
		break;
	case RECORDS_PARAMS:
		if (!empty)
			break;
		if (!params_are_sound(buf_str(&records->params)))
			return ERR_BAD_REQUEST;
		records->phase = RECORDS_STDIN;
		break;
	case RECORDS_STDIN:
		if (empty)
			records->phase = RECORDS_DONE;
		break;
	case RECORDS_DONE: break;
	}
	return OK;
}

enum err records_feed(struct records *records, const uint8_t *bytes, size_t n, struct buf *body)
{
	while (n > 0) {
		size_t taken;

		if (records->header_bytes < FCGI_HEADER) {
			taken = least(n, FCGI_HEADER - records->header_bytes);
			memcpy(records->header + records->header_bytes, bytes, taken);
			records->header_bytes += taken;
			if (records->header_bytes < FCGI_HEADER)
				return OK;
			TRY(begin_record(records));
		} else if (records->content_left > 0) {
			taken = least(n, records->content_left);
			TRY(take_content(records, bytes, taken, body));
		} else {
			taken = least(n, records->padding_left);
			records->padding_left -= taken;
		}
		bytes += taken;
		n -= taken;
		if (records->content_left == 0 && records->padding_left == 0)
			TRY(end_record(records));
	}
	return OK;
}

void records_header(uint8_t header[FCGI_HEADER], enum fcgi_type type, uint16_t request_id,
		    size_t content_bytes)
{
	header[0] = VERSION;
	header[1] = (uint8_t)type;
	header[2] = (uint8_t)(request_id >> 8);
	header[3] = (uint8_t)request_id;
	header[4] = (uint8_t)(content_bytes >> 8);
	header[5] = (uint8_t)content_bytes;
	header[6] = 0;
	header[7] = 0;
}
