#include "api/answer.h"
#include "api/visit.h"
#include "audit/audit.h"
#include "base/log.h"
#include "core/metrics.h"
#include "jobs/bell.h"
#include "store/db.h"

enum { TRIES = 3 };

enum err visit_outcome(struct visit *v, enum err e)
{
	/* ERR_END: the handler has answered early (304). */
	if (e == ERR_END)
		return OK;
	if (e == OK)
		return buf_error(&v->reply->body);
	if (!v->cx->keep_changes)
		reply_reset(v->reply);
	return e;
}

static enum err run_handler(struct visit *v)
{
	return visit_outcome(v, v->route->run(v->cx, v->in, v->reply));
}

static enum err write_audit(struct visit *v, enum err result)
{
	if (!v->route->audit)
		return OK;
	return audit_write(v->cx, audit_action_parse(str_of(v->route->audit)), result);
}

/* What must be written beside the change; when it can't be, nothing stays, not even what a refusal would keep. */
static enum err write_beside(struct visit *v, enum err result, bool keep)
{
	TRY(write_audit(v, result));
	if (result != OK)
		answer_problem(v->cx, result, v->reply);
	return keep ? idempotency_keep(v->cx, &v->idempotency, v->reply) : OK;
}

/* The handler, its audit row and its idempotent answer: one transaction. A refusal that is to stay is one, too. */
static enum err run_in_transaction(struct visit *v)
{
	bool keep = v->idempotency.used && v->route->keeps_answer;
	enum err result, e;

	if (keep)
		TRY(idempotency_claim(v->cx, &v->idempotency, v->reply));
	result = run_handler(v);
	if (result != OK && !v->cx->keep_changes)
		return result;
	e = write_beside(v, result, keep);
	if (e == OK)
		return result;
	v->cx->keep_changes = false;
	reply_reset(v->reply);
	return e;
}

/* What a try leaves behind must not reach the next one. */
static void forget_try(struct visit *v)
{
	reply_reset(v->reply);
	problem_clear(&v->cx->problem);
	v->cx->audit = (struct audit_note){ 0 };
	v->cx->keep_changes = v->cx->job_added = false;
}

/* What was rolled back didn't sign anybody in either (a handler that does so changes who asks). */
static void be_again(struct ctx *cx, const struct principal *who)
{
	cx->who = *who;
	ctx_enter(cx);
}

static enum err try_write(struct visit *v)
{
	struct ctx *cx = v->cx;
	struct principal who = cx->who;
	enum err e, committed;

	TRY(db_begin(cx->db));
	e = run_in_transaction(v);
	if (e != OK && e != ERR_END && !cx->keep_changes) {
		db_rollback(cx->db);
		be_again(cx, &who);
		return e;
	}
	committed = db_commit(cx->db);
	if (committed == OK && cx->job_added)
		bell_ring(cx->config->worker_bell);
	if (committed != OK) {
		cx->keep_changes = false;
		reply_reset(v->reply);
		be_again(cx, &who);
		return committed;
	}
	return e == ERR_END ? OK : e;
}

static enum err run_write(struct visit *v)
{
	enum err e = try_write(v);

	for (int i = 1; i < TRIES && e == ERR_DB_RETRY; i++) {
		metrics_add(v->cx->metrics, METRIC_TX_RETRIES, 1);
		forget_try(v);
		e = try_write(v);
	}
	return e;
}

/* --- outside of a transaction --- */

static enum err claim(struct db *db, void *arg)
{
	struct visit *v = arg;

	(void)db;
	return idempotency_claim(v->cx, &v->idempotency, v->reply);
}

/* The handler calls out: its key is claimed before and its answer kept behind it, and nothing is open in between. */
static enum err run_once(struct visit *v)
{
	enum err e = db_run(v->cx->db, claim, v), settled;

	if (e != OK)
		return e == ERR_END ? OK : e;
	e = run_handler(v);
	settled = e == OK ? idempotency_keep(v->cx, &v->idempotency, v->reply)
			  : idempotency_release(v->cx, &v->idempotency);
	if (settled != OK)
		log_write(LOG_WARN, "an idempotency key is taken until its claim ends",
			  LOG_FIELDS(log_text("code", err_code(settled))));
	return e;
}

enum err visit_run(struct visit *v)
{
	bool writes = v->route->method != METHOD_GET;

	if (v->route->slow)
		request_is_slow(v->request);
	if (writes && v->route->transaction)
		return run_write(v);
	if (v->idempotency.used && v->route->keeps_answer)
		return run_once(v);
	v->cx->may_hold = true;
	return run_handler(v);
}
