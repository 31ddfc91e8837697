/* Requests: what handlers see of what nginx sent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sys/socket.h>
#include <unistd.h>

#include "fcgi/conn.h"
#include "fcgi/decode.h"
#include "fcgi_support.h"

enum { PARAMS = 4, STDIN = 5, PATIENCE_MS = 100 };

/* A connection with a request on it, as a worker has it in hand. */
struct scene {
	struct decoder decoder;
	struct conn *conn;
	struct request request;
	struct buf params;
	struct buf bytes;
	int nginx; /* the other end */
};

static int set_up(void **state)
{
	struct scene *s = calloc(1, sizeof(*s));
	int pair[2];

	assert_non_null(s);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	s->nginx = pair[0];
	s->conn = conn_new(pair[1], PATIENCE_MS);
	assert_non_null(s->conn);
	assert_int_equal(decoder_init(&s->decoder, PATIENCE_MS), OK);
	buf_init(&s->params, 1 << 20);
	buf_init(&s->bytes, 16 << 20);
	*state = s;
	return 0;
}

static int tear_down(void **state)
{
	struct scene *s = *state;

	decoder_done(&s->decoder);
	conn_free(s->conn);
	buf_done(&s->params);
	buf_done(&s->bytes);
	close(s->nginx);
	free(s);
	return 0;
}

/* nginx sends s->params and the body. */
static enum err arrive(struct scene *s, struct str body)
{
	enum conn_event event;

	buf_clear(&s->bytes);
	put_begin(&s->bytes, 1, true);
	put_stream(&s->bytes, PARAMS, buf_str(&s->params));
	put_stream(&s->bytes, STDIN, body);
	assert_true(client_send(s->nginx, buf_str(&s->bytes)));
	do
		event = conn_read(s->conn);
	while (event == CONN_WAIT && conn_has_bytes(s->conn));
	assert_int_equal(event, CONN_REQUEST);
	return decoder_begin(&s->decoder, s->conn, &s->request);
}

static void put_basics(struct scene *s, const char *method, const char *uri)
{
	put_pair(&s->params, "REQUEST_METHOD", method);
	put_pair(&s->params, "LW_URI", uri);
}

#define ASSERT_TEXT(s, expected) assert_true(str_eq((s), STR(expected)))

static void a_request_has_what_nginx_said_of_it(void **state)
{
	struct scene *s = *state;

	put_basics(s, "GET", "/a/b%2Fc?x=1?y");
	put_pair(&s->params, "REMOTE_ADDR", "2001:db8::1");
	put_pair(&s->params, "CONTENT_TYPE", "");
	put_pair(&s->params, "CONTENT_LENGTH", "");
	put_pair(&s->params, "REQUEST_ID", "000102030405060708090a0b0c0d0e0f");
	put_pair(&s->params, "HTTP_AUTHORIZATION", "Bearer x");
	assert_int_equal(arrive(s, STR("")), OK);
	ASSERT_TEXT(s->request.method, "GET");
	ASSERT_TEXT(s->request.path, "/a/b%2Fc");
	ASSERT_TEXT(s->request.query, "x=1?y");
	ASSERT_TEXT(s->request.remote_addr, "2001:db8::1");
	assert_true(str_absent(s->request.content_type));
	assert_int_equal(s->request.content_length, -1);
	ASSERT_TEXT(request_header(&s->request, "AUTHORIZATION"), "Bearer x");
	assert_true(str_absent(request_header(&s->request, "AUTH")));
	assert_true(str_absent(request_header(&s->request, "COOKIE")));
	ASSERT_TEXT(s->request.request_id, "req-00041061050r3gg28a1c60t3gf");
}

static void a_request_without_a_sound_id_gets_a_new_one(void **state)
{
	struct scene *s = *state;
	struct id id;

	put_basics(s, "GET", "/");
	put_pair(&s->params, "REQUEST_ID", "000102030405060708090a0b0c0d0e0X");
	assert_int_equal(arrive(s, STR("")), OK);
	assert_true(id_parse(ID_REQUEST, s->request.request_id, &id));
	assert_true(str_absent(s->request.query));
	assert_true(str_absent(s->request.remote_addr));
}

static void a_client_cannot_set_what_only_nginx_may_say(void **state)
{
	struct scene *s = *state;

	put_basics(s, "GET", "/real");
	put_pair(&s->params, "HTTP_LW_URI", "/forged");
	put_pair(&s->params, "HTTP_REMOTE_ADDR", "127.0.0.1");
	put_pair(&s->params, "LW_URI", "/second");
	assert_int_equal(arrive(s, STR("")), OK);
	ASSERT_TEXT(s->request.path, "/real");
	assert_true(str_absent(s->request.remote_addr));
}

static void a_request_without_a_uri_or_a_method_is_bad(void **state)
{
	struct scene *s = *state;

	put_pair(&s->params, "REQUEST_METHOD", "GET");
	put_pair(&s->params, "REQUEST_URI", "/a");
	assert_int_equal(arrive(s, STR("")), ERR_BAD_REQUEST);
}

static void a_length_that_is_no_number_is_bad(void **state)
{
	struct scene *s = *state;

	put_basics(s, "POST", "/");
	put_pair(&s->params, "CONTENT_LENGTH", "-1");
	assert_int_equal(arrive(s, STR("")), ERR_BAD_REQUEST);
}

static void a_header_in_several_lines_is_one_text_of_them_all(void **state)
{
	struct scene *s = *state;

	put_basics(s, "GET", "/");
	put_pair(&s->params, "HTTP_X_SIGNATURE", "one");
	put_pair(&s->params, "HTTP_COOKIE", "a=1");
	put_pair(&s->params, "HTTP_X_SIGNATURE", "two");
	put_pair(&s->params, "HTTP_COOKIE", "b=2");
	assert_int_equal(arrive(s, STR("")), OK);
	ASSERT_TEXT(request_header(&s->request, "X_SIGNATURE"), "one, two");
	ASSERT_TEXT(request_header(&s->request, "COOKIE"), "a=1; b=2");
	for (int i = 0; i < DECODER_JOINED_MAX; i++)
		(void)request_header(&s->request, "COOKIE");
	assert_true(str_absent(request_header(&s->request, "X_SIGNATURE")));
}

/* Sends the params for a body of that length. */
static void announce(struct scene *s, const char *length)
{
	put_basics(s, "POST", "/");
	put_pair(&s->params, "CONTENT_LENGTH", length);
}

static void a_body_is_read_whole_and_once(void **state)
{
	struct scene *s = *state;
	struct buf body BUF_AUTO;

	buf_init(&body, 1 << 20);
	announce(s, "5");
	assert_int_equal(arrive(s, STR("hello")), OK);
	assert_int_equal(request_read_body(&s->request, 5, &body), OK);
	ASSERT_TEXT(s->request.body, "hello");
	assert_int_equal(request_read_body(&s->request, 5, &body), ERR_INTERNAL);
}

static void the_cap_of_one_route_is_not_the_next_ones(void **state)
{
	struct scene *s = *state;
	struct buf body BUF_AUTO;

	buf_init(&body, 1 << 20);
	announce(s, "5");
	assert_int_equal(arrive(s, STR("hello")), OK);
	assert_int_equal(request_read_body(&s->request, 5, &body), OK);
	assert_int_equal(body.max, 1 << 20);
}

static void a_body_of_another_length_than_announced_is_bad(void **state)
{
	struct scene *s = *state;
	struct buf body BUF_AUTO;

	buf_init(&body, 1 << 20);
	announce(s, "6");
	assert_int_equal(arrive(s, STR("hello")), OK);
	assert_int_equal(request_read_body(&s->request, 100, &body), ERR_BAD_REQUEST);
	assert_true(str_absent(s->request.body));
}

static void a_body_past_the_cap_is_refused_whatever_was_announced(void **state)
{
	struct scene *s = *state;
	struct buf body BUF_AUTO;

	buf_init(&body, 1 << 20);
	announce(s, "5");
	assert_int_equal(arrive(s, STR("hello")), OK);
	assert_int_equal(request_read_body(&s->request, 4, &body), ERR_BODY_TOO_LARGE);
	s->request.content_length = -1;
	assert_int_equal(request_read_body(&s->request, 4, &body), ERR_BODY_TOO_LARGE);
	/* The cap was that request's, not the buffer's. */
	buf_clear(&body);
	buf_add_c(&body, "hello again");
	assert_int_equal(buf_error(&body), OK);
}

static void a_body_that_stops_coming_is_given_up(void **state)
{
	struct scene *s = *state;
	struct buf body BUF_AUTO, part BUF_AUTO;

	buf_init(&body, 1 << 20);
	buf_init(&part, 1 << 20);
	put_basics(s, "POST", "/");
	memset(buf_reserve(&part, 65000), 'x', 65000);
	buf_advance(&part, 65000);
	put_begin(&s->bytes, 1, true);
	put_stream(&s->bytes, PARAMS, buf_str(&s->params));
	for (int i = 0; i < 2; i++)
		put_record(&s->bytes, 1, STDIN, 1, buf_str(&part), 65000, 0);
	assert_true(client_send(s->nginx, buf_str(&s->bytes)));
	while (conn_read(s->conn) != CONN_REQUEST)
		assert_true(conn_has_bytes(s->conn));
	assert_int_equal(decoder_begin(&s->decoder, s->conn, &s->request), OK);
	assert_int_equal(request_read_body(&s->request, 1 << 20, &body), ERR_BAD_REQUEST);
	assert_int_equal(conn_answered(s->conn), CONN_GONE);
}

static void a_handler_isnt_called_before_a_small_body_is_here(void **state)
{
	struct scene *s = *state;

	announce(s, "5");
	put_begin(&s->bytes, 1, true);
	put_stream(&s->bytes, PARAMS, buf_str(&s->params));
	put_record(&s->bytes, 1, STDIN, 1, STR("hel"), 5, 0);
	assert_true(client_send(s->nginx, buf_str(&s->bytes)));
	assert_int_equal(conn_read(s->conn), CONN_WAIT);
	assert_int_equal(conn_read(s->conn), CONN_WAIT);
	buf_clear(&s->bytes);
	buf_add_c(&s->bytes, "lo");
	put_record(&s->bytes, 1, STDIN, 1, STR(""), 0, 0);
	assert_true(client_send(s->nginx, buf_str(&s->bytes)));
	assert_int_equal(conn_read(s->conn), CONN_REQUEST);
}

static void the_largest_head_goes_through_libfcgi(void **state)
{
	struct scene *s = *state;
	char value[1001];

	memset(value, 'v', 1000);
	value[1000] = '\0';
	put_basics(s, "GET", "/large");
	while (s->params.n + 1020 < RECORDS_PARAMS_BYTES)
		put_pair(&s->params, "HTTP_X", value);
	put_pair(&s->params, "HTTP_Y", "the last one");
	for (int i = 0; i < 3; i++) {
		assert_int_equal(arrive(s, STR("")), OK);
		ASSERT_TEXT(request_header(&s->request, "Y"), "the last one");
		decoder_finish(&s->decoder);
		assert_int_equal(conn_answered(s->conn), CONN_WAIT);
	}
}

#define SCENE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCENE(a_request_has_what_nginx_said_of_it),
		SCENE(a_request_without_a_sound_id_gets_a_new_one),
		SCENE(a_client_cannot_set_what_only_nginx_may_say),
		SCENE(a_request_without_a_uri_or_a_method_is_bad),
		SCENE(a_length_that_is_no_number_is_bad),
		SCENE(a_header_in_several_lines_is_one_text_of_them_all),
		SCENE(a_body_is_read_whole_and_once),
		SCENE(the_cap_of_one_route_is_not_the_next_ones),
		SCENE(a_body_of_another_length_than_announced_is_bad),
		SCENE(a_body_past_the_cap_is_refused_whatever_was_announced),
		SCENE(a_body_that_stops_coming_is_given_up),
		SCENE(a_handler_isnt_called_before_a_small_body_is_here),
		SCENE(the_largest_head_goes_through_libfcgi),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
