#include "jobs/backoff.h"

#include "base/attr.h"

int64_t backoff_ms(unsigned failures, uint32_t random)
{
	static const int32_t SECONDS[] = { 5, 30, 120, 600, 3600, 3 * 3600, 8 * 3600, 12 * 3600 };
	unsigned last = ARRAY_SIZE(SECONDS) - 1;
	unsigned step = failures == 0 ? 0 : failures - 1;
	int64_t ms = SECONDS[step < last ? step : last] * 1000LL;

	return ms + (int64_t)(random % (uint32_t)(ms / 5 + 1));
}
