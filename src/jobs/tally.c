#include "jobs/tally.h"

#include <stdatomic.h>

#include "core/shared.h"

struct tally {
	_Atomic int64_t n[JOB_QUEUE_COUNT][TALLY_END_COUNT];
};

enum err tally_new(struct tally **ret_tally)
{
	*ret_tally = shared_new(sizeof(**ret_tally));
	return *ret_tally ? OK : ERR_NO_MEMORY;
}

void tally_add(struct tally *tally, enum job_queue queue, enum tally_end end, int64_t n)
{
	if (tally)
		atomic_fetch_add_explicit(&tally->n[queue][end], n, memory_order_relaxed);
}

int64_t tally_take(struct tally *tally, enum job_queue queue, enum tally_end end)
{
	return tally ? atomic_exchange_explicit(&tally->n[queue][end], 0, memory_order_relaxed) : 0;
}
