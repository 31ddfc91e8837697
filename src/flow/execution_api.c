/* POST /workflows/{id}/execute and its executions: shown, stopped, and what happened in them. */
#include "base/json_read.h"
#include "core/answer.h"
#include "core/operations.h"
#include "flow/execution_answer.h"
#include "store/sql_execution.h"

/* Rows of events that are in memory at once: each may hold some hundred KiB. */
enum { EVENT_ROWS = 4 };

enum err execution_answer_queued(const struct id *execution, const struct id *workflow, struct reply *reply)
{
	struct json_writer w;

	reply->status = 202;
	jw_start(&w, &reply->body);
	jw_object(&w);
	answer_id(&w, "execution_id", ID_EXECUTION, execution);
	answer_id(&w, "workflow_id", ID_WORKFLOW, workflow);
	jw_put_text(&w, "status", STR("queued"));
	jw_object_end(&w);
	return buf_error(&reply->body);
}

enum err workflow_execute(struct ctx *cx, const struct workflow_execute_in *in, struct reply *reply)
{
	struct execution_new new = { .workflow = in->workflow_id, .source = EXECUTION_MANUAL };
	BUF_AUTO struct buf input = { 0 };
	struct json_writer w;
	struct id execution;

	ctx_audit_target(cx, ID_WORKFLOW, &in->workflow_id);
	buf_init(&input, EXECUTION_INPUT_MAX);
	jw_start(&w, &input);
	if (in->input_data)
		jw_add_tree(&w, in->input_data);
	else
		jw_add_null(&w);
	if (buf_error(&input) == ERR_TOO_BIG)
		return ERR_INPUT_TOO_LARGE;
	TRY(buf_error(&input));
	new.input = buf_str(&input);
	TRY(execution_start(cx, &new, &execution));
	return execution_answer_queued(&execution, &in->workflow_id, reply);
}

static enum err answer_one(struct ctx *cx, const struct id *id, struct reply *reply)
{
	CLEANUP(execution_done) struct execution x = { 0 };
	struct sql_execution_get_row row;
	struct json_writer w;

	TRY(sql_execution_get(cx->db, &(struct sql_execution_get_in){ *id }, &row));
	jw_start(&w, &reply->body);
	TRY(execution_write(cx, &x, &EXECUTION_ROW(row), &w));
	return buf_error(&reply->body);
}

enum err execution_get(struct ctx *cx, const struct execution_get_in *in, struct reply *reply)
{
	return answer_one(cx, &in->execution_id, reply);
}

enum err execution_cancel(struct ctx *cx, const struct execution_cancel_in *in, struct reply *reply)
{
	ctx_audit_target(cx, ID_EXECUTION, &in->execution_id);
	TRY(execution_stop(cx, &in->execution_id));
	return answer_one(cx, &in->execution_id, reply);
}

static enum err list_ids(struct ctx *cx, const struct sql_execution_list_in *query, struct id ids[ANSWER_PAGE_MOST],
			 size_t *ret_n)
{
	struct sql_execution_list_row row;
	enum err e;

	*ret_n = 0;
	TRY(sql_execution_list(cx->db, query));
	while ((e = sql_execution_list_next(cx->db, &row)) == OK && *ret_n < ANSWER_PAGE_MOST)
		ids[(*ret_n)++] = row.execution_id;
	return e == ERR_END ? OK : e;
}

/* One that has gone meanwhile is left out. */
static enum err write_one(struct ctx *cx, struct execution *x, const struct id *id, struct json_writer *w)
{
	struct sql_execution_get_row row;
	enum err e = sql_execution_get(cx->db, &(struct sql_execution_get_in){ *id }, &row);

	if (e == ERR_NOT_FOUND)
		return OK;
	TRY(e);
	return execution_write(cx, x, &EXECUTION_ROW(row), w);
}

/* Only the ids are read together: a row may hold a MiB. */
enum err workflow_executions(struct ctx *cx, const struct workflow_executions_in *in, struct reply *reply)
{
	/* The next page's address keeps what this one was asked with; its cursor stands behind what was passed over. */
	struct sql_execution_list_in query = { .workflow_id = in->workflow_id,
					       .status = in->status,
					       .skip = str_absent(in->cursor) ? in->skip : 0,
					       .limit = in->limit + 1 };
	CLEANUP(execution_done) struct execution x = { 0 };
	struct sql_workflow_known_row known;
	struct id ids[ANSWER_PAGE_MOST];
	struct answer_page page;
	size_t n;

	TRY(ctx_cursor_read(cx, in->cursor, &query.before));
	TRY(sql_workflow_known(cx->db, &(struct sql_workflow_known_in){ in->workflow_id }, &known));
	TRY(list_ids(cx, &query, ids, &n));
	answer_page_start(&page, reply, in->limit);
	for (size_t i = 0; i < n && answer_page_item(&page, &ids[i]); i++) {
		TRY(write_one(cx, &x, &ids[i], &page.w));
		if (reply->body.n > ANSWER_PAGE_BYTES)
			answer_page_full(&page);
	}
	return answer_page_end(&page, cx, reply, ERR_END);
}

/* --- events ---------------------------------------------------------------------------------------- */

struct events_page {
	struct json_writer w;
	const struct id *execution;
	int64_t after, room;
};

/* Of rows that are older, the id was the number. */
static void write_event(const struct events_page *page, int64_t number, const json_t *event, struct json_writer *w)
{
	jw_object(w);
	event_put_id(w, page->execution, number);
	for (void *i = json_first(event); i; i = json_next(event, i)) {
		struct str key = json_iter_key(i);

		if (str_eq(key, STR("id")) || str_eq(key, STR("number")))
			continue;
		jw_key_str(w, key);
		jw_add_tree(w, json_iter_value(i));
	}
	jw_object_end(w);
}

/* A row holds the events of one turn; the page begins and ends between two of them. */
static enum err write_events(struct ctx *cx, const struct sql_execution_event_list_row *row, struct events_page *page)
{
	json_t *list;

	TRY(json_read(cx->arena, row->events, &list, NULL));
	for (size_t i = 0; i < json_length(list) && page->room > 0; i++) {
		int64_t number = row->first + (int64_t)i;

		if (number <= page->after)
			continue;
		write_event(page, number, json_item(list, i), &page->w);
		page->room--;
	}
	return OK;
}

/* The next few rows; ERR_END behind the last one. */
static enum err write_rows(struct ctx *cx, struct sql_execution_event_list_in *query, struct events_page *page)
{
	struct sql_execution_event_list_row row;
	size_t rows = 0;
	enum err e;

	TRY(sql_execution_event_list(cx->db, query));
	while ((e = sql_execution_event_list_next(cx->db, &row)) == OK) {
		TRY(write_events(cx, &row, page));
		query->from = row.first + 1;
		rows++;
	}
	return e == ERR_END && rows == EVENT_ROWS ? OK : e;
}

/* A number, or the id of one of its events. */
static enum err read_after(struct ctx *cx, const struct execution_events_in *in, int64_t *ret_after)
{
	struct str text = in->after, number = text, id = str_cut(&number, ':');
	struct id execution;
	uint64_t after = 0;

	if (str_absent(number))
		number = text;
	else if (!id_parse(ID_EXECUTION, id, &execution) || !id_eq(&execution, &in->execution_id))
		return ctx_bad_field(cx, "query.after", "NOT_ALLOWED", "is of another execution");
	if (!str_absent(number) && (!str_to_u64(number, &after) || after > UINT32_MAX))
		return ctx_bad_field(cx, "query.after", "TOO_LARGE", "is more than an execution has events");
	*ret_after = (int64_t)after;
	return OK;
}

enum err execution_events(struct ctx *cx, const struct execution_events_in *in, struct reply *reply)
{
	struct sql_execution_event_list_in query = { .execution_id = in->execution_id, .limit = EVENT_ROWS };
	struct events_page page = { .execution = &in->execution_id, .room = in->limit };
	struct sql_execution_event_row_row from;
	struct sql_execution_known_row known;
	enum err e;

	TRY(read_after(cx, in, &page.after));
	TRY(sql_execution_known(cx->db, &(struct sql_execution_known_in){ in->execution_id }, &known));
	e = sql_execution_event_row(cx->db, &(struct sql_execution_event_row_in){ in->execution_id, page.after + 1 },
				    &from);
	if (e == OK)
		query.from = from.first;
	else if (e != ERR_NOT_FOUND)
		return e;
	jw_start(&page.w, &reply->body);
	jw_array(&page.w);
	do
		e = write_rows(cx, &query, &page);
	while (e == OK && page.room > 0 && reply->body.n < ANSWER_PAGE_BYTES);
	jw_array_end(&page.w);
	return e == OK || e == ERR_END ? buf_error(&reply->body) : e;
}
