/*
 * This program's free and realloc: both overwrite what they let go.
 *
 * Request parameters in libfcgi, rows in Connector/C, trees in Jansson and
 * tokens in libjwt all end in free, so this is the one place that wipes them.
 * glibc's own M_PERTURB isn't enough: chunks of up to 1,032 bytes that go to
 * the per-thread cache (most tokens and keys) are left as they are.
 *
 * Being defined in the executable, these take the place of libc's for every
 * library in the process. Sanitizers bring their own allocator: they keep it.
 */
#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/free.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define OWN_FREE 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer) ||                         \
	__has_feature(thread_sanitizer)
#define OWN_FREE 0
#endif
#endif
#if !defined(OWN_FREE)
#if defined(__GLIBC__)
#define OWN_FREE 1
#else
#define OWN_FREE 0
#endif
#endif

static size_t largest = SIZE_MAX;

size_t free_set_largest(size_t bytes)
{
	size_t before = largest;

	largest = bytes;
	return before;
}

#if OWN_FREE

/* glibc's real ones; exported for allocators that wrap them, declared in no header. */
extern void __libc_free(void *p);
extern void *__libc_malloc(size_t n);

__attribute__((visibility("default"))) void free(void *p)
{
	if (!p)
		return;
	explicit_bzero(p, malloc_usable_size(p));
	__libc_free(p);
}

__attribute__((visibility("default"))) void *realloc(void *p, size_t n)
{
	if (!p)
		return __libc_malloc(n);
	if (n == 0) { /* as glibc has it */
		free(p);
		return NULL;
	}
	size_t room = malloc_usable_size(p);
	if (n > largest) {
		errno = ENOMEM;
		return NULL;
	}
	if (n <= room && n >= room / 2) {
		explicit_bzero((char *)p + n, room - n);
		return p;
	}
	void *moved = __libc_malloc(n);
	if (!moved)
		return NULL;
	memcpy(moved, p, n < room ? n : room);
	free(p);
	return moved;
}

#endif

bool free_wipes(void) { return OWN_FREE; }
