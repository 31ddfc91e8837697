/* POST, GET, PUT, DELETE /webhooks/{workflow_id}/triggers */
#include "base/json_write.h"
#include "core/answer.h"
#include "core/operations.h"
#include "fcgi/reply.h"
#include "flow/trigger.h"
#include "store/sql_trigger.h"

struct trigger {
	struct id id, workflow;
	struct str name, method, auth_type;
	bool active;
	int64_t rate_per_minute;
	struct str respond;
	struct id created_by;
	int64_t created_at, updated_at;
};

#define TRIGGER_OF(row, of_workflow)                                                               \
	((struct trigger){ (row).trigger_id, of_workflow, (row).name, (row).method,                \
			   (row).auth_type, (row).active, (row).rate_per_minute, (row).respond,    \
			   (row).created_by, (row).created_at, (row).updated_at })

/* --- answers ---------------------------------------------------------------------------- */

static enum err put_url(struct ctx *cx, struct json_writer *w, const struct trigger *t)
{
	char workflow[ID_TEXT_MAX], id[ID_TEXT_MAX];
	struct str url = arena_printf(cx->arena, "%s/api/v1/webhooks/%.*s/%.*s",
				      cx->config->server_public_url,
				      STR_ARG(id_format(ID_WORKFLOW, &t->workflow, workflow)),
				      STR_ARG(id_format(ID_TRIGGER, &t->id, id)));

	jw_put_text(w, "webhook_url", url);
	return str_absent(url) ? ERR_NO_MEMORY : OK;
}

static enum err write_members(struct ctx *cx, struct json_writer *w, const struct trigger *t)
{
	answer_id(w, "id", ID_TRIGGER, &t->id);
	answer_id(w, "workflow_id", ID_WORKFLOW, &t->workflow);
	jw_put_text(w, "name", t->name);
	jw_put_text(w, "method", t->method);
	jw_put_text(w, "auth_type", t->auth_type);
	jw_put_bool(w, "is_active", t->active);
	jw_put_int(w, "rate_limit", t->rate_per_minute);
	jw_put_text(w, "respond", t->respond);
	TRY(put_url(cx, w, t));
	answer_id(w, "created_by", ID_USER, &t->created_by);
	answer_time(w, "created_at", t->created_at);
	answer_time(w, "updated_at", t->updated_at);
	return OK;
}

/* What authenticates, to the one who has just set it. */
static void write_proof(struct json_writer *w, const struct trigger_proof *proof)
{
	static const char *const members[] = {
		[TRIGGER_API_KEY] = "key", [TRIGGER_BEARER] = "token", [TRIGGER_HMAC] = "secret"
	};

	jw_key(w, "auth_config");
	if (!proof || proof->auth == TRIGGER_OPEN) {
		jw_add_null(w);
		return;
	}
	jw_object(w);
	jw_put_text(w, members[proof->auth], secret_str(&proof->secret));
	if (proof->auth == TRIGGER_HMAC)
		jw_put_text(w, "header", proof->header);
	jw_object_end(w);
}

static enum err answer_one(struct ctx *cx, const struct trigger *t, bool with_proof,
			   const struct trigger_proof *proof, struct reply *reply)
{
	struct json_writer w;

	TRY(ctx_etag(cx, reply, &t->id, t->updated_at));
	jw_start(&w, &reply->body);
	jw_object(&w);
	TRY(write_members(cx, &w, t));
	if (with_proof)
		write_proof(&w, proof);
	jw_object_end(&w);
	return buf_error(&reply->body);
}

/* --- the operations ----------------------------------------------------------------------- */

enum err trigger_create(struct ctx *cx, const struct trigger_create_in *in, struct reply *reply)
{
	struct trigger t = { .workflow = in->workflow_id,
			     .name = in->name,
			     .method = in->method,
			     .auth_type = in->auth_type,
			     .active = in->is_active,
			     .rate_per_minute = in->rate_limit,
			     .respond = in->respond,
			     .created_by = cx->who.user,
			     .created_at = cx->now_ms,
			     .updated_at = cx->now_ms };
	TRIGGER_PROOF_AUTO struct trigger_proof proof = { .secret = SECRET_EMPTY };
	BUF_AUTO struct buf sealed = { 0 };
	struct sql_trigger_workflow_row row;

	TRY(sql_trigger_workflow(
		cx->db, &(struct sql_trigger_workflow_in){ .workflow_id = t.workflow }, &row));
	if (row.triggers >= TRIGGERS_MAX)
		return ctx_fail(cx, ERR_CONFLICT, "A workflow has at most 50 triggers.");
	TRY(id_new(&t.id));
	ctx_audit_target(cx, ID_TRIGGER, &t.id);
	TRY(trigger_proof_read(cx, trigger_auth_parse(t.auth_type), in->auth_config, &proof));
	buf_init(&sealed, TRIGGER_SEALED_MAX);
	TRY(trigger_proof_seal(cx, &t.id, &proof, &sealed));
	TRY(sql_trigger_insert(
		cx->db,
		&(struct sql_trigger_insert_in){ .trigger_id = t.id,
						 .workflow_id = t.workflow,
						 .name = t.name,
						 .method = t.method,
						 .auth_type = t.auth_type,
						 .auth_header = proof.header,
						 .secret = buf_str(&sealed),
						 .active = t.active,
						 .rate_per_minute = t.rate_per_minute,
						 .respond = t.respond },
		NULL));
	reply->status = 201;
	return answer_one(cx, &t, true, &proof, reply);
}

/* An empty list is that of a workflow without triggers, or no list at all. */
static enum err check_workflow(struct ctx *cx, const struct id *workflow)
{
	struct sql_trigger_workflow_row row;

	return sql_trigger_workflow(
		cx->db, &(struct sql_trigger_workflow_in){ .workflow_id = *workflow }, &row);
}

enum err trigger_list(struct ctx *cx, const struct trigger_list_in *in, struct reply *reply)
{
	struct sql_trigger_list_in query = { .workflow_id = in->workflow_id,
					     .limit = in->limit + 1 };
	struct sql_trigger_list_row row;
	struct answer_page page;
	enum err e;

	TRY(ctx_cursor_read(cx, in->cursor, &query.before));
	TRY(sql_trigger_list(cx->db, &query));
	answer_page_start(&page, reply, in->limit);
	while ((e = sql_trigger_list_next(cx->db, &row)) == OK &&
	       answer_page_item(&page, &row.trigger_id)) {
		jw_object(&page.w);
		TRY(write_members(cx, &page.w, &TRIGGER_OF(row, in->workflow_id)));
		jw_object_end(&page.w);
	}
	if (e == ERR_END && page.room == in->limit)
		TRY(check_workflow(cx, &in->workflow_id));
	return answer_page_end(&page, cx, reply, e);
}

enum err trigger_get(struct ctx *cx, const struct trigger_get_in *in, struct reply *reply)
{
	const struct sql_trigger_get_in query = { .workflow_id = in->workflow_id,
						  .trigger_id = in->trigger_id };
	struct sql_trigger_get_row row;

	TRY(sql_trigger_get(cx->db, &query, &row));
	return answer_one(cx, &TRIGGER_OF(row, in->workflow_id), false, NULL, reply);
}

static enum err lock(struct ctx *cx, const struct id *workflow, const struct id *id,
		     struct sql_trigger_lock_row *ret_row)
{
	const struct sql_trigger_lock_in query = { .workflow_id = *workflow, .trigger_id = *id };

	ctx_audit_target(cx, ID_TRIGGER, id);
	TRY(sql_trigger_lock(cx->db, &query, ret_row));
	return ctx_if_match(cx, id, ret_row->updated_at);
}

enum err trigger_update(struct ctx *cx, const struct trigger_update_in *in, struct reply *reply)
{
	TRIGGER_PROOF_AUTO struct trigger_proof proof = { .secret = SECRET_EMPTY };
	BUF_AUTO struct buf sealed = { 0 };
	struct sql_trigger_lock_row row;
	bool kept;

	TRY(lock(cx, &in->workflow_id, &in->trigger_id, &row));
	kept = !in->auth_config && str_eq(in->auth_type, row.auth_type);
	buf_init(&sealed, TRIGGER_SEALED_MAX);
	if (!kept) {
		TRY(trigger_proof_read(cx, trigger_auth_parse(in->auth_type), in->auth_config,
				       &proof));
		TRY(trigger_proof_seal(cx, &in->trigger_id, &proof, &sealed));
	}
	const struct sql_trigger_update_in change = {
		.trigger_id = in->trigger_id,
		.name = in->name,
		.method = in->method,
		.auth_type = in->auth_type,
		.auth_header = kept ? row.auth_header : proof.header,
		.secret = kept ? row.secret : buf_str(&sealed),
		.active = in->is_active,
		.rate_per_minute = in->rate_limit,
		.respond = in->respond,
		.updated_at = ctx_next_update(cx, row.updated_at)
	};
	const struct trigger t = { in->trigger_id, in->workflow_id, in->name,         in->method,
				   in->auth_type,  in->is_active,   in->rate_limit,   in->respond,
				   row.created_by, row.created_at,  change.updated_at };

	TRY(sql_trigger_update(cx->db, &change, NULL));
	return answer_one(cx, &t, true, kept ? NULL : &proof, reply);
}

enum err trigger_delete(struct ctx *cx, const struct trigger_delete_in *in, struct reply *reply)
{
	struct sql_trigger_lock_row row;

	TRY(lock(cx, &in->workflow_id, &in->trigger_id, &row));
	TRY(sql_trigger_delete(
		cx->db, &(struct sql_trigger_delete_in){ .trigger_id = in->trigger_id }, NULL));
	return answer_nothing(reply);
}
