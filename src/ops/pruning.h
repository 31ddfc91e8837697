/* One tenant's turn, for those who remove its rows. */
#ifndef LW_OPS_PRUNING_H
#define LW_OPS_PRUNING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/id.h"
#include "core/ctx.h"

enum { PRUNE_BATCH = 1000, PRUNE_PAGE = 250 };

struct pruning {
	int64_t lease;  /* until when nobody else removes this tenant's rows; what its row says while it is ours */
	int batches;    /* that this turn may still take */
	bool has_swept; /* the row names a range whose steps and events are gone, too */
	struct opt_id sweep_from, sweep_to; /* what an earlier turn left */
};

/* When the lease of a batch that begins now ends. */
int64_t pruning_lease(void);
/*
 * Before each batch: the lease is renewed. ERR_CONFLICT: somebody else has it by now, or the limits were changed;
 * ERR_END: that was enough for this turn.
 */
enum err pruning_next(struct ctx *cx, struct pruning *p) MUST_CHECK;
/* Batch after batch of one kind of rows, until one isn't full. */
typedef enum err (*pruning_batch)(struct ctx *cx, const void *arg, int64_t *ret_rows);
enum err pruning_all(struct ctx *cx, struct pruning *p, pruning_batch batch, const void *arg) MUST_CHECK;

/* Ids that lie one behind the other and may all go; found by giving each of a page in its order. */
struct span {
	struct id from, to;
};
struct spans {
	struct span span[PRUNE_PAGE];
	size_t n, seen;
	bool open; /* the last one given may go */
	struct id last;
};
void spans_take(struct spans *spans, const struct id *id, bool may_go);

/* Executions that ended before, and what belongs to them. */
enum err prune_executions(struct ctx *cx, struct pruning *p, int64_t before_ms) MUST_CHECK;
/* Steps and events of what a turn that was interrupted has removed. */
enum err prune_swept(struct ctx *cx, struct pruning *p) MUST_CHECK;
enum err prune_events(struct ctx *cx, struct pruning *p, int64_t before_ms) MUST_CHECK;
/* Jobs that were given up before, about what is older. */
enum err prune_dead(struct ctx *cx, struct pruning *p, const char *queue, const char *kind,
		    int64_t before_ms) MUST_CHECK;

#endif
