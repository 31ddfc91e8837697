/* A pool with a trivial handler, in a process of its own, for the tests of src/fcgi. */
#ifndef LW_TESTS_FCGI_POOL_H
#define LW_TESTS_FCGI_POOL_H

#include <stdbool.h>
#include <sys/types.h>

#include "fcgi/pool.h"
#include "fcgi_support.h"

/*
 * The paths that it answers: /pid (the worker's process id), /version (reloads so far), /body (its
 * length), /slow (after 200 ms), /alone (the same, but it says so first), /unread (413, without reading), /crash,
 * /hang, /stuck (hangs, but says so first), /held (is held; then how many were answered together), /side (1 from a
 * worker of the side, 0 from the others).
 */
struct test_pool {
	pid_t pid;
	char path[64];
	char side[64]; /* its side's, when it has one */
	char pidfile[80];
	char dir[40];
};

enum {
	TEST_BAD_RELOAD = 1,   /* reload fails */
	TEST_BAD_WORKERS = 2,  /* workers that start after a reload fail */
	TEST_FEW_FILES = 4,    /* workers have one free descriptor */
	TEST_SIDE_GOES = 8,    /* a reload would leave the side without workers (of one) */
	/* Of the first reload's workers (one of each kind), that of the side never gets ready; then the other fails. */
	TEST_BAD_FIRST_RELOAD = 16,
};

/* Starts it and waits until it is ready. */
void pool_start(struct test_pool *pool, enum worker_mode mode, unsigned workers, unsigned trouble,
		const struct worker_options *worker);
/* The same with a side, as the vault has one: so many workers of each kind, own ones SINGLE, the side's POLLING. */
void pool_start_sided(struct test_pool *pool, unsigned each, unsigned trouble, const struct worker_options *worker);
/* Waits for its end; the exit status. */
int pool_wait(struct test_pool *pool);
/* Removes its directory; false when the pool left something there. */
bool pool_clean_up(const struct test_pool *pool);
/* Stops it, checks that it ended well, and removes its directory. */
void pool_stop(struct test_pool *pool);

/* A number that the pool answers with; -1 when there was no answer. */
long pool_asks(const struct test_pool *pool, const char *uri);
/* The same on a kept connection. */
long pool_asks_on(int fd, const char *uri);
/* Asks until `uri` gives `wanted`, for a minute. */
bool pool_comes_to(const struct test_pool *pool, const char *uri, long wanted);
/* Waits until a worker is at work on the pool's first request of those that say that they are slow. */
void pool_gets_slow(void);
/* Waits until the first reload of TEST_BAD_FIRST_RELOAD is under way. */
void pool_begins_bad_reload(void);

#endif
