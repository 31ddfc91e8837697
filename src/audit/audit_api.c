/* GET /audit and GET /audit/summary. */
#include <string.h>

#include "base/clock.h"
#include "base/json_write.h"
#include "core/answer.h"
#include "core/ctx.h"
#include "core/operations.h"
#include "fcgi/reply.h"
#include "store/sql_audit.h"

/* LOOKED_AT, COUNTED: rows that one request reads at most when it wants some of them only, and that it counts. */
enum { LOOKED_AT = 5000, COUNTED = 100000 };
enum { SPAN_MS = 10000, SPAN_GROWS = 6 };
enum { SUMMARY_ACTORS_MAX = 200, SUMMARY_DAYS = 30, SUMMARY_DAYS_MAX = 92 };

static const int64_t DAY_MS = 24 * 60 * 60 * 1000LL;

static bool id_before(const struct id *a, const struct id *b) { return memcmp(a->b, b->b, sizeof a->b) < 0; }

static enum id_kind actor_id_kind(struct str actor_kind)
{
	return str_eq(actor_kind, STR("token")) ? ID_TOKEN : ID_USER;
}

static void write_target(struct json_writer *w, struct str kind, const struct opt_id *id)
{
	enum id_kind target_kind;

	jw_key(w, "target");
	if (!id->set || !id_kind_of_prefix(kind, &target_kind)) {
		jw_add_null(w);
		return;
	}
	jw_object(w);
	jw_put_text(w, "kind", kind);
	answer_opt_id(w, "id", target_kind, id);
	jw_object_end(w);
}

static void write_row(struct json_writer *w, const struct sql_audit_list_row *row)
{
	jw_object(w);
	answer_id(w, "id", ID_AUDIT, &row->audit_id);
	answer_time(w, "at", row->at);
	jw_key(w, "actor");
	jw_object(w);
	jw_put_text(w, "kind", row->actor_kind);
	answer_opt_id(w, "id", actor_id_kind(row->actor_kind), &row->actor_id);
	jw_object_end(w);
	jw_put_text(w, "action", row->action);
	jw_put_text(w, "outcome", row->outcome);
	jw_put_text(w, "code", row->code);
	write_target(w, row->target_kind, &row->target_id);
	jw_put_text(w, "service", row->service);
	jw_put_text(w, "address", row->address);
	answer_opt_id(w, "request_id", ID_REQUEST, &row->request_id);
	jw_put_raw(w, "details", row->details);
	jw_object_end(w);
}

/* An id in a filter may be of any kind: only its number is compared. */
static enum err filter_id(struct ctx *cx, const char *field, struct str text, struct opt_id *ret_id)
{
	enum id_kind kind;

	if (str_absent(text))
		return OK;
	ret_id->set = id_kind_of_prefix(str_slice(text, 0, str_find(text, '-')), &kind) &&
		      id_parse(kind, text, &ret_id->v);
	return ret_id->set ? OK : ctx_bad_field(cx, field, "BAD_FORMAT", "isn't an id");
}

static enum err read_filters(struct ctx *cx, const struct audit_list_in *in, struct sql_audit_list_in *ret_filters)
{
	struct id to = in->to.set ? id_first_at(in->to.v) : ID_MAX;

	ret_filters->from = in->from.set ? id_first_at(in->from.v) : ID_NIL;
	ret_filters->action = in->action;
	ret_filters->service = in->service;
	ret_filters->outcome = in->outcome;
	ret_filters->limit = in->limit + 1;
	TRY(ctx_cursor_read(cx, in->cursor, &ret_filters->before));
	if (id_before(&to, &ret_filters->before))
		ret_filters->before = to;
	TRY(filter_id(cx, "query.actor", in->actor, &ret_filters->actor));
	return filter_id(cx, "query.target", in->target, &ret_filters->target);
}

static bool is_sparse(const struct sql_audit_list_in *filters)
{
	return filters->actor.set || !str_absent(filters->action) || !str_absent(filters->service) ||
	       !str_absent(filters->outcome);
}

static enum err find_horizon(struct ctx *cx, const struct sql_audit_list_in *filters, const struct id *from,
			     int64_t rows, struct id *ret_id)
{
	const struct sql_audit_horizon_in all = { *from, filters->before, rows };
	const struct sql_audit_horizon_of_target_in its = { filters->target.v, *from, filters->before, rows };
	struct sql_audit_horizon_of_target_row its_row;
	struct sql_audit_horizon_row row;

	if (filters->target.set) {
		TRY(sql_audit_horizon_of_target(cx->db, &its, &its_row));
		*ret_id = its_row.audit_id;
		return OK;
	}
	TRY(sql_audit_horizon(cx->db, &all, &row));
	*ret_id = row.audit_id;
	return OK;
}

/*
 * The front serves everybody in turn: when there are more rows than one request may read, only those down to
 * `filters->from` are looked at. Which is looked for in ever longer times before `filters->before`.
 */
static enum err set_horizon(struct ctx *cx, int64_t rows, struct sql_audit_list_in *filters, bool *ret_set)
{
	int64_t end_ms = id_time_ms(&filters->before) < cx->now_ms ? id_time_ms(&filters->before) : cx->now_ms;
	enum err e = ERR_NOT_FOUND;

	for (int64_t ms = SPAN_MS; e == ERR_NOT_FOUND; ms *= SPAN_GROWS) {
		struct id horizon, from = ms < end_ms ? id_first_at(end_ms - ms) : ID_NIL;
		bool all = !id_before(&filters->from, &from);

		e = find_horizon(cx, filters, all ? &filters->from : &from, rows, &horizon);
		if (e == OK)
			filters->from = horizon;
		if (all)
			break;
	}
	*ret_set = e == OK;
	return e == ERR_NOT_FOUND ? OK : e;
}

enum err audit_list(struct ctx *cx, const struct audit_list_in *in, struct reply *reply)
{
	struct sql_audit_list_in filters = { 0 };
	struct sql_audit_list_row row;
	struct answer_page page;
	bool cut_short;
	enum err e;

	TRY(read_filters(cx, in, &filters));
	TRY(set_horizon(cx, is_sparse(&filters) ? LOOKED_AT : in->limit, &filters, &cut_short));
	TRY(sql_audit_list(cx->db, &filters));
	answer_page_start(&page, reply, in->limit);
	while ((e = sql_audit_list_next(cx->db, &row)) == OK && answer_page_item(&page, &row.audit_id))
		write_row(&page.w, &row);
	if (e == ERR_END && cut_short)
		answer_page_on(&page, &filters.from);
	return answer_page_end(&page, cx, reply, e);
}

static enum err write_by_action(struct ctx *cx, const struct id *from, const struct id *before, struct json_writer *w)
{
	struct sql_audit_count_by_action_row row;
	enum err e;

	TRY(sql_audit_count_by_action(cx->db, &(struct sql_audit_count_by_action_in){ *from, *before }));
	jw_key(w, "by_action");
	jw_array(w);
	while ((e = sql_audit_count_by_action_next(cx->db, &row)) == OK) {
		jw_object(w);
		jw_put_text(w, "action", row.action);
		jw_put_int(w, "count", row.count);
		jw_object_end(w);
	}
	jw_array_end(w);
	return e == ERR_END ? OK : e;
}

static enum err write_by_actor(struct ctx *cx, const struct id *from, const struct id *before, struct json_writer *w)
{
	struct sql_audit_count_by_actor_row row;
	enum err e;

	TRY(sql_audit_count_by_actor(cx->db,
				     &(struct sql_audit_count_by_actor_in){ *from, *before, SUMMARY_ACTORS_MAX }));
	jw_key(w, "by_actor");
	jw_array(w);
	while ((e = sql_audit_count_by_actor_next(cx->db, &row)) == OK) {
		jw_object(w);
		jw_put_text(w, "kind", row.actor_kind);
		answer_opt_id(w, "id", actor_id_kind(row.actor_kind), &row.actor_id);
		jw_put_int(w, "count", row.count);
		jw_object_end(w);
	}
	jw_array_end(w);
	return e == ERR_END ? OK : e;
}

static enum err write_by_day(struct ctx *cx, const struct id *from, const struct id *before, struct json_writer *w)
{
	struct sql_audit_count_by_day_row row;
	char day[TIME_TEXT_MAX];
	enum err e;

	TRY(sql_audit_count_by_day(cx->db, &(struct sql_audit_count_by_day_in){ *from, *before }));
	jw_key(w, "by_day");
	jw_array(w);
	while ((e = sql_audit_count_by_day_next(cx->db, &row)) == OK) {
		jw_object(w);
		jw_put_text(w, "day", str_slice(time_format(row.day * DAY_MS, day), 0, 10));
		jw_put_int(w, "count", row.count);
		jw_object_end(w);
	}
	jw_array_end(w);
	return e == ERR_END ? OK : e;
}

enum err audit_summary(struct ctx *cx, const struct audit_summary_in *in, struct reply *reply)
{
	int64_t to_ms = in->to.set ? in->to.v : cx->now_ms + 1;
	int64_t from_ms = in->from.set ? in->from.v : to_ms - SUMMARY_DAYS * DAY_MS;
	struct sql_audit_list_in range = { .from = id_first_at(from_ms), .before = id_first_at(to_ms) };
	struct json_writer w;
	bool cut_short;

	if (from_ms > to_ms || to_ms - from_ms > SUMMARY_DAYS_MAX * DAY_MS)
		return ctx_bad_field(cx, "query.from", "TOO_SMALL", "must lie at most 92 days before `to`");
	TRY(set_horizon(cx, COUNTED, &range, &cut_short));
	if (cut_short)
		from_ms = id_time_ms(&range.from);
	jw_start(&w, &reply->body);
	jw_object(&w);
	answer_time(&w, "from", from_ms);
	answer_time(&w, "to", to_ms);
	TRY(write_by_action(cx, &range.from, &range.before, &w));
	TRY(write_by_actor(cx, &range.from, &range.before, &w));
	TRY(write_by_day(cx, &range.from, &range.before, &w));
	jw_object_end(&w);
	return OK;
}
