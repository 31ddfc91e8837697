/* Connectors over HTTP: one short function an operation. The rules are in connector.h and connection.h. */
#include "base/json_write.h"
#include "connect/catalog.h"
#include "connect/connection.h"
#include "connect/connector.h"
#include "connect/connector_answer.h"
#include "core/answer.h"
#include "core/ctx.h"
#include "core/operations.h"
#include "fcgi/reply.h"
#include "jobs/queue.h"
#include "store/sql_connector.h"

static enum err answer(struct ctx *cx, struct reply *reply, const struct connector *c)
{
	struct json_writer w;
	enum err e = ctx_etag(cx, reply, &c->id, c->updated_at);

	if (e == ERR_END)
		return OK;
	TRY(e);
	jw_start(&w, &reply->body);
	connector_write_json(cx, &w, c);
	return buf_error(&reply->body);
}

enum err connector_list(struct ctx *cx, const struct connector_list_in *in, struct reply *reply)
{
	struct sql_connector_list_in query = {
		.status = in->status,
		.connector_type = in->connector_type,
		.limit = in->limit + 1,
	};
	struct sql_connector_list_row row;
	struct answer_page page;
	enum err e;

	TRY(ctx_cursor_read(cx, in->cursor, &query.before));
	TRY(sql_connector_list(cx->db, &query));
	answer_page_start(&page, reply, in->limit);
	while ((e = sql_connector_list_next(cx->db, &row)) == OK && answer_page_item(&page, &row.connector_id))
		connector_write_json(cx, &page.w, &CONNECTOR_OF(row));
	return answer_page_end(&page, cx, reply, e);
}

enum err connector_get(struct ctx *cx, const struct connector_get_in *in, struct reply *reply)
{
	struct connector c;

	TRY(connector_read(cx, &in->connector_id, &c));
	return answer(cx, reply, &c);
}

/* --- making one -------------------------------------------------------------- */

static enum err choose(struct ctx *cx, const struct connector_type *type, struct str auth,
		       const json_t *config, struct opt_id credential, struct connector *c)
{
	if (config && credential.set)
		return ctx_bad_field(cx, "credential_id", "NOT_ALLOWED",
				     "can't be given together with config");
	if (credential.set)
		return connection_by_credential(cx, type, auth, &credential.v, c);
	return connection_by_config(cx, type, auth, config, c);
}

enum err connector_create(struct ctx *cx, const struct connector_create_in *in, struct reply *reply)
{
	const struct connector_type *type = catalog_find(cx->catalog, in->connector_type);
	struct connector c = {
		.type = in->connector_type,
		.sync_frequency = in->sync_frequency,
	};

	cx->audit.service = in->connector_type;
	if (!type)
		return ctx_bad_field(cx, "connector_type", "NOT_ALLOWED", "isn't in the catalogue");
	c.display_name = str_absent(in->display_name) ? type->name : in->display_name;
	c.next_sync_at = connector_next_sync(c.sync_frequency, cx->now_ms);
	TRY(choose(cx, type, in->auth, in->config, in->credential_id, &c));
	TRY(connector_insert(cx, &c));
	reply->status = 201;
	return answer(cx, reply, &c);
}

/* --- changing one ------------------------------------------------------------ */

static bool change_columns(struct ctx *cx, const struct connector_update_in *in,
			   struct connector *c)
{
	bool changed = false;

	if (!str_absent(in->display_name) && !str_eq(in->display_name, c->display_name)) {
		c->display_name = in->display_name;
		changed = true;
	}
	if (!str_absent(in->sync_frequency) && !str_eq(in->sync_frequency, c->sync_frequency)) {
		c->sync_frequency = in->sync_frequency;
		c->next_sync_at = connector_next_sync(c->sync_frequency, cx->now_ms);
		changed = true;
	}
	return changed;
}

static enum err change_connection(struct ctx *cx, const struct connector_update_in *in,
				  const struct connector_type *type, struct connector *c,
				  bool *ret_changed)
{
	const struct opt_id before = c->credential;
	const bool owned = c->owns_credential, disabled = str_eq(c->status, STR("disabled"));

	if (!type)
		return ctx_fail(cx, ERR_CONFLICT, "This provider is gone from the catalogue.");
	if (in->config && in->credential_id.set)
		return ctx_bad_field(cx, "credential_id", "NOT_ALLOWED",
				     "can't be given together with config");
	if (in->config)
		return connection_merge(cx, type, in->config, c, ret_changed);
	if (before.set && id_eq(&before.v, &in->credential_id.v))
		return OK;
	TRY(connection_by_credential(cx, type, STR_NONE, &in->credential_id.v, c));
	*ret_changed = true;
	if (disabled)
		connector_disable(c);
	TRY(connector_write(cx, c)); /* so that it counts no more among those that use the old one */
	return before.set ? connection_release(cx, &before.v, owned) : OK;
}

static enum err change_status(struct ctx *cx, struct str wanted, const struct connector_type *type,
			      struct connector *c, bool *ret_changed)
{
	const bool disabled = str_eq(c->status, STR("disabled"));

	if (str_absent(wanted) || str_eq(wanted, STR("disabled")) == disabled)
		return OK;
	*ret_changed = true;
	if (disabled)
		return connection_enable(cx, type, c);
	connector_disable(c);
	return OK;
}

enum err connector_update(struct ctx *cx, const struct connector_update_in *in, struct reply *reply)
{
	bool columns, connection = false, status = false;
	const struct connector_type *type;
	struct connector c;

	TRY(connector_lock(cx, &in->connector_id, &c));
	TRY(ctx_if_match(cx, &c.id, c.updated_at));
	type = catalog_find(cx->catalog, c.type);
	columns = change_columns(cx, in, &c);
	if (in->config || in->credential_id.set)
		TRY(change_connection(cx, in, type, &c, &connection));
	TRY(change_status(cx, in->status, type, &c, &status));
	if (columns || connection || status)
		TRY(connector_write(cx, &c));
	else
		ctx_audit_detail(cx, "unchanged", STR("yes"));
	return answer(cx, reply, &c);
}

/* There may be many: they go in batches. */
static enum err forget_records(struct ctx *cx, const struct id *connector)
{
	const struct job_new job = { .kind = JOB_SYNC_FORGET, .subject = { true, *connector } };

	return job_add(cx, &job, NULL);
}

enum err connector_delete(struct ctx *cx, const struct connector_delete_in *in, struct reply *reply)
{
	const struct sql_connector_delete_in row = { .connector_id = in->connector_id };
	struct connector c;

	TRY(connector_lock(cx, &in->connector_id, &c));
	TRY(ctx_if_match(cx, &c.id, c.updated_at));
	TRY(sql_connector_delete(cx->db, &row, NULL));
	if (c.credential.set)
		TRY(connection_release(cx, &c.credential.v, c.owns_credential));
	TRY(forget_records(cx, &c.id));
	return answer_nothing(reply);
}
