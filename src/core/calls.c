/*
 * A place is a robust mutex that its holder keeps locked for as long as the
 * call takes. When the holder dies, SIGKILL included, the kernel marks the mutex,
 * and whoever looks at it next finds the owner dead: no process id is needed,
 * which another process could have by then. One more mutex of the kind keeps
 * the table whole while somebody counts; it is held for a walk over the table.
 */
#include "core/calls.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "core/metrics.h"
#include "core/shared.h"

struct place {
	pthread_mutex_t held;
	/* What follows is read and written with the table locked. */
	bool taken;
	bool counted; /* in the gauge */
	struct id tenant;
	uint64_t provider;
	int64_t until_ms;
};

struct calls {
	pthread_mutex_t table;
	struct metrics
		*metrics; /* at the same address in every worker: all are forked from one master */
	struct place place[CALLS_PLACES];
};

static bool make_robust(pthread_mutex_t *mutex)
{
	pthread_mutexattr_t attributes;
	bool made;

	if (pthread_mutexattr_init(&attributes) != 0)
		return false;
	made = pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED) == 0 &&
	       pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST) == 0 &&
	       pthread_mutex_init(mutex, &attributes) == 0;
	pthread_mutexattr_destroy(&attributes);
	return made;
}

enum err calls_new(struct metrics *metrics, struct calls **ret_calls)
{
	struct calls *calls = shared_new(sizeof *calls);

	if (!calls || !make_robust(&calls->table))
		return ERR_NO_MEMORY;
	calls->metrics = metrics;
	for (size_t i = 0; i < CALLS_PLACES; i++)
		if (!make_robust(&calls->place[i].held))
			return ERR_NO_MEMORY;
	*ret_calls = calls;
	return OK;
}

/* Whoever died in the middle of a walk left at most one place half taken: it is free again when it is looked at. */
static bool lock_table(struct calls *calls)
{
	int error = pthread_mutex_lock(&calls->table);

	return error == 0 || (error == EOWNERDEAD && pthread_mutex_consistent(&calls->table) == 0);
}

/* True, and then the place is locked by us. */
static bool take(struct place *place)
{
	int error = pthread_mutex_trylock(&place->held);

	return error == 0 || (error == EOWNERDEAD && pthread_mutex_consistent(&place->held) == 0);
}

static void set_counted(struct calls *calls, struct place *place, bool counted)
{
	if (place->counted != counted)
		metrics_add(calls->metrics, METRIC_CALLS_IN_FLIGHT, counted ? 1 : -1);
	place->counted = counted;
}

static void clear(struct calls *calls, struct place *place)
{
	place->taken = false;
	set_counted(calls, place, false);
}

/* FNV-1a; two providers that meet share a cap, which harms nobody. */
static uint64_t hash_of(struct str text)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (size_t i = 0; i < text.n; i++)
		h = (h ^ (uint8_t)text.p[i]) * 0x100000001b3u;
	return h;
}

/* Frees a place whose holder has gone; it is taken still when nobody can lock it. */
static bool is_taken(struct calls *calls, struct place *place)
{
	if (!place->taken)
		return false;
	if (!take(place))
		return true;
	clear(calls, place);
	pthread_mutex_unlock(&place->held);
	return false;
}

struct count {
	int64_t of_tenant, of_provider;
	int free; /* a place that nobody has, or CALLS_NO_PLACE */
};

static struct count count_calls(struct calls *calls, const struct id *tenant, uint64_t provider,
				int64_t now_ms)
{
	struct count count = { .free = CALLS_NO_PLACE };

	for (int i = 0; i < CALLS_PLACES; i++) {
		struct place *place = &calls->place[i];

		if (!is_taken(calls, place)) {
			count.free = count.free == CALLS_NO_PLACE ? i : count.free;
		} else if (place->until_ms > now_ms) {
			count.of_tenant += id_eq(&place->tenant, tenant);
			count.of_provider += place->provider == provider;
		} else {
			/* Its holder has forgotten the time: it may keep the place, but not others out. */
			set_counted(calls, place, false);
		}
	}
	return count;
}

enum err calls_enter(struct calls *calls, const struct id *tenant, struct str provider,
		     int64_t per_tenant, int64_t per_provider, int64_t now_ms, int64_t until_ms,
		     int *ret_place)
{
	uint64_t of = hash_of(provider);
	enum err e = ERR_PROVIDER_BUSY;

	*ret_place = CALLS_NO_PLACE;
	if (!calls)
		return OK;
	if (!lock_table(calls))
		return ERR_INTERNAL;
	struct count count = count_calls(calls, tenant, of, now_ms);
	struct place *place = count.free == CALLS_NO_PLACE ? NULL : &calls->place[count.free];
	if (place && count.of_tenant < per_tenant && count.of_provider < per_provider &&
	    take(place)) {
		place->tenant = *tenant;
		place->provider = of;
		place->until_ms = until_ms;
		place->taken = true;
		set_counted(calls, place, true);
		*ret_place = count.free;
		e = OK;
	} else {
		metrics_add(calls->metrics, METRIC_CALLS_REFUSED, 1);
	}
	pthread_mutex_unlock(&calls->table);
	return e;
}

void calls_leave(struct calls *calls, int place)
{
	if (!calls || place < 0 || place >= CALLS_PLACES || !lock_table(calls))
		return;
	clear(calls, &calls->place[place]);
	pthread_mutex_unlock(&calls->place[place].held);
	pthread_mutex_unlock(&calls->table);
}
