/*
 * Rate limits: token buckets in memory that the workers of a pool share.
 *
 * A bucket fills evenly and holds a minute's worth, so a burst is let through
 * and the mean is kept. Buckets live in a fixed hash table; when two subjects
 * meet in one slot, the older idle one is dropped: the table can't be filled up.
 */
#ifndef LW_CORE_RATE_H
#define LW_CORE_RATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/str.h"
#include "core/config.h"

struct rate_table;

enum rate_class {
#define RATE_CLASS(name, text, address, token, tenant) RATE_##name,
#include "core/rate.def"
#undef RATE_CLASS
	RATE_CLASS_COUNT
};

enum rate_subject { RATE_ADDRESS, RATE_TOKEN, RATE_TENANT };

struct rate_verdict {
	bool allowed;
	int64_t limit;     /* requests a minute; 0: no limit, and then nothing is to be said */
	int64_t remaining;
	int64_t reset_s;   /* until the bucket is full again */
	int64_t retry_s;   /* until the next request is allowed; 0 when this one was */
	int64_t refused;   /* of one that is allowed: how many were refused since the last one that was, about */
};

/* Shared, anonymous memory: make it in the master, before the fork. */
enum err rate_table_new(struct rate_table **ret_table) MUST_CHECK;

/* DEFAULT for a text that isn't in rate.def: the generator checked them. */
enum rate_class rate_class_of(struct str text);
/* The requests a minute that the configuration allows such a subject in that class. */
int64_t rate_limit_of(const struct config *config, enum rate_class class, enum rate_subject subject);
/* Takes one from the bucket of (class, subject kind, subject's bytes). */
struct rate_verdict rate_take(struct rate_table *table, enum rate_class class, enum rate_subject kind,
			      struct str subject, int64_t per_minute, int64_t now_ms);

#endif
