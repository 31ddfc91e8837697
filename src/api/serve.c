#include "api/serve.h"

#include <stdlib.h>

#include "api/admit.h"
#include "api/answer.h"
#include "api/check.h"
#include "api/idempotency.h"
#include "audit/audit.h"
#include "base/clock.h"
#include "base/json_read.h"
#include "base/log.h"
#include "core/ctx.h"
#include "identity/authenticate.h"
#include "jobs/bell.h"
#include "jobs/queue_stat.h"
#include "jobs/worker_stat.h"
#include "store/db.h"

enum { ARENA_MAX = 32 << 20, TRIES = 3 };

struct server {
	struct server_parts parts;
	struct arena *arena;
	struct buf body; /* wiped after each request: it may carry secrets */
	struct ctx cx;
};

/* One request on its way. */
struct visit {
	struct server *server;
	struct ctx *cx;
	struct request *request;
	struct reply *reply;
	const struct route *route; /* NULL: no such path */
	const void *in;
	struct idempotency idempotency;
};

enum err server_new(const struct server_parts *parts, struct server **ret_server)
{
	struct server *server = calloc(1, sizeof *server);

	if (!server)
		return ERR_NO_MEMORY;
	server->parts = *parts;
	server->arena = arena_new(ARENA_MAX);
	buf_init(&server->body, ARENA_MAX);
	if (!server->arena) {
		server_free(server);
		return ERR_NO_MEMORY;
	}
	*ret_server = server;
	return OK;
}

void server_free(struct server *server)
{
	if (!server)
		return;
	arena_free(server->arena);
	buf_done(&server->body);
	free(server);
}

static void make_context(struct server *server, struct request *request)
{
	const struct server_parts *parts = &server->parts;

	server->cx = (struct ctx){
		.arena = server->arena,
		.db = parts->db,
		.config = parts->config,
		.front_keys = parts->front_keys,
		.vault_keys = parts->vault_keys,
		.identity = parts->identity,
		.catalog = parts->catalog,
		.templates = parts->templates,
		.egress = parts->egress,
		.expr = parts->expr,
		.calls = parts->calls,
		.rates = parts->rates,
		.metrics = parts->metrics,
		.request = request,
		.now_ms = clock_now_ms(),
		.request_text = request->request_id,
		.address = request->remote_addr,
	};
	if (!id_parse(ID_REQUEST, request->request_id, &server->cx.request_id))
		server->cx.request_id = ID_NIL;
	ctx_enter(&server->cx);
}

/* --- input ----------------------------------------------------------------- */

/* "application/json", alone or with charset=utf-8: JSON has no other (RFC 8259, section 8.1). */
static bool is_json(struct str content_type)
{
	struct str rest = content_type, parameter;

	if (!str_eq_nocase(str_trim(str_cut(&rest, ';')), STR("application/json")))
		return false;
	if (str_absent(rest))
		return true;
	parameter = str_trim(rest);
	return str_eq_nocase(parameter, STR("charset=utf-8")) || str_eq_nocase(parameter, STR("charset=\"utf-8\""));
}

static enum err read_json(struct visit *v, json_t **ret_json)
{
	struct str why = STR_NONE;
	enum err e = json_read(v->cx->arena, v->request->body, ret_json, &why);

	if (e == ERR_BAD_JSON)
		v->cx->problem.detail = why;
	return e;
}

/* A body where the route takes none is refused: somebody meant something by it. */
static enum err read_body(struct visit *v, json_t **ret_json)
{
	struct buf *body = &v->server->body;
	const struct route *route = v->route;

	*ret_json = NULL;
	TRY(request_read_body(v->request, route->body_max, body));
	if (v->request->body.n == 0)
		return route->body_required ? ctx_fail(v->cx, ERR_BAD_JSON, "This route needs a JSON body.") : OK;
	if (route->body == ROUTE_BODY_NONE)
		return ctx_fail(v->cx, ERR_BAD_REQUEST, "This route takes no body.");
	if (route->body == ROUTE_BODY_RAW)
		return OK;
	return is_json(v->request->content_type) ? read_json(v, ret_json) : ERR_UNSUPPORTED_MEDIA_TYPE;
}

static enum err read_input(struct visit *v, const struct route_match *match)
{
	json_t *json;
	void *in;

	TRY(read_body(v, &json));
	TRY(route_read(match, v->request->query, json, v->cx->arena, &v->cx->problem, &in));
	v->in = in;
	return idempotency_read(v->cx, v->route->name, &v->idempotency);
}

/* --- the handler ----------------------------------------------------------- */

static enum err run_handler(struct visit *v)
{
	enum err e = v->route->run(v->cx, v->in, v->reply);

	/* ERR_END: the handler has answered early (304). */
	if (e == ERR_END)
		return OK;
	if (e == OK)
		return buf_error(&v->reply->body);
	if (!v->cx->keep_changes)
		reply_reset(v->reply);
	return e;
}

/* Reads: the session's check is folded into the handler's statement, and made up for when that found nothing. */
static enum err settle_session(struct visit *v, enum err e)
{
	struct ctx *cx = v->cx;
	enum err live;

	if (cx->who.who == WHO_NOBODY || cx->who.live || db_live_confirmed(cx->db))
		return e;
	if (e != OK && err_status(e) >= 500)
		return e;
	live = identity_confirm_live(cx);
	if (live == OK)
		return e;
	reply_reset(v->reply);
	return live;
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

static enum err run(struct visit *v)
{
	bool writes = v->route->method != METHOD_GET;

	if (v->route->slow)
		request_is_slow(v->request);
	return writes && v->route->transaction ? run_write(v) : run_handler(v);
}

/* --- the way in ------------------------------------------------------------ */

static enum err find_route(struct visit *v, struct route_match *ret_match)
{
	enum err e = route_find(v->request->method, v->request->path, ret_match);
	char allow[ROUTE_ALLOW_MAX];

	if (ret_match->methods && str_eq(v->request->method, STR("OPTIONS"))) {
		TRY(answer_preflight(v->cx, v->request, ret_match->methods, v->reply));
		return ERR_END;
	}
	if (e == ERR_METHOD_NOT_ALLOWED)
		TRY(reply_header(v->reply, "Allow", route_allow(ret_match->methods, allow)));
	TRY(e);
	/* nginx chose the wrong pool, or somebody else is on the socket: there is nothing here for them. */
	if (ret_match->route->pool != v->server->parts.pool)
		return ERR_NOT_FOUND;
	v->route = ret_match->route;
	return OK;
}

/* nginx asks for metrics from a server block of its own, on a socket for the operator only; the public one passes
 * on neither these paths nor the header. */
static bool wants_metrics(const struct request *request)
{
	return str_starts(request->path, STR("/metrics/")) && !str_absent(request_header(request, "LATCHWORK_METRICS"));
}

static enum err answer_metrics(struct visit *v)
{
	const struct server_parts *parts = &v->server->parts;
	struct buf *body = &v->reply->body;

	v->reply->content_type = "text/plain; version=0.0.4";
	if (parts->pool == ROUTE_FRONT && str_eq(v->request->path, STR("/metrics/worker"))) {
		TRY(worker_stat_show(parts->db, body));
		return buf_error(body);
	}
	metrics_write(parts->metrics, parts->pool == ROUTE_FRONT ? "front" : "vault", body);
	/* While the database is away the rest is still worth having. */
	if (parts->pool == ROUTE_FRONT && queue_stat_show(parts->db, v->cx->now_ms, body) != OK)
		log_write(LOG_WARN, "the queues' figures can't be read", LOG_NO_FIELDS);
	return buf_error(body);
}

static enum err serve(struct visit *v)
{
	struct route_match match = { 0 };
	enum err e;

	if (wants_metrics(v->request))
		return answer_metrics(v);
	e = find_route(v, &match);
	if (e != OK)
		return e == ERR_END ? OK : e;
	TRY(admit(v->cx, v->server->parts.rates, v->route, v->reply));
	e = read_input(v, &match);
	if (e == OK)
		e = run(v);
	return settle_session(v, e);
}

/* --- the way out ----------------------------------------------------------- */

/* A refusal makes a row of its own, since what it interrupted was rolled back. No row, no answer. */
static enum err audit_refusal(struct visit *v, enum err e)
{
	struct ctx *cx = v->cx;
	bool had_action = v->route && v->route->audit;
	/* A throttled sign-in is about an account; a rate limit is about an address, and makes no rows. */
	bool worthy = audit_worthy(e) || (e == ERR_RATE_LIMITED && cx->audit.about_user.set);

	if (!v->route || cx->keep_changes || !worthy || (id_is_nil(&cx->who.tenant) && !had_action))
		return e;
	ctx_audit_detail(cx, "operation", str_of(v->route->name));
	TRY(audit_write(cx, had_action ? audit_action_parse(str_of(v->route->audit)) : AUDIT_REQUEST_REFUSED, e));
	return e;
}

static void log_answer(const struct visit *v, enum err e, int64_t micros)
{
	const struct str route = str_of(v->route ? v->route->name : "none");
	enum log_level level = e == OK || err_level(e) < LOG_INFO ? LOG_INFO : err_level(e);

	log_write(level, "request",
		  LOG_FIELDS(log_str("method", v->request->method), log_str("operation", route),
			     log_int("status", v->reply->status), log_int("micros", micros),
			     log_str("address", v->cx->address), log_text("code", e == OK ? "" : err_code(e))));
}

static void finish(struct visit *v, enum err e)
{
	struct ctx *cx = v->cx;

	if (e != OK) {
		e = audit_refusal(v, e);
		/* Headers that belong to the failure (Allow, RateLimit, cleared cookies) are kept, its body isn't.
		 * A refusal that stays was answered within its transaction. */
		if (!cx->keep_changes)
			answer_problem(cx, e, v->reply);
		if (e == ERR_DB_LOST || e == ERR_DB_RETRY || e == ERR_DB_UNSURE)
			metrics_add(cx->metrics, METRIC_DB_ERRORS, 1);
	}
	if (answer_common_headers(cx, v->request, v->reply) != OK)
		log_write(LOG_ERROR, "an answer has too many headers", LOG_NO_FIELDS);
}

void server_handle(void *state, struct request *request, struct reply *reply)
{
	struct server *server = state;
	struct visit v = { .server = server, .cx = &server->cx, .request = request, .reply = reply };
	int64_t began_us = clock_monotonic_us(), micros;
	enum err e;

	metrics_add(server->parts.metrics, METRIC_REQUESTS_IN_FLIGHT, 1);
	make_context(server, request);
	log_set_request(request->request_id);
	e = serve(&v);
	finish(&v, e);
	db_leave(server->parts.db);
	micros = clock_monotonic_us() - began_us;
	metrics_request(server->parts.metrics, reply->status, micros);
	metrics_add(server->parts.metrics, METRIC_REQUESTS_IN_FLIGHT, -1);
	log_answer(&v, e, micros);
	log_set_request(STR_NONE);
	buf_clear(&server->body);
	arena_reset(server->arena);
}
