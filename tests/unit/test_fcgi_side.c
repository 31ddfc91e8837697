/*
 * A pool with a side: two kinds of workers on two sockets. When they are mixed up, what is quick waits behind a
 * provider, or a request comes to a worker that has no way out to one.
 */
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
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fcgi_pool.h"

static struct test_pool pool;

static int connect_to(const char *path)
{
	int fd = client_connect(path);

	assert_true(fd >= 0);
	return fd;
}

/* On a connection of its own. */
static long side_asks(const char *uri)
{
	int fd = connect_to(pool.side);
	long number = pool_asks_on(fd, uri);

	close(fd);
	return number;
}

static void send_to(int fd, const char *uri, bool keep)
{
	struct buf request BUF_AUTO;

	buf_init(&request, 1 << 16);
	put_request(&request, "POST", uri, STR("x"), keep);
	assert_true(client_send(fd, buf_str(&request)));
}

static bool is_answered(int fd)
{
	struct answer answer;

	client_read(fd, &answer);
	bool good = answer_says(&answer, "Status: 200 OK");
	buf_done(&answer.out);
	return good;
}

static void each_socket_has_processes_of_its_own(void **state)
{
	(void)state;
	enum { MANY = 40 };
	long own[MANY], side[MANY];

	pool_start_sided(&pool, 2, 0, NULL);
	for (int i = 0; i < MANY; i++) {
		assert_true((own[i] = pool_asks(&pool, "/pid")) > 0);
		assert_true((side[i] = side_asks("/pid")) > 0);
		assert_int_equal(pool_asks(&pool, "/side"), 0);
		assert_int_equal(side_asks("/side"), 1);
	}
	for (int i = 0; i < MANY; i++)
		for (int j = 0; j < MANY; j++)
			assert_int_not_equal(own[i], side[j]);
	pool_stop(&pool);
}

static void nobody_steps_in_for_a_side_that_is_held_up(void **state)
{
	(void)state;
	long worker;
	int fresh, kept;

	pool_start_sided(&pool, 1, 0, NULL);
	kept = connect_to(pool.side);
	worker = pool_asks_on(kept, "/pid");
	assert_true(worker > 0);
	kill((pid_t)worker, SIGSTOP);
	fresh = connect_to(pool.side);
	send_to(fresh, "/pid", true);
	send_to(kept, "/pid", true);
	for (int i = 0; i < 40; i++)
		assert_int_not_equal(pool_asks(&pool, "/pid"), worker);
	for (int i = 0; i < 2; i++)
		assert_int_equal(poll(&(struct pollfd){ .fd = i ? fresh : kept, .events = POLLIN }, 1, 0), 0);
	kill((pid_t)worker, SIGCONT);
	assert_true(is_answered(fresh));
	assert_true(is_answered(kept));
	assert_int_equal(pool_asks_on(fresh, "/pid"), worker);
	close(fresh);
	close(kept);
	pool_stop(&pool);
}

/* Before a request that says it is slow, the worker gives the others what it holds. */
static void a_slow_request_hands_over_to_its_own_kind(void **state)
{
	(void)state;
	enum { MANY = 12 };
	int fd[2][MANY], slow;

	for (int side = 0; side < 2; side++) {
		const char *path;

		pool_start_sided(&pool, 2, 0, NULL);
		path = side ? pool.side : pool.path;
		for (int i = 0; i < MANY; i++) {
			fd[side][i] = connect_to(path);
			assert_int_equal(pool_asks_on(fd[side][i], "/side"), side);
		}
		slow = connect_to(path);
		long stuck = pool_asks_on(slow, "/pid");
		send_to(slow, "/stuck", true);
		pool_gets_slow();
		for (int i = 0; i < MANY; i++) {
			assert_int_equal(pool_asks_on(fd[side][i], "/side"), side);
			assert_int_not_equal(pool_asks_on(fd[side][i], "/pid"), stuck);
			close(fd[side][i]);
		}
		close(slow);
		kill((pid_t)stuck, SIGKILL);
		pool_stop(&pool);
	}
}

static void kill_and_see_gone(long worker)
{
	assert_true(worker > 0);
	kill((pid_t)worker, SIGKILL);
	while (kill((pid_t)worker, 0) == 0)
		poll(NULL, 0, 1);
}

static void who_is_killed_is_replaced_by_one_of_his_kind(void **state)
{
	(void)state;
	pool_start_sided(&pool, 1, 0, NULL);
	for (int i = 0; i < 6; i++) {
		long own = pool_asks(&pool, "/pid"), side = side_asks("/pid");
		bool own_dies = i % 3 != 0, side_dies = i % 3 != 1;

		if (own_dies)
			kill_and_see_gone(own);
		if (side_dies)
			kill_and_see_gone(side);
		assert_int_equal(side_asks("/side"), 1);
		assert_int_equal(pool_asks(&pool, "/side"), 0);
		assert_int_equal(pool_asks(&pool, "/pid") != own, own_dies);
		assert_int_equal(side_asks("/pid") != side, side_dies);
	}
	pool_stop(&pool);
}

enum { KEPT = 60 };

/* Kept connections, every other one to the side. */
static void connect_kept(int *fd)
{
	for (int i = 0; i < KEPT; i++) {
		fd[i] = connect_to(i % 2 ? pool.side : pool.path);
		assert_int_equal(pool_asks_on(fd[i], "/side"), i % 2);
	}
}

static void a_reload_moves_kept_connections_to_new_workers_of_their_kind(void **state)
{
	(void)state;
	int fd[KEPT];

	pool_start_sided(&pool, 2, 0, NULL);
	connect_kept(fd);
	for (int reload = 0; reload < 3; reload++) {
		kill(pool.pid, SIGHUP);
		for (int i = 0; i < KEPT; i++) {
			while (pool_asks_on(fd[i], "/version") == reload)
				poll(NULL, 0, 5);
			assert_int_equal(pool_asks_on(fd[i], "/version"), reload + 1);
			assert_int_equal(pool_asks_on(fd[i], "/side"), i % 2);
		}
	}
	for (int i = 0; i < KEPT; i++)
		close(fd[i]);
	pool_stop(&pool);
}

static void recycled_workers_pass_their_connections_on_to_their_kind(void **state)
{
	(void)state;
	struct worker_options recycle = { .recycle_after = 5 };
	int fd[KEPT];
	long first[KEPT];
	int moved = 0;

	pool_start_sided(&pool, 2, 0, &recycle);
	connect_kept(fd);
	for (int i = 0; i < KEPT; i++)
		first[i] = pool_asks_on(fd[i], "/pid");
	for (int round = 0; round < 5; round++)
		for (int i = 0; i < KEPT; i++)
			assert_int_equal(pool_asks_on(fd[i], "/side"), i % 2);
	for (int i = 0; i < KEPT; i++) {
		moved += pool_asks_on(fd[i], "/pid") != first[i];
		close(fd[i]);
	}
	assert_int_equal(moved, KEPT);
	pool_stop(&pool);
}

/* Those of the first are still on their way out when the second begins: they don't count as its own. */
static void a_reload_right_after_one_that_failed_brings_both_kinds(void **state)
{
	(void)state;
	pool_start_sided(&pool, 1, TEST_BAD_FIRST_RELOAD, NULL);
	kill(pool.pid, SIGHUP);
	pool_begins_bad_reload();
	kill(pool.pid, SIGHUP);
	assert_true(pool_comes_to(&pool, "/version", 1));
	assert_int_equal(side_asks("/version"), 1);
	assert_int_equal(side_asks("/side"), 1);
	assert_int_equal(pool_asks(&pool, "/side"), 0);
	pool_stop(&pool);
}

static void a_reload_that_leaves_the_side_without_workers_is_not_taken(void **state)
{
	(void)state;
	pool_start_sided(&pool, 1, TEST_SIDE_GOES, NULL);
	long own = pool_asks(&pool, "/pid"), side = side_asks("/pid");
	kill(pool.pid, SIGHUP);
	for (int ask = 0; ask < 50; ask++) {
		assert_int_equal(pool_asks(&pool, "/pid"), own);
		assert_int_equal(side_asks("/pid"), side);
		poll(NULL, 0, 5);
	}
	/* And it isn't remembered: who dies comes back in the kind that it was. */
	kill_and_see_gone(side);
	assert_int_equal(side_asks("/side"), 1);
	assert_int_equal(pool_asks(&pool, "/pid"), own);
	pool_stop(&pool);
}

static void a_stop_answers_what_was_sent_on_both_sockets(void **state)
{
	(void)state;
	enum { QUEUED = 6 };
	int fd[QUEUED];
	struct stat st;

	pool_start_sided(&pool, 1, 0, NULL);
	assert_int_equal(lstat(pool.side, &st), 0);
	for (int i = 0; i < QUEUED; i++) {
		fd[i] = connect_to(i % 2 ? pool.side : pool.path);
		send_to(fd[i], "/slow", i % 3 == 0);
	}
	kill(pool.pid, SIGTERM);
	for (int i = 0; i < QUEUED; i++) {
		assert_true(is_answered(fd[i]));
		close(fd[i]);
	}
	assert_int_equal(client_connect(pool.path), -1);
	assert_int_equal(client_connect(pool.side), -1);
	pool_stop(&pool); /* which finds its directory empty */
}

static void *never_start(void *arg) { return arg; }

static enum request_state never_handle(void *state, struct request *request, struct reply *reply)
{
	(void)state;
	(void)request;
	(void)reply;
	return REQUEST_ANSWERED;
}

/* In a child: a pool that isn't refused runs until the alarm. */
static bool is_refused(const struct pool_options *options)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		alarm(10);
		_exit(pool_run(options) == ERR_CONFIG ? 0 : 1);
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static int never_live(void *arg, const struct worker_seat *seat)
{
	(void)arg;
	(void)seat;
	return 1;
}

static void a_side_that_cannot_work_is_refused(void **state)
{
	(void)state;
	struct listener open = { .fd = 0 }, closed = { .fd = -1 };
	const struct worker_options worker = { .start = never_start, .handle = never_handle };
	const struct pool_side sides[] = {
		{ .listener = &open, .workers = 0, .worker = worker },
		{ .listener = &open, .workers = POOL_WORKERS_MAX, .worker = worker },
		{ .listener = &open, .workers = UINT32_MAX, .worker = worker },
		{ .listener = &closed, .workers = 1, .worker = worker },
		{ .listener = &open, .workers = 1, .worker = { .start = never_start } },
		{ .listener = &open, .workers = 1, .worker = { .handle = never_handle } },
	};
	struct pool_options live = { .workers = 1,
				     .live = never_live,
				     .side = { .listener = &open, .workers = 1, .worker = worker } };

	for (size_t i = 0; i < ARRAY_SIZE(sides); i++) {
		struct pool_options options = {
			.listener = &open, .workers = 1, .worker = worker, .side = sides[i]
		};
		assert_true(is_refused(&options));
	}
	/* A side of a pool that answers on no socket. */
	assert_true(is_refused(&live));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_socket_has_processes_of_its_own),
		cmocka_unit_test(nobody_steps_in_for_a_side_that_is_held_up),
		cmocka_unit_test(a_slow_request_hands_over_to_its_own_kind),
		cmocka_unit_test(who_is_killed_is_replaced_by_one_of_his_kind),
		cmocka_unit_test(a_reload_moves_kept_connections_to_new_workers_of_their_kind),
		cmocka_unit_test(recycled_workers_pass_their_connections_on_to_their_kind),
		cmocka_unit_test(a_reload_right_after_one_that_failed_brings_both_kinds),
		cmocka_unit_test(a_reload_that_leaves_the_side_without_workers_is_not_taken),
		cmocka_unit_test(a_stop_answers_what_was_sent_on_both_sockets),
		cmocka_unit_test(a_side_that_cannot_work_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
