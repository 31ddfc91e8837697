/* Having libfcgi decode the parameters of a request whose records are known to be sound. */
#include "fcgi/decode.h"

#include <errno.h>
#include <fcgiapp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

struct libfcgi {
	FCGX_Request request;
	int write_fd;
	int read_fd;
};

static void close_pair(struct libfcgi *libfcgi)
{
	if (libfcgi->write_fd >= 0)
		close(libfcgi->write_fd);
	if (libfcgi->read_fd >= 0)
		close(libfcgi->read_fd);
	libfcgi->write_fd = libfcgi->read_fd = -1;
}

static enum err open_pair(struct libfcgi *libfcgi)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
		return ERR_IO;
	libfcgi->write_fd = pair[0];
	libfcgi->read_fd = pair[1];
	/* No listening socket for libfcgi: should it want to accept, it fails at once. */
	return FCGX_InitRequest(&libfcgi->request, -1, 0) == 0 ? OK : ERR_INTERNAL;
}

enum err decoder_init(struct decoder *decoder, int patience_ms)
{
	*decoder = (struct decoder){ .patience_ms = patience_ms };
	for (size_t i = 0; i < DECODER_JOINED_MAX; i++)
		buf_init(&decoder->joined[i], 2 * RECORDS_PARAMS_BYTES);
	/* Our signal handlers are in place by now: libfcgi leaves those alone that somebody has set. */
	if (FCGX_Init() != 0)
		return ERR_INTERNAL;
	decoder->libfcgi = calloc(1, sizeof(*decoder->libfcgi));
	if (!decoder->libfcgi)
		return ERR_NO_MEMORY;
	decoder->libfcgi->write_fd = decoder->libfcgi->read_fd = -1;
	return open_pair(decoder->libfcgi);
}

void decoder_done(struct decoder *decoder)
{
	decoder_finish(decoder);
	if (decoder->libfcgi)
		close_pair(decoder->libfcgi);
	free(decoder->libfcgi);
	decoder->libfcgi = NULL;
}

static struct iovec piece(const void *p, size_t n)
{
	return (struct iovec){ (void *)(uintptr_t)p, n };
}

/* Writes the head as records. It fits the socket's buffer: at most 64 KiB, into an empty one. */
static enum err write_head(int fd, const struct records *records)
{
	uint8_t begin[FCGI_HEADER + sizeof(records->begin)];
	uint8_t headers[3][FCGI_HEADER];
	const char *p = records->params.p;
	size_t n = records->params.n;
	size_t first = n < FCGI_CONTENT_MAX ? n : FCGI_CONTENT_MAX;
	struct iovec v[6];
	size_t count = 0, total = 0;

	records_header(begin, FCGI_BEGIN_REQUEST, records->request_id, sizeof(records->begin));
	memcpy(begin + FCGI_HEADER, records->begin, sizeof(records->begin));
	v[count++] = piece(begin, sizeof(begin));
	for (size_t i = 0; i < 2 && n > 0; i++) {
		records_header(headers[i], FCGI_PARAMS, records->request_id, first);
		v[count++] = piece(headers[i], FCGI_HEADER);
		v[count++] = piece(p, first);
		p += first;
		n -= first;
		first = n;
	}
	records_header(headers[2], FCGI_PARAMS, records->request_id, 0);
	v[count++] = piece(headers[2], FCGI_HEADER);
	for (size_t i = 0; i < count; i++)
		total += v[i].iov_len;
	struct msghdr message = { .msg_iov = v, .msg_iovlen = count };
	ssize_t sent = sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
	return sent == (ssize_t)total ? OK : ERR_IO;
}

static enum err accept_head(struct libfcgi *libfcgi, const struct records *records)
{
	TRY(write_head(libfcgi->write_fd, records));
	libfcgi->request.ipcFd = libfcgi->read_fd;
	libfcgi->request.keepConnection = 1; /* Accept_r "finishes" first, which would close it */
	libfcgi->request.detached = 1;       /* and should it fail, it must not wait for a peer */
	if (FCGX_Accept_r(&libfcgi->request) == 0)
		return OK;
	libfcgi->read_fd = -1; /* it has closed it */
	return ERR_INTERNAL;
}

static struct str param(const struct decoder *decoder, const char *name)
{
	return str_of(FCGX_GetParam(name, decoder->params));
}

/* nginx writes lower case; a text with upper case isn't its. */
static int id_digit(char c) { return c >= 'A' && c <= 'F' ? -1 : str_hex_digit(c); }

/* nginx's $request_id: 128 random bits as 32 digits. */
static bool read_request_id(struct str s, struct id *ret_id)
{
	if (s.n != 2 * sizeof(ret_id->b))
		return false;
	for (size_t i = 0; i < sizeof(ret_id->b); i++) {
		int high = id_digit(s.p[2 * i]), low = id_digit(s.p[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		ret_id->b[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

static enum err fill_request(struct decoder *decoder, struct request *r)
{
	struct str uri = param(decoder, "LW_URI"), length = param(decoder, "CONTENT_LENGTH");
	struct id id;

	if (!read_request_id(param(decoder, "REQUEST_ID"), &id))
		TRY(id_new(&id));
	r->request_id = id_format(ID_REQUEST, &id, decoder->request_id);
	r->method = param(decoder, "REQUEST_METHOD");
	r->remote_addr = param(decoder, "REMOTE_ADDR");
	r->content_type = param(decoder, "CONTENT_TYPE");
	r->passed_on = !str_absent(param(decoder, "LW_PASSED_ON"));
	if (r->content_type.n == 0)
		r->content_type = STR_NONE; /* nginx sends the parameter for every request */
	if (length.n > 0) {
		uint64_t n;

		if (!str_to_u64(length, &n) || n > INT64_MAX)
			return ERR_BAD_REQUEST;
		r->content_length = (int64_t)n;
	}
	if (uri.n == 0 || r->method.n == 0)
		return ERR_BAD_REQUEST;
	r->path = str_cut(&uri, '?');
	r->query = uri;
	return OK;
}

enum err decoder_begin(struct decoder *decoder, struct conn *conn, struct request *ret_request)
{
	struct libfcgi *libfcgi = decoder->libfcgi;

	*ret_request = (struct request){ .content_length = -1, .fcgi = decoder };
	decoder->conn = conn;
	if (libfcgi->read_fd < 0)
		TRY(open_pair(libfcgi));
	enum err e = accept_head(libfcgi, &conn->records);
	if (e != OK) {
		close_pair(libfcgi); /* whatever is left in it belongs to no request */
		return e;
	}
	decoder->params = libfcgi->request.envp;
	return fill_request(decoder, ret_request);
}

void decoder_finish(struct decoder *decoder)
{
	for (size_t i = 0; i < decoder->joined_count; i++)
		buf_done(&decoder->joined[i]);
	decoder->joined_count = 0;
	if (decoder->params) {
		/* The answer went out without libfcgi: FCGX_Finish_r would write a second one. */
		decoder->libfcgi->request.ipcFd = -1;
		FCGX_Free(&decoder->libfcgi->request, 0);
	}
	decoder->params = NULL;
	decoder->conn = NULL;
}
