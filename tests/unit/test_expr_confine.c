/* What an evaluator can still do once it is confined: tried in children that are confined as it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "expr/confine.h"

enum { MEMORY = 128 << 20, KILLED = 1000 };

static int outcome(long result) { return result >= 0 ? 0 : errno; }

/* Runs `try` in a confined child: what it says on the connection, or KILLED plus the signal that ended it. */
static int inside(int (*try)(void))
{
	int fds[2], said = -1, status;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(fds[0]);
		if (confine(fds[1], MEMORY) != OK)
			_exit(99);
		said = try();
		_exit(send(CONFINE_FD, &said, sizeof(said), 0) == sizeof(said) ? 0 : 98);
	}
	close(fds[1]);
	ssize_t n = recv(fds[0], &said, sizeof(said), MSG_WAITALL);
	close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFSIGNALED(status))
		return KILLED + WTERMSIG(status);
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_int_equal(n, sizeof(said));
	return said;
}

/* --- what fails ------------------------------------------------------------------- */

static int read_file(void) { return outcome(open("/etc/passwd", O_RDONLY)); }
static int write_file(void) { return outcome(open("/tmp/lw-expr-probe", O_WRONLY | O_CREAT, 0600)); }
static int list_directory(void) { return outcome(open("/", O_RDONLY | O_DIRECTORY)); }
static int look_at_file(void) { struct stat st; return outcome(stat("/etc/passwd", &st)); }
static int remove_file(void) { return outcome(unlink("/tmp/lw-expr-probe")); }
static int change_mode(void) { return outcome(chmod("/tmp", 0777)); }
static int open_inet(void) { return outcome(socket(AF_INET, SOCK_STREAM, 0)); }
static int open_unix(void) { return outcome(socket(AF_UNIX, SOCK_STREAM, 0)); }
static int make_pipe(void) { int fds[2]; return outcome(pipe(fds)); }
static int make_memfd(void) { return outcome((int)syscall(SYS_memfd_create, "x", 0)); }
static int pass_descriptor(void)
{
	struct msghdr message = { 0 };

	return outcome(sendmsg(CONFINE_FD, &message, 0));
}
static int make_code(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? errno : 0;
}
static int turn_data_into_code(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? -1 : outcome(mprotect(p, 4096, PROT_READ | PROT_EXEC));
}
static int raise_limit(void)
{
	const struct rlimit limit = { RLIM_INFINITY, RLIM_INFINITY };

	return outcome(setrlimit(RLIMIT_AS, &limit));
}
static int change_user(void) { return outcome(setuid(1)); }
static int sleep_for_ever(void) { return outcome(pause()); }
static int make_name_space(void) { return outcome(syscall(SYS_unshare, 0x10000000)); }

static void the_file_system_and_the_rest_of_the_machine_are_out_of_reach(void **state)
{
	static int (*const tries[])(void) = {
		open_inet,	 open_unix,	 read_file,	      write_file,  list_directory, look_at_file,
		remove_file,	 change_mode,	 make_pipe,	      make_memfd,  pass_descriptor, make_code,
		raise_limit,	 change_user,	 sleep_for_ever,      make_name_space, turn_data_into_code,
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(tries); i++)
		assert_int_equal(inside(tries[i]), EPERM);
}

/* --- what ends it ----------------------------------------------------------------- */

static char true_name[] = "/bin/true";
static char *const true_args[] = { true_name, NULL };

static int run_program(void) { return outcome(execve("/bin/true", true_args, true_args + 1)); }
static int make_process(void) { return outcome(fork()); }
static int connect_again(void)
{
	const struct sockaddr address = { .sa_family = AF_UNSPEC };

	return outcome(connect(CONFINE_FD, &address, sizeof(address)));
}
static int signal_parent(void) { return outcome(kill(getppid(), 0)); }
static int trace_parent(void) { return outcome(syscall(SYS_ptrace, 16, getppid(), 0, 0)); }
static int read_parent(void)
{
	return outcome(syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0));
}
static int spawn_program(void)
{
	pid_t pid;

	return posix_spawn(&pid, "/bin/true", NULL, NULL, true_args, true_args + 1);
}

static void whoever_tries_to_break_out_is_killed(void **state)
{
	static int (*const tries[])(void) = { run_program,   make_process, connect_again, signal_parent,
					      trace_parent, read_parent,  spawn_program };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(tries); i++)
		assert_int_equal(inside(tries[i]), KILLED + SIGSYS);
}

/* --- what it has ------------------------------------------------------------------- */

static int count_descriptors(void)
{
	int open_ones = 0;
	char byte;

	/* fstat and fcntl are gone: a descriptor that isn't open fails with EBADF, before anything else. */
	for (int fd = CONFINE_FD + 1; fd < 1024; fd++)
		open_ones += read(fd, &byte, 0) == 0 || errno != EBADF;
	return open_ones;
}

static int print_something(void)
{
	const char words[] = "this must not be seen\n";

	return write(STDERR_FILENO, words, sizeof(words)) == sizeof(words) &&
	       write(STDOUT_FILENO, words, sizeof(words)) == sizeof(words) ? 0 : errno;
}

static int read_input(void)
{
	char byte;

	return (int)read(STDIN_FILENO, &byte, 1);
}

static int count_environment(void)
{
	int n = 0;

	while (environ && environ[n])
		n++;
	return environ ? n : -1;
}

static int take_memory(void)
{
	int blocks = 0;

	for (; blocks < 1024; blocks++) {
		char *p = malloc(1 << 20);

		if (!p)
			break;
		memset(p, 1, 1 << 20);
	}
	return blocks;
}

static void it_has_its_connection_and_nothing_else(void **state)
{
	(void)state;
	int kept = open("/etc/passwd", O_RDONLY); /* not close-on-exec: inherited */
	assert_true(kept >= 0);
	assert_int_equal(setenv("LW_EXPR_PROBE", "secret", 1), 0);
	assert_int_equal(inside(count_descriptors), 0);
	assert_int_equal(inside(count_environment), 0);
	assert_int_equal(inside(print_something), 0);
	assert_int_equal(inside(read_input), 0);
	unsetenv("LW_EXPR_PROBE");
	close(kept);
}

static void its_memory_has_an_end(void **state)
{
	(void)state;
#if defined(__SANITIZE_ADDRESS__)
	skip();
#endif
	int blocks = inside(take_memory);
	assert_in_range(blocks, 32, 127);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_file_system_and_the_rest_of_the_machine_are_out_of_reach),
		cmocka_unit_test(whoever_tries_to_break_out_is_killed),
		cmocka_unit_test(it_has_its_connection_and_nothing_else),
		cmocka_unit_test(its_memory_has_an_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
