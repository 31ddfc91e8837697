/* Pulling over HTTP: queue a run, the runs that were, and the records. */
#include "base/json_write.h"
#include "connect/connector.h"
#include "core/answer.h"
#include "core/ctx.h"
#include "core/operations.h"
#include "fcgi/reply.h"
#include "store/sql_sync.h"
#include "sync/sync.h"

/* A page of records ends early behind so much. */
enum { ANSWER_BYTES = 4 << 20 };

enum err connector_sync(struct ctx *cx, const struct connector_sync_in *in, struct reply *reply)
{
	struct id sync, job;
	struct json_writer w;

	TRY(sync_start(cx, &in->connector_id, &sync, &job));
	reply->status = 202;
	jw_start(&w, &reply->body);
	jw_object(&w);
	answer_id(&w, "sync_id", ID_SYNC, &sync);
	answer_id(&w, "job_id", ID_JOB, &job);
	jw_object_end(&w);
	return buf_error(&reply->body);
}

/* --- runs ------------------------------------------------------------------------------- */

static void write_run(struct json_writer *w, const struct sql_sync_list_row *row)
{
	jw_object(w);
	answer_id(w, "id", ID_SYNC, &row->sync_id);
	answer_id(w, "job_id", ID_JOB, &row->job_id);
	jw_put_text(w, "state", row->state);
	jw_put_text(w, "collection", row->collection);
	jw_put_int(w, "pages", row->pages);
	jw_put_int(w, "fetched", row->fetched);
	jw_put_int(w, "created", row->created);
	jw_put_int(w, "updated", row->updated);
	jw_put_int(w, "unchanged", row->unchanged);
	jw_put_int(w, "skipped", row->skipped);
	answer_error(w, "error", row->error_code, row->error_message);
	answer_time(w, "queued_at", row->queued_at);
	answer_opt_time(w, "started_at", row->started_at);
	answer_opt_time(w, "finished_at", row->finished_at);
	jw_object_end(w);
}

enum err connector_syncs(struct ctx *cx, const struct connector_syncs_in *in, struct reply *reply)
{
	struct sql_sync_list_in query = { .connector_id = in->connector_id,
					  .limit = in->limit + 1 };
	struct sql_sync_list_row row;
	struct connector connector;
	struct answer_page page;
	enum err e;

	TRY(ctx_cursor_read(cx, in->cursor, &query.before));
	TRY(connector_read(cx, &in->connector_id, &connector));
	TRY(sql_sync_list(cx->db, &query));
	answer_page_start(&page, reply, in->limit);
	while ((e = sql_sync_list_next(cx->db, &row)) == OK &&
	       answer_page_item(&page, &row.sync_id))
		write_run(&page.w, &row);
	return answer_page_end(&page, cx, reply, e);
}

/* --- records ------------------------------------------------------------------------------- */

struct record {
	struct id id;
	struct str collection, external_id, body, provider_updated_at;
	int64_t first_seen_at, updated_at;
};

#define RECORD_OF(row)                                                                             \
	((struct record){ (row).record_id, (row).collection, (row).external_id, (row).body,        \
			  (row).provider_updated_at, (row).first_seen_at, (row).updated_at })

static void write_record(struct json_writer *w, const struct record *record)
{
	jw_object(w);
	answer_id(w, "id", ID_RECORD, &record->id);
	jw_put_text(w, "collection", record->collection);
	jw_put_text(w, "external_id", record->external_id);
	jw_put_raw(w, "data", record->body);
	jw_put_text(w, "provider_updated_at", record->provider_updated_at);
	answer_time(w, "first_seen_at", record->first_seen_at);
	answer_time(w, "updated_at", record->updated_at);
	jw_object_end(w);
}

/* Of all collections or of one: an index each. */
struct record_query {
	struct ctx *cx;
	bool of_collection;
	struct sql_record_list_in all;
	struct sql_record_list_of_collection_in one;
};

static enum err begin(const struct record_query *query)
{
	return query->of_collection ? sql_record_list_of_collection(query->cx->db, &query->one)
				    : sql_record_list(query->cx->db, &query->all);
}

static enum err next(const struct record_query *query, struct record *ret_record)
{
	struct sql_record_list_of_collection_row one;
	struct sql_record_list_row row;

	if (query->of_collection) {
		TRY(sql_record_list_of_collection_next(query->cx->db, &one));
		*ret_record = RECORD_OF(one);
		return OK;
	}
	TRY(sql_record_list_next(query->cx->db, &row));
	*ret_record = RECORD_OF(row);
	return OK;
}

static enum err write_records(struct ctx *cx, const struct record_query *query, int64_t limit,
			      struct reply *reply)
{
	struct answer_page page;
	struct record record;
	enum err e;

	answer_page_start(&page, reply, limit);
	while ((e = next(query, &record)) == OK && answer_page_item(&page, &record.id)) {
		write_record(&page.w, &record);
		if (reply->body.n > ANSWER_BYTES)
			answer_page_full(&page);
	}
	return answer_page_end(&page, cx, reply, e);
}

enum err connector_records(struct ctx *cx, const struct connector_records_in *in,
			   struct reply *reply)
{
	struct record_query query = { .cx = cx, .of_collection = !str_absent(in->collection) };
	struct connector connector;
	struct id before;

	TRY(ctx_cursor_read(cx, in->cursor, &before));
	TRY(connector_read(cx, &in->connector_id, &connector));
	query.all = (struct sql_record_list_in){ in->connector_id, before, in->limit + 1 };
	query.one = (struct sql_record_list_of_collection_in){ in->connector_id, in->collection,
							       before, in->limit + 1 };
	TRY(begin(&query));
	return write_records(cx, &query, in->limit, reply);
}
