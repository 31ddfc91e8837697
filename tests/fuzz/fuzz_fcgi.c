/* The bytes of one connection: records, the decoding of a sound head by libfcgi, the fields of a request. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "fcgi/conn.h"
#include "fcgi/decode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PATIENCE_MS = 100 };

static void check_request(struct decoder *decoder, struct conn *conn)
{
	struct request request;
	enum err e = decoder_begin(decoder, conn, &request);

	if (e != OK && e != ERR_BAD_REQUEST)
		abort();
	if (e == OK && (request.path.n == 0 && request.query.n == 0 && str_absent(request.query)))
		abort();
	if (request.path.p && memchr(request.path.p, '?', request.path.n))
		abort();
	(void)request_header(&request, "COOKIE");
	(void)request_header(&request, "AUTHORIZATION");
	decoder_finish(decoder);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct decoder decoder;
	static struct conn *conn;
	int pair[2];

	if (!conn) {
		if (decoder_init(&decoder, PATIENCE_MS) != OK ||
		    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
			abort();
		conn = conn_new(pair[0], PATIENCE_MS);
		if (!conn)
			abort();
	}
	records_reset(&conn->records);
	buf_clear(&conn->early);
	/* The first byte says where the rest is cut in two. */
	size_t cut = size > 0 ? 1 + data[0] % size : 0;
	enum err e = OK;
	if (size > 0)
		e = records_feed(&conn->records, data + 1, cut - 1, &conn->early);
	if (e == OK && size > 0)
		e = records_feed(&conn->records, data + cut, size - cut, &conn->early);
	if (e == OK && conn->records.phase >= RECORDS_STDIN)
		check_request(&decoder, conn);
	return 0;
}
