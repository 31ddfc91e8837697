/* A pool at work: what its clients notice of crashes, reloads, recycling and stops. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fcgi_pool.h"

static struct test_pool pool;

static void every_kept_connection_is_served_in_turn(void **state)
{
	(void)state;
	enum { MANY = 400, ROUNDS = 3 };
	static int fd[MANY];
	struct buf request BUF_AUTO;

	buf_init(&request, 1 << 16);
	put_request(&request, "GET", "/pid", STR(""), true);
	pool_start(&pool, WORKER_POLLING, 2, 0, NULL);
	for (int i = 0; i < MANY; i++)
		assert_true((fd[i] = client_connect(pool.path)) >= 0);
	for (int round = 0; round < ROUNDS; round++) {
		for (int i = 0; i < MANY; i++)
			assert_true(client_send(fd[i], buf_str(&request)));
		for (int i = 0; i < MANY; i++) {
			struct answer answer;

			client_read(fd[i], &answer);
			assert_true(answer_says(&answer, "Status: 200 OK"));
			buf_done(&answer.out);
		}
	}
	for (int i = 0; i < MANY; i++)
		close(fd[i]);
	pool_stop(&pool);
}

static void more_idle_connections_than_a_worker_holds_do_not_lock_others_out(void **state)
{
	(void)state;
	enum { MANY = 20 };
	int fd[MANY];
	struct worker_options few = { .connections = 4 };

	pool_start(&pool, WORKER_POLLING, 1, 0, &few);
	for (int i = 0; i < MANY; i++) {
		assert_true((fd[i] = client_connect(pool.path)) >= 0);
		assert_true(pool_asks_on(fd[i], "/pid") > 0);
	}
	assert_true(client_sees_end(fd[0])); /* idle for longest */
	assert_true(pool_asks_on(fd[MANY - 1], "/pid") > 0);
	for (int i = 0; i < MANY; i++)
		close(fd[i]);
	pool_stop(&pool);
}

static void a_worker_that_dies_is_replaced(void **state)
{
	(void)state;

	pool_start(&pool, WORKER_POLLING, 1, 0, NULL);
	for (int i = 0; i < 5; i++) {
		long before = pool_asks(&pool, "/pid");

		assert_true(before > 0);
		kill((pid_t)before, SIGKILL);
		while (kill((pid_t)before, 0) == 0)
			poll(NULL, 0, 1);
		/* Who connects meanwhile waits in the socket and is served. */
		assert_int_not_equal(pool_asks(&pool, "/pid"), before);
	}
	pool_stop(&pool);
}

static void a_crash_in_one_request_costs_only_that_request(void **state)
{
	(void)state;
	pool_start(&pool, WORKER_POLLING, 2, 0, NULL);
	for (int i = 0; i < 5; i++) {
		assert_int_equal(pool_asks(&pool, "/crash"), -1);
		assert_true(pool_asks(&pool, "/pid") > 0);
	}
	pool_stop(&pool);
}

static void a_reload_moves_kept_connections_to_new_workers_unnoticed(void **state)
{
	(void)state;
	int fd;

	pool_start(&pool, WORKER_POLLING, 2, 0, NULL);
	assert_true((fd = client_connect(pool.path)) >= 0);
	for (int i = 0; i < 5; i++) {
		long before = pool_asks_on(fd, "/pid");

		assert_int_equal(pool_asks_on(fd, "/version"), i);
		kill(pool.pid, SIGHUP);
		/* The same connection, until a worker with the new configuration answers on it. */
		while (pool_asks_on(fd, "/version") == i)
			poll(NULL, 0, 5);
		assert_int_equal(pool_asks_on(fd, "/version"), i + 1);
		assert_int_not_equal(pool_asks_on(fd, "/pid"), before);
	}
	close(fd);
	pool_stop(&pool);
}

static void hundreds_of_kept_connections_survive_a_reload(void **state)
{
	(void)state;
	enum { MANY = 400 };
	static int fd[MANY];

	pool_start(&pool, WORKER_POLLING, 2, 0, NULL);
	for (int i = 0; i < MANY; i++) {
		assert_true((fd[i] = client_connect(pool.path)) >= 0);
		assert_int_equal(pool_asks_on(fd[i], "/version"), 0);
	}
	kill(pool.pid, SIGHUP);
	for (int i = 0; i < MANY; i++) {
		while (pool_asks_on(fd[i], "/version") == 0)
			poll(NULL, 0, 5);
		assert_int_equal(pool_asks_on(fd[i], "/version"), 1);
		close(fd[i]);
	}
	pool_stop(&pool);
}

/* Posts on one kept connection until told to stop; the exit status tells of a failure. */
static void post_for_ever(void)
{
	int fd = client_connect(pool.path);

	while (fd >= 0 && getppid() != 1)
		if (pool_asks_on(fd, "/body") != 1)
			_exit(1);
	_exit(2);
}

static void no_post_is_lost_while_the_pool_reloads_again_and_again(void **state)
{
	(void)state;
	enum { CLIENTS = 8, RELOADS = 15 };
	pid_t client[CLIENTS];
	int status;

	pool_start(&pool, WORKER_POLLING, 2, 0, NULL);
	for (int i = 0; i < CLIENTS; i++)
		if ((client[i] = fork()) == 0)
			post_for_ever();
	for (int i = 0; i < RELOADS; i++) {
		kill(pool.pid, SIGHUP);
		assert_true(pool_comes_to(&pool, "/version", i + 1));
	}
	for (int i = 0; i < CLIENTS; i++) {
		assert_int_equal(waitpid(client[i], &status, WNOHANG), 0); /* none has failed */
		kill(client[i], SIGKILL);
		waitpid(client[i], &status, 0);
	}
	pool_stop(&pool);
}

/* Asks on ever new connections, without a pause. */
static void knock_for_ever(void)
{
	for (;;)
		(void)pool_asks(&pool, "/pid");
}

static void old_workers_leave_even_when_there_is_always_another_request(void **state)
{
	(void)state;
	enum { CLIENTS = 4 };
	pid_t client[CLIENTS];

	pool_start(&pool, WORKER_SINGLE, 1, 0, NULL);
	long before = pool_asks(&pool, "/pid");
	for (int i = 0; i < CLIENTS; i++)
		if ((client[i] = fork()) == 0)
			knock_for_ever();
	kill(pool.pid, SIGHUP);
	assert_true(pool_comes_to(&pool, "/version", 1));
	for (int i = 0; i < 1000 && kill((pid_t)before, 0) == 0; i++)
		poll(NULL, 0, 10);
	assert_int_equal(kill((pid_t)before, 0), -1);
	for (int i = 0; i < CLIENTS; i++) {
		kill(client[i], SIGKILL);
		waitpid(client[i], NULL, 0);
	}
	pool_stop(&pool);
}

static void a_reload_that_fails_leaves_the_old_workers(void **state)
{
	(void)state;
	static const unsigned troubles[] = { TEST_BAD_RELOAD, TEST_BAD_WORKERS };

	for (size_t i = 0; i < ARRAY_SIZE(troubles); i++) {
		pool_start(&pool, WORKER_POLLING, 1, troubles[i], NULL);
		long before = pool_asks(&pool, "/pid");
		kill(pool.pid, SIGHUP);
		for (int ask = 0; ask < 50; ask++) {
			assert_int_equal(pool_asks(&pool, "/pid"), before);
			poll(NULL, 0, 5);
		}
		pool_stop(&pool);
	}
}

static void a_reload_whose_workers_do_not_start_is_forgotten(void **state)
{
	(void)state;
	pool_start(&pool, WORKER_POLLING, 1, TEST_BAD_WORKERS, NULL);
	for (int i = 0; i < 3; i++) {
		long before = pool_asks(&pool, "/pid");

		assert_true(before > 0);
		kill(pool.pid, SIGHUP);
		/* At whatever moment of the reload: who takes its place is one that can start. */
		poll(NULL, 0, i * 20);
		kill((pid_t)before, SIGKILL);
		while (kill((pid_t)before, 0) == 0)
			poll(NULL, 0, 1);
		assert_int_equal(pool_asks(&pool, "/version"), 0);
		assert_int_not_equal(pool_asks(&pool, "/pid"), before);
	}
	pool_stop(&pool);
}

static void a_recycled_worker_passes_its_connections_on(void **state)
{
	(void)state;
	struct worker_options recycle = { .recycle_after = 5 };
	long first, changes = 0;
	int fd;

	pool_start(&pool, WORKER_POLLING, 2, 0, &recycle);
	assert_true((fd = client_connect(pool.path)) >= 0);
	first = pool_asks_on(fd, "/pid");
	for (int i = 0; i < 100; i++) {
		long pid = pool_asks_on(fd, "/pid");

		assert_true(pid > 0);
		changes += pid != first;
		first = pid;
	}
	assert_true(changes >= 10);
	close(fd);
	pool_stop(&pool);
}

static void a_stop_answers_what_was_sent_before_it(void **state)
{
	(void)state;
	enum { QUEUED = 6 };
	int fd[QUEUED];
	struct buf request BUF_AUTO;
	struct answer answer;

	buf_init(&request, 1 << 16);
	put_request(&request, "POST", "/slow", STR("x"), false);
	/* One worker, one at a time: all but the first wait in the socket's queue. */
	pool_start(&pool, WORKER_SINGLE, 1, 0, NULL);
	for (int i = 0; i < QUEUED; i++) {
		assert_true((fd[i] = client_connect(pool.path)) >= 0);
		assert_true(client_send(fd[i], buf_str(&request)));
	}
	kill(pool.pid, SIGTERM);
	for (int i = 0; i < QUEUED; i++) {
		client_read(fd[i], &answer);
		assert_true(answer_says(&answer, "Status: 200 OK"));
		buf_done(&answer.out);
		close(fd[i]);
	}
	assert_int_equal(client_connect(pool.path), -1);
	pool_stop(&pool);
}

static void a_stop_ends_kept_connections_after_their_last_answer(void **state)
{
	(void)state;
	int idle, busy;
	struct buf request BUF_AUTO;
	struct answer answer;

	buf_init(&request, 1 << 16);
	put_request(&request, "POST", "/slow", STR("x"), true);
	pool_start(&pool, WORKER_POLLING, 1, 0, NULL);
	assert_true((idle = client_connect(pool.path)) >= 0);
	assert_true(pool_asks_on(idle, "/pid") > 0);
	assert_true((busy = client_connect(pool.path)) >= 0);
	assert_true(pool_asks_on(busy, "/pid") > 0);
	assert_true(client_send(busy, buf_str(&request)));
	kill(pool.pid, SIGTERM);
	client_read(busy, &answer);
	assert_true(answer_says(&answer, "Status: 200 OK"));
	buf_done(&answer.out);
	assert_true(client_sees_end(idle));
	close(idle);
	close(busy);
	pool_stop(&pool);
}

/* nginx may write a request in the very moment in which it is asked to close the connection. */
static void a_request_that_crosses_the_wish_to_close_is_answered(void **state)
{
	(void)state;
	static const uint8_t empty_stderr[8] = { 1, 7, 0, 1 };
	struct answer answer;
	struct buf request BUF_AUTO;
	uint8_t record[8];
	int fd;

	buf_init(&request, 1 << 16);
	put_request(&request, "POST", "/pid", STR("x"), true);
	pool_start(&pool, WORKER_POLLING, 1, 0, NULL);
	assert_true((fd = client_connect(pool.path)) >= 0);
	assert_true(pool_asks_on(fd, "/pid") > 0);
	kill(pool.pid, SIGTERM);
	assert_int_equal(recv(fd, record, sizeof(record), MSG_WAITALL), sizeof(record));
	assert_memory_equal(record, empty_stderr, sizeof(record));
	assert_true(client_send(fd, buf_str(&request)));
	client_read(fd, &answer);
	assert_true(answer_says(&answer, "Status: 200 OK"));
	assert_true(answer.not_kept);
	buf_done(&answer.out);
	assert_true(client_sees_end(fd));
	close(fd);
	pool_stop(&pool);
}

static void a_worker_that_hangs_is_killed_at_the_deadline(void **state)
{
	(void)state;
	struct buf request BUF_AUTO;
	int fd;

	buf_init(&request, 1 << 16);
	put_request(&request, "GET", "/hang", STR(""), false);
	pool_start(&pool, WORKER_SINGLE, 1, 0, NULL);
	assert_true((fd = client_connect(pool.path)) >= 0);
	assert_true(client_send(fd, buf_str(&request)));
	poll(NULL, 0, 50);
	pool_stop(&pool);
	close(fd);
}

static void workers_do_not_outlive_their_master(void **state)
{
	(void)state;
	long worker;
	struct stat st;
	int fd = -1;

	pool_start(&pool, WORKER_POLLING, 1, 0, NULL);
	assert_int_equal(lstat(pool.pidfile, &st), 0);
	worker = pool_asks(&pool, "/pid");
	kill(pool.pid, SIGKILL);
	assert_int_equal(pool_wait(&pool), 128 + SIGKILL);
	/* Reparented: it is there until its new parent has buried it, but nobody listens any more. */
	for (int i = 0; i < 1000 && (fd = client_connect(pool.path)) >= 0; i++) {
		close(fd);
		poll(NULL, 0, 10);
	}
	assert_int_equal(fd, -1);
	assert_true(worker > 0);
	unlink(pool.path);
	unlink(pool.pidfile);
	pool_clean_up(&pool);
}

static void a_slow_request_holds_up_only_its_own_process(void **state)
{
	(void)state;
	struct buf request BUF_AUTO;
	int slow;
	long pid;

	buf_init(&request, 1 << 16);
	put_request(&request, "GET", "/hang", STR(""), false);
	pool_start(&pool, WORKER_SINGLE, 2, 0, NULL);
	assert_true((slow = client_connect(pool.path)) >= 0);
	assert_true(client_send(slow, buf_str(&request)));
	poll(NULL, 0, 50);
	pid = pool_asks(&pool, "/pid");
	for (int i = 0; i < 50; i++)
		assert_int_equal(pool_asks(&pool, "/pid"), pid);
	close(slow);
	pool_stop(&pool);
}

/* Requests that come while the worker looks away are one round. */
static void requests_of_a_round_that_are_held_are_answered_together(void **state)
{
	(void)state;
	enum { FEW = 5, MANY = WORKER_HELD_MAX + 3 };
	int fd[MANY];
	struct answer answer;
	struct buf request BUF_AUTO;
	pid_t worker;

	buf_init(&request, 1 << 16);
	put_request(&request, "POST", "/held", STR(""), true);
	pool_start(&pool, WORKER_POLLING, 1, 0, NULL);
	worker = (pid_t)pool_asks(&pool, "/pid");
	assert_true(worker > 0);
	for (int i = 0; i < MANY; i++) {
		assert_true((fd[i] = client_connect(pool.path)) >= 0);
		assert_int_equal(pool_asks_on(fd[i], "/held"), 1);
	}
	for (int n = FEW; n <= MANY; n += MANY - FEW) {
		int together = 0;

		kill(worker, SIGSTOP);
		for (int i = 0; i < n; i++)
			assert_true(client_send(fd[i], buf_str(&request)));
		kill(worker, SIGCONT);
		for (int i = 0; i < n; i++) {
			client_read(fd[i], &answer);
			assert_true(answer_says(&answer, "Status: 200 OK"));
			together += answer_says(&answer, n == FEW ? "5" : "24") ? 1 : 0;
			buf_done(&answer.out);
		}
		assert_in_range(together, n == FEW ? FEW : WORKER_HELD_MAX, n);
	}
	for (int i = 0; i < MANY; i++)
		close(fd[i]);
	pool_stop(&pool);
}

static void clients_that_leave_while_they_are_held_harm_nobody(void **state)
{
	(void)state;
	enum { MANY = 24, ROUNDS = 20 };
	int slow, fd[MANY];
	struct answer answer;
	struct buf wait BUF_AUTO, request BUF_AUTO;
	long pid;

	buf_init(&wait, 1 << 16);
	buf_init(&request, 1 << 16);
	put_request(&wait, "GET", "/slow", STR(""), true);
	put_request(&request, "POST", "/held", STR(""), true);
	pool_start(&pool, WORKER_POLLING, 1, 0, NULL);
	pid = pool_asks(&pool, "/pid");
	assert_true((slow = client_connect(pool.path)) >= 0);
	for (int round = 0; round < ROUNDS; round++) {
		for (int i = 0; i < MANY; i++) {
			assert_true((fd[i] = client_connect(pool.path)) >= 0);
			assert_true(pool_asks_on(fd[i], "/pid") == pid);
		}
		if (round % 2 == 0)
			assert_true(client_send(slow, buf_str(&wait)));
		for (int i = 0; i < MANY; i++) {
			assert_true(client_send(fd[i], buf_str(&request)));
			if (i % 2 == 0)
				close(fd[i]);
		}
		for (int i = 1; i < MANY; i += 2) {
			client_read(fd[i], &answer);
			assert_true(answer_says(&answer, "Status: 200 OK"));
			buf_done(&answer.out);
			close(fd[i]);
		}
		if (round % 2 == 0) {
			client_read(slow, &answer);
			buf_done(&answer.out);
		}
	}
	assert_int_equal(pool_asks(&pool, "/pid"), pid);
	close(slow);
	pool_stop(&pool);
}

/* The vault's way: kept connections beside the one that is new, and none of them waits for a slow request. */
static void a_single_worker_takes_new_ones_while_kept_ones_are_idle(void **state)
{
	(void)state;
	int kept[2], slow;
	struct buf request BUF_AUTO;
	long busy;

	buf_init(&request, 1 << 16);
	put_request(&request, "POST", "/stuck", STR(""), false);
	pool_start(&pool, WORKER_SINGLE, 2, 0, NULL);
	for (int i = 0; i < 2; i++) {
		assert_true((kept[i] = client_connect(pool.path)) >= 0);
		assert_true(pool_asks_on(kept[i], "/pid") > 0);
	}
	assert_true(pool_asks(&pool, "/pid") > 0);
	assert_true((slow = client_connect(pool.path)) >= 0);
	assert_true(client_send(slow, buf_str(&request)));
	pool_gets_slow();
	busy = pool_asks(&pool, "/pid");
	/* Whoever had them: they are with the other one now. */
	for (int round = 0; round < 3; round++)
		for (int i = 0; i < 2; i++)
			assert_int_equal(pool_asks_on(kept[i], "/pid"), busy);
	for (int i = 0; i < 2; i++)
		close(kept[i]);
	close(slow);
	kill(pool.pid, SIGTERM);
	assert_int_equal(pool_wait(&pool), 0);
	assert_true(pool_clean_up(&pool));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kept_connection_is_served_in_turn),
		cmocka_unit_test(more_idle_connections_than_a_worker_holds_do_not_lock_others_out),
		cmocka_unit_test(a_worker_that_dies_is_replaced),
		cmocka_unit_test(a_crash_in_one_request_costs_only_that_request),
		cmocka_unit_test(a_reload_moves_kept_connections_to_new_workers_unnoticed),
		cmocka_unit_test(hundreds_of_kept_connections_survive_a_reload),
		cmocka_unit_test(no_post_is_lost_while_the_pool_reloads_again_and_again),
		cmocka_unit_test(old_workers_leave_even_when_there_is_always_another_request),
		cmocka_unit_test(a_reload_that_fails_leaves_the_old_workers),
		cmocka_unit_test(a_reload_whose_workers_do_not_start_is_forgotten),
		cmocka_unit_test(a_recycled_worker_passes_its_connections_on),
		cmocka_unit_test(a_stop_answers_what_was_sent_before_it),
		cmocka_unit_test(a_stop_ends_kept_connections_after_their_last_answer),
		cmocka_unit_test(a_request_that_crosses_the_wish_to_close_is_answered),
		cmocka_unit_test(a_worker_that_hangs_is_killed_at_the_deadline),
		cmocka_unit_test(workers_do_not_outlive_their_master),
		cmocka_unit_test(requests_of_a_round_that_are_held_are_answered_together),
		cmocka_unit_test(clients_that_leave_while_they_are_held_harm_nobody),
		cmocka_unit_test(a_single_worker_takes_new_ones_while_kept_ones_are_idle),
		cmocka_unit_test(a_slow_request_holds_up_only_its_own_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
