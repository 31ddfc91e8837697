/* A pool whose workers serve no socket: each has a number of its own, whoever dies and however often it is reloaded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "fcgi/pool.h"

enum { WORKERS = 3, WAIT_MS = 60000 };

/* What a worker says when it begins and when it ends. */
struct word {
	pid_t pid;
	unsigned number;
	int version;
	bool ends;
};

static int words[2];
static int version;

static void say(unsigned number, bool ends)
{
	const struct word word = { getpid(), number, version, ends };

	if (write(words[1], &word, sizeof(word)) != sizeof(word))
		_exit(97);
}

static int live(void *arg, const struct worker_seat *seat)
{
	sigset_t stop;
	int got;

	(void)arg;
	sigemptyset(&stop);
	sigaddset(&stop, SIGTERM);
	sigaddset(&stop, SIGINT);
	sigprocmask(SIG_BLOCK, &stop, NULL);
	say(seat->number, false);
	seat_say_ready(seat);
	sigwait(&stop, &got);
	say(seat->number, true);
	return EXIT_SUCCESS;
}

static int fails(void *arg, const struct worker_seat *seat)
{
	if (version == 0)
		return live(arg, seat);
	return EXIT_FAILURE;
}

static enum err reload(void *arg)
{
	(void)arg;
	version++;
	return OK;
}

static pid_t start(int (*worker)(void *, const struct worker_seat *))
{
	const struct pool_options options = { .workers = WORKERS, .drain_ms = 5000, .live = worker, .reload = reload };
	pid_t pid;

	version = 0;
	assert_int_equal(pipe(words), 0);
	pid = fork();
	if (pid == 0) {
		log_setup("pool", (enum log_level)(LOG_ERROR + 1));
		_exit(pool_run(&options) == OK ? 0 : 98);
	}
	close(words[1]); /* its end shows that all of them have gone */
	return pid;
}

static struct word next_word(void)
{
	struct pollfd p = { .fd = words[0], .events = POLLIN };
	struct word word;

	assert_int_equal(poll(&p, 1, WAIT_MS), 1);
	assert_int_equal(read(words[0], &word, sizeof(word)), sizeof(word));
	return word;
}

/* Those that begin, by number: each number once. */
static void read_beginnings(struct word by_number[WORKERS], int wanted_version)
{
	bool seen[WORKERS] = { false };

	for (int i = 0; i < WORKERS; i++) {
		struct word word = next_word();

		assert_false(word.ends);
		assert_int_equal(word.version, wanted_version);
		assert_true(word.number < WORKERS);
		assert_false(seen[word.number]);
		seen[word.number] = true;
		by_number[word.number] = word;
	}
}

static void read_ends(const struct word by_number[WORKERS])
{
	for (int i = 0; i < WORKERS; i++) {
		struct word word = next_word();

		assert_true(word.ends);
		assert_int_equal(word.pid, by_number[word.number].pid);
	}
}

static void stop(pid_t pid, const struct word by_number[WORKERS])
{
	struct word word;
	int status;

	kill(pid, SIGTERM);
	read_ends(by_number);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	assert_int_equal(read(words[0], &word, sizeof(word)), 0);
	close(words[0]);
}

static void each_worker_has_a_number_of_its_own_and_ends_when_it_is_told(void **state)
{
	struct word by_number[WORKERS];
	pid_t pid = start(live);

	(void)state;
	read_beginnings(by_number, 0);
	stop(pid, by_number);
}

/* The chores hang on number 0: there must always be one, and never two. */
static void who_replaces_a_killed_worker_has_its_number(void **state)
{
	struct word by_number[WORKERS], next;
	pid_t pid = start(live);

	(void)state;
	read_beginnings(by_number, 0);
	for (unsigned number = 0; number < WORKERS; number++) {
		kill(by_number[number].pid, SIGKILL);
		next = next_word();
		assert_false(next.ends);
		assert_int_equal(next.number, number);
		by_number[number] = next;
	}
	stop(pid, by_number);
}

static void a_reload_starts_all_numbers_anew_before_the_old_ones_go(void **state)
{
	struct word old[WORKERS], new[WORKERS];
	pid_t pid = start(live);

	(void)state;
	read_beginnings(old, 0);
	for (int i = 1; i <= 3; i++) {
		kill(pid, SIGHUP);
		read_beginnings(new, i);
		read_ends(old);
		memcpy(old, new, sizeof(old));
	}
	stop(pid, old);
}

static void new_workers_that_fail_leave_the_old_ones_at_work(void **state)
{
	struct word by_number[WORKERS];
	pid_t pid = start(fails);

	(void)state;
	read_beginnings(by_number, 0);
	kill(pid, SIGHUP);
	/* Nobody says that it ends. */
	struct pollfd p = { .fd = words[0], .events = POLLIN };
	assert_int_equal(poll(&p, 1, 500), 0);
	stop(pid, by_number);
}

static void workers_do_not_outlive_a_killed_master(void **state)
{
	struct word by_number[WORKERS], word;
	pid_t pid = start(live);

	(void)state;
	read_beginnings(by_number, 0);
	kill(pid, SIGKILL);
	read_ends(by_number);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(read(words[0], &word, sizeof(word)), 0);
	close(words[0]);
}

static void neither_a_socket_nor_work_is_a_mistake(void **state)
{
	(void)state;
	assert_int_equal(pool_run(&(struct pool_options){ .workers = 1 }), ERR_CONFIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_worker_has_a_number_of_its_own_and_ends_when_it_is_told),
		cmocka_unit_test(who_replaces_a_killed_worker_has_its_number),
		cmocka_unit_test(a_reload_starts_all_numbers_anew_before_the_old_ones_go),
		cmocka_unit_test(new_workers_that_fail_leave_the_old_ones_at_work),
		cmocka_unit_test(workers_do_not_outlive_a_killed_master),
		cmocka_unit_test(neither_a_socket_nor_work_is_a_mistake),
	};

	return cmocka_run_group_tests_name("a pool without a socket", tests, NULL, NULL);
}
