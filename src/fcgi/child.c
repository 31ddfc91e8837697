#include "fcgi/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "fcgi/landlock.h"
#include "fcgi/sandbox.h"

enum {
	NOT_BEGUN = 125, /* no program: the shell's number for it */
	READ_BYTES = 16 << 10,
	FILES_MAX = 16,
	NAP_MS = 5,
};

/* --- the child ---------------------------------------------------------------------- */

static bool limit(int resource, rlim_t most)
{
	const struct rlimit both = { most, most };

	return setrlimit((__rlimit_resource_t)resource, &both) == 0;
}

/* SIGXCPU, which says why, and SIGKILL for who doesn't listen. */
static bool limit_computing(int seconds)
{
	const struct rlimit both = { (rlim_t)seconds, (rlim_t)seconds + 1 };

	return setrlimit(RLIMIT_CPU, &both) == 0;
}

/* NPROC counts all of this user's: with none allowed, no other can be made. */
static bool set_limits(const struct child_program *program)
{
	return limit(RLIMIT_CORE, 0) && limit(RLIMIT_FSIZE, 0) && limit(RLIMIT_NPROC, 0) &&
	       limit(RLIMIT_NOFILE, FILES_MAX) && limit_computing(program->cpu_s) &&
	       (!SANDBOX_LIMITS_MEMORY || limit(RLIMIT_AS, program->memory));
}

/* Its messages would be lines of the log that a stranger writes. */
static bool keep_only(int in, int out)
{
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	return null >= 0 && dup2(in, STDIN_FILENO) >= 0 && dup2(out, STDOUT_FILENO) >= 0 &&
	       dup2(null, STDERR_FILENO) >= 0 && close_range(STDERR_FILENO + 1, ~0U, 0) == 0;
}

static bool belong_to(pid_t parent)
{
	sigset_t none;

	sigemptyset(&none);
	return setsid() >= 0 && prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0 && getppid() == parent &&
	       sigprocmask(SIG_SETMASK, &none, NULL) == 0;
}

static NORETURN void become(const struct child_program *program, pid_t parent, int in, int out)
{
	char *const no_environment[] = { NULL };

	if (belong_to(parent) && keep_only(in, out) && landlock_leave(program->path) == OK && set_limits(program) &&
	    sandbox_child() == OK)
		execve(program->path, program->arguments, no_environment);
	_exit(NOT_BEGUN);
}

/* --- the parent ---------------------------------------------------------------------- */

struct child {
	pid_t pid;
	int in, out; /* the input's file, and our end of the pipe; -1: none */
	int64_t ends_us;
};

static enum err put_input(struct str input, int *ret_fd)
{
	int fd = memfd_create("input", MFD_CLOEXEC);
	size_t done = 0;

	if (fd < 0)
		return ERR_IO;
	*ret_fd = fd;
	while (done < input.n) {
		ssize_t n = pwrite(fd, input.p + done, input.n - done, (off_t)done);

		if (n <= 0)
			return ERR_NO_MEMORY;
		done += (size_t)n;
	}
	return OK;
}

static enum err begin(struct child *child, const struct child_program *program)
{
	pid_t self = getpid();
	int pipe_fd[2];

	TRY(put_input(program->input, &child->in));
	if (pipe2(pipe_fd, O_CLOEXEC) != 0)
		return ERR_IO;
	child->ends_us = clock_monotonic_us() + (int64_t)program->deadline_ms * 1000;
	child->pid = fork();
	if (child->pid == 0)
		become(program, self, child->in, pipe_fd[1]);
	close(pipe_fd[1]);
	child->out = pipe_fd[0];
	return child->pid > 0 ? OK : ERR_IO;
}

static int left_ms(const struct child *child)
{
	int64_t left = (child->ends_us - clock_monotonic_us()) / 1000;

	return left > 0 ? (int)left : 0;
}

/* CHILD_EXITED: it has closed its output. */
static enum err listen_to(const struct child *child, struct buf *output, enum child_end *ret_end)
{
	struct pollfd wait = { .fd = child->out, .events = POLLIN };
	char part[READ_BYTES];
	ssize_t n;

	*ret_end = CHILD_LATE;
	while (left_ms(child) > 0) {
		if (poll(&wait, 1, left_ms(child)) <= 0)
			continue;
		n = read(child->out, part, sizeof(part));
		if (n < 0 && errno != EINTR)
			return ERR_IO;
		if (n > 0)
			buf_add(output, part, (size_t)n);
		if (n == 0 || buf_error(output) != OK) {
			*ret_end = n == 0 ? CHILD_EXITED : CHILD_TOO_MUCH;
			return buf_error(output) == ERR_NO_MEMORY ? ERR_NO_MEMORY : OK;
		}
	}
	return OK;
}

/* Who has closed its output may still compute. False: it is there at its deadline. */
static bool await_end(const struct child *child, int *ret_status)
{
	pid_t pid;

	while ((pid = waitpid(child->pid, ret_status, WNOHANG)) != child->pid) {
		if (left_ms(child) == 0 || (pid < 0 && errno != EINTR))
			return false;
		(void)poll(NULL, 0, NAP_MS);
	}
	return true;
}

static void end_it(const struct child *child)
{
	int status;

	(void)kill(child->pid, SIGKILL);
	while (waitpid(child->pid, &status, 0) < 0 && errno == EINTR)
		;
}

static enum err how_it_ended(int status, struct child_answer *answer)
{
	if (WIFEXITED(status) && WEXITSTATUS(status) == NOT_BEGUN)
		return ERR_NOT_READY;
	answer->end = WIFEXITED(status) ? CHILD_EXITED : CHILD_KILLED;
	answer->status = WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status);
	return OK;
}

static enum err attend(const struct child *child, struct buf *output, struct child_answer *answer)
{
	int status;
	enum err e = listen_to(child, output, &answer->end);

	if (e != OK || answer->end != CHILD_EXITED) {
		end_it(child);
		return e;
	}
	if (await_end(child, &status))
		return how_it_ended(status, answer);
	end_it(child);
	answer->end = CHILD_LATE;
	return OK;
}

enum err child_run(const struct child_program *program, struct buf *output, struct child_answer *ret_answer)
{
	struct child child = { .in = -1, .out = -1 };
	enum err e;

	buf_clear(output);
	*ret_answer = (struct child_answer){ .end = CHILD_LATE };
	e = begin(&child, program);
	if (e == OK)
		e = attend(&child, output, ret_answer);
	if (child.in >= 0)
		close(child.in);
	if (child.out >= 0)
		close(child.out);
	return e;
}
