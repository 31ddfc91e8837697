/*
 * Caps on calls to the outside that are under way at once: of one tenant, and
 * to one provider. A provider that hangs holds a few workers of the pool, never
 * all of them.
 */
#ifndef LW_CORE_CALLS_H
#define LW_CORE_CALLS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/id.h"
#include "base/str.h"

struct calls;
struct metrics;

enum { CALLS_PLACES = 512, CALLS_NO_PLACE = -1 };

/*
 * Shared, anonymous memory: make it in the master, before the fork. The gauge of calls under way and the
 * counter of refused ones are kept in `metrics`, which may be NULL.
 */
enum err calls_new(struct metrics *metrics, struct calls **ret_calls) MUST_CHECK;

/*
 * Takes a place for a call of that tenant to that provider (a name or a host). ERR_PROVIDER_BUSY when either has
 * as many as it may. A place whose process died, or whose `until_ms` has passed, counts no more. `ret_place` goes
 * to calls_leave, in the same process. A NULL `calls` has room for everybody.
 */
enum err calls_enter(struct calls *calls, const struct id *tenant, struct str provider,
		     int64_t per_tenant, int64_t per_provider, int64_t now_ms, int64_t until_ms,
		     int *ret_place) MUST_CHECK;
void calls_leave(struct calls *calls, int place);

#endif
