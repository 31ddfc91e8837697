/* POST, GET, PUT, DELETE /workflows, their copies and the check of a definition that isn't saved */
#include <inttypes.h>

#include "base/json_read.h"
#include "core/answer.h"
#include "core/operations.h"
#include "flow/execution.h"
#include "flow/listener.h"
#include "flow/permit.h"
#include "flow/workflow.h"
#include "store/sql_execution.h"
#include "store/sql_trigger.h"
#include "store/sql_workflow.h"

enum { NAME_MOST = 200 };

enum err workflow_create(struct ctx *cx, const struct workflow_create_in *in, struct reply *reply)
{
	struct workflow workflow = { .name = in->name,
				     .description = in->description,
				     .active = !str_eq(in->status, STR("paused")) };
	struct definition definition;

	TRY(definition_accept(cx, in->definition, workflow.active, &definition));
	TRY(permit_definition(cx, definition.flow, STR_NONE));
	TRY(workflow_add(cx, &workflow, &definition));
	reply->status = 201;
	return workflow_answer(cx, &workflow, definition.text, reply);
}

/* Whoever may not save it isn't told that it is fine. */
enum err workflow_check(struct ctx *cx, const struct workflow_check_in *in, struct reply *reply)
{
	struct str before = STR_NONE;
	struct definition definition;
	struct workflow workflow;
	struct json_writer w;

	TRY(definition_accept(cx, in->definition, false, &definition));
	if (in->workflow_id.set)
		TRY(workflow_read(cx, &in->workflow_id.v, &workflow, &before));
	TRY(permit_definition(cx, definition.flow, before));
	jw_start(&w, &reply->body);
	jw_object(&w);
	jw_put_bool(&w, "valid", true);
	jw_put_int(&w, "steps", (int64_t)definition.flow->n);
	jw_object_end(&w);
	return buf_error(&reply->body);
}

enum err workflow_list(struct ctx *cx, const struct workflow_list_in *in, struct reply *reply)
{
	struct sql_workflow_list_in query = { .limit = in->limit + 1 };
	struct sql_workflow_list_row row;
	struct answer_page page;
	enum err e;

	TRY(ctx_cursor_read(cx, in->cursor, &query.before));
	TRY(sql_workflow_list(cx->db, &query));
	answer_page_start(&page, reply, in->limit);
	while ((e = sql_workflow_list_next(cx->db, &row)) == OK && answer_page_item(&page, &row.workflow_id))
		workflow_write(&page.w,
			       &(struct workflow){ .id = row.workflow_id,
						   .name = row.name,
						   .description = row.description,
						   .active = row.active,
						   .version = row.version,
						   .created_by = row.created_by,
						   .created_at = row.created_at,
						   .updated_at = row.updated_at },
			       STR_NONE);
	return answer_page_end(&page, cx, reply, e);
}

enum err workflow_get(struct ctx *cx, const struct workflow_get_in *in, struct reply *reply)
{
	struct workflow workflow;
	struct str definition;

	TRY(workflow_read(cx, &in->workflow_id, &workflow, &definition));
	return workflow_answer(cx, &workflow, definition, reply);
}

static enum err lock(struct ctx *cx, const struct id *id, struct workflow *ret_workflow)
{
	struct sql_workflow_lock_row row;

	ctx_audit_target(cx, ID_WORKFLOW, id);
	TRY(sql_workflow_lock(cx->db, &(struct sql_workflow_lock_in){ .workflow_id = *id }, &row));
	*ret_workflow = (struct workflow){ .id = row.workflow_id,
					   .active = row.active,
					   .version = row.version,
					   .created_by = row.created_by,
					   .created_at = row.created_at,
					   .updated_at = row.updated_at };
	return ctx_if_match(cx, id, row.updated_at);
}

/* As the version that is stored now; another one may take more than its right to save. */
static enum err is_the_same(struct ctx *cx, const struct workflow *workflow, const struct definition *definition,
			    bool *ret_same)
{
	struct sql_workflow_version_text_row row;

	TRY(sql_workflow_version_text(
		cx->db,
		&(struct sql_workflow_version_text_in){ .workflow_id = workflow->id, .version = workflow->version },
		&row));
	*ret_same = str_eq(row.definition, definition->text);
	return *ret_same ? OK : permit_definition(cx, definition->flow, row.definition);
}

static enum err save_version(struct ctx *cx, struct workflow *workflow, const struct definition *definition)
{
	bool same;

	TRY(is_the_same(cx, workflow, definition, &same));
	if (same)
		return OK;
	workflow->version++;
	ctx_audit_detail(cx, "version", arena_printf(cx->arena, "%" PRId64, workflow->version));
	TRY(sql_workflow_version_insert(cx->db,
					&(struct sql_workflow_version_insert_in){ .workflow_id = workflow->id,
										  .version = workflow->version,
										  .definition = definition->text },
					NULL));
	return listeners_save(cx, &workflow->id, definition->flow);
}

/* The definition is checked before the lock: it takes milliseconds, and needs nothing of the row but the status. */
enum err workflow_update(struct ctx *cx, const struct workflow_update_in *in, struct reply *reply)
{
	struct workflow workflow;
	struct definition definition;

	ctx_audit_target(cx, ID_WORKFLOW, &in->workflow_id);
	TRY(workflow_must_be(cx, &in->workflow_id));
	TRY(definition_accept(cx, in->definition, str_eq(in->status, STR("active")), &definition));
	TRY(lock(cx, &in->workflow_id, &workflow));
	if (!str_absent(in->status))
		workflow.active = str_eq(in->status, STR("active"));
	if (workflow.active && !str_absent(definition.flow->unchosen))
		return definition_accept(cx, in->definition, true, &definition);
	workflow.name = in->name;
	workflow.description = in->description;
	workflow.updated_at = ctx_next_update(cx, workflow.updated_at);
	TRY(save_version(cx, &workflow, &definition));
	TRY(sql_workflow_update(cx->db,
				&(struct sql_workflow_update_in){ .workflow_id = workflow.id,
								  .name = workflow.name,
								  .description = workflow.description,
								  .active = workflow.active,
								  .version = workflow.version,
								  .updated_at = workflow.updated_at },
				NULL));
	return workflow_answer(cx, &workflow, definition.text, reply);
}

/* Its row and its versions stay while executions show them; what is under way finds it deleted, and ends. */
enum err workflow_delete(struct ctx *cx, const struct workflow_delete_in *in, struct reply *reply)
{
	const struct id *id = &in->workflow_id;
	struct workflow workflow;

	TRY(lock(cx, id, &workflow));
	TRY(sql_workflow_hide(cx->db,
			      &(struct sql_workflow_hide_in){
				      .workflow_id = *id, .updated_at = ctx_next_update(cx, workflow.updated_at) },
			      NULL));
	TRY(sql_workflow_listener_clear(cx->db, &(struct sql_workflow_listener_clear_in){ *id }, NULL));
	TRY(sql_trigger_delete_of_workflow(cx->db, &(struct sql_trigger_delete_of_workflow_in){ *id }, NULL));
	TRY(sql_schedule_delete_of_workflow(cx->db, &(struct sql_schedule_delete_of_workflow_in){ *id }, NULL));
	TRY(execution_stop_workflow(cx, id));
	return answer_nothing(reply);
}

/* "<name> (copy)", within what a name may be. */
static enum err name_of_copy(struct ctx *cx, struct str name, struct str *ret_name)
{
	struct str cut = str_utf8_cut(name, NAME_MOST - sizeof " (copy)");

	*ret_name = arena_printf(cx->arena, "%.*s (copy)", STR_ARG(cut));
	return str_absent(*ret_name) ? ERR_NO_MEMORY : OK;
}

/* Paused: else the same events would be worked on twice from that moment on. */
enum err workflow_clone(struct ctx *cx, const struct workflow_clone_in *in, struct reply *reply)
{
	struct workflow from, copy = { .name = in->name };
	struct definition definition;
	struct str text;

	TRY(workflow_read(cx, &in->workflow_id, &from, &text));
	TRY(definition_reuse(cx, text, &definition));
	copy.description = arena_copy(cx->arena, from.description);
	if (str_absent(copy.description))
		return ERR_NO_MEMORY;
	if (str_absent(copy.name))
		TRY(name_of_copy(cx, from.name, &copy.name));
	/* It sends nothing to where it wasn't sent before; what names a credential takes its right all the same. */
	TRY(permit_definition(cx, definition.flow, definition.text));
	TRY(workflow_add(cx, &copy, &definition));
	reply->status = 201;
	return workflow_answer(cx, &copy, definition.text, reply);
}

/* --- versions ----------------------------------------------------------------------------------------- */

/* Cursors are ids: the version is the last four bytes of one. */
static struct id id_of_version(int64_t version)
{
	struct id id = ID_NIL;

	for (size_t i = 0; i < 4; i++)
		id.b[15 - i] = (uint8_t)(version >> 8 * i);
	return id;
}

static int64_t version_of_id(const struct id *id)
{
	int64_t version = 0;

	for (size_t i = 12; i < 16; i++)
		version = version << 8 | id->b[i];
	return version;
}

enum err workflow_versions(struct ctx *cx, const struct workflow_versions_in *in, struct reply *reply)
{
	struct sql_workflow_version_list_in query = { .workflow_id = in->workflow_id, .limit = in->limit + 1 };
	struct sql_workflow_version_list_row row;
	struct answer_page page;
	struct id before, at;
	enum err e;

	TRY(ctx_cursor_read(cx, in->cursor, &before));
	TRY(workflow_must_be(cx, &in->workflow_id));
	query.before = version_of_id(&before);
	TRY(sql_workflow_version_list(cx->db, &query));
	answer_page_start(&page, reply, in->limit);
	while ((e = sql_workflow_version_list_next(cx->db, &row)) == OK) {
		at = id_of_version(row.version);
		if (!answer_page_item(&page, &at))
			break;
		jw_object(&page.w);
		jw_put_int(&page.w, "version", row.version);
		answer_id(&page.w, "created_by", ID_USER, &row.created_by);
		answer_time(&page.w, "created_at", row.created_at);
		jw_object_end(&page.w);
	}
	return answer_page_end(&page, cx, reply, e);
}

enum err workflow_version_get(struct ctx *cx, const struct workflow_version_get_in *in, struct reply *reply)
{
	struct sql_workflow_version_get_row row;
	struct json_writer w;

	TRY(sql_workflow_version_get(
		cx->db,
		&(struct sql_workflow_version_get_in){ .workflow_id = in->workflow_id, .version = in->version },
		&row));
	jw_start(&w, &reply->body);
	jw_object(&w);
	jw_put_int(&w, "version", row.version);
	answer_id(&w, "created_by", ID_USER, &row.created_by);
	answer_time(&w, "created_at", row.created_at);
	jw_put_raw(&w, "definition", row.definition);
	jw_object_end(&w);
	return buf_error(&reply->body);
}
