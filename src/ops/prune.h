/*
 * Removing what is over, of single tenants and workflows: what no partition's drop can.
 *
 * Ids begin with their time, so that what is older than a limit is a range of a primary key, walked through page by
 * page. What may go is removed in batches, each in a transaction of its own, which lock nothing that anybody still
 * changes; what is under way lies among it and stays. Wherever it is interrupted, the next turn goes on.
 *
 * Kept longer than a tenant's limit: an execution that hasn't ended, or ended less than so many days ago, or that a job
 * still looks for, whole; an event that isn't processed, or that a delivery is still tried for, or was given up for
 * less than so many days ago. The keys by which a repeated delivery is known (event_key) aren't touched: they stay as
 * long as the installation keeps events, so that a late repetition isn't taken for news whatever a tenant keeps.
 */
#ifndef LW_OPS_PRUNE_H
#define LW_OPS_PRUNE_H

#include "base/attr.h"
#include "base/err.h"
#include "core/ctx.h"

/* Tenants with limits of their own (identity/tenant.h), those whose turn it is. */
enum err prune_tenants(struct ctx *cx) MUST_CHECK;
/* Versions of workflows that are neither among the newest nor what an execution that is kept began with. */
enum err prune_versions(struct ctx *cx) MUST_CHECK;
/*
 * Of tenants that may begin nothing more: counts what is under way anew. The count is right as long as executions end;
 * one that is dropped with its day while it is under way doesn't.
 */
enum err prune_counts(struct ctx *cx) MUST_CHECK;

#endif
