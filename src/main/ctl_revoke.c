/* latchctl connector revoke: the access that a provider gave is given back, in every tenant; the worker does it. */
#include <inttypes.h>

#include "jobs/queue.h"
#include "main/ctl.h"
#include "store/sql_connector.h"

enum { ONE_MAX_BYTES = 256 << 10 };

struct revoking {
	struct ctl *ctl;
	struct id connector;
};

static enum err queue_one(struct ctl *ctl, void *arg)
{
	const struct revoking *r = arg;
	struct str type = str_of(ctl->argument[0]);

	ctx_audit_target(&ctl->cx, ID_CONNECTOR, &r->connector);
	ctl->cx.audit.service = type;
	return job_add(&ctl->cx,
		       &(struct job_new){ .kind = JOB_CONNECTOR_REVOKE,
					  .subject = { true, r->connector },
					  .once = ID_BYTES(&r->connector) },
		       NULL);
}

static enum err revoke_one(struct ctx *cx, void *arg)
{
	struct revoking *r = arg;

	(void)cx;
	return ctl_change(r->ctl, AUDIT_CONNECTOR_REVOKE, queue_one, r);
}

/* Read whole before the first is queued: both go over one connection. */
static enum err read_page(struct ctl *ctl, const struct sql_connector_of_type_in *in,
			  struct sql_connector_of_type_row row[CTL_PAGE], size_t *ret_n)
{
	enum err e;

	*ret_n = 0;
	TRY(sql_connector_of_type(ctl->cx.db, in));
	while (*ret_n < CTL_PAGE && (e = sql_connector_of_type_next(ctl->cx.db, &row[*ret_n])) == OK)
		(*ret_n)++;
	return *ret_n == CTL_PAGE || e == ERR_END ? OK : e;
}

static enum err queue_page(struct ctl *ctl, const struct sql_connector_of_type_row *row, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct revoking r = { ctl, row[i].connector_id };

		TRY(ctx_as_system(&ctl->cx, &row[i].tenant_id, ONE_MAX_BYTES, revoke_one, &r));
	}
	return OK;
}

static enum err queue_all(struct ctl *ctl, struct sql_connector_of_type_in *in, int64_t *ret_queued)
{
	struct sql_connector_of_type_row row[CTL_PAGE];
	size_t n;

	*ret_queued = 0;
	do {
		TRY(read_page(ctl, in, row, &n));
		TRY(queue_page(ctl, row, n));
		*ret_queued += (int64_t)n;
		if (n > 0)
			in->behind = row[n - 1].connector_id;
	} while (n == CTL_PAGE);
	return OK;
}

enum err ctl_connector_revoke(struct ctl *ctl)
{
	const char *tenant = ctl_option(ctl, "tenant");
	struct sql_connector_of_type_in in = { .connector_type = str_of(ctl->argument[0]),
					       .only_tenant.set = tenant != NULL,
					       .behind = ID_NIL,
					       .limit = CTL_PAGE };
	int64_t queued;

	if (tenant && !id_parse(ID_TENANT, str_of(tenant), &in.only_tenant.v))
		return ctl_fail(ERR_BAD_INPUT, "%s is no tenant's id", tenant);
	TRY(ctl_open(ctl, ACCOUNT_CTL, 0));
	TRY(ctl_say(queue_all(ctl, &in, &queued), ctl->argument[0]));
	ctl_note(ctl, "the worker gives back the access of %" PRId64 " connectors: `latchctl job list --queue refresh`",
		 queued);
	return OK;
}
