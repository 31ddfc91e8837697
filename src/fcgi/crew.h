/* The worker processes of a pool, as its master sees them. */
#ifndef LW_FCGI_CREW_H
#define LW_FCGI_CREW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/err.h"
#include "fcgi/worker.h"

enum { CREW_MAX = 4096 }; /* several generations can be on their way out at once */

struct crew_member {
	pid_t pid;
	unsigned generation;
	unsigned number; /* among those of its generation that are alive: the least that was free */
	bool ready;
	int ready_fd; /* -1 once it has spoken */
	int64_t started_us;
	int64_t kill_at_us; /* 0: it hasn't been told to leave */
};

struct crew {
	struct crew_member v[CREW_MAX];
	size_t count;
};

/* What became of a worker. */
struct crew_death {
	struct crew_member member;
	int status; /* waitpid's */
};

/* What a worker process does; it ends with the status that is returned. */
struct crew_work {
	int (*live)(void *arg, const struct worker_seat *seat);
	void *arg;
};

/* Forks a worker of that generation. */
enum err crew_start(struct crew *crew, unsigned generation, const struct crew_work *work,
		    const struct worker_seat *seat) MUST_CHECK;
/* One worker that has ended, or false. */
bool crew_reap(struct crew *crew, struct crew_death *ret_death) MUST_CHECK;
/* Reads a worker's word that it is ready. */
void crew_hear(struct crew_member *member);
/*
 * Sends `signal_number` to all of that generation (0: to all) that haven't been told to leave; SIGKILL
 * follows in drain_ms.
 */
void crew_dismiss(struct crew *crew, unsigned generation, int signal_number, int drain_ms);
/* SIGKILL to those whose time is up. */
void crew_kill_late(struct crew *crew);

/* Those of a generation that haven't been told to leave, and how many of them are ready. */
size_t crew_count(const struct crew *crew, unsigned generation);
size_t crew_count_ready(const struct crew *crew, unsigned generation);
/* When crew_kill_late is due, or INT64_MAX. */
int64_t crew_next_kill_us(const struct crew *crew);

#endif
