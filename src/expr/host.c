#include "expr/host.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "expr/deadline.h"
#include "expr/frame.h"
#include "expr/serve.h"
#include "fcgi/notify.h"
#include "fcgi/pidfile.h"

enum { DRAIN_MS = 2000, ACCEPTS_AT_ONCE = 64 };

struct host {
	struct host_options *options;
	int signal_fd;
	bool want_stop;
	size_t count;
	pid_t evaluator[HOST_CONNECTIONS_MAX];
};

static enum err take_signals(int *ret_fd)
{
	static const int obeyed[] = { SIGHUP, SIGTERM, SIGINT, SIGCHLD };
	static const int ignored[] = { SIGPIPE, SIGUSR1, SIGUSR2 };
	const struct sigaction ignore = { .sa_handler = SIG_IGN };
	sigset_t set;

	for (size_t i = 0; i < ARRAY_SIZE(ignored); i++)
		sigaction(ignored[i], &ignore, NULL);
	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(obeyed); i++)
		sigaddset(&set, obeyed[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
	*ret_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return *ret_fd >= 0 ? OK : ERR_IO;
}

/* --- evaluators --------------------------------------------------------------------- */

static NORETURN void become_evaluator(const struct host *host, int fd)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	serve_connection(fd, host->options->memory);
}

/* It asks for nothing yet, so nothing of it is read. */
static void refuse(int fd)
{
	static const char words[] = "all evaluators are taken; expression.connections says how many there are";
	char bytes[FRAME_ANSWER_HEAD + sizeof(words)];
	struct buf frame;

	buf_init(&frame, sizeof(bytes));
	frame_add_answer(&frame, &(struct frame_answer){ .why = EXPR_AWAY, .text = str_of(words) });
	if (buf_error(&frame) == OK)
		(void)send(fd, frame.p, frame.n, MSG_NOSIGNAL | MSG_DONTWAIT);
	buf_done(&frame);
}

static void start_evaluator(struct host *host, int fd)
{
	pid_t pid = -1;

	if (host->count < host->options->connections && host->count < HOST_CONNECTIONS_MAX) {
		pid = fork();
		if (pid == 0)
			become_evaluator(host, fd);
		if (pid < 0)
			log_write(LOG_ERROR, "an evaluator can't be started", LOG_FIELDS(log_errno(errno)));
	} else {
		log_write(LOG_WARN, "all evaluators are taken", LOG_FIELDS(log_int("evaluators", (int64_t)host->count)));
	}
	if (pid > 0)
		host->evaluator[host->count++] = pid;
	else
		refuse(fd);
	close(fd);
}

static void accept_some(struct host *host)
{
	for (int i = 0; i < ACCEPTS_AT_ONCE; i++) {
		int fd = accept4(host->options->listener->fd, NULL, NULL, SOCK_CLOEXEC);

		if (fd < 0)
			return;
		start_evaluator(host, fd);
	}
}

/* A program that is over its limits is nothing to worry about; a signal may be. */
static void log_end(pid_t pid, int status)
{
	if (WIFSIGNALED(status) && WTERMSIG(status) != SIGTERM && WTERMSIG(status) != SIGKILL)
		log_write(LOG_ERROR, WTERMSIG(status) == SIGSYS ? "an evaluator tried what it may not"
							       : "an evaluator died",
			  LOG_FIELDS(log_int("evaluator", pid), log_int("signal", WTERMSIG(status))));
	else if (WIFEXITED(status) && WEXITSTATUS(status) >= DEADLINE_TIME)
		log_write(LOG_INFO, "an evaluator ended with a program that was over its limits",
			  LOG_FIELDS(log_int("evaluator", pid), log_int("status", WEXITSTATUS(status))));
	else if (WIFEXITED(status) && WEXITSTATUS(status) != EXIT_SUCCESS)
		log_write(LOG_ERROR, "an evaluator can't start", LOG_FIELDS(log_int("evaluator", pid)));
}

static void reap(struct host *host)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		log_end(pid, status);
		for (size_t i = 0; i < host->count; i++)
			if (host->evaluator[i] == pid) {
				host->evaluator[i] = host->evaluator[--host->count];
				break;
			}
	}
}

static void signal_all(const struct host *host, int number)
{
	for (size_t i = 0; i < host->count; i++)
		kill(host->evaluator[i], number);
}

/* --- the loop ------------------------------------------------------------------------- */

static void reload(const struct host *host)
{
	enum err e = OK;

	notify_reloading();
	if (host->options->reload)
		e = host->options->reload(host->options->arg);
	log_write(e == OK ? LOG_INFO : LOG_ERROR,
		  e == OK ? "reloaded" : "the reload failed; the old limits stay", LOG_FIELDS(log_err(e)));
	notify_ready();
}

static void obey(struct host *host)
{
	struct signalfd_siginfo info;

	while (read(host->signal_fd, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGHUP)
			reload(host);
		else if (info.ssi_signo != SIGCHLD)
			host->want_stop = true;
	}
	reap(host);
}

static void serve(struct host *host)
{
	struct pollfd polled[] = { { host->signal_fd, POLLIN, 0 }, { host->options->listener->fd, POLLIN, 0 } };

	while (!host->want_stop) {
		if (poll(polled, ARRAY_SIZE(polled), -1) < 0 && errno != EINTR)
			return;
		if (polled[0].revents)
			obey(host);
		if (polled[1].revents)
			accept_some(host);
	}
}

static void stop(struct host *host)
{
	int64_t until = clock_monotonic_us() + DRAIN_MS * 1000, left;
	struct pollfd signals = { host->signal_fd, POLLIN, 0 };

	log_write(LOG_INFO, "stopping", LOG_NO_FIELDS);
	notify_stopping();
	listen_close(host->options->listener);
	signal_all(host, SIGTERM);
	while (host->count > 0 && (left = until - clock_monotonic_us()) > 0) {
		poll(&signals, 1, (int)(left / 1000) + 1);
		obey(host);
	}
	signal_all(host, SIGKILL);
}

enum err host_run(struct host_options *options)
{
	struct host *host = calloc(1, sizeof(*host));

	if (!host)
		return ERR_NO_MEMORY;
	host->options = options;
	enum err e = take_signals(&host->signal_fd);
	if (e == OK)
		e = pidfile_write(options->pidfile);
	if (e == OK) {
		log_write(LOG_INFO, "ready", LOG_FIELDS(log_int("connections", (int64_t)options->connections)));
		notify_ready();
		serve(host);
		stop(host);
		pidfile_remove(options->pidfile);
		close(host->signal_fd);
	}
	free(host);
	return e;
}
