/*
 * The buckets follow the generic cell rate algorithm (ITU-T I.371, annex A): all
 * that a bucket keeps is the time at which it would be full again.
 */
#include "core/rate.h"

#include <stdatomic.h>
#include <string.h>

#include "base/random.h"
#include "core/shared.h"

enum { BUCKETS = 1 << 16, NEIGHBOURS = 4 };

static const int64_t MINUTE_US = 60 * 1000000LL;

struct bucket {
	_Atomic uint64_t subject; /* 0: never used */
	_Atomic int64_t full_at_us;
	_Atomic int64_t refused; /* since one was allowed */
};

struct rate_table {
	uint64_t seed;
	struct bucket bucket[BUCKETS];
};

static const char *const CLASSES[] = {
#define RATE_CLASS(name, text, address, token, tenant) text,
#include "core/rate.def"
#undef RATE_CLASS
};

enum err rate_table_new(struct rate_table **ret_table)
{
	struct rate_table *table = shared_new(sizeof *table);

	if (!table)
		return ERR_NO_MEMORY;
	*ret_table = table;
	return random_bytes(&table->seed, sizeof table->seed);
}

enum rate_class rate_class_of(struct str text)
{
	for (size_t i = 0; i < ARRAY_SIZE(CLASSES); i++)
		if (str_eq(text, str_of(CLASSES[i])))
			return (enum rate_class)i;
	return RATE_DEFAULT;
}

int64_t rate_limit_of(const struct config *config, enum rate_class class, enum rate_subject subject)
{
	switch (class) {
#define RATE_CLASS(name, text, address, token, tenant)                                             \
	case RATE_##name:                                                                          \
		return subject == RATE_ADDRESS ? (address) : subject == RATE_TOKEN ? (token) : (tenant);
#include "core/rate.def"
#undef RATE_CLASS
	case RATE_CLASS_COUNT:
		break;
	}
	return 0;
}

/* FNV-1a over the bytes, finished as MurmurHash3 does; the seed keeps strangers from aiming at a slot. */
static uint64_t subject_hash(uint64_t seed, enum rate_class class, enum rate_subject kind, struct str subject)
{
	uint64_t h = (seed ^ (uint64_t)class << 8 ^ (uint64_t)kind) * 0x100000001b3u + 0xcbf29ce484222325u;

	for (size_t i = 0; i < subject.n; i++)
		h = (h ^ (uint8_t)subject.p[i]) * 0x100000001b3u;
	h = (h ^ h >> 33) * 0xff51afd7ed558ccdu;
	h = (h ^ h >> 33) * 0xc4ceb9fe1a85ec53u;
	h ^= h >> 33;
	return h ? h : 1;
}

/* The subject's bucket, or the idlest of its neighbours, taken over: full again, as if it were new. */
static struct bucket *bucket_of(struct rate_table *table, uint64_t subject)
{
	struct bucket *idlest = NULL;

	for (uint64_t i = 0; i < NEIGHBOURS; i++) {
		struct bucket *b = &table->bucket[(subject + i) % BUCKETS];

		if (atomic_load_explicit(&b->subject, memory_order_relaxed) == subject)
			return b;
		if (!idlest || atomic_load(&b->full_at_us) < atomic_load(&idlest->full_at_us))
			idlest = b;
	}
	atomic_store(&idlest->full_at_us, 0);
	atomic_store(&idlest->refused, 0);
	atomic_store(&idlest->subject, subject);
	return idlest;
}

static int64_t seconds_up(int64_t us) { return us <= 0 ? 0 : (us + 999999) / 1000000; }

struct rate_verdict rate_take(struct rate_table *table, enum rate_class class, enum rate_subject kind,
			      struct str subject, int64_t per_minute, int64_t now_ms)
{
	struct rate_verdict v = { .allowed = true, .limit = per_minute };
	int64_t now = now_ms * 1000, cost, full_at, full_next;
	struct bucket *b;

	if (per_minute <= 0)
		return v;
	cost = per_minute < MINUTE_US ? MINUTE_US / per_minute : 1;
	b = bucket_of(table, subject_hash(table->seed, class, kind, subject));
	full_at = atomic_load(&b->full_at_us);
	do {
		full_next = (full_at > now ? full_at : now) + cost;
		v.allowed = full_next - now <= MINUTE_US;
	} while (v.allowed && !atomic_compare_exchange_weak(&b->full_at_us, &full_at, full_next));
	if (!v.allowed) {
		atomic_fetch_add_explicit(&b->refused, 1, memory_order_relaxed);
		v.retry_s = seconds_up(full_next - now - MINUTE_US);
	} else if (atomic_load_explicit(&b->refused, memory_order_relaxed) > 0) {
		v.refused = atomic_exchange(&b->refused, 0);
	}
	v.remaining = v.allowed ? (MINUTE_US - (full_next - now)) / cost : 0;
	v.reset_s = seconds_up((v.allowed ? full_next : full_at) - now);
	return v;
}
