#include "jobs/seats.h"

#include "base/clock.h"
#include "core/calls.h"
#include "core/shared.h"
#include "jobs/loop.h"

enum err seats_new(struct seats *ret_seats)
{
	ret_seats->busy_until_ms = shared_new(sizeof(*ret_seats->busy_until_ms));
	if (!ret_seats->busy_until_ms)
		return ERR_NO_MEMORY;
	TRY(calls_new(NULL, &ret_seats->calling));
	return calls_new(NULL, &ret_seats->quick);
}

static bool take(struct seating *seating, struct calls *of, const struct id *tenant, int64_t most)
{
	int place;

	if (seating->n == JOB_BATCH_MAX)
		return false;
	if (calls_enter(of, tenant, STR("job"), most, CALLS_PLACES, clock_now_ms(), INT64_MAX, &place) != OK)
		return false;
	seating->taken[seating->n].of = of;
	seating->taken[seating->n++].place = place;
	return true;
}

static bool take_reserved(struct seating *seating, const struct id *tenant)
{
	if (!take(seating, seating->seats->quick, tenant, 1))
		return false;
	atomic_store(seating->seats->busy_until_ms, loop_now_ms() + SEATS_MAKE_WAY_MS);
	return true;
}

bool seats_take(struct seating *seating, enum job_queue queue, const struct id *tenant)
{
	if (queue == QUEUE_CALL)
		return take(seating, seating->seats->calling, tenant, seating->calls_most);
	if (!job_queue_is_quick(queue))
		return true;
	return seating->reserved ? take_reserved(seating, tenant)
				 : take(seating, seating->seats->quick, tenant, CALLS_PLACES);
}

void seats_make_way(struct seating *seating)
{
	while (seating->waited_ms < SEATS_MAKE_WAY_MS && loop_now_ms() < atomic_load(seating->seats->busy_until_ms)) {
		clock_pause_ms(1);
		seating->waited_ms++;
	}
}

void seats_leave(struct seating *seating)
{
	if (seating->reserved)
		atomic_store(seating->seats->busy_until_ms, 0);
	while (seating->n > 0) {
		seating->n--;
		calls_leave(seating->taken[seating->n].of, seating->taken[seating->n].place);
	}
	seating->waited_ms = 0;
}
