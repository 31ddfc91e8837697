/* POST, GET, PATCH, DELETE /subscriptions */
#include "base/buf.h"
#include "base/json_read.h"
#include "base/json_write.h"
#include "connect/connector.h"
#include "core/answer.h"
#include "core/operations.h"
#include "fcgi/reply.h"
#include "hook/forward.h"
#include "store/sql_subscription.h"

enum { TYPES_MAX = 2000, SECRET_TEXT_MAX = 128, SEALED_MAX = 512 };

struct subscription {
	struct id id;
	struct str url, event_types;
	struct opt_id connector;
	bool active;
	struct str error_code;
	struct opt_int error_at;
	struct id created_by;
	int64_t created_at, updated_at;
};

#define SUBSCRIPTION_OF(row)                                                                        \
	((struct subscription){ .id = (row).subscription_id,                                        \
				.url = (row).url,                                                   \
				.event_types = (row).event_types,                                   \
				.connector = (row).connector_id,                                    \
				.active = (row).active,                                             \
				.error_code = (row).error_code,                                     \
				.error_at = (row).error_at,                                         \
				.created_by = (row).created_by,                                     \
				.created_at = (row).created_at,                                     \
				.updated_at = (row).updated_at })

/* --- answers ---------------------------------------------------------------------- */

static void write_types(struct json_writer *w, struct str types)
{
	jw_key(w, "event_types");
	if (str_absent(types)) {
		jw_add_null(w);
		return;
	}
	jw_array(w);
	while (!str_absent(types))
		jw_add_text(w, str_cut(&types, SUBSCRIPTION_TYPES_END));
	jw_array_end(w);
}

static void write_members(struct json_writer *w, const struct subscription *s)
{
	answer_id(w, "id", ID_SUBSCRIPTION, &s->id);
	jw_put_text(w, "url", s->url);
	write_types(w, s->event_types);
	answer_opt_id(w, "connector_id", ID_CONNECTOR, &s->connector);
	jw_put_text(w, "status", s->active ? STR("active") : STR("paused"));
	jw_key(w, "last_error");
	if (s->error_at.set && !str_absent(s->error_code)) {
		jw_object(w);
		jw_put_text(w, "code", s->error_code);
		answer_time(w, "at", s->error_at.v);
		jw_object_end(w);
	} else {
		jw_add_null(w);
	}
	answer_id(w, "created_by", ID_USER, &s->created_by);
	answer_time(w, "created_at", s->created_at);
	answer_time(w, "updated_at", s->updated_at);
}

static enum err answer_one(struct ctx *cx, const struct subscription *s, struct str secret, struct reply *reply)
{
	struct json_writer w;

	TRY(ctx_etag(cx, reply, &s->id, s->updated_at));
	jw_start(&w, &reply->body);
	jw_object(&w);
	write_members(&w, s);
	if (!str_absent(secret))
		jw_put_text(&w, "secret", secret);
	jw_object_end(&w);
	return buf_error(&reply->body);
}

/* --- input -------------------------------------------------------------------------- */

/* The document has checked each of them; NULL: every type. */
static enum err types_of(struct ctx *cx, const json_t *list, struct str *ret_types)
{
	BUF_AUTO struct buf text = { 0 };

	*ret_types = STR_NONE;
	if (!list)
		return OK;
	buf_init(&text, TYPES_MAX);
	for (size_t i = 0; i < json_length(list); i++) {
		if (i > 0)
			buf_add_char(&text, SUBSCRIPTION_TYPES_END);
		buf_add_str(&text, json_text(json_item(list, i)));
	}
	if (buf_error(&text) == ERR_TOO_BIG)
		return ctx_bad_field(cx, "event_types", "TOO_LONG", "has more than 2000 characters in all");
	TRY(buf_error(&text));
	*ret_types = arena_copy(cx->arena, buf_str(&text));
	return str_absent(*ret_types) ? ERR_NO_MEMORY : OK;
}

/* The guard decides when it is called; this says early what never can be. */
static enum err check_url(struct ctx *cx, struct str url)
{
	if (str_starts(url, STR("https://")) || str_starts(url, STR("http://")))
		return OK;
	return ctx_bad_field(cx, "url", "BAD_FORMAT", "must begin with https://");
}

static enum err check_room(struct ctx *cx)
{
	struct sql_subscription_count_row row;

	TRY(sql_subscription_count(cx->db, &row));
	if (row.subscriptions < SUBSCRIPTIONS_MAX)
		return OK;
	return ctx_fail(cx, ERR_CONFLICT, "A tenant has at most 100 subscriptions.");
}

static enum err check_connector(struct ctx *cx, struct opt_id id)
{
	struct connector connector;
	enum err e = id.set ? connector_read(cx, &id.v, &connector) : OK;

	return e == ERR_NOT_FOUND ? ctx_bad_field(cx, "connector_id", "NOT_FOUND", "isn't one of this tenant's") : e;
}

/* --- the operations ------------------------------------------------------------------- */

enum err subscription_create(struct ctx *cx, const struct subscription_create_in *in, struct reply *reply)
{
	struct subscription s = { .url = in->url,
				  .connector = in->connector_id,
				  .active = true,
				  .created_by = cx->who.user,
				  .created_at = cx->now_ms,
				  .updated_at = cx->now_ms };
	BUF_AUTO struct buf secret = { 0 }, sealed = { 0 };

	TRY(check_url(cx, in->url));
	TRY(check_connector(cx, in->connector_id));
	TRY(check_room(cx));
	TRY(types_of(cx, in->event_types, &s.event_types));
	TRY(id_new(&s.id));
	ctx_audit_target(cx, ID_SUBSCRIPTION, &s.id);
	buf_init(&secret, SECRET_TEXT_MAX);
	buf_init(&sealed, SEALED_MAX);
	TRY(forward_new_secret(cx, &s.id, &secret, &sealed));
	TRY(sql_subscription_insert(cx->db,
				    &(struct sql_subscription_insert_in){ .subscription_id = s.id,
									  .url = s.url,
									  .event_types = s.event_types,
									  .connector_id = s.connector,
									  .secret = buf_str(&sealed),
									  .created_by = s.created_by },
				    NULL));
	reply->status = 201;
	return answer_one(cx, &s, buf_str(&secret), reply);
}

enum err subscription_list(struct ctx *cx, const struct subscription_list_in *in, struct reply *reply)
{
	struct sql_subscription_list_in query = { .limit = in->limit + 1 };
	struct sql_subscription_list_row row;
	struct answer_page page;
	enum err e;

	TRY(ctx_cursor_read(cx, in->cursor, &query.before));
	TRY(sql_subscription_list(cx->db, &query));
	answer_page_start(&page, reply, in->limit);
	while ((e = sql_subscription_list_next(cx->db, &row)) == OK && answer_page_item(&page, &row.subscription_id)) {
		jw_object(&page.w);
		write_members(&page.w, &SUBSCRIPTION_OF(row));
		jw_object_end(&page.w);
	}
	return answer_page_end(&page, cx, reply, e);
}

enum err subscription_get(struct ctx *cx, const struct subscription_get_in *in, struct reply *reply)
{
	struct sql_subscription_get_row row;

	TRY(sql_subscription_get(cx->db, &(struct sql_subscription_get_in){ .subscription_id = in->subscription_id },
				 &row));
	return answer_one(cx, &SUBSCRIPTION_OF(row), STR_NONE, reply);
}

static enum err lock(struct ctx *cx, const struct id *id, struct subscription *ret_subscription)
{
	struct sql_subscription_lock_row row;

	ctx_audit_target(cx, ID_SUBSCRIPTION, id);
	TRY(sql_subscription_lock(cx->db, &(struct sql_subscription_lock_in){ .subscription_id = *id }, &row));
	*ret_subscription = SUBSCRIPTION_OF(row);
	return ctx_if_match(cx, id, row.updated_at);
}

enum err subscription_update(struct ctx *cx, const struct subscription_update_in *in, struct reply *reply)
{
	struct subscription s;

	TRY(lock(cx, &in->subscription_id, &s));
	if (!str_absent(in->url)) {
		TRY(check_url(cx, in->url));
		s.url = in->url;
	}
	if (in->event_types)
		TRY(types_of(cx, in->event_types, &s.event_types));
	if (!str_absent(in->status))
		s.active = str_eq(in->status, STR("active"));
	s.updated_at = ctx_next_update(cx, s.updated_at);
	TRY(sql_subscription_update(cx->db,
				    &(struct sql_subscription_update_in){ .subscription_id = s.id,
									  .url = s.url,
									  .event_types = s.event_types,
									  .connector_id = s.connector,
									  .active = s.active,
									  .updated_at = s.updated_at },
				    NULL));
	return answer_one(cx, &s, STR_NONE, reply);
}

enum err subscription_delete(struct ctx *cx, const struct subscription_delete_in *in, struct reply *reply)
{
	struct subscription s;

	TRY(lock(cx, &in->subscription_id, &s));
	TRY(sql_subscription_delete(cx->db, &(struct sql_subscription_delete_in){ .subscription_id = s.id }, NULL));
	return answer_nothing(reply);
}
