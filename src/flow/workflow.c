#include "flow/workflow.h"

#include "base/buf.h"
#include "base/json_read.h"
#include "core/answer.h"
#include "flow/listener.h"
#include "store/sql_workflow.h"

/* --- definitions ----------------------------------------------------------------------------------- */

static enum err text_of(struct ctx *cx, const json_t *json, struct str *ret_text)
{
	BUF_AUTO struct buf text = { 0 };
	struct json_writer w;

	buf_init(&text, FLOW_DEFINITION_MAX);
	jw_start(&w, &text);
	jw_add_tree(&w, json);
	if (buf_error(&text) == ERR_TOO_BIG)
		return ctx_bad_field(cx, "definition", "TOO_LONG", "has more than 512 KiB");
	TRY(buf_error(&text));
	*ret_text = arena_copy(cx->arena, buf_str(&text));
	return str_absent(*ret_text) ? ERR_NO_MEMORY : OK;
}

enum err definition_accept(struct ctx *cx, const json_t *json, bool active, struct definition *ret_definition)
{
	const struct flow *flow;

	TRY(text_of(cx, json, &ret_definition->text));
	TRY(flow_check(cx, json, &flow));
	ret_definition->flow = flow;
	if (!active || str_absent(flow->unchosen))
		return OK;
	return problem_field(&cx->problem, flow->unchosen, "REQUIRED",
			     "has to be chosen before the workflow is active; it can be saved with status paused");
}

enum err definition_reuse(struct ctx *cx, struct str text, struct definition *ret_definition)
{
	json_t *json;

	ret_definition->text = arena_copy(cx->arena, text);
	if (str_absent(ret_definition->text))
		return ERR_NO_MEMORY;
	TRY(json_read(cx->arena, ret_definition->text, &json, NULL));
	return flow_read(cx, cx->arena, json, &ret_definition->flow);
}

/* --- rows ------------------------------------------------------------------------------------------- */

static enum err check_room(struct ctx *cx)
{
	struct sql_workflow_count_row row;

	TRY(sql_workflow_count(cx->db, &row));
	if (row.workflows < WORKFLOWS_MAX)
		return OK;
	return ctx_fail(cx, ERR_CONFLICT, "A tenant has at most 1000 workflows.");
}

enum err workflow_add(struct ctx *cx, struct workflow *workflow, const struct definition *definition)
{
	TRY(check_room(cx));
	TRY(id_new(&workflow->id));
	ctx_audit_target(cx, ID_WORKFLOW, &workflow->id);
	workflow->version = 1;
	workflow->created_by = cx->who.user;
	workflow->created_at = workflow->updated_at = cx->now_ms;
	TRY(sql_workflow_insert(cx->db,
				&(struct sql_workflow_insert_in){ .workflow_id = workflow->id,
								  .name = workflow->name,
								  .description = workflow->description,
								  .active = workflow->active },
				NULL));
	TRY(sql_workflow_version_insert(cx->db,
					&(struct sql_workflow_version_insert_in){ .workflow_id = workflow->id,
										  .version = 1,
										  .definition = definition->text },
					NULL));
	return listeners_save(cx, &workflow->id, definition->flow);
}

enum err workflow_read(struct ctx *cx, const struct id *id, struct workflow *ret_workflow, struct str *ret_definition)
{
	struct sql_workflow_get_row row;

	TRY(sql_workflow_get(cx->db, &(struct sql_workflow_get_in){ .workflow_id = *id }, &row));
	*ret_workflow = (struct workflow){ .id = row.workflow_id,
					   .name = row.name,
					   .description = row.description,
					   .active = row.active,
					   .version = row.version,
					   .created_by = row.created_by,
					   .created_at = row.created_at,
					   .updated_at = row.updated_at };
	*ret_definition = row.definition;
	return OK;
}

enum err workflow_must_be(struct ctx *cx, const struct id *id)
{
	struct sql_workflow_has_workflow_row row;

	return sql_workflow_has_workflow(cx->db, &(struct sql_workflow_has_workflow_in){ *id }, &row);
}

/* --- answers ---------------------------------------------------------------------------------------- */

void workflow_write(struct json_writer *w, const struct workflow *workflow, struct str definition)
{
	jw_object(w);
	answer_id(w, "id", ID_WORKFLOW, &workflow->id);
	jw_put_text(w, "name", workflow->name);
	jw_put_text(w, "description", workflow->description);
	jw_put_text(w, "status", workflow->active ? STR("active") : STR("paused"));
	jw_put_int(w, "version", workflow->version);
	answer_id(w, "created_by", ID_USER, &workflow->created_by);
	answer_time(w, "created_at", workflow->created_at);
	answer_time(w, "updated_at", workflow->updated_at);
	if (!str_absent(definition))
		jw_put_raw(w, "definition", definition);
	jw_object_end(w);
}

enum err workflow_answer(struct ctx *cx, const struct workflow *workflow, struct str definition, struct reply *reply)
{
	struct json_writer w;

	TRY(ctx_etag(cx, reply, &workflow->id, workflow->updated_at));
	jw_start(&w, &reply->body);
	workflow_write(&w, workflow, definition);
	return buf_error(&reply->body);
}
