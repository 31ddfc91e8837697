/* POST, GET /runs, and what is said to a run. */
#include <string.h>

#include "audit/transact.h"
#include "base/json_read.h"
#include "base/json_write.h"
#include "core/answer.h"
#include "core/operations.h"
#include "fcgi/request.h"
#include "jobs/bell.h"
#include "live/live.h"
#include "live/run.h"
#include "live/ticket.h"
#include "store/sql_live_run.h"

/* A socket stays open for long; each of its messages comes with a ticket that was made when it was opened. */
enum { SOCKET_TICKET_MS = 24 * 3600 * 1000 };

struct run_view {
	struct id id, workflow;
	struct opt_id execution;
	struct str status;
	int64_t created_at;
};

static void write_members(struct json_writer *w, const struct run_view *run)
{
	answer_id(w, "id", ID_RUN, &run->id);
	answer_id(w, "workflow_id", ID_WORKFLOW, &run->workflow);
	answer_opt_id(w, "execution_id", ID_EXECUTION, &run->execution);
	jw_put_text(w, "status", run->status);
	answer_time(w, "created_at", run->created_at);
}

static enum err put_url(struct ctx *cx, struct json_writer *w, const char *name, const char *scheme,
			const struct id *run, const char *place)
{
	struct str url = str_of(cx->config->server_public_url),
		   host = str_slice(url, str_find(url, '/'), url.n);
	char text[ID_TEXT_MAX];

	url = arena_printf(cx->arena, "%s:%.*s/api/v1/runs/%.*s/%s", scheme, STR_ARG(host),
			   STR_ARG(id_format(ID_RUN, run, text)), place);
	if (str_absent(url))
		return ERR_NO_MEMORY;
	jw_put_text(w, name, url);
	return OK;
}

enum err run_create(struct ctx *cx, const struct run_create_in *in, struct reply *reply)
{
	struct run_view run = { .workflow = in->workflow_id,
				.status = STR("open"),
				.created_at = cx->now_ms };
	int64_t expires_at = cx->now_ms + cx->config->live_ticket_ms;
	struct sql_live_run_workflow_row row;
	struct json_writer w;
	struct str ticket;

	TRY(sql_live_run_workflow(
		cx->db, &(struct sql_live_run_workflow_in){ .workflow_id = run.workflow }, &row));
	TRY(id_new(&run.id));
	ctx_audit_target(cx, ID_RUN, &run.id);
	TRY(sql_live_run_insert(
		cx->db,
		&(struct sql_live_run_insert_in){ .run_id = run.id, .workflow_id = run.workflow },
		NULL));
	TRY(ticket_new(cx, &run.id, expires_at, &ticket));
	reply->status = 201;
	jw_start(&w, &reply->body);
	jw_object(&w);
	write_members(&w, &run);
	TRY(put_url(cx, &w, "stream_url", "https", &run.id, "stream"));
	TRY(put_url(cx, &w, "socket_url", "wss", &run.id, "socket"));
	jw_put_text(&w, "ticket", ticket);
	answer_time(&w, "ticket_expires_at", expires_at);
	jw_object_end(&w);
	return buf_error(&reply->body);
}

static enum err find(struct ctx *cx, const struct id *id, struct run_view *ret_run)
{
	struct sql_live_run_get_row row;

	TRY(sql_live_run_get(cx->db, &(struct sql_live_run_get_in){ .run_id = *id }, &row));
	*ret_run = (struct run_view){ *id, row.workflow_id, row.execution_id, row.status,
				      row.created_at };
	return OK;
}

enum err run_get(struct ctx *cx, const struct run_get_in *in, struct reply *reply)
{
	struct json_writer w;
	struct run_view run;

	TRY(find(cx, &in->run_id, &run));
	jw_start(&w, &reply->body);
	jw_object(&w);
	write_members(&w, &run);
	jw_object_end(&w);
	return buf_error(&reply->body);
}

enum err run_message(struct ctx *cx, const struct run_message_in *in, struct reply *reply)
{
	const struct run_said said = { .type = in->type, .data = in->data };
	struct opt_id execution = { 0 };
	struct json_writer w;

	TRY(run_say(cx, &in->run_id, &said, &execution));
	reply->status = 202;
	jw_start(&w, &reply->body);
	jw_object(&w);
	jw_put_bool(&w, "accepted", true);
	answer_opt_id(&w, "execution_id", ID_EXECUTION, &execution);
	jw_object_end(&w);
	return buf_error(&reply->body);
}

/* --- watching ------------------------------------------------------------------------ */

static enum err enter(struct ctx *cx, const struct id *run, struct str ticket)
{
	if (cx->who.who != WHO_NOBODY)
		return OK;
	return str_absent(ticket) ? ERR_NO_TOKEN : ticket_enter(cx, run, ticket);
}

enum err run_stream(struct ctx *cx, const struct run_stream_in *in, struct reply *reply)
{
	struct str accept = request_header(cx->request, "ACCEPT");
	struct run_view run;

	TRY(enter(cx, &in->run_id, in->ticket));
	TRY(find(cx, &in->run_id, &run));
	if (str_absent(accept) ||
	    !memmem(accept.p, accept.n, "text/event-stream", strlen("text/event-stream")))
		return ctx_fail(cx, ERR_BAD_REQUEST,
				"Ask with Accept: text/event-stream, as an EventSource does.");
	return live_stream(cx, &run.id, reply);
}

/* A cookie goes along with whatever page opens the socket: the browser says which one that is. */
static enum err check_page(struct ctx *cx)
{
	struct str origin = request_header(cx->request, "ORIGIN");

	if (!cx->who.by_cookie || str_eq(origin, str_of(cx->config->server_public_url)))
		return OK;
	return config_list_holds(cx->config->server_cors_origins, origin) ? OK : ERR_CSRF;
}

enum err run_socket(struct ctx *cx, const struct run_socket_in *in, struct reply *reply)
{
	struct run_view run;
	struct str ticket;

	TRY(enter(cx, &in->run_id, in->ticket));
	TRY(check_page(cx));
	TRY(find(cx, &in->run_id, &run));
	TRY(ticket_new(cx, &run.id, cx->now_ms + SOCKET_TICKET_MS, &ticket));
	return live_socket(cx, &run.id, ticket, reply);
}

/* --- what comes over a socket -------------------------------------------------------- */

struct brought {
	struct id run;
	struct run_said said;
};

static enum err take(struct ctx *cx, void *arg)
{
	const struct brought *brought = arg;
	struct opt_id execution;

	return run_say(cx, &brought->run, &brought->said, &execution);
}

static enum err read_said(struct ctx *cx, struct run_said *ret_said)
{
	json_t *json = NULL;

	TRY(json_read(cx->arena, cx->request->body, &json, &cx->problem.detail));
	*ret_said = (struct run_said){ json_member_text(json, "type"), json_member(json, "data") };
	if (str_absent(ret_said->type) ||
	    (ret_said->data && !json_is_kind(ret_said->data, JSON_OBJECT)))
		return ctx_fail(cx, ERR_BAD_INPUT, "A message is {\"type\", \"data\"}.");
	return OK;
}

/* An event without a number: it isn't on record, because nothing happened. */
static enum err answer_refusal(struct ctx *cx, enum err e, struct reply *reply)
{
	struct str words =
		str_absent(cx->problem.detail) ? str_of(err_words(e)) : cx->problem.detail;
	struct json_writer w;

	jw_start(&w, &reply->body);
	jw_object(&w);
	jw_put_null(&w, "id");
	jw_put_null(&w, "number");
	jw_put_text(&w, "type", STR("error:api"));
	jw_put_null(&w, "execution_id");
	answer_time(&w, "at", cx->now_ms);
	jw_key(&w, "data");
	jw_object(&w);
	jw_put_text(&w, "code", str_of(err_code(e)));
	jw_put_text(&w, "message", words);
	jw_object_end(&w);
	jw_object_end(&w);
	return buf_error(&reply->body);
}

enum err run_socket_message(struct ctx *cx, const struct run_socket_message_in *in,
			    struct reply *reply)
{
	struct brought brought = { .run = in->run_id };
	enum err e;

	TRY(ticket_enter(cx, &in->run_id, in->ticket));
	e = read_said(cx, &brought.said);
	if (e == OK)
		e = audit_transact(cx, AUDIT_RUN_MESSAGE, take, &brought);
	if (e != OK)
		return answer_refusal(cx, e, reply);
	if (cx->job_added)
		bell_ring(cx->config->worker_bell);
	return answer_nothing(reply);
}
