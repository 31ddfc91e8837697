/* What the database has to promise before anything is acknowledged. */
#ifndef LW_OPS_DURABLE_H
#define LW_OPS_DURABLE_H

#include <stdbool.h>

#include "base/attr.h"

struct db;

/* Whether what is committed outlives a power failure. If not, or if nobody can say: false; the log has the reason. */
bool durable_database(struct db *db) MUST_CHECK;

#endif
