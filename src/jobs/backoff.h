/* When a failed job is tried again. */
#ifndef LW_JOBS_BACKOFF_H
#define LW_JOBS_BACKOFF_H

#include <stdint.h>

/*
 * Milliseconds until the try after that many failed ones (1, 2 ...): 5 s, 30 s, 2 min, 10 min, 1 h, 3 h, 8 h,
 * 12 h and 12 h from then on; each up to a fifth longer by `random`, so that what failed together isn't tried
 * together.
 */
int64_t backoff_ms(unsigned failures, uint32_t random);

#endif
