/*
 * Five fields from anywhere, and time zone files: what is read gives times that come one behind the other and that the
 * fields name, and zones whose clocks are never off by more than the largest number there is.
 */
#include <stdint.h>
#include <stdlib.h>

#include "flow/calendar.h"
#include "flow/cron.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const int64_t START_MS = INT64_C(1774742400000); /* a day before clocks are put forward in Europe */

static void look_at_cron(struct arena *arena, struct str text)
{
	const struct zone *zone;
	struct cron cron;
	int64_t at = START_MS, next;

	if (cron_read(text, &cron))
		return;
	if (zone_load(arena, STR("Europe/Vienna"), &zone) != OK && zone_load(arena, STR("UTC"), &zone) != OK)
		abort();
	for (int i = 0; i < 3 && cron_next(&cron, zone, at, &next); i++) {
		int64_t local = next / 1000 + zone_offset(zone, next / 1000);

		if (next <= at || next % 60000 != 0)
			abort();
		/* Only the moment behind a gap, on the hour, is one that the fields needn't name. */
		if (!(cron.minutes >> floor_mod(local, 3600) / 60 & 1) && floor_mod(local, 3600) != 0)
			abort();
		at = next;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct arena *arena;
	const struct zone *zone;

	if (!arena)
		arena = arena_new(8 << 20);
	if (!arena || size == 0)
		return 0;
	if (data[0] == 'T') {
		if (zone_read(arena, (struct str){ (const char *)data, size }, &zone) == OK)
			for (int64_t at = -8000000000; at < 8000000000; at += 900000000)
				(void)zone_time_of(zone, at + zone_offset(zone, at));
	} else {
		look_at_cron(arena, (struct str){ (const char *)data, size });
	}
	arena_reset(arena);
	return 0;
}
