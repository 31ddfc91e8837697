/* Services that a tenant has switched on, over HTTP. */
#include "base/json_write.h"
#include "core/answer.h"
#include "core/ctx.h"
#include "core/operations.h"
#include "fcgi/reply.h"
#include "store/sql_credential.h"
#include "store/sql_service.h"

struct setting {
	struct str service;
	bool enabled;
	struct opt_id credential;
	int64_t updated_at;
};

static void write_setting(struct json_writer *w, const struct setting *s)
{
	jw_object(w);
	jw_put_text(w, "service", s->service);
	jw_put_bool(w, "enabled", s->enabled);
	answer_opt_id(w, "credential_id", ID_CREDENTIAL, &s->credential);
	answer_time(w, "updated_at", s->updated_at);
	jw_object_end(w);
}

enum err service_list(struct ctx *cx, const struct service_list_in *in, struct reply *reply)
{
	struct sql_service_list_row row;
	struct json_writer w;
	enum err e;

	(void)in;
	TRY(sql_service_list(cx->db));
	jw_start(&w, &reply->body);
	jw_array(&w);
	while ((e = sql_service_list_next(cx->db, &row)) == OK)
		write_setting(&w, &(struct setting){ row.service, row.enabled, row.credential_id,
						     row.updated_at });
	if (e != ERR_END)
		return e;
	jw_array_end(&w);
	return buf_error(&reply->body);
}

/* As it is stored now. */
static enum err answer(struct ctx *cx, struct reply *reply, struct str service)
{
	const struct sql_service_get_in query = { .service = service };
	struct sql_service_get_row row;
	struct json_writer w;

	TRY(sql_service_get(cx->db, &query, &row));
	jw_start(&w, &reply->body);
	write_setting(&w,
		      &(struct setting){ service, row.enabled, row.credential_id, row.updated_at });
	return buf_error(&reply->body);
}

static enum err check_credential(struct ctx *cx, const struct id *id)
{
	const struct sql_credential_get_in query = { .credential_id = *id };
	struct sql_credential_get_row row;
	enum err e = sql_credential_get(cx->db, &query, &row);

	ctx_audit_target(cx, ID_CREDENTIAL, id);
	if (e == ERR_NOT_FOUND)
		return ctx_bad_field(cx, "credential_id", "NOT_FOUND",
				     "isn't one of the tenant's credentials");
	return e;
}

enum err service_enable(struct ctx *cx, const struct service_enable_in *in, struct reply *reply)
{
	const struct sql_service_enable_in row = { .service = in->name,
						   .credential_id = in->credential_id };

	cx->audit.service = in->name;
	if (in->credential_id.set)
		TRY(check_credential(cx, &in->credential_id.v));
	TRY(sql_service_enable(cx->db, &row, NULL));
	return answer(cx, reply, in->name);
}

enum err service_disable(struct ctx *cx, const struct service_disable_in *in, struct reply *reply)
{
	const struct sql_service_disable_in row = { .service = in->name };

	cx->audit.service = in->name;
	TRY(sql_service_disable(cx->db, &row, NULL));
	return answer(cx, reply, in->name);
}
