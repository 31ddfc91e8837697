#include "expr/deadline.h"

#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "expr/frame.h"

enum { STACK_BYTES = 32 << 10 };

/* Before a function ends for good, AddressSanitizer wants to read /proc, which is gone. */
#define IN_HANDLER __attribute__((no_sanitize_address))


/* A handler reads these, and nothing that the program may have changed on its heap. */
static int answer_fd = -1;
static volatile sig_atomic_t awaited;
static char stack[STACK_BYTES];

static NORETURN IN_HANDLER void end(enum expr_why why, int status)
{
	const char frame[FRAME_ANSWER_HEAD] = { (char)why };

	if (awaited)
		(void)send(answer_fd, frame, sizeof(frame), MSG_NOSIGNAL | MSG_DONTWAIT);
	_exit(status);
}

static IN_HANDLER void time_over(int number)
{
	(void)number;
	end(EXPR_TIME, DEADLINE_TIME);
}

static IN_HANDLER void crashed(int number)
{
	(void)number;
	end(EXPR_DIED, DEADLINE_CRASH);
}

IN_HANDLER void deadline_no_memory(void *unused)
{
	(void)unused;
	end(EXPR_MEMORY, DEADLINE_MEMORY);
}

enum err deadline_install(int fd)
{
	/* SIGABRT: jq's assertions. SIGSEGV: among others, recursion that has used up the stack. */
	static const int crashes[] = { SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL };
	const stack_t own = { .ss_sp = stack, .ss_size = sizeof(stack) };
	struct sigaction action = { .sa_flags = SA_ONSTACK };

	answer_fd = fd;
	sigfillset(&action.sa_mask);
	if (sigaltstack(&own, NULL) != 0)
		return ERR_IO;
	action.sa_handler = time_over;
	if (sigaction(SIGPROF, &action, NULL) != 0)
		return ERR_IO;
	action.sa_handler = crashed;
	for (size_t i = 0; i < ARRAY_SIZE(crashes); i++)
		if (sigaction(crashes[i], &action, NULL) != 0)
			return ERR_IO;
	return OK;
}

void deadline_start(int64_t ms)
{
	const struct itimerval timer = { .it_value = { ms / 1000, ms % 1000 * 1000 } };

	awaited = 1;
	setitimer(ITIMER_PROF, &timer, NULL);
}

void deadline_stop(void)
{
	const struct itimerval none = { 0 };

	setitimer(ITIMER_PROF, &none, NULL);
}

void deadline_answered(void) { awaited = 0; }
