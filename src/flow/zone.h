/* Time zones of the tz database, read from their files (RFC 9636, "TZif"), which the C library knows only by setenv. */
#ifndef LW_FLOW_ZONE_H
#define LW_FLOW_ZONE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/attr.h"
#include "base/err.h"
#include "base/str.h"

struct zone;

/* The arena's. "UTC" needs no file. ERR_NOT_FOUND: none of that name, or not one that can be read. */
enum err zone_load(struct arena *arena, struct str name, const struct zone **ret_zone) MUST_CHECK;
/* The same of a file's content, which is copied. */
enum err zone_read(struct arena *arena, struct str content, const struct zone **ret_zone) MUST_CHECK;

/* Seconds that clocks there are ahead of UTC, at that time (seconds since the epoch). */
int64_t zone_offset(const struct zone *zone, int64_t at);
/*
 * The time at which clocks there show those seconds since the epoch: the first of two where they are put back; in a gap
 * the moment behind it.
 */
int64_t zone_time_of(const struct zone *zone, int64_t local);

/* --- of this room: the rule behind the last transition that a file lists (POSIX, "TZ") -------------------- */

struct zone_change {
	char kind; /* M: month, week and day of the week; J: day from 1 on, without leap days; 0: day from 0 on */
	int month, week, day;
	int64_t seconds; /* of the day, by the clocks before the change */
};

struct zone_rule {
	bool known, saves;        /* saves: there is a summer time */
	int64_t standard, summer; /* seconds ahead of UTC */
	struct zone_change begin, end;
};

/* False for what can't be read; an empty text is a rule that isn't known. */
bool zone_rule_read(struct str text, struct zone_rule *ret_rule) MUST_CHECK;
int64_t zone_rule_offset(const struct zone_rule *rule, int64_t at);

#endif
