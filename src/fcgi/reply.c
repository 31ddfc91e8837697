/* Building an answer, and sending it. */
#include "fcgi/reply.h"

#include <string.h>
#include <sys/uio.h>

#include "fcgi/outbox.h"
#include "fcgi/records.h"
#include "fcgi/send.h"

enum {
	HEAD_MAX = 16 << 10,
	CHUNK = 65528, /* the largest content that is a multiple of eight: needs no padding */
	CHUNKS_MAX = REPLY_BODY_MAX / CHUNK + 3,
	END_BYTES = 4 * FCGI_HEADER,
};

void reply_init(struct reply *reply)
{
	*reply = (struct reply){ .status = 200, .content_type = "application/json" };
	buf_init(&reply->body, REPLY_BODY_MAX);
	buf_init(&reply->head, HEAD_MAX);
}

void reply_reset(struct reply *reply)
{
	buf_clear(&reply->body);
	buf_clear(&reply->head);
	reply->status = 200;
	reply->content_type = "application/json";
	reply->headers = 0;
}

void reply_done(struct reply *reply)
{
	buf_done(&reply->body);
	buf_done(&reply->head);
}

static bool is_ours(struct str name)
{
	return str_eq_nocase(name, STR("Status")) || str_eq_nocase(name, STR("Content-Type")) ||
	       str_eq_nocase(name, STR("Content-Length"));
}

/* No control characters but TAB: nothing that could start another line. */
static bool is_field_value(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return false;
	}
	return true;
}

enum err reply_header(struct reply *reply, const char *name, struct str value)
{
	if (!str_is_token(str_of(name)) || is_ours(str_of(name)) || !is_field_value(value) ||
	    reply->headers == REPLY_HEADERS_MAX)
		return ERR_INTERNAL;
	buf_add_c(&reply->head, name);
	buf_add(&reply->head, ": ", 2);
	buf_add_str(&reply->head, value);
	buf_add(&reply->head, "\r\n", 2);
	reply->headers++;
	return buf_error(&reply->head);
}

/* 1xx, 204 and 304 have no content, so no length of one (RFC 9110, 8.6). */
static bool has_content(int status)
{
	return status >= 200 && status != 204 && status != 304;
}

/* nginx passes the words on; without them its status line isn't well formed. */
static const char *status_words(int status)
{
	static const struct {
		int status;
		const char *words;
	} known[] = {
		{ 200, "OK" },
		{ 201, "Created" },
		{ 202, "Accepted" },
		{ 204, "No Content" },
		{ 302, "Found" },
		{ 303, "See Other" },
		{ 304, "Not Modified" },
		{ 400, "Bad Request" },
		{ 401, "Unauthorized" },
		{ 403, "Forbidden" },
		{ 404, "Not Found" },
		{ 405, "Method Not Allowed" },
		{ 409, "Conflict" },
		{ 410, "Gone" },
		{ 412, "Precondition Failed" },
		{ 413, "Content Too Large" },
		{ 415, "Unsupported Media Type" },
		{ 422, "Unprocessable Content" },
		{ 429, "Too Many Requests" },
		{ 500, "Internal Server Error" },
		{ 502, "Bad Gateway" },
		{ 503, "Service Unavailable" },
		{ 504, "Gateway Timeout" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (known[i].status == status)
			return known[i].words;
	return "Status";
}

/* Status, type and length stand before the headers that were added. */
static void finish_head(const struct reply *reply, struct buf *head)
{
	char number[STR_INT_MAX];

	buf_add_c(head, "Status: ");
	buf_add_str(head, str_of_int(reply->status, number));
	buf_add_char(head, ' ');
	buf_add_c(head, status_words(reply->status));
	if (has_content(reply->status)) {
		if (reply->content_type && is_field_value(str_of(reply->content_type))) {
			buf_add_c(head, "\r\nContent-Type: ");
			buf_add_c(head, reply->content_type);
		}
		buf_add_c(head, "\r\nContent-Length: ");
		buf_add_str(head, str_of_int((int64_t)reply->body.n, number));
	}
	buf_add(head, "\r\n", 2);
	buf_add_str(head, buf_str(&reply->head));
	buf_add(head, "\r\n", 2);
}

/* The records of one answer, as pieces for sendmsg. */
struct stream {
	uint16_t request_id;
	size_t count;
	size_t records;
	struct iovec v[3 * CHUNKS_MAX + 1];
	uint8_t headers[CHUNKS_MAX][FCGI_HEADER];
};

static void add_piece(struct stream *stream, void *p, size_t n)
{
	if (n > 0)
		stream->v[stream->count++] = (struct iovec){ p, n };
}

/* One STDOUT record of two parts, either of which may be empty. */
static void add_record(struct stream *stream, struct str first, struct str second)
{
	uint8_t *header = stream->headers[stream->records++];

	records_header(header, FCGI_STDOUT, stream->request_id, first.n + second.n);
	add_piece(stream, header, FCGI_HEADER);
	add_piece(stream, (void *)(uintptr_t)first.p, first.n);
	add_piece(stream, (void *)(uintptr_t)second.p, second.n);
}

/*
 * The end of STDOUT and of the request. What nginx finds behind END_REQUEST keeps it from keeping the
 * connection (ngx_http_fastcgi_module.c: "keepalive" is set only when nothing follows), so an empty
 * management record tells it that this answer is the last one here: it closes, and no request
 * can be on its way when we do.
 */
static size_t write_end(uint8_t end[END_BYTES], const struct send_options *options)
{
	memset(end, 0, END_BYTES);
	records_header(end, FCGI_STDOUT, options->request_id, 0);
	records_header(end + FCGI_HEADER, FCGI_END_REQUEST, options->request_id, 8);
	if (!options->last)
		return 3 * FCGI_HEADER;
	records_header(end + 3 * FCGI_HEADER, FCGI_GET_VALUES_RESULT, 0, 0);
	return END_BYTES;
}

static enum err send_records(struct str head, struct str body, const struct send_options *options)
{
	struct stream stream;
	uint8_t end[END_BYTES];
	size_t first = body.n < CHUNK - head.n ? body.n : CHUNK - head.n;

	stream.request_id = options->request_id;
	stream.count = 0;
	stream.records = 0;
	add_record(&stream, head, str_slice(body, 0, first));
	for (size_t at = first; at < body.n; at += CHUNK)
		add_record(&stream, str_slice(body, at, CHUNK), STR(""));
	add_piece(&stream, end, write_end(end, options));
	if (options->outbox)
		return outbox_keep(options->outbox, options->fd, stream.v, stream.count);
	return outbox_send(options->fd, stream.v, stream.count);
}

enum err reply_send(struct reply *reply, const struct send_options *options)
{
	struct buf head BUF_AUTO;
	struct str body = buf_str(&reply->body);

	buf_init(&head, HEAD_MAX + 256);
	if (buf_error(&reply->body) != OK || buf_error(&reply->head) != OK) {
		reply_reset(reply);
		reply->status = 500;
		reply->content_type = NULL;
		body = STR("");
	}
	finish_head(reply, &head);
	TRY(buf_error(&head));
	if (options->head_only || !has_content(reply->status))
		body = STR("");
	return send_records(buf_str(&head), body, options);
}
