/*
 * A round waits for the requests that it expects: otherwise those that come a moment apart cost a commit each. It
 * waits for no others: otherwise each request is late for nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <poll.h>
#include <unistd.h>

#include "fcgi_pool.h"

/* So long that a slow machine sends the second request within it; it may miss it all the same, hence the tries. */
enum { LINGER_US = 900000, APART_MS = 20, TRIES = 500, ALONE_TRIES = 20 };

static struct test_pool pool;
static int fd[2];

static void start(void)
{
	struct worker_options worker = { .linger_us = LINGER_US };

	pool_start(&pool, WORKER_POLLING, 1, 0, &worker);
	for (int i = 0; i < 2; i++)
		assert_true((fd[i] = client_connect(pool.path)) >= 0);
}

static void end(void)
{
	close(fd[0]);
	close(fd[1]);
	pool_stop(&pool);
}

static void send_held(int i)
{
	struct buf request BUF_AUTO;

	buf_init(&request, 1 << 16);
	put_request(&request, "POST", "/held", STR("x"), true);
	assert_true(client_send(fd[i], buf_str(&request)));
}

/* How many were answered with it. */
static int together(int i)
{
	struct answer answer;

	client_read(fd[i], &answer);
	assert_true(answer_says(&answer, "Status: 200 OK"));
	int count = answer_says(&answer, "\r\n\r\n2") ? 2 : 1;
	buf_done(&answer.out);
	return count;
}

static bool is_answered_within(int i, int wait_ms)
{
	return poll(&(struct pollfd){ .fd = fd[i], .events = POLLIN }, 1, wait_ms) == 1;
}

/* The first on one connection, while the other has just been used; whether it waited for the second. */
static bool waits_for_the_other(void)
{
	assert_true(pool_asks_on(fd[1], "/pid") > 0);
	send_held(0);
	bool waited = !is_answered_within(0, APART_MS);
	send_held(1);
	int first = together(0), second = together(1);
	return waited && first == 2 && second == 2;
}

static void a_round_waits_for_a_connection_that_was_used_a_moment_ago(void **state)
{
	(void)state;
	int tries = 0;

	start();
	while (tries < TRIES && !waits_for_the_other())
		tries++;
	assert_true(tries < TRIES);
	end();
}

/* One that has been silent for a while isn't expected. */
static bool is_answered_alone(void)
{
	assert_true(pool_asks_on(fd[1], "/pid") > 0);
	poll(NULL, 0, APART_MS);
	send_held(0);
	(void)is_answered_within(0, LINGER_US / 1000 / 3);
	send_held(1);
	int first = together(0);
	(void)together(1);
	return first == 1;
}

static void a_round_waits_for_no_connection_that_is_silent(void **state)
{
	(void)state;
	int tries = 0;

	start();
	while (tries < ALONE_TRIES && !is_answered_alone())
		tries++;
	assert_true(tries < ALONE_TRIES);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_round_waits_for_a_connection_that_was_used_a_moment_ago),
		cmocka_unit_test(a_round_waits_for_no_connection_that_is_silent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
