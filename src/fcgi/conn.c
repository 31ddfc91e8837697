/*
 * One connection from nginx.
 *
 * A handler is called when the head and the body are here, or the head and 64 KiB of the body: so a
 * peer that stops in the middle costs a polling worker nothing until then, and an ordinary body never
 * makes it wait.
 */
#include "fcgi/conn.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/secret.h"

enum {
	EARLY_BYTES = 64 << 10,
	READ_BYTES = 64 << 10,
	REQUEST_ID = 1, /* nginx has no other */
	KEPT_BYTES = 16 << 10, /* of buffers, by a connection that waits for its next request */
};

/* One for the process: it serves one connection at a time, and empties this at once. */
static uint8_t scratch[READ_BYTES];

struct conn *conn_new(int fd, int patience_ms)
{
	struct timeval patience = { patience_ms / 1000, patience_ms % 1000 * 1000 };
	struct conn *conn = calloc(1, sizeof(*conn));

	if (!conn) {
		close(fd);
		return NULL;
	}
	conn->fd = fd;
	conn->touched_us = clock_monotonic_us();
	records_init(&conn->records);
	buf_init(&conn->early, EARLY_BYTES + READ_BYTES);
	buf_init(&conn->taken, CONN_TAKEN_MAX);
	/* When it can't be set, a peer that doesn't read holds us up for longer: no reason to refuse it. */
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	return conn;
}

void conn_free(struct conn *conn)
{
	if (!conn)
		return;
	close(conn->fd);
	records_done(&conn->records);
	buf_done(&conn->early);
	buf_done(&conn->taken);
	free(conn);
}

bool conn_is_idle(const struct conn *conn)
{
	return records_untouched(&conn->records);
}

bool conn_has_bytes(const struct conn *conn)
{
	char byte;

	return recv(conn->fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK) > 0;
}

static bool has_all(const struct conn *conn)
{
	return conn->records.phase == RECORDS_DONE ||
	       (conn->records.phase == RECORDS_STDIN && conn->early.n >= EARLY_BYTES);
}

/* With no room left for them, the connection stays where it is. */
static void note_taken(struct conn *conn, const void *bytes, size_t n)
{
	if (has_all(conn))
		buf_clear(&conn->taken);
	else
		buf_add(&conn->taken, bytes, n);
}

bool conn_is_portable(const struct conn *conn)
{
	return conn_is_idle(conn) || (!conn->answered && !conn->failed && !has_all(conn) &&
				      conn->taken.n > 0 && buf_error(&conn->taken) == OK);
}

enum err conn_resume(struct conn *conn, struct str taken)
{
	TRY(records_feed(&conn->records, (const uint8_t *)taken.p, taken.n, &conn->early));
	note_taken(conn, taken.p, taken.n);
	return has_all(conn) ? ERR_BAD_REQUEST : buf_error(&conn->taken);
}

/* One read. OK and *ret_n == 0: nothing there now. ERR_END: nginx is done. */
static enum err take(struct conn *conn, struct buf *body, size_t *ret_n)
{
	ssize_t n;

	*ret_n = 0;
	do
		n = recv(conn->fd, scratch, sizeof(scratch), MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? OK : ERR_END;
	if (n == 0)
		return ERR_END;
	enum err e = records_feed(&conn->records, scratch, (size_t)n, body);
	if (body == &conn->early)
		note_taken(conn, scratch, (size_t)n);
	wipe(scratch, (size_t)n);
	conn->touched_us = clock_monotonic_us();
	*ret_n = (size_t)n;
	return e;
}

static void next_request(struct conn *conn)
{
	records_reset(&conn->records);
	buf_clear(&conn->early);
	buf_done(&conn->taken);
	if (conn->records.params.capacity > KEPT_BYTES)
		buf_done(&conn->records.params);
	if (conn->early.capacity > KEPT_BYTES)
		buf_done(&conn->early);
	conn->answered = false;
}

enum conn_event conn_read(struct conn *conn)
{
	size_t n;
	enum err e = take(conn, conn->answered ? NULL : &conn->early, &n);

	if (e != OK)
		return e == ERR_BAD_REQUEST ? CONN_UNSOUND : CONN_GONE;
	if (conn->answered)
		return conn_answered(conn);
	return has_all(conn) ? CONN_REQUEST : CONN_WAIT;
}

/* Waits for bytes; false when none come in time. */
static bool wait_readable(const struct conn *conn, int patience_ms)
{
	struct pollfd p = { .fd = conn->fd, .events = POLLIN };
	int n;

	do
		n = poll(&p, 1, patience_ms);
	while (n < 0 && errno == EINTR);
	return n > 0;
}

enum err conn_read_body(struct conn *conn, int patience_ms, struct buf *body)
{
	buf_add_str(body, buf_str(&conn->early));
	while (buf_error(body) == OK && conn->records.phase != RECORDS_DONE) {
		size_t n;
		enum err e = take(conn, body, &n);

		if (e == OK && n == 0 && !wait_readable(conn, patience_ms))
			e = ERR_END;
		if (e != OK) {
			conn->failed = true;
			return e == ERR_NO_MEMORY ? e : ERR_BAD_REQUEST;
		}
	}
	return buf_error(body) == ERR_TOO_BIG ? ERR_BODY_TOO_LARGE : buf_error(body);
}

bool conn_stays(const struct conn *conn)
{
	return !conn->failed && !conn->last && conn->records.keep;
}

enum conn_event conn_answered(struct conn *conn)
{
	bool close_it = !conn_stays(conn);

	if (conn->records.phase == RECORDS_DONE) {
		if (close_it)
			return CONN_GONE;
		next_request(conn);
		return CONN_WAIT;
	}
	if (conn->failed)
		return CONN_GONE;
	/*
	 * Nginx is still sending a body that the handler didn't want. Closing now would fail its next
	 * write, and it would answer 502 instead of ours: so the rest is read and dropped.
	 */
	if (close_it && !conn->answered)
		shutdown(conn->fd, SHUT_WR);
	conn->answered = true;
	buf_clear(&conn->early);
	return CONN_WAIT;
}

void conn_send_off(struct conn *conn)
{
	uint8_t record[FCGI_HEADER];

	conn->last = true;
	conn->sent_off_us = clock_monotonic_us();
	records_header(record, FCGI_STDERR, REQUEST_ID, 0);
	/* When it can't be sent, conn_refuse_more comes next. */
	(void)!send(conn->fd, record, sizeof(record), MSG_DONTWAIT | MSG_NOSIGNAL);
}

void conn_refuse_more(struct conn *conn)
{
	conn->last = true;
	shutdown(conn->fd, SHUT_RD);
}
