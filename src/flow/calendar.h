/* Days of the Gregorian calendar, counted from 1970-01-01. Of this room. */
#ifndef LW_FLOW_CALENDAR_H
#define LW_FLOW_CALENDAR_H

#include <stdint.h>

struct civil {
	int64_t year;
	unsigned month, day; /* from 1 on */
};

static inline int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b < 0); }
static inline int64_t floor_mod(int64_t a, int64_t b) { return a - floor_div(a, b) * b; }

/* Both ways by years that begin in March, so that the leap day is the last of one (Howard Hinnant's algorithms). */
struct civil civil_of_day(int64_t day);
int64_t day_of_civil(int64_t year, unsigned month, unsigned day);
/* 0: Sunday. */
static inline unsigned weekday_of_day(int64_t day) { return (unsigned)floor_mod(day + 4, 7); }

#endif
