/*
 * When a schedule's time comes: the five fields of crontab(5), minute hour day-of-month month day-of-week.
 *
 * A field is *, a number, a range a-b, either with a step /n, or a list of these; months and days of the week may be
 * names of three letters; Sunday is 0 or 7. As in Vixie cron a day has to match one of day-of-month and day-of-week
 * when both say something, that is, when neither begins with a star.
 */
#ifndef LW_FLOW_CRON_H
#define LW_FLOW_CRON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/str.h"
#include "flow/zone.h"

struct cron {
	uint64_t minutes;                       /* bit n: minute n */
	uint32_t hours, days, months, weekdays; /* days and months from 1 on; Sunday: bit 0 */
	bool any_day, any_weekday;              /* the field begins with a star */
};

/* NULL, or what is wrong, in words. */
const char *cron_read(struct str text, struct cron *ret_cron) MUST_CHECK;

/*
 * The first time behind `after_ms` that it names by that zone's clocks; false when there is none within 9 years
 * (February 30th). Where clocks are put forward, a time that they leave out is the moment behind the gap; where they
 * are put back, a time that comes twice is the first of the two. Schedules of every hour go by the hours that pass:
 * they have no time in a gap, and both in an overlap.
 */
bool cron_next(const struct cron *cron, const struct zone *zone, int64_t after_ms, int64_t *ret_ms) MUST_CHECK;

#endif
