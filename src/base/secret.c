/*
 * Secrets live in a slab of cells of their own: locked, left out of core dumps,
 * between two pages that can't be touched. What doesn't fit there gets pages
 * of its own. Our processes have one thread: the slab has no lock.
 */
#include "base/secret.h"

#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/free.h"

enum {
	CELL = 64, /* every key fits into one */
	CELLS = 4096,
	RUN_MAX = 256, /* cells that one secret may take: 16 KiB */
	SLAB_BYTES = CELL * CELLS,
	PAGE = 4096
};

_Static_assert(SLAB_BYTES % PAGE == 0, "the guard pages must start on a page");

/* In front of a secret that has pages of its own. */
struct big {
	size_t mapped;
	uint8_t pad[CELL - sizeof(size_t)];
	uint8_t data[];
};

static uint8_t *slab;        /* NULL until the first secret */
static uint16_t runs[CELLS]; /* at a secret's first cell: how many it has; 0 elsewhere */
static size_t next_cell;     /* where to look first: the run that was taken or given back last */

void wipe(void *bytes, size_t n)
{
	if (n > 0)
		explicit_bzero(bytes, n);
}

/* Best effort: RLIMIT_MEMLOCK may be small. Locks aren't inherited by fork: a child locks again. */
static void lock_slab(void) { mlock(slab, SLAB_BYTES); }

static void *map(size_t n)
{
	void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	madvise(p, n, MADV_DONTDUMP);
	return p;
}

static bool slab_ready(void)
{
	if (slab)
		return true;
	uint8_t *p = map(SLAB_BYTES + 2 * PAGE);
	if (!p)
		return false;
	if (mprotect(p, PAGE, PROT_NONE) != 0 ||
	    mprotect(p + PAGE + SLAB_BYTES, PAGE, PROT_NONE) != 0 ||
	    pthread_atfork(NULL, NULL, lock_slab) != 0) {
		munmap(p, SLAB_BYTES + 2 * PAGE);
		return false;
	}
	slab = p + PAGE;
	lock_slab();
	return true;
}

/* The first of `want` free cells in a row, or CELLS. `from` must not be inside a run. */
static size_t find_cells(size_t from, size_t to, size_t want)
{
	size_t free_cells = 0;

	for (size_t i = from; i < to;) {
		if (runs[i] != 0) {
			i += runs[i];
			free_cells = 0;
			continue;
		}
		i++;
		if (++free_cells == want)
			return i - want;
	}
	return CELLS;
}

static uint8_t *take_cells(size_t n)
{
	size_t want = n ? (n + CELL - 1) / CELL : 1;

	if (want > RUN_MAX || !slab_ready())
		return NULL;
	size_t at = find_cells(next_cell, CELLS, want);
	if (at == CELLS)
		at = find_cells(0, CELLS, want);
	if (at == CELLS)
		return NULL;
	runs[at] = (uint16_t)want;
	next_cell = at;
	return slab + at * CELL;
}

static bool in_slab(const uint8_t *p) { return slab && p >= slab && p < slab + SLAB_BYTES; }

static void give_cells(uint8_t *p)
{
	size_t at = (size_t)(p - slab) / CELL;

	wipe(p, (size_t)runs[at] * CELL);
	runs[at] = 0;
	next_cell = at;
}

static uint8_t *take_pages(size_t n)
{
	if (n > SIZE_MAX - sizeof(struct big))
		return NULL;
	struct big *big = map(sizeof(*big) + n);
	if (!big)
		return NULL;
	big->mapped = sizeof(*big) + n;
	mlock(big, big->mapped);
	return big->data;
}

static void give_pages(uint8_t *p)
{
	struct big *big = (struct big *)(void *)(p - sizeof(*big));
	size_t mapped = big->mapped;

	wipe(big, mapped);
	munmap(big, mapped);
}

enum err secret_new(size_t n, struct secret *ret_secret)
{
	*ret_secret = SECRET_EMPTY;
	uint8_t *p = take_cells(n);
	if (!p)
		p = take_pages(n);
	if (!p)
		return ERR_NO_MEMORY;
	*ret_secret = (struct secret){ p, n };
	return OK;
}

enum err secret_copy(const void *bytes, size_t n, struct secret *ret_secret)
{
	TRY(secret_new(n, ret_secret));
	if (n > 0)
		memcpy(ret_secret->p, bytes, n);
	return OK;
}

void secret_done(struct secret *secret)
{
	if (!secret || !secret->p)
		return;
	if (in_slab(secret->p))
		give_cells(secret->p);
	else
		give_pages(secret->p);
	*secret = SECRET_EMPTY;
}

void secret_cut(struct secret *secret, size_t n)
{
	if (n >= secret->n)
		return;
	wipe(secret->p + n, secret->n - n);
	secret->n = n;
}

bool bytes_eq_constant_time(const void *a, const void *b, size_t n)
{
	/* volatile: the compiler must read every byte and may not leave early. */
	const volatile uint8_t *x = a, *y = b;
	uint8_t difference = 0;

	for (size_t i = 0; i < n; i++)
		difference = (uint8_t)(difference | (x[i] ^ y[i]));
	return difference == 0;
}

bool secret_eq(const struct secret *a, const struct secret *b)
{
	return a->n == b->n && bytes_eq_constant_time(a->p, b->p, a->n);
}

void process_guard_secrets(void)
{
	const struct rlimit none = { 0, 0 };

	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	/*
	 * The buffers that libfcgi, Jansson, libjwt and Connector/C free are wiped by our
	 * own free(); where that isn't built in, glibc's filling of freed chunks does what it can.
	 */
	if (!free_wipes())
		mallopt(M_PERTURB, 0xa5);
}

enum err secret_read_file(const char *path, size_t max, struct secret *ret_secret)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = -1;
	enum err e;

	if (fd < 0)
		return ERR_IO;
	e = secret_new(max + 1, ret_secret);
	if (e == OK) {
		n = read(fd, ret_secret->p, max + 1);
		if (n < 0 || (size_t)n > max)
			e = n < 0 ? ERR_IO : ERR_TOO_BIG;
	}
	close(fd);
	if (e != OK) {
		secret_done(ret_secret);
		return e;
	}
	while (n > 0 && (ret_secret->p[n - 1] == '\n' || ret_secret->p[n - 1] == '\r'))
		n--;
	secret_cut(ret_secret, (size_t)n);
	return OK;
}
