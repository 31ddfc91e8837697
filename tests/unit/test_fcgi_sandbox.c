/* What a process can still do once it is in its sandbox: tried in children. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <sched.h>
#include <spawn.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"

#include "fcgi/sandbox.h"

static char true_name[] = "/bin/true";
static char *const true_args[] = { true_name, NULL };

/* Runs `try` in a child inside the sandbox; what it returns is the child's exit status. */
static int inside(enum err (*enter)(void), int (*try)(void))
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		if (enter() != OK)
			_exit(250);
		_exit(try());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_not_equal(WEXITSTATUS(status), 250);
	return WEXITSTATUS(status);
}

static int outcome(long result) { return result >= 0 ? 0 : errno; }

static int open_inet(void) { return outcome(socket(AF_INET, SOCK_STREAM, 0)); }
static int open_inet6(void) { return outcome(socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0)); }
static int open_raw(void) { return outcome(socket(AF_INET, SOCK_RAW, 1)); }
static int open_netlink(void) { return outcome(socket(AF_NETLINK, SOCK_RAW, 0)); }
static int open_packet(void) { return outcome(socket(AF_PACKET, SOCK_RAW, 0)); }
static int open_unix(void) { return outcome(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)); }
static int run_program(void) { return outcome(execve("/bin/true", true_args, NULL)); }
static int trace(void) { return outcome(ptrace(PTRACE_TRACEME, 0, NULL, NULL)); }
static int new_space(void) { return outcome(unshare(CLONE_NEWUSER)); }
static int fork_it(void) { return outcome(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0)); }
static int mount_it(void) { return outcome(mount("none", "/tmp", "tmpfs", 0, NULL)); }
static int io_uring(void) { return outcome(syscall(SYS_io_uring_setup, 1, NULL)); }
static int keyctl(void) { return outcome(syscall(SYS_keyctl, 0, 0, 0, 0, 0)); }
static int bpf(void) { return outcome(syscall(SYS_bpf, 0, NULL, 0)); }
static int fault(void) { return outcome(syscall(SYS_userfaultfd, 0)); }
static int peek(void) { return outcome(syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0)); }

static int read_file(void)
{
	char byte;
	int fd = open("/etc/passwd", O_RDONLY | O_CLOEXEC);

	return fd >= 0 ? outcome(read(fd, &byte, 1)) : errno;
}

static int allocate(void)
{
	char *p = malloc(8 << 20);

	if (!p)
		return ENOMEM;
	memset(p, 1, 8 << 20);
	free(p);
	return 0;
}

static int has_no_new_privs(void) { return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0); }

static int spawn_true(void)
{
	pid_t pid;
	int status;
	int e = posix_spawn(&pid, "/bin/true", NULL, NULL, true_args, environ);

	if (e != 0)
		return e;
	return waitpid(pid, &status, 0) == pid && status == 0 ? 0 : 1;
}

/* As latch-worker does it: its child gives up the network, then becomes another program. */
static int run_in_child(void)
{
	struct rlimit limit = { 64, 64 };
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		if (setrlimit(RLIMIT_NOFILE, &limit) != 0 || sandbox_child() != OK)
			_exit(1);
		if (socket(AF_UNIX, SOCK_STREAM, 0) >= 0)
			_exit(2);
		execve("/bin/true", true_args, NULL);
		_exit(3);
	}
	return waitpid(pid, &status, 0) == pid ? WEXITSTATUS(status) : 4;
}

static void the_front_reaches_no_network(void **state)
{
	(void)state;
	assert_int_equal(inside(sandbox_front, open_inet), EACCES);
	assert_int_equal(inside(sandbox_front, open_inet6), EACCES);
	assert_int_equal(inside(sandbox_front, open_raw), EACCES);
	assert_int_equal(inside(sandbox_front, open_netlink), EACCES);
	assert_int_equal(inside(sandbox_front, open_unix), 0);
}

/* A worker is a child of its master: it lives in both sandboxes. */
static int serve_as_worker(void)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		if (sandbox_front() != OK || open_inet() != EACCES)
			_exit(1);
		_exit(open_unix() == 0 && fork_it() == EPERM ? 0 : 2);
	}
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : 3;
}

static void nor_does_its_master(void **state)
{
	(void)state;
	assert_int_equal(inside(sandbox_front_master, open_inet), EACCES);
	assert_int_equal(inside(sandbox_front_master, open_inet6), EACCES);
	assert_int_equal(inside(sandbox_front_master, run_program), EPERM);
	assert_int_equal(inside(sandbox_front_master, new_space), EPERM);
	assert_int_equal(inside(sandbox_front_master, serve_as_worker), 0);
	assert_int_equal(inside(sandbox_vault_master, open_inet), 0);
	assert_int_equal(inside(sandbox_vault_master, run_program), EPERM);
}

static void the_vault_reaches_the_internet_and_nothing_below_it(void **state)
{
	(void)state;
	assert_int_equal(inside(sandbox_vault, open_inet), 0);
	assert_int_equal(inside(sandbox_vault, open_inet6), 0);
	assert_int_equal(inside(sandbox_vault, open_unix), 0);
	assert_int_equal(inside(sandbox_vault, open_raw), EPERM);
	assert_int_equal(inside(sandbox_vault, open_packet), EACCES);
}

static void a_pool_that_was_taken_over_can_do_nothing_new(void **state)
{
	(void)state;
	static int (*const refused[])(void) = { run_program, trace, new_space, mount_it, io_uring,
						keyctl,	     bpf,   fault,     peek,	 fork_it };

	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		assert_int_equal(inside(sandbox_front, refused[i]), EPERM);
		assert_int_equal(inside(sandbox_vault, refused[i]), EPERM);
	}
	assert_int_not_equal(inside(sandbox_front, spawn_true), 0);
	assert_int_equal(inside(sandbox_front, has_no_new_privs), 1);
}

static void ordinary_work_goes_on_inside(void **state)
{
	(void)state;
	assert_int_equal(inside(sandbox_front, read_file), 0);
	assert_int_equal(inside(sandbox_front, allocate), 0);
	assert_int_equal(inside(sandbox_vault, read_file), 0);
	assert_int_equal(inside(sandbox_jobs, read_file), 0);
	assert_int_equal(inside(sandbox_child, read_file), 0);
}

static void the_worker_can_run_the_pdf_reader_without_a_network(void **state)
{
	(void)state;
	assert_int_equal(inside(sandbox_jobs, spawn_true), 0);
	assert_int_equal(inside(sandbox_jobs, run_in_child), 0);
	assert_int_equal(inside(sandbox_jobs, new_space), EPERM);
	assert_int_equal(inside(sandbox_child, open_inet), EACCES);
	assert_int_equal(inside(sandbox_child, fork_it), EPERM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_front_reaches_no_network),
		cmocka_unit_test(nor_does_its_master),
		cmocka_unit_test(the_vault_reaches_the_internet_and_nothing_below_it),
		cmocka_unit_test(a_pool_that_was_taken_over_can_do_nothing_new),
		cmocka_unit_test(ordinary_work_goes_on_inside),
		cmocka_unit_test(the_worker_can_run_the_pdf_reader_without_a_network),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
