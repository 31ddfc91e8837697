#include "fcgi_support.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { BEGIN = 1, END = 3, PARAMS = 4, STDIN = 5, STDOUT = 6, WAIT_MS = 60000 };

void put_record(struct buf *out, int version, int type, int id, struct str content, size_t length,
		int padding)
{
	const uint8_t header[8] = { (uint8_t)version,      (uint8_t)type,
				    (uint8_t)(id >> 8),    (uint8_t)id,
				    (uint8_t)(length >> 8), (uint8_t)length,
				    (uint8_t)padding,      0 };

	buf_add(out, header, sizeof(header));
	buf_add_str(out, content);
}

void put_begin(struct buf *out, int role, bool keep)
{
	const char body[8] = { (char)(role >> 8), (char)role, keep };

	put_record(out, 1, BEGIN, 1, (struct str){ body, sizeof(body) }, sizeof(body), 0);
}

void put_stream(struct buf *out, int type, struct str content)
{
	static const char zeros[8];

	for (size_t at = 0; at < content.n; at += 32768) {
		struct str part = str_slice(content, at, 32768);

		put_record(out, 1, type, 1, part, part.n, 3);
		buf_add(out, zeros, 3);
	}
	put_record(out, 1, type, 1, STR(""), 0, 0);
}

static void put_length(struct buf *params, size_t n)
{
	const uint8_t length[4] = { (uint8_t)(n >> 24 | 0x80), (uint8_t)(n >> 16), (uint8_t)(n >> 8),
				    (uint8_t)n };

	if (n < 0x80)
		buf_add_char(params, (char)n);
	else
		buf_add(params, length, sizeof(length));
}

void put_pair(struct buf *params, const char *name, const char *value)
{
	put_length(params, strlen(name));
	put_length(params, strlen(value));
	buf_add_c(params, name);
	buf_add_c(params, value);
}

void put_request(struct buf *out, const char *method, const char *uri, struct str body, bool keep)
{
	struct buf params BUF_AUTO, length BUF_AUTO;

	buf_init(&params, 1 << 20);
	buf_init(&length, 32);
	put_pair(&params, "REQUEST_METHOD", method);
	put_pair(&params, "LW_URI", uri);
	put_pair(&params, "REMOTE_ADDR", "192.0.2.7");
	if (body.n > 0) {
		buf_printf(&length, "%zu%c", body.n, 0);
		put_pair(&params, "CONTENT_LENGTH", length.p);
	}
	put_begin(out, 1, keep);
	put_stream(out, PARAMS, buf_str(&params));
	put_stream(out, STDIN, body);
}

int client_connect(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memcpy(address.sun_path, path, strlen(path) + 1);
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	close(fd);
	return -1;
}

bool client_send(int fd, struct str bytes)
{
	while (bytes.n > 0) {
		ssize_t n = send(fd, bytes.p, bytes.n, MSG_NOSIGNAL);

		if (n <= 0)
			return false;
		bytes = str_slice(bytes, (size_t)n, bytes.n);
	}
	return true;
}

static bool readable(int fd, int wait_ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, wait_ms) == 1;
}

/* Exactly n bytes, or false at the end or after a minute of silence. */
static bool read_exactly(int fd, void *bytes, size_t n)
{
	char *p = bytes;

	while (n > 0) {
		ssize_t got = readable(fd, WAIT_MS) ? recv(fd, p, n, 0) : -1;

		if (got <= 0)
			return false;
		p += got;
		n -= (size_t)got;
	}
	return true;
}

void client_read(int fd, struct answer *ret_answer)
{
	uint8_t header[8], content[0xffff + 0xff];

	*ret_answer = (struct answer){ .whole = false };
	buf_init(&ret_answer->out, 64 << 20);
	while (read_exactly(fd, header, sizeof(header))) {
		size_t length = (size_t)(header[4] << 8 | header[5]);

		if (!read_exactly(fd, content, length + header[6]))
			return;
		if (header[1] == STDOUT)
			buf_add(&ret_answer->out, content, length);
		if (header[1] != END)
			continue;
		ret_answer->whole = true;
		ret_answer->not_kept = recv(fd, header, 8, MSG_DONTWAIT) == 8;
		return;
	}
	ret_answer->closed = true;
}

bool client_sees_end(int fd)
{
	char bytes[64];

	/* What nginx takes for a wish that it closes may come first. */
	while (readable(fd, WAIT_MS))
		if (recv(fd, bytes, sizeof(bytes), 0) <= 0)
			return true;
	return false;
}

void client_ask(const char *path, const char *method, const char *uri, struct str body,
		struct answer *ret_answer)
{
	struct buf request BUF_AUTO;
	int fd = client_connect(path);

	*ret_answer = (struct answer){ .whole = false };
	buf_init(&ret_answer->out, 0);
	if (fd < 0)
		return;
	buf_init(&request, 64 << 20);
	put_request(&request, method, uri, body, false);
	if (client_send(fd, buf_str(&request)))
		client_read(fd, ret_answer);
	close(fd);
}

bool answer_says(const struct answer *answer, const char *text)
{
	return answer->whole && answer->out.n > 0 &&
	       memmem(answer->out.p, answer->out.n, text, strlen(text)) != NULL;
}
