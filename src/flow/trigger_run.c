/* GET, POST, PUT /webhooks/{workflow_id}/{trigger_id}: a request starts a workflow. */
#include <inttypes.h>

#include "audit/audit.h"
#include "base/json_write.h"
#include "core/answer.h"
#include "core/operations.h"
#include "core/rate.h"
#include "fcgi/reply.h"
#include "fcgi/request.h"
#include "flow/execution.h"
#include "flow/trigger.h"
#include "flow/trigger_input.h"
#include "jobs/bell.h"
#include "live/live.h"
#include "store/db.h"
#include "store/sql_trigger.h"

enum { REQUEST_MAX = 60 << 10, SUBJECT_MAX = sizeof(struct id) + 64 };

static enum err take_rate(struct ctx *cx, const struct id *trigger, int64_t per_minute)
{
	struct rate_verdict verdict;

	if (per_minute == 0 || !cx->rates)
		return OK;
	verdict = rate_take(cx->rates, RATE_HOOK, RATE_TOKEN, ID_BYTES(trigger), per_minute,
			    cx->now_ms);
	if (verdict.allowed)
		return OK;
	cx->problem.retry_after_s = verdict.retry_s > 0 ? verdict.retry_s : 1;
	return ERR_RATE_LIMITED;
}

static enum err check_method(struct ctx *cx, struct str method)
{
	if (str_eq(cx->request->method, method))
		return OK;
	cx->problem.allow = arena_copy(cx->arena, method);
	return ERR_METHOD_NOT_ALLOWED;
}

static enum err check_proof(struct ctx *cx, const struct id *trigger,
			    const struct sql_trigger_open_row *row)
{
	TRIGGER_PROOF_AUTO struct trigger_proof proof = { .secret = SECRET_EMPTY };

	TRY(trigger_proof_open(cx, trigger, trigger_auth_parse(row->auth_type), row->auth_header,
			       row->secret, &proof));
	return trigger_proof_check(cx, &proof);
}

/*
 * A row of the audit trail for a refusal. Whoever knows the address could fill the trail with them: of one trigger and
 * reason there is one a minute, which says how many came before it and made none.
 */
static enum err note_refusal(struct ctx *cx, const struct id *trigger, enum err refusal)
{
	BUF_AUTO struct buf subject = { 0 };
	struct rate_verdict verdict = { .allowed = true };

	buf_init(&subject, SUBJECT_MAX);
	buf_add_str(&subject, ID_BYTES(trigger));
	buf_add_c(&subject, err_code(refusal));
	TRY(buf_error(&subject));
	if (cx->rates)
		verdict = rate_take(cx->rates, RATE_HOOK, RATE_TOKEN, buf_str(&subject), 1, cx->now_ms);
	if (!verdict.allowed)
		return refusal;
	if (verdict.refused > 0)
		ctx_audit_detail(cx, "more_before", arena_printf(cx->arena, "%" PRId64, verdict.refused));
	TRY(audit_write(cx, AUDIT_TRIGGER_REFUSED, refusal));
	return refusal;
}

/* A failure that is ours is no refusal: the pipeline tells of it. */
static enum err admit(struct ctx *cx, const struct id *trigger, const struct sql_trigger_open_row *row)
{
	enum err e = check_proof(cx, trigger, row);

	if (e == OK) /* behind the proof: nobody else uses up the owner's */
		e = take_rate(cx, trigger, row->rate_per_minute);
	switch (e) {
	case ERR_NO_TOKEN:
	case ERR_BAD_TOKEN:
	case ERR_BAD_SIGNATURE:
	case ERR_RATE_LIMITED:
		return note_refusal(cx, trigger, e);
	default:
		return e;
	}
}

static enum err answer_queued(const struct id *execution, struct reply *reply)
{
	struct json_writer w;

	reply->status = 202;
	jw_start(&w, &reply->body);
	jw_object(&w);
	jw_put_bool(&w, "success", true);
	answer_id(&w, "execution_id", ID_EXECUTION, execution);
	jw_put_text(&w, "status", STR("queued"));
	jw_put_text(&w, "message", STR("The workflow has been started."));
	jw_object_end(&w);
	return buf_error(&reply->body);
}

static enum err start(struct ctx *cx, const struct id *workflow, const struct id *trigger,
		      bool awaited, struct id *ret_execution)
{
	struct execution_new new = { .workflow = *workflow,
				     .source = EXECUTION_WEBHOOK,
				     .source_id = { true, *trigger },
				     .awaited = awaited };
	BUF_AUTO struct buf input = { 0 }, request = { 0 };

	buf_init(&input, EXECUTION_INPUT_MAX);
	buf_init(&request, REQUEST_MAX);
	TRY(trigger_input(cx, &input));
	TRY(trigger_request(cx, &request));
	new.input = buf_str(&input);
	new.request = buf_str(&request);
	return execution_start(cx, &new, ret_execution);
}

static enum err run(struct ctx *cx, const struct id *workflow, const struct id *trigger,
		    struct reply *reply)
{
	struct sql_trigger_open_row row;
	struct id execution;
	bool awaited;

	ctx_audit_target(cx, ID_TRIGGER, trigger);
	TRY(sql_trigger_open(
		cx->db,
		&(struct sql_trigger_open_in){ .workflow_id = *workflow, .trigger_id = *trigger },
		&row));
	cx->who = (struct principal){ .who = WHO_NOBODY, .tenant = row.tenant_id, .live = true };
	ctx_enter(cx);
	TRY(check_method(cx, row.method));
	TRY(admit(cx, trigger, &row));
	awaited = str_eq(row.respond, STR("when_finished"));
	TRY(start(cx, workflow, trigger, awaited, &execution));
	bell_ring(cx->config->worker_bell);
	return awaited ? live_await(cx, &execution, reply) : answer_queued(&execution, reply);
}

enum err trigger_run_get(struct ctx *cx, const struct trigger_run_get_in *in, struct reply *reply)
{
	return run(cx, &in->workflow_id, &in->trigger_id, reply);
}

enum err trigger_run_post(struct ctx *cx, const struct trigger_run_post_in *in, struct reply *reply)
{
	return run(cx, &in->workflow_id, &in->trigger_id, reply);
}

enum err trigger_run_put(struct ctx *cx, const struct trigger_run_put_in *in, struct reply *reply)
{
	return run(cx, &in->workflow_id, &in->trigger_id, reply);
}
