/* latchctl job: the queues of all tenants, as their operator sees them. */
#include <inttypes.h>
#include <stdio.h>

#include "jobs/queue.h"
#include "main/ctl.h"
#include "store/sql_queue.h"

enum { REVIVED_MAX = 100000 };

/* Which jobs: --tenant and --queue. */
struct chosen {
	struct opt_id tenant;
	struct str queue;
};

static enum err read_choice(const struct ctl *ctl, struct chosen *ret_chosen)
{
	const char *tenant = ctl_option(ctl, "tenant"), *queue = ctl_option(ctl, "queue");
	enum job_queue known;

	*ret_chosen = (struct chosen){ .tenant.set = tenant != NULL, .queue = queue ? str_of(queue) : STR_NONE };
	if (tenant && !id_parse(ID_TENANT, str_of(tenant), &ret_chosen->tenant.v))
		return ctl_fail(ERR_BAD_INPUT, "%s is no tenant's id", tenant);
	if (queue && !job_queue_parse(ret_chosen->queue, &known))
		return ctl_fail(ERR_BAD_INPUT, "there is no queue %s", queue);
	return OK;
}

/* Absent for a job of the service itself. */
static struct str tenant_text(const struct id *tenant, char text[ID_TEXT_MAX])
{
	return id_is_nil(tenant) ? STR_NONE : id_format(ID_TENANT, tenant, text);
}

/* --- lists ------------------------------------------------------------------------- */

/* The pages' functions are told nothing else. */
static struct sql_queue_jobs_in listed;

static enum err job_page(struct db *db, const struct id *behind)
{
	listed.before = *behind;
	return sql_queue_jobs(db, &listed);
}

static enum err print_next_job(struct ctl_list *list, struct id *ret_id)
{
	char id[ID_TEXT_MAX], tenant[ID_TEXT_MAX], attempts[24], at[TIME_TEXT_MAX];
	struct sql_queue_jobs_row row;

	TRY(sql_queue_jobs_next(list->ctl->cx.db, &row));
	snprintf(attempts, sizeof attempts, "%" PRId64, row.attempts);
	ctl_list_row(list, (const struct str[]){ id_format(ID_JOB, &row.job_id, id),
						 tenant_text(&row.tenant_id, tenant), row.queue, row.kind, row.state,
						 time_format(row.run_at, at), str_of(attempts), row.error_code });
	*ret_id = row.job_id;
	return OK;
}

static enum err list_jobs(struct ctl *ctl, struct str state)
{
	static const char *const COLUMNS[] = { "id", "tenant", "queue", "kind", "state", "run_at", "attempts", "error" };
	struct chosen chosen;

	TRY(read_choice(ctl, &chosen));
	TRY(ctl_open(ctl, ACCOUNT_CTL, 0));
	listed = (struct sql_queue_jobs_in){
		.job_tenant = chosen.tenant, .queue = chosen.queue, .state = state, .limit = CTL_PAGE
	};
	return ctl_list_pages(ctl, &(struct ctl_pages){ "jobs", COLUMNS, ARRAY_SIZE(COLUMNS), ID_MAX, job_page,
							print_next_job });
}

enum err ctl_job_list(struct ctl *ctl) { return list_jobs(ctl, STR_NONE); }
enum err ctl_job_dead(struct ctl *ctl) { return list_jobs(ctl, STR("dead")); }

/* --- one --------------------------------------------------------------------------- */

static enum err find_job(struct ctl *ctl, struct id *ret_id, struct sql_queue_job_row *ret_row)
{
	if (!id_parse(ID_JOB, str_of(ctl->argument[0]), ret_id))
		return ctl_fail(ERR_BAD_INPUT, "%s is no job's id", ctl->argument[0]);
	TRY(ctl_open(ctl, ACCOUNT_CTL, 0));
	return ctl_say(sql_queue_job(ctl->cx.db, &(struct sql_queue_job_in){ *ret_id }, ret_row), ctl->argument[0]);
}

/* A job that is done isn't here any more: its tenant sees it among the finished ones. */
enum err ctl_job_show(struct ctl *ctl)
{
	static const char *const COLUMNS[] = { "tenant", "queue", "kind", "state", "run_at", "attempts", "error", "message" };
	char tenant[ID_TEXT_MAX], attempts[24], at[TIME_TEXT_MAX];
	struct sql_queue_job_row row = { 0 };
	struct ctl_list list;
	struct id id;

	TRY(find_job(ctl, &id, &row));
	snprintf(attempts, sizeof attempts, "%" PRId64, row.attempts);
	ctl_object_begin(&list, ctl, COLUMNS, ARRAY_SIZE(COLUMNS));
	ctl_list_row(&list, (const struct str[]){ tenant_text(&row.tenant_id, tenant), row.queue, row.kind, row.state,
						  time_format(row.run_at, at), str_of(attempts), row.error_code,
						  row.error_message });
	ctl_list_end(&list);
	return OK;
}

/* --- retry ------------------------------------------------------------------------- */

struct revival {
	struct id job;
	struct id tenant;
	struct chosen chosen;
	int64_t rows;
};

static enum err revive_one(struct ctl *ctl, void *arg)
{
	struct revival *revival = arg;
	const struct sql_queue_revive_in in = { .job_tenant = revival->tenant, .job_id = revival->job };

	ctx_audit_target(&ctl->cx, ID_JOB, &revival->job);
	TRY(sql_queue_revive(ctl->cx.db, &in, &revival->rows));
	return revival->rows > 0 ? OK : ERR_CONFLICT;
}

static enum err revive_all(struct ctl *ctl, void *arg)
{
	struct revival *revival = arg;
	const struct sql_queue_revive_all_in in = {
		.job_tenant = revival->chosen.tenant, .queue = revival->chosen.queue, .limit = REVIVED_MAX
	};

	return sql_queue_revive_all(ctl->cx.db, &in, &revival->rows);
}

static enum err retry_one(struct ctl *ctl)
{
	struct revival revival = { 0 };
	struct sql_queue_job_row row;
	enum err e;

	TRY(find_job(ctl, &revival.job, &row));
	revival.tenant = row.tenant_id;
	e = ctl_change(ctl, AUDIT_JOB_RETRY, revive_one, &revival);
	if (e == ERR_CONFLICT)
		return ctl_fail(e, "%s isn't dead", ctl->argument[0]);
	TRY(ctl_say(e, ctl->argument[0]));
	ctl_note(ctl, "%s is tried again", ctl->argument[0]);
	return OK;
}

static enum err retry_all(struct ctl *ctl)
{
	struct revival revival = { 0 };

	TRY(read_choice(ctl, &revival.chosen));
	TRY(ctl_open(ctl, ACCOUNT_CTL, 0));
	TRY(ctl_say(ctl_change(ctl, AUDIT_JOB_RETRY_DEAD, revive_all, &revival), "the dead jobs"));
	ctl_note(ctl, "%" PRId64 " jobs are tried again, within a minute", revival.rows);
	return OK;
}

enum err ctl_job_retry(struct ctl *ctl)
{
	if (!ctl->argument[0] == !ctl_option(ctl, "all"))
		return ctl_fail(ERR_BAD_INPUT, "name one job, or say --all");
	return ctl->argument[0] ? retry_one(ctl) : retry_all(ctl);
}
