#include "api/serve.h"

#include <stdlib.h>

#include "api/admit.h"
#include "api/answer.h"
#include "api/check.h"
#include "api/visit.h"
#include "audit/audit.h"
#include "base/clock.h"
#include "base/json_read.h"
#include "base/log.h"
#include "core/ctx.h"
#include "core/hold.h"
#include "fcgi/worker.h"
#include "identity/authenticate.h"
#include "jobs/queue_stat.h"
#include "jobs/worker_stat.h"
#include "store/db.h"

enum { ARENA_MAX = 32 << 20 };

struct server {
	struct server_parts parts;
	struct visit visit[WORKER_HELD_MAX];
	struct visit *held[WORKER_HELD_MAX]; /* in the order in which they came */
	size_t held_count;
	struct visit *in_hand; /* NULL: none */
};

enum err server_new(const struct server_parts *parts, struct server **ret_server)
{
	struct server *server = calloc(1, sizeof *server);
	bool complete = server != NULL;

	for (size_t i = 0; complete && i < WORKER_HELD_MAX; i++) {
		struct visit *v = &server->visit[i];

		v->server = server;
		v->arena = arena_new(ARENA_MAX);
		buf_init(&v->body, ARENA_MAX);
		complete = v->arena != NULL;
	}
	if (!complete) {
		server_free(server);
		return ERR_NO_MEMORY;
	}
	server->parts = *parts;
	*ret_server = server;
	return OK;
}

void server_free(struct server *server)
{
	if (!server)
		return;
	for (size_t i = 0; i < WORKER_HELD_MAX; i++) {
		arena_free(server->visit[i].arena);
		buf_done(&server->visit[i].body);
	}
	free(server);
}

static void make_context(struct visit *v)
{
	const struct server_parts *parts = &v->server->parts;
	const struct request *request = v->request;

	v->cx = &v->context;
	v->context = (struct ctx){
		.arena = v->arena,
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
		.is_quick = parts->quick,
		.request = request,
		.now_ms = clock_now_ms(),
		.request_text = request->request_id,
		.address = request->remote_addr,
	};
	if (!id_parse(ID_REQUEST, request->request_id, &v->context.request_id))
		v->context.request_id = ID_NIL;
	ctx_enter(v->cx);
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
	struct buf *body = &v->body;
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

/* Reads: the session's check is folded into the handler's statement, and made up for when that found nothing. */
static enum err settle_session(struct visit *v, enum err e)
{
	struct ctx *cx = v->cx;
	enum err live;

	cx->who.live = cx->who.live || db_live_confirmed(cx->db);
	if (cx->who.who == WHO_NOBODY || cx->who.live)
		return e;
	if (e != OK && err_status(e) >= 500)
		return e;
	live = identity_confirm_live(cx);
	if (live == OK)
		return e;
	reply_reset(v->reply);
	return live;
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
		e = visit_run(v);
	/* What a request is held for may be what proves its session. */
	return e == OK && v->cx->hold.shared && v->cx->hold.shared->checks_session ? OK : settle_session(v, e);
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

	if (e == OK && cx->passed_on)
		return;
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

static void leave(struct visit *v, enum err e)
{
	struct server *server = v->server;
	int64_t micros;

	finish(v, e);
	db_leave(server->parts.db);
	micros = clock_monotonic_us() - v->began_us;
	metrics_add(server->parts.metrics, METRIC_REQUESTS_IN_FLIGHT, -1);
	/* Whoever answers it counts it. */
	if (e != OK || !v->cx->passed_on) {
		metrics_request(server->parts.metrics, v->reply->status, micros);
		log_answer(v, e, micros);
	}
	buf_clear(&v->body);
	arena_reset(v->arena);
	v->under_way = false;
}

/* There is always one: the worker settles before it runs out of places. */
static struct visit *enter(struct server *server, struct request *request, struct reply *reply)
{
	struct visit *v = server->visit;

	while (v->under_way)
		v++;
	v->under_way = true;
	v->request = request;
	v->reply = reply;
	v->route = NULL;
	v->in = NULL;
	v->idempotency = (struct idempotency){ 0 };
	v->began_us = clock_monotonic_us();
	metrics_add(server->parts.metrics, METRIC_REQUESTS_IN_FLIGHT, 1);
	make_context(v);
	return v;
}

enum request_state server_handle(struct server *server, struct request *request, struct reply *reply)
{
	struct visit *v = enter(server, request, reply);
	enum err e;

	server->in_hand = v;
	e = serve(v);
	server->in_hand = NULL;
	if (e == OK && v->cx->hold.shared) {
		db_leave(server->parts.db);
		server->held[server->held_count++] = v;
		return REQUEST_HELD;
	}
	leave(v, e);
	return REQUEST_ANSWERED;
}

/* --- requests that write together ------------------------------------------ */

static void resume(struct visit *v, const struct hold_outcome *outcome)
{
	const struct hold hold = v->cx->hold;
	enum err e;

	log_set_request(v->request->request_id);
	v->cx->hold = (struct hold){ 0 };
	v->cx->may_hold = false;
	ctx_enter(v->cx);
	e = visit_outcome(v, hold.resume(v->cx, hold.arg, outcome->e, outcome->row, v->reply));
	leave(v, settle_session(v, e));
}

void server_settle(struct server *server)
{
	struct hold_outcome outcomes[WORKER_HELD_MAX];
	const struct hold *holds[WORKER_HELD_MAX] = { 0 };
	size_t n = server->held_count;

	for (size_t i = 0; i < n; i++)
		holds[i] = &server->held[i]->cx->hold;
	hold_run_all(server->parts.db, holds, n, outcomes);
	server->held_count = 0;
	for (size_t i = 0; i < n; i++)
		resume(server->held[i], &outcomes[i]);
	log_set_request(server->in_hand ? server->in_hand->request->request_id : STR_NONE);
	if (server->in_hand)
		ctx_enter(server->in_hand->cx);
}
