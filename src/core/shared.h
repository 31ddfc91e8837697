/* Memory that a master and its workers share: anonymous, zeroed, made before the fork. */
#ifndef LW_CORE_SHARED_H
#define LW_CORE_SHARED_H

#include <stddef.h>

#include "base/attr.h"

/* NULL when the kernel has none. It stays until the last process has gone. */
void *shared_new(size_t size) MUST_CHECK;

#endif
