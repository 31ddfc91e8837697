/* Starting, dismissing and burying workers. */
#include "fcgi/crew.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

/* The child: gives up what is the master's, and never returns into its code. */
static NORETURN void become_worker(const struct crew *crew, const struct crew_work *work,
				   const struct worker_seat *seat, pid_t master)
{
	/* A pool without its master would never be reloaded or stopped: its workers go with it. */
	prctl(PR_SET_PDEATHSIG, SIGINT);
	if (getppid() != master)
		_exit(0);
	for (size_t i = 0; i < crew->count; i++)
		if (crew->v[i].ready_fd >= 0)
			close(crew->v[i].ready_fd);
	_exit(work->live(work->arg, seat));
}

static bool is_taken(const struct crew *crew, unsigned generation, unsigned number)
{
	for (size_t i = 0; i < crew->count; i++)
		if (crew->v[i].generation == generation && crew->v[i].number == number)
			return true;
	return false;
}

enum err crew_start(struct crew *crew, unsigned generation, const struct crew_work *work,
		    const struct worker_seat *seat)
{
	struct worker_seat own = *seat;
	pid_t master = getpid();
	int ready[2];

	if (crew->count == CREW_MAX)
		return ERR_TOO_BIG;
	if (pipe2(ready, O_CLOEXEC | O_NONBLOCK) != 0)
		return ERR_IO;
	own.ready_fd = ready[1];
	while (is_taken(crew, generation, own.number))
		own.number++;
	pid_t pid = fork();
	if (pid == 0) {
		close(ready[0]);
		become_worker(crew, work, &own, master);
	}
	close(ready[1]);
	if (pid < 0) {
		close(ready[0]);
		return ERR_IO;
	}
	crew->v[crew->count++] = (struct crew_member){ .pid = pid,
						       .generation = generation,
						       .number = own.number,
						       .ready_fd = ready[0],
						       .started_us = clock_monotonic_us() };
	return OK;
}

bool crew_reap(struct crew *crew, struct crew_death *ret_death)
{
	/* One by one: the master may have other children, which aren't ours to wait for. */
	for (size_t i = 0; i < crew->count; i++) {
		struct crew_member *member = &crew->v[i];

		if (waitpid(member->pid, &ret_death->status, WNOHANG) != member->pid)
			continue;
		crew_hear(member);
		if (member->ready_fd >= 0)
			close(member->ready_fd);
		ret_death->member = *member;
		*member = crew->v[--crew->count];
		return true;
	}
	return false;
}

void crew_hear(struct crew_member *member)
{
	char word;
	ssize_t n;

	if (member->ready_fd < 0)
		return;
	n = read(member->ready_fd, &word, 1);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	member->ready = n == 1;
	close(member->ready_fd);
	member->ready_fd = -1;
}

void crew_dismiss(struct crew *crew, unsigned generation, int signal_number, int drain_ms)
{
	int64_t deadline = clock_monotonic_us() + (int64_t)drain_ms * 1000;

	for (size_t i = 0; i < crew->count; i++) {
		struct crew_member *member = &crew->v[i];

		if (generation != 0 && (member->generation != generation || member->kill_at_us != 0))
			continue;
		kill(member->pid, signal_number);
		if (member->kill_at_us == 0 || member->kill_at_us > deadline)
			member->kill_at_us = deadline;
	}
}

void crew_kill_late(struct crew *crew)
{
	int64_t now = clock_monotonic_us();

	for (size_t i = 0; i < crew->count; i++) {
		struct crew_member *member = &crew->v[i];

		if (member->kill_at_us == 0 || member->kill_at_us > now)
			continue;
		log_write(LOG_WARN, "a worker didn't end in time and is killed",
			  LOG_FIELDS(log_int("worker", member->pid)));
		kill(member->pid, SIGKILL);
		member->kill_at_us = INT64_MAX;
	}
}

size_t crew_count(const struct crew *crew, unsigned generation)
{
	size_t n = 0;

	for (size_t i = 0; i < crew->count; i++)
		n += crew->v[i].generation == generation && crew->v[i].kill_at_us == 0;
	return n;
}

size_t crew_count_ready(const struct crew *crew, unsigned generation)
{
	size_t n = 0;

	for (size_t i = 0; i < crew->count; i++)
		n += crew->v[i].generation == generation && crew->v[i].kill_at_us == 0 &&
		     crew->v[i].ready;
	return n;
}

int64_t crew_next_kill_us(const struct crew *crew)
{
	int64_t next = INT64_MAX;

	for (size_t i = 0; i < crew->count; i++)
		if (crew->v[i].kill_at_us != 0 && crew->v[i].kill_at_us < next)
			next = crew->v[i].kill_at_us;
	return next;
}
