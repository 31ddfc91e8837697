#include "expr/confine.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "fcgi/sandbox.h"

enum { STACK_BYTES = 8 << 20, SEND_S = 10 };

/* What jq writes for `stderr`, and assertions, would be lines of the log that a stranger writes. */
static enum err close_files(int fd)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0)
		return ERR_IO;
	/* Both are above the places that they go to, so that neither is overwritten. */
	int from = fcntl(fd, F_DUPFD, CONFINE_FD + 1), nowhere = fcntl(null, F_DUPFD, CONFINE_FD + 1);
	if (from < 0 || nowhere < 0 || dup2(from, CONFINE_FD) < 0)
		return ERR_IO;
	for (int place = STDIN_FILENO; place <= STDERR_FILENO; place++)
		if (dup2(nowhere, place) < 0)
			return ERR_IO;
	return close_range(CONFINE_FD + 1, ~0U, 0) == 0 ? OK : ERR_IO;
}

static bool limit(int resource, rlim_t most)
{
	const struct rlimit both = { most, most };

	return setrlimit((__rlimit_resource_t)resource, &both) == 0;
}

static enum err set_limits(size_t memory)
{
	bool set = limit(RLIMIT_CORE, 0) && limit(RLIMIT_FSIZE, 0) && limit(RLIMIT_NPROC, 0) &&
		   limit(RLIMIT_STACK, STACK_BYTES) && limit(RLIMIT_NOFILE, CONFINE_FD + 1) &&
		   (!SANDBOX_LIMITS_MEMORY || (limit(RLIMIT_AS, memory) && limit(RLIMIT_DATA, memory)));

	return set ? OK : ERR_IO;
}

enum err confine(int fd, size_t memory)
{
	static char *no_environment[] = { NULL };
	const struct timeval patience = { .tv_sec = SEND_S };

	environ = no_environment; /* not clearenv, which leaves NULL: jq walks it */
	TRY(close_files(fd));
	if (setsockopt(CONFINE_FD, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) != 0 ||
	    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0)
		return ERR_IO;
	TRY(set_limits(memory));
	return sandbox_evaluator();
}
