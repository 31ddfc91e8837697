/* The pool's socket: who may reach it, and what happens to one that is there already. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fcgi/listen.h"
#include "fcgi_support.h"

static char dir[] = "/tmp/latchwork-listen-XXXXXX";
static char path[64];
static const char *why;

static int set_up(void **state)
{
	(void)state;
	strcpy(dir + sizeof(dir) - 7, "XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/pool.sock", dir);
	return 0;
}

static int tear_down(void **state)
{
	char lock[80];

	(void)state;
	snprintf(lock, sizeof(lock), "%s.lock", path);
	unlink(path);
	unlink(lock);
	return rmdir(dir); /* fails when something else was left behind */
}

static enum err open_at(const char *where, struct listener *ret_listener)
{
	struct listen_options options = { .path = where };

	return listen_open(&options, ret_listener, &why);
}

static void only_the_owner_and_the_group_reach_the_socket(void **state)
{
	(void)state;
	struct listener listener;
	struct stat st;

	assert_int_equal(open_at(path, &listener), OK);
	assert_int_equal(lstat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0660);
	assert_true(fcntl(listener.fd, F_GETFD) & FD_CLOEXEC);
	assert_true(fcntl(listener.fd, F_GETFL) & O_NONBLOCK);
	int fd = client_connect(path);
	assert_true(fd >= 0);
	close(fd);
	listen_close(&listener);
	assert_int_not_equal(lstat(path, &st), 0);
}

static void a_socket_that_somebody_answers_on_is_left_alone(void **state)
{
	(void)state;
	struct listener first, second;

	assert_int_equal(open_at(path, &first), OK);
	assert_int_equal(open_at(path, &second), ERR_CONFLICT);
	assert_string_equal(why, "another latchd holds this socket");
	int fd = client_connect(path);
	assert_true(fd >= 0);
	close(fd);
	listen_close(&first);
}

static void a_socket_left_by_a_dead_process_is_replaced(void **state)
{
	(void)state;
	struct listener dead, listener;

	assert_int_equal(open_at(path, &dead), OK);
	close(dead.fd); /* and its file stays */
	assert_int_equal(client_connect(path), -1);
	assert_int_equal(open_at(path, &listener), OK);
	/* Should the dead come back: what it removes is its own file, not ours. */
	listen_unlink(&dead);
	int fd = client_connect(path);
	assert_true(fd >= 0);
	close(fd);
	listen_close(&listener);
}

static void a_file_in_the_sockets_place_is_not_overwritten(void **state)
{
	(void)state;
	struct listener listener;
	int fd = open(path, O_CREAT | O_WRONLY, 0600);

	close(fd);
	assert_int_equal(open_at(path, &listener), ERR_CONFIG);
}

static void a_path_or_group_that_cannot_be_used_is_said_so(void **state)
{
	(void)state;
	struct listener listener;
	struct listen_options no_group = { .path = path, .group = "no-such-group" };
	char long_path[200];

	memset(long_path, 'x', sizeof(long_path) - 1);
	long_path[0] = '/';
	long_path[sizeof(long_path) - 1] = '\0';
	assert_int_equal(open_at(long_path, &listener), ERR_CONFIG);
	assert_int_equal(open_at("", &listener), ERR_CONFIG);
	assert_int_equal(listen_open(&no_group, &listener, &why), ERR_CONFIG);
	assert_string_equal(why, "the socket's group doesn't exist");
}

/* In a child: what listen_open makes of descriptor 3. */
static int adopt(int fd, bool for_us)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		struct listener listener;
		char number[24];

		dup2(fd, 3);
		snprintf(number, sizeof(number), "%ld", for_us ? (long)getpid() : 1L);
		setenv("LISTEN_PID", number, 1);
		setenv("LISTEN_FDS", "1", 1);
		enum err e = open_at(path, &listener);
		if (e == OK && !listener.from_systemd)
			_exit(200);
		if (e == OK)
			listen_close(&listener);
		_exit((int)e);
	}
	waitpid(pid, &status, 0);
	return WEXITSTATUS(status);
}

static void systemds_socket_is_taken_and_never_removed(void **state)
{
	(void)state;
	struct listener listener;
	int pair[2];

	assert_int_equal(open_at(path, &listener), OK);
	assert_int_equal(adopt(listener.fd, true), OK);
	int fd = client_connect(path);
	assert_true(fd >= 0);
	close(fd);
	/* One that was meant for another process isn't ours; then our own path counts. */
	assert_int_equal(adopt(listener.fd, false), ERR_CONFLICT);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(adopt(pair[0], true), ERR_CONFIG);
	close(pair[0]);
	close(pair[1]);
	listen_close(&listener);
}

/* In a child whose descriptors from 3 on are those of `given`, as many as systemd has told of. */
static bool in_child_given(const struct listener *given, size_t count, bool (*scene)(void))
{
	pid_t pid = fork();
	int status, moved[2];
	char number[24];

	if (pid == 0) {
		for (size_t i = 0; i < count; i++)
			moved[i] = fcntl(given[i].fd, F_DUPFD, 20);
		for (size_t i = 0; i < count; i++)
			dup2(moved[i], 3 + (int)i);
		snprintf(number, sizeof(number), "%ld", (long)getpid());
		setenv("LISTEN_PID", number, 1);
		snprintf(number, sizeof(number), "%zu", count);
		setenv("LISTEN_FDS", number, 1);
		setenv("LISTEN_FDNAMES", "pool", 1);
		_exit(scene() ? 0 : 1);
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool systemd_is_forgotten(void)
{
	return !getenv("LISTEN_PID") && !getenv("LISTEN_FDS") && !getenv("LISTEN_FDNAMES");
}

static bool place_takes(unsigned place, int fd)
{
	struct listen_options options = { .path = path, .place = place };
	struct listener listener;

	return listen_open(&options, &listener, &why) == OK && listener.from_systemd && listener.fd == fd &&
	       fcntl(fd, F_GETFD) == FD_CLOEXEC && (fcntl(fd, F_GETFL) & O_NONBLOCK);
}

static bool both_are_taken(void)
{
	/* Whoever forgets them after the first leaves none for the second. */
	return place_takes(0, 3) && !systemd_is_forgotten() && place_takes(1, 4) && systemd_is_forgotten();
}

static bool the_second_makes_its_own(void)
{
	struct listen_options second = { .path = path, .place = 1 };
	struct listener listener;
	int fd;

	if (!place_takes(0, 3) || !systemd_is_forgotten() || listen_open(&second, &listener, &why) != OK)
		return false;
	fd = client_connect(path);
	listen_close(&listener);
	return !listener.from_systemd && fd >= 0;
}

static void of_two_sockets_from_systemd_each_pool_side_takes_its_own(void **state)
{
	(void)state;
	struct listener given[2];
	char second[80];

	snprintf(second, sizeof(second), "%s/second.sock", dir);
	assert_int_equal(open_at(path, &given[0]), OK);
	assert_int_equal(open_at(second, &given[1]), OK);
	assert_true(in_child_given(given, 2, both_are_taken));
	listen_close(&given[0]); /* its path is free */
	given[0] = given[1];
	assert_true(in_child_given(given, 1, the_second_makes_its_own));
	listen_close(&given[1]);
	strcat(second, ".lock");
	unlink(second);
}

#define SCENE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCENE(only_the_owner_and_the_group_reach_the_socket),
		SCENE(a_socket_that_somebody_answers_on_is_left_alone),
		SCENE(a_socket_left_by_a_dead_process_is_replaced),
		SCENE(a_file_in_the_sockets_place_is_not_overwritten),
		SCENE(a_path_or_group_that_cannot_be_used_is_said_so),
		SCENE(systemds_socket_is_taken_and_never_removed),
		SCENE(of_two_sockets_from_systemd_each_pool_side_takes_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
