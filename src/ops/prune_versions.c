/*
 * Versions of workflows. One that no execution began with goes at once; of the others lw_start notes, to the day, when
 * one last did. Who began with it before that, and is still there, is found among the workflow's oldest executions:
 * they are few, since the rest has been dropped. Of a deleted workflow all versions may go, and then its row.
 */
#include "base/log.h"
#include "identity/tenant.h"
#include "jobs/loop.h"
#include "ops/prune.h"
#include "store/sql_retention.h"

enum { WORKFLOWS = 100, DROPS = 500, LOOKS = 200, BATCHES = 20, VERSIONS_ARENA_MAX = 1 << 20 };

static const int64_t HOUR_MS = 60 * 60 * 1000LL, DAY_MS = 24 * 60 * 60 * 1000LL;

struct old {
	struct id workflow;
	int64_t last;           /* the newest of those that may go */
	bool deleted;
	int64_t due_at;
	int64_t used_before_ms; /* what was used later is some kept execution's */
};

static enum err drop_unused(struct ctx *cx, const struct old *old)
{
	const struct sql_version_drop_unused_in in = { .workflow_id = old->workflow,
						       .last = old->last,
						       .limit = DROPS };
	int64_t rows = DROPS;

	for (int i = 0; i < BATCHES && rows == DROPS && !loop_is_stopping(); i++)
		TRY(sql_version_drop_unused(cx->db, &in, &rows));
	return OK;
}

/* `used_at` is up to a day behind; the hour is for clocks. */
static enum err is_kept(struct ctx *cx, const struct old *old, int64_t version, int64_t used_at, bool *ret_kept)
{
	const struct sql_version_begun_with_in in = { .workflow_id = old->workflow,
						      .version = version,
						      .until = id_first_at(used_at + DAY_MS + HOUR_MS) };
	struct sql_version_begun_with_row row;
	enum err e = sql_version_begun_with(cx->db, &in, &row);

	*ret_kept = e != ERR_NOT_FOUND;
	return e == ERR_NOT_FOUND ? OK : e;
}

static enum err consider(struct ctx *cx, const struct old *old, int64_t version, int64_t used_at, bool *ret_kept)
{
	const struct sql_version_drop_used_in in = { .workflow_id = old->workflow,
						     .version = version,
						     .used_before = old->used_before_ms };

	*ret_kept = used_at >= old->used_before_ms;
	if (!*ret_kept)
		TRY(is_kept(cx, old, version, used_at, ret_kept));
	return *ret_kept ? OK : sql_version_drop_used(cx->db, &in, NULL);
}

static enum err drop_used(struct ctx *cx, const struct old *old, int64_t *ret_kept)
{
	struct sql_version_used_in in = { .workflow_id = old->workflow, .last = old->last, .limit = LOOKS };
	struct sql_version_used_row row;
	size_t looks;
	bool kept;
	enum err e;

	*ret_kept = 0;
	do {
		looks = 0;
		TRY(sql_version_used(cx->db, &in));
		while ((e = sql_version_used_next(cx->db, &row)) == OK) {
			TRY(consider(cx, old, row.version, row.used_at, &kept));
			*ret_kept += kept;
			in.after = row.version;
			looks++;
		}
		if (e != ERR_END)
			return e;
	} while (looks == LOOKS && !loop_is_stopping());
	return OK;
}

static enum err prune_workflow(struct ctx *cx, void *arg)
{
	const struct old *old = arg;
	struct sql_version_rest_in rest = { .workflow_id = old->workflow, .seen_at = old->due_at };
	int64_t kept = 0;

	if (old->last > 0) {
		TRY(drop_unused(cx, old));
		TRY(drop_used(cx, old, &kept));
	}
	if (old->deleted)
		TRY(sql_version_drop_workflow(cx->db, &(struct sql_version_drop_workflow_in){ old->workflow }, NULL));
	rest.next_at = (struct opt_int){ kept > 0 || old->deleted, cx->now_ms + DAY_MS };
	return sql_version_rest(cx->db, &rest, NULL);
}

/* Days after which an execution that has ended is gone: dropped with its day, and one more for used_at. */
static int64_t kept_days(const struct ctx *cx, struct opt_int own)
{
	int64_t most = tenant_limit_most(cx->config, TENANT_EXECUTION_DAYS);

	return (own.set && own.v < most ? own.v : most) + 2;
}

enum err prune_versions(struct ctx *cx)
{
	struct sql_version_due_row row;
	enum err e = ERR_END;

	TRY(sql_version_due(cx->db, &(struct sql_version_due_in){ .limit = WORKFLOWS }));
	while (!loop_is_stopping() && (e = sql_version_due_next(cx->db, &row)) == OK) {
		struct old old = { .workflow = row.workflow_id,
				   .last = row.deleted_at.set ? row.version
							      : row.version - cx->config->workflows_versions_kept,
				   .deleted = row.deleted_at.set,
				   .due_at = row.due_at,
				   .used_before_ms = cx->now_ms - kept_days(cx, row.execution_days) * DAY_MS };

		e = ctx_as_system(cx, &row.tenant_id, VERSIONS_ARENA_MAX, prune_workflow, &old);
		if (err_is_outage(e))
			return e;
		if (e != OK)
			log_write(LOG_WARN, "old versions of a workflow can't be removed", LOG_FIELDS(log_err(e)));
		e = OK;
	}
	return e == ERR_END ? OK : e;
}
