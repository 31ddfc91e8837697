/*
 * Places where a test may let the process die: lw_crash_point("before_commit").
 *
 * Only builds with -DLATCHWORK_CRASH_POINTS have them. There the environment's
 * LATCHWORK_CRASH_AT=before_commit:3 ends the process, as kill -9 would, when it
 * comes to that place the third time.
 */
#ifndef LW_BASE_CRASH_H
#define LW_BASE_CRASH_H

#ifdef LATCHWORK_CRASH_POINTS

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static inline void crash_point_reached(const char *name, unsigned long *count)
{
	const char *at = getenv("LATCHWORK_CRASH_AT");
	size_t n = strlen(name);

	if (!at || strncmp(at, name, n) != 0 || (at[n] != '\0' && at[n] != ':'))
		return;
	if (++*count == (at[n] == ':' ? strtoul(at + n + 1, NULL, 10) : 1))
		_exit(137);
}

#define lw_crash_point(name)                                                                       \
	do {                                                                                       \
		static unsigned long crash_count_;                                                 \
		crash_point_reached((name), &crash_count_);                                        \
	} while (0)

#else
#define lw_crash_point(name) ((void)0)
#endif

#endif
