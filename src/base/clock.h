/* Time: milliseconds since the epoch, UTC, in int64_t everywhere. */
#ifndef LW_BASE_CLOCK_H
#define LW_BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/str.h"

enum { TIME_TEXT_MAX = 32 };

int64_t clock_now_ms(void);
/* For durations only: microseconds of a clock that never steps. */
int64_t clock_monotonic_us(void);
/* Sleeps for so long, or until a signal comes. */
void clock_pause_ms(int64_t ms);
/* RFC 3339 in UTC with milliseconds: 2026-11-20T10:34:00.000Z. */
struct str time_format(int64_t ms, char text[TIME_TEXT_MAX]);
/* RFC 3339 with any offset and up to nine digits of fraction; false for anything else. */
bool time_parse(struct str text, int64_t *ret_ms) MUST_CHECK;

#endif
