/*
 * A worker with a slow request in hand: who is connected to it waits for others of the pool, not for that request.
 * Without it, one provider that hangs holds up everybody whom nginx has put on the same connections' process.
 */
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/attr.h"
#include "fcgi_pool.h"

enum { OTHERS = 24, BODY = 40000, SETTLE_MS = 100 };

static struct test_pool pool;
static int other[OTHERS];

static void send_to(int fd, const char *method, const char *uri, struct str body)
{
	struct buf request BUF_AUTO;

	buf_init(&request, 1 << 17);
	put_request(&request, method, uri, body, true);
	assert_true(client_send(fd, buf_str(&request)));
}

static long number_from(int fd)
{
	struct answer answer;
	const char *blank;
	long number;

	client_read(fd, &answer);
	buf_add_char(&answer.out, '\0');
	blank = answer.whole ? strstr(answer.out.p, "\r\n\r\n") : NULL;
	number = blank ? strtol(blank + 4, NULL, 10) : -1;
	buf_done(&answer.out);
	return number;
}

/* Kept connections, all of them used once; every worker has some. */
static void connect_others(void)
{
	for (int i = 0; i < OTHERS; i++) {
		assert_true((other[i] = client_connect(pool.path)) >= 0);
		assert_true(pool_asks_on(other[i], "/pid") > 0);
	}
}

static void close_others(void)
{
	for (int i = 0; i < OTHERS; i++)
		close(other[i]);
}

/* Sends it on a kept connection, and gives that and the worker which is busy with it from now on. */
static int keep_one_busy(const char *uri, long *ret_worker)
{
	int fd = client_connect(pool.path);

	assert_true(fd >= 0);
	*ret_worker = pool_asks_on(fd, "/pid");
	send_to(fd, "POST", uri, STR(""));
	pool_gets_slow();
	return fd;
}

/* The pool is killed as a whole: a stuck worker would be waited for. */
static void end_stuck(long worker)
{
	kill((pid_t)worker, SIGKILL);
	pool_stop(&pool);
}

static void while_one_request_hangs_all_others_are_answered(void **state)
{
	(void)state;
	long stuck;
	int fd;

	pool_start(&pool, WORKER_POLLING, 2, 0, NULL);
	connect_others();
	fd = keep_one_busy("/stuck", &stuck);
	for (int round = 0; round < 3; round++)
		for (int i = 0; i < OTHERS; i++) {
			long pid = pool_asks_on(other[i], "/pid");

			assert_true(pid > 0);
			assert_int_not_equal(pid, stuck);
		}
	close(fd);
	close_others();
	end_stuck(stuck);
}

static void what_was_sent_before_it_hung_is_answered_too(void **state)
{
	(void)state;
	long stuck;
	int fd;

	pool_start(&pool, WORKER_POLLING, 2, 0, NULL);
	connect_others();
	assert_true((fd = client_connect(pool.path)) >= 0);
	stuck = pool_asks_on(fd, "/pid");
	/* All at once: when the worker comes to the one that hangs, others have requests in their sockets. */
	kill((pid_t)stuck, SIGSTOP);
	for (int i = 0; i < OTHERS / 2; i++)
		send_to(other[i], "POST", "/pid", STR("x"));
	send_to(fd, "POST", "/stuck", STR(""));
	for (int i = OTHERS / 2; i < OTHERS; i++)
		send_to(other[i], "POST", "/pid", STR("x"));
	kill((pid_t)stuck, SIGCONT);
	for (int i = 0; i < OTHERS; i++)
		assert_true(number_from(other[i]) > 0);
	close(fd);
	close_others();
	end_stuck(stuck);
}

/* As much of a request as came is read again by the worker that takes it over. */
static void a_request_that_has_come_in_part_is_finished_elsewhere(void **state)
{
	(void)state;
	static const size_t cuts[] = { 3, 8, 17, 30, 200, 1000, 20000, BODY };
	char *text = calloc(1, BODY);
	struct buf request BUF_AUTO;
	long stuck;
	int fd;

	assert_non_null(text);
	memset(text, 'x', BODY);
	buf_init(&request, 1 << 17);
	put_request(&request, "POST", "/body", (struct str){ text, BODY }, true);
	pool_start(&pool, WORKER_POLLING, 2, 0, NULL);
	connect_others();
	for (size_t i = 0; i < OTHERS; i++)
		assert_true(client_send(other[i], str_slice(buf_str(&request), 0, cuts[i % ARRAY_SIZE(cuts)])));
	poll(NULL, 0, SETTLE_MS);
	fd = keep_one_busy("/stuck", &stuck);
	for (size_t i = 0; i < OTHERS; i++) {
		struct str rest = str_slice(buf_str(&request), cuts[i % ARRAY_SIZE(cuts)], request.n);

		assert_true(client_send(other[i], rest));
		assert_int_equal(number_from(other[i]), BODY);
	}
	for (size_t i = 0; i < OTHERS; i++)
		assert_true(pool_asks_on(other[i], "/pid") > 0);
	free(text);
	close(fd);
	close_others();
	end_stuck(stuck);
}

static void a_single_worker_takes_back_what_it_handed_over(void **state)
{
	(void)state;
	long worker;
	int fd;

	pool_start(&pool, WORKER_POLLING, 1, 0, NULL);
	connect_others();
	fd = keep_one_busy("/alone", &worker);
	for (int i = 0; i < OTHERS; i++)
		send_to(other[i], "POST", "/pid", STR("x"));
	assert_int_equal(number_from(fd), worker);
	for (int i = 0; i < OTHERS; i++)
		assert_int_equal(number_from(other[i]), worker);
	assert_int_equal(pool_asks_on(fd, "/pid"), worker);
	close(fd);
	close_others();
	pool_stop(&pool);
}

static void many_slow_requests_lose_no_connection(void **state)
{
	(void)state;
	pool_start(&pool, WORKER_POLLING, 4, 0, NULL);
	connect_others();
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < OTHERS; i++)
			send_to(other[i], "POST", i % 2 ? "/alone" : "/pid", STR("x"));
		for (int i = 0; i < OTHERS; i++)
			assert_true(number_from(other[i]) > 0);
	}
	close_others();
	pool_stop(&pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(while_one_request_hangs_all_others_are_answered),
		cmocka_unit_test(what_was_sent_before_it_hung_is_answered_too),
		cmocka_unit_test(a_request_that_has_come_in_part_is_finished_elsewhere),
		cmocka_unit_test(a_single_worker_takes_back_what_it_handed_over),
		cmocka_unit_test(many_slow_requests_lose_no_connection),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
