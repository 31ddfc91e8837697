/* A pool against a peer that isn't nginx: it stays up, keeps its size, and serves the next request. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fcgi_pool.h"

enum { ABORT = 2, PARAMS = 4, STDIN = 5, DATA = 8, GET_VALUES = 9, MUCH = 64 << 20 };

static struct test_pool pool;

static void put_params(struct buf *out, struct str params)
{
	put_begin(out, 1, true);
	put_stream(out, PARAMS, params);
	put_stream(out, STDIN, STR(""));
}

static void evil_lengths(struct buf *out) { put_params(out, STR("\xff\xff\xff\xff\xff\xff\xff\xff" "ab")); }
static void evil_sum(struct buf *out) { put_params(out, STR("\xff\xff\xff\xfe\xff\xff\xff\xfe" "ab")); }

static void evil_version(struct buf *out)
{
	put_record(out, 9, 1, 1, STR("\0\1\0\0\0\0\0\0"), 8, 0);
}

static void evil_two_begins(struct buf *out)
{
	put_begin(out, 1, true);
	put_begin(out, 1, true);
}

static void evil_body_first(struct buf *out)
{
	put_begin(out, 1, true);
	put_stream(out, STDIN, STR("body"));
}

static void evil_flood(struct buf *out)
{
	struct buf params BUF_AUTO;

	buf_init(&params, MUCH);
	for (int i = 0; i < 100000; i++)
		put_pair(&params, "A", "b");
	put_params(out, buf_str(&params));
}

static void evil_long_param(struct buf *out)
{
	struct buf params BUF_AUTO;

	buf_init(&params, MUCH);
	buf_add(&params, "\x01\x81\x00\x00\x00" "A", 6);
	for (int i = 0; i < 1 << 20; i++)
		buf_add(&params, "0123456789abcdef", 16);
	put_params(out, buf_str(&params));
}

static void evil_abort(struct buf *out)
{
	put_begin(out, 1, true);
	put_record(out, 1, ABORT, 1, STR(""), 0, 0);
}

/* What overruns libfcgi's array on the stack. */
static void evil_get_values(struct buf *out)
{
	struct buf names BUF_AUTO;

	buf_init(&names, 1 << 16);
	for (int i = 0; i < 100; i++)
		put_pair(&names, "FCGI_MPXS_CONNS", "");
	put_record(out, 1, GET_VALUES, 0, buf_str(&names), names.n, 0);
}

static void evil_type(struct buf *out) { put_record(out, 1, 77, 0, STR("12345678"), 8, 0); }
static void evil_role(struct buf *out) { put_begin(out, 3, true); }
static void evil_noise(struct buf *out) { buf_add_c(out, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); }

static void evil_data(struct buf *out)
{
	put_begin(out, 1, true);
	put_stream(out, PARAMS, STR(""));
	put_record(out, 1, DATA, 1, STR("x"), 1, 0);
}

static void (*const evils[])(struct buf *out) = {
	evil_lengths, evil_sum,	 evil_version,	  evil_two_begins, evil_body_first, evil_flood, evil_long_param,
	evil_abort,   evil_data, evil_get_values, evil_type,	   evil_role,	    evil_noise,
};

static void start(enum worker_mode mode, unsigned trouble, int patience_ms)
{
	struct worker_options worker = { .patience_ms = patience_ms };

	pool_start(&pool, mode, 1, trouble, &worker);
}

static void commit(void (*evil)(struct buf *out))
{
	struct buf bytes BUF_AUTO;
	int fd = client_connect(pool.path);

	buf_init(&bytes, MUCH);
	evil(&bytes);
	assert_true(fd >= 0);
	(void)!client_send(fd, buf_str(&bytes)); /* it may be cut off in the middle */
	assert_true(client_sees_end(fd));
	close(fd);
}

/* Resident memory in KiB. */
static long size_of(long pid)
{
	char path[40];
	long pages = 0, ignored;

	snprintf(path, sizeof(path), "/proc/%ld/statm", pid);
	FILE *file = fopen(path, "r");
	assert_non_null(file);
	assert_int_equal(fscanf(file, "%ld %ld", &ignored, &pages), 2);
	fclose(file);
	return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static void no_record_brings_a_worker_down(void **state)
{
	(void)state;
	start(WORKER_POLLING, 0, 0);
	long pid = pool_asks(&pool, "/pid");
	for (size_t i = 0; i < ARRAY_SIZE(evils); i++) {
		commit(evils[i]);
		assert_int_equal(pool_asks(&pool, "/pid"), pid);
	}
	pool_stop(&pool);
}

static void evil_records_do_not_make_a_worker_grow(void **state)
{
	(void)state;
	enum { ROUNDS = 20, SLACK_KIB = 4096 };

#ifdef __SANITIZE_ADDRESS__
	skip(); /* it holds on to what was freed */
#endif
	start(WORKER_POLLING, 0, 0);
	long pid = pool_asks(&pool, "/pid");
	for (size_t i = 0; i < ARRAY_SIZE(evils); i++)
		commit(evils[i]);
	long before = size_of(pid);
	for (int round = 0; round < ROUNDS; round++)
		for (size_t i = 0; i < ARRAY_SIZE(evils); i++)
			commit(evils[i]);
	assert_int_equal(pool_asks(&pool, "/pid"), pid);
	assert_true(size_of(pid) - before < SLACK_KIB);
	pool_stop(&pool);
}

static void a_body_that_nobody_wants_is_dropped_and_the_answer_arrives(void **state)
{
	(void)state;
	struct buf body BUF_AUTO;
	static const enum worker_mode modes[] = { WORKER_POLLING, WORKER_SINGLE };

	buf_init(&body, MUCH);
	memset(buf_reserve(&body, 8 << 20), 'x', 8 << 20);
	buf_advance(&body, 8 << 20);
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		struct answer answer;

		start(modes[i], 0, 0);
		client_ask(pool.path, "POST", "/unread", buf_str(&body), &answer);
		assert_true(answer_says(&answer, "Status: 413"));
		buf_done(&answer.out);
		client_ask(pool.path, "POST", "/body", buf_str(&body), &answer);
		assert_true(answer_says(&answer, "\r\n\r\n8388608"));
		buf_done(&answer.out);
		pool_stop(&pool);
	}
}

static void an_unread_body_never_becomes_the_next_request(void **state)
{
	(void)state;
	static const size_t sizes[] = { 1000, 60000, 1 << 20 };

	start(WORKER_POLLING, 0, 0);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct buf request BUF_AUTO, body BUF_AUTO;
		struct answer answer;
		int fd = client_connect(pool.path);

		buf_init(&request, MUCH);
		buf_init(&body, MUCH);
		memset(buf_reserve(&body, sizes[i]), 1, sizes[i]);
		buf_advance(&body, sizes[i]);
		put_request(&request, "POST", "/unread", buf_str(&body), true);
		assert_true(client_send(fd, buf_str(&request)));
		client_read(fd, &answer);
		assert_true(answer_says(&answer, "Status: 413"));
		/* nginx keeps the connection of a small one, which was read anyway, and goes on there. */
		assert_int_equal(answer.not_kept, sizes[i] > 64 << 10);
		if (!answer.not_kept)
			assert_true(pool_asks_on(fd, "/pid") > 0);
		buf_done(&answer.out);
		close(fd);
	}
	pool_stop(&pool);
}

static void a_peer_that_falls_silent_holds_nobody_up_and_is_dropped(void **state)
{
	(void)state;
	static const enum worker_mode modes[] = { WORKER_POLLING, WORKER_SINGLE };

	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		struct buf part BUF_AUTO;
		int fd;

		buf_init(&part, 1000);
		put_begin(&part, 1, true);
		buf_add(&part, "\1\4\0\1", 4); /* half a header */
		start(modes[i], 0, 300);
		assert_true((fd = client_connect(pool.path)) >= 0);
		assert_true(client_send(fd, buf_str(&part)));
		poll(NULL, 0, 50);
		assert_true(pool_asks(&pool, "/pid") > 0);
		assert_true(client_sees_end(fd));
		close(fd);
		pool_stop(&pool);
	}
}

static void a_peer_that_does_not_read_its_answers_is_dropped(void **state)
{
	(void)state;
	struct buf request BUF_AUTO;
	int fd, sent = 0;

	buf_init(&request, 1000);
	put_request(&request, "GET", "/pid", STR(""), true);
	start(WORKER_POLLING, 0, 300);
	assert_true((fd = client_connect(pool.path)) >= 0);
	/* One request after another, never an answer read: the first that comes too early is refused. */
	while (sent < 10000 && client_send(fd, buf_str(&request)))
		sent++;
	assert_true(sent < 10000);
	close(fd);
	assert_true(pool_asks(&pool, "/pid") > 0);
	pool_stop(&pool);
}

static void without_descriptors_a_worker_waits_and_then_goes_on(void **state)
{
	(void)state;
	int kept, waiting;
	struct buf request BUF_AUTO;
	struct answer answer;

	buf_init(&request, 1000);
	put_request(&request, "GET", "/pid", STR(""), true);
	start(WORKER_POLLING, TEST_FEW_FILES, 0);
	assert_true((kept = client_connect(pool.path)) >= 0);
	long pid = pool_asks_on(kept, "/pid");
	assert_true(pid > 0);
	assert_true((waiting = client_connect(pool.path)) >= 0);
	assert_true(client_send(waiting, buf_str(&request)));
	poll(NULL, 0, 300);
	assert_int_equal(pool_asks_on(kept, "/pid"), pid);
	close(kept); /* gives the descriptor that the other one needs */
	client_read(waiting, &answer);
	assert_true(answer_says(&answer, "Status: 200 OK"));
	buf_done(&answer.out);
	close(waiting);
	pool_stop(&pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_record_brings_a_worker_down),
		cmocka_unit_test(evil_records_do_not_make_a_worker_grow),
		cmocka_unit_test(a_body_that_nobody_wants_is_dropped_and_the_answer_arrives),
		cmocka_unit_test(an_unread_body_never_becomes_the_next_request),
		cmocka_unit_test(a_peer_that_falls_silent_holds_nobody_up_and_is_dropped),
		cmocka_unit_test(a_peer_that_does_not_read_its_answers_is_dropped),
		cmocka_unit_test(without_descriptors_a_worker_waits_and_then_goes_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
