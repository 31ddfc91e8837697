/* POST, GET, PUT, DELETE /agents */
#include "ai/agent.h"
#include "base/json_read.h"
#include "connect/connector.h"
#include "core/answer.h"
#include "core/operations.h"
#include "fcgi/reply.h"
#include "flow/permit.h"
#include "store/db.h"
#include "store/sql_ai.h"
#include "store/sql_workflow.h"

enum { AGENTS_MAX = 200, CONNECTORS_TEXT_MAX = 4000, PLACE_MAX = 32 };

/* --- answers ---------------------------------------------------------------------------------------- */

static void write_agent(struct json_writer *w, const struct agent *a)
{
	jw_object(w);
	answer_id(w, "id", ID_AGENT, &a->id);
	jw_put_text(w, "name", a->name);
	jw_put_text(w, "description", a->description);
	jw_put_text(w, "provider", a->provider);
	jw_put_text(w, "model", a->model);
	answer_opt_id(w, "credential_id", ID_CREDENTIAL, &a->credential);
	jw_put_text(w, "instructions", a->instructions);
	jw_put_bool(w, "use_knowledge", a->use_knowledge);
	jw_put_raw(w, "connectors", a->connectors);
	jw_put_text(w, "fallback", a->fallback);
	answer_id(w, "created_by", ID_USER, &a->created_by);
	answer_time(w, "created_at", a->created_at);
	answer_time(w, "updated_at", a->updated_at);
	jw_object_end(w);
}

static enum err answer(struct ctx *cx, const struct agent *a, struct reply *reply)
{
	struct json_writer w;

	TRY(ctx_etag(cx, reply, &a->id, a->updated_at));
	jw_start(&w, &reply->body);
	write_agent(&w, a);
	return buf_error(&reply->body);
}

/* --- input -------------------------------------------------------------------------------------------- */

static enum err check_credential(struct ctx *cx, struct opt_id id)
{
	struct sql_workflow_has_credential_row row;
	enum err e;

	if (!id.set)
		return OK;
	TRY(permit_use(cx, "credential_id"));
	e = sql_workflow_has_credential(cx->db, &(struct sql_workflow_has_credential_in){ id.v },
					&row);
	return e == ERR_NOT_FOUND ? ctx_bad_field(cx, "credential_id", "NOT_FOUND",
						  "isn't one of the tenant's credentials")
				  : e;
}

static enum err check_connector(struct ctx *cx, size_t i, const struct id *id)
{
	struct connector connector;
	struct str place;
	enum err e = connector_read(cx, id, &connector);

	if (e != ERR_NOT_FOUND)
		return e;
	place = arena_printf(cx->arena, "connectors[%zu]", i);
	return str_absent(place) ? ERR_NO_MEMORY
				 : ctx_bad_field(cx, place.p, "NOT_FOUND",
						 "isn't one of the tenant's connectors");
}

/* The document has seen to it that they are ids, each of them once. */
static enum err connectors_of(struct ctx *cx, const json_t *list, struct str *ret_text)
{
	BUF_AUTO struct buf text = { 0 };
	struct json_writer w;
	struct id id;

	buf_init(&text, CONNECTORS_TEXT_MAX);
	jw_start(&w, &text);
	jw_array(&w);
	if (json_length(list) > 0)
		TRY(permit_use(cx, "connectors"));
	for (size_t i = 0; i < json_length(list); i++) {
		struct str one = json_text(json_item(list, i));

		if (!id_parse(ID_CONNECTOR, one, &id))
			return ctx_bad_field(cx, "connectors", "BAD_FORMAT",
					     "holds what isn't the id of a connector");
		TRY(check_connector(cx, i, &id));
		jw_add_text(&w, one);
	}
	jw_array_end(&w);
	TRY(buf_error(&text));
	*ret_text = arena_copy(cx->arena, buf_str(&text));
	return str_absent(*ret_text) ? ERR_NO_MEMORY : OK;
}

static enum err name_taken(struct ctx *cx, enum err e)
{
	return e == ERR_DB_DUPLICATE ? ctx_fail(cx, ERR_CONFLICT, "There is an agent of that name.")
				     : e;
}

/* --- the operations -------------------------------------------------------------------------------------- */

enum err agent_list(struct ctx *cx, const struct agent_list_in *in, struct reply *reply)
{
	struct sql_agent_list_in query = { .limit = in->limit + 1 };
	struct sql_agent_list_row row;
	struct answer_page page;
	enum err e;

	TRY(ctx_cursor_read(cx, in->cursor, &query.before));
	TRY(sql_agent_list(cx->db, &query));
	answer_page_start(&page, reply, in->limit);
	while ((e = sql_agent_list_next(cx->db, &row)) == OK &&
	       answer_page_item(&page, &row.agent_id))
		write_agent(&page.w, &AGENT_OF(row));
	return answer_page_end(&page, cx, reply, e);
}

enum err agent_get(struct ctx *cx, const struct agent_get_in *in, struct reply *reply)
{
	const struct sql_agent_get_in query = { .agent_id = in->agent_id };
	struct sql_agent_get_row row;

	TRY(sql_agent_get(cx->db, &query, &row));
	return answer(cx, &AGENT_OF(row), reply);
}

/* What a user says of an agent, and what may change of its row. */
#define AGENT_SAID(in)                                                                                  \
	.name = (in)->name, .description = str_absent((in)->description) ? STR("") : (in)->description, \
	.provider = (in)->provider, .model = (in)->model, .credential = (in)->credential_id,             \
	.instructions = (in)->instructions, .use_knowledge = (in)->use_knowledge, .fallback = (in)->fallback
#define CHANGING_MEMBERS(a)                                                                           \
	.agent_id = (a)->id, .name = (a)->name, .description = (a)->description, .provider = (a)->provider, \
	.model = (a)->model, .credential_id = (a)->credential, .instructions = (a)->instructions,        \
	.use_knowledge = (a)->use_knowledge, .connectors = (a)->connectors, .fallback = (a)->fallback

enum err agent_create(struct ctx *cx, const struct agent_create_in *in, struct reply *reply)
{
	struct agent a = { AGENT_SAID(in),
			   .created_by = cx->who.user,
			   .created_at = cx->now_ms,
			   .updated_at = cx->now_ms };
	struct sql_agent_count_row count;

	TRY(check_credential(cx, in->credential_id));
	TRY(connectors_of(cx, in->connectors, &a.connectors));
	TRY(sql_agent_count(cx->db, &count));
	if (count.agents >= AGENTS_MAX)
		return ctx_fail(cx, ERR_CONFLICT, "A tenant has at most 200 agents.");
	TRY(id_new(&a.id));
	ctx_audit_target(cx, ID_AGENT, &a.id);
	const struct sql_agent_insert_in row = { CHANGING_MEMBERS(&a) };

	TRY(name_taken(cx, sql_agent_insert(cx->db, &row, NULL)));
	reply->status = 201;
	return answer(cx, &a, reply);
}

static enum err lock(struct ctx *cx, const struct id *id, struct sql_agent_lock_row *ret_row)
{
	ctx_audit_target(cx, ID_AGENT, id);
	TRY(sql_agent_lock(cx->db, &(struct sql_agent_lock_in){ .agent_id = *id }, ret_row));
	return ctx_if_match(cx, id, ret_row->updated_at);
}

enum err agent_update(struct ctx *cx, const struct agent_update_in *in, struct reply *reply)
{
	struct agent a = { .id = in->agent_id, AGENT_SAID(in) };
	struct sql_agent_lock_row old;

	TRY(lock(cx, &in->agent_id, &old));
	TRY(check_credential(cx, in->credential_id));
	TRY(connectors_of(cx, in->connectors, &a.connectors));
	a.created_by = old.created_by;
	a.created_at = old.created_at;
	a.updated_at = ctx_next_update(cx, old.updated_at);
	const struct sql_agent_update_in row = { CHANGING_MEMBERS(&a), .updated_at = a.updated_at };

	TRY(name_taken(cx, sql_agent_update(cx->db, &row, NULL)));
	return answer(cx, &a, reply);
}

enum err agent_delete(struct ctx *cx, const struct agent_delete_in *in, struct reply *reply)
{
	struct sql_agent_lock_row row;

	TRY(lock(cx, &in->agent_id, &row));
	TRY(sql_agent_delete(cx->db, &(struct sql_agent_delete_in){ .agent_id = in->agent_id },
			     NULL));
	return answer_nothing(reply);
}
