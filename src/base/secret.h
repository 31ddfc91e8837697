/*
 * Bytes that nobody may see: keys, passwords, plain credentials.
 *
 * A secret has a size, is wiped on every path (SECRET_AUTO), is compared in
 * constant time, has no way to be printed, and lies in memory that is locked,
 * where the limit allows it, and left out of core dumps. A child of fork has
 * its parent's secrets. For one thread only.
 */
#ifndef LW_BASE_SECRET_H
#define LW_BASE_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/str.h"

struct secret {
	uint8_t *p;
	size_t n;
};

#define SECRET_EMPTY ((struct secret){ NULL, 0 })
#define SECRET_AUTO CLEANUP(secret_done)

/* A zeroed secret of n bytes (n may be 0). */
enum err secret_new(size_t n, struct secret *ret_secret) MUST_CHECK;
/* A copy of n bytes; the source stays the caller's to wipe. */
enum err secret_copy(const void *bytes, size_t n, struct secret *ret_secret) MUST_CHECK;
/* The content of a file without its line end, at most `max` bytes. ERR_IO (errno says why), ERR_TOO_BIG. */
enum err secret_read_file(const char *path, size_t max, struct secret *ret_secret) MUST_CHECK;
/* Wipes, frees and empties. NULL-safe. */
void secret_done(struct secret *secret);
/* Shortens to n bytes; the rest is wiped. */
void secret_cut(struct secret *secret, size_t n);
/* Same length and same bytes, in time that depends on the length only. */
bool secret_eq(const struct secret *a, const struct secret *b);
bool bytes_eq_constant_time(const void *a, const void *b, size_t n);
/* Overwrites memory in a way that the compiler keeps. */
void wipe(void *bytes, size_t n);
/* Cores off, ptrace by others off, freed memory overwritten (see free.c). Call first in main. */
void process_guard_secrets(void);

static inline struct str secret_str(const struct secret *s) { return (struct str){ (const char *)s->p, s->n }; }

#endif
