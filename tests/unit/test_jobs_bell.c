/* The doorbell: heard when somebody listens, and nobody's trouble when not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "jobs/bell.h"

static char directory[] = "/tmp/latchwork-bell-XXXXXX";
static char path[64];

static int start(void **state)
{
	(void)state;
	if (!mkdtemp(directory))
		return -1;
	return snprintf(path, sizeof(path), "%s/bell", directory) < (int)sizeof(path) ? 0 : -1;
}

static int stop(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(directory);
}

static bool is_ringing(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

static void a_ring_is_heard_until_it_is_cleared(void **state)
{
	int fd;

	(void)state;
	assert_int_equal(bell_hang(path, &fd), OK);
	assert_false(is_ringing(fd));
	for (int i = 0; i < 3; i++)
		bell_ring(path);
	assert_true(is_ringing(fd));
	assert_true(bell_clear(fd));
	assert_false(is_ringing(fd));
	assert_false(bell_clear(fd));
	close(fd);
}

/* More than the socket's queue holds: whoever rings has better things to do than wait. */
static void ringing_never_waits(void **state)
{
	int fd;

	(void)state;
	assert_int_equal(bell_hang(path, &fd), OK);
	for (int i = 0; i < 10000; i++)
		bell_ring(path);
	assert_true(is_ringing(fd));
	close(fd);
}

static void a_bell_that_nobody_hears_or_that_is_not_there_is_no_trouble(void **state)
{
	char longer[300];
	int fd;

	(void)state;
	assert_int_equal(bell_hang(path, &fd), OK);
	close(fd); /* as after a kill: the path is still there */
	bell_ring(path);
	assert_int_equal(bell_hang(path, &fd), OK);
	assert_false(is_ringing(fd));
	bell_ring(path);
	assert_true(is_ringing(fd));
	close(fd);
	unlink(path);
	bell_ring(path);
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	bell_ring(longer);
	assert_int_equal(bell_hang(longer, &fd), ERR_TOO_BIG);
	assert_int_equal(bell_hang("/nowhere/at/all", &fd), ERR_IO);
}

/* One of several processes hears the bell; all of them hear the chime, each until it has cleared its own. */
static void a_struck_chime_is_heard_by_each_process_whatever_the_others_do(void **state)
{
	struct chime chime;

	(void)state;
	assert_int_equal(chime_hang(&chime), OK);
	assert_false(is_ringing(chime.fd[0]));
	chime_strike(&chime, 2);
	chime_strike(&chime, 2);
	chime_clear(chime.fd[0]);
	assert_false(is_ringing(chime.fd[0]));
	assert_true(is_ringing(chime.fd[1]));
	assert_false(is_ringing(chime.fd[2]));
	chime_clear(chime.fd[0]);
	for (size_t i = 0; i < CHIME_MAX; i++)
		close(chime.fd[i]);
}

/* The pools run as other users than the worker. */
static void everybody_on_the_machine_may_ring(void **state)
{
	struct stat status;
	int fd;

	(void)state;
	assert_int_equal(bell_hang(path, &fd), OK);
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0666);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_ring_is_heard_until_it_is_cleared),
		cmocka_unit_test(ringing_never_waits),
		cmocka_unit_test(a_bell_that_nobody_hears_or_that_is_not_there_is_no_trouble),
		cmocka_unit_test(a_struck_chime_is_heard_by_each_process_whatever_the_others_do),
		cmocka_unit_test(everybody_on_the_machine_may_ring),
	};

	return cmocka_run_group_tests_name("the doorbell", tests, start, stop);
}
