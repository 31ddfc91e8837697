#include "sync/store.h"

#include "base/buf.h"
#include "base/json_write.h"
#include "connect/connection_values.h"
#include "crypt/hash.h"
#include "store/sql_sync.h"

/* --- runs ---------------------------------------------------------------------------- */

static struct str keep(struct ctx *cx, struct str text, bool *lost)
{
	struct str kept = str_absent(text) ? STR_NONE : arena_copy(cx->arena, text);

	*lost = *lost || str_absent(kept) != str_absent(text);
	return kept;
}

enum err sync_run_read(struct ctx *cx, const struct id *id, struct sync_run *ret_run)
{
	struct sql_sync_get_row row;
	bool lost = false;

	TRY(sql_sync_get(cx->db, &(struct sql_sync_get_in){ *id }, &row));
	*ret_run = (struct sync_run){
		.id = *id,
		.connector = row.connector_id,
		.state = keep(cx, row.state, &lost),
		.collection = keep(cx, row.collection, &lost),
		.page = row.page,
		.next = keep(cx, row.next_page, &lost),
		.pages = row.pages,
		.fetched = row.fetched,
		.created = row.created,
		.updated = row.updated,
		.unchanged = row.unchanged,
		.skipped = row.skipped,
		.error_code = keep(cx, row.error_code, &lost),
		.error_message = keep(cx, row.error_message, &lost),
		.started_at = row.started_at,
	};
	return lost ? ERR_NO_MEMORY : OK;
}

enum err sync_run_write(struct ctx *cx, const struct sync_run *run, struct opt_int finished_at)
{
	const struct sql_sync_write_in in = {
		.sync_id = run->id,
		.state = run->state,
		.collection = run->collection,
		.page = run->page,
		.next_page = run->next,
		.pages = run->pages,
		.fetched = run->fetched,
		.created = run->created,
		.updated = run->updated,
		.unchanged = run->unchanged,
		.skipped = run->skipped,
		.error_code = run->error_code,
		.error_message = run->error_message,
		.started_at = run->started_at,
		.finished_at = finished_at,
	};

	return sql_sync_write(cx->db, &in, NULL);
}

/* --- records ---------------------------------------------------------------------------- */

static enum err insert(struct ctx *cx, const struct sync_run *run, const struct sync_row *row,
		       struct str body, struct str hash)
{
	struct sql_record_insert_in in = {
		.connector_id = run->connector,
		.collection = run->collection,
		.external_id = row->id,
		.body = body,
		.body_hash = hash,
		.provider_updated_at = row->updated_at,
	};

	TRY(id_new(&in.record_id));
	return sql_record_insert(cx->db, &in, NULL);
}

static enum err update(struct ctx *cx, const struct sync_run *run, const struct sync_row *row,
		       struct str body, struct str hash)
{
	const struct sql_record_update_in in = {
		.connector_id = run->connector,
		.collection = run->collection,
		.external_id = row->id,
		.body = body,
		.body_hash = hash,
		.provider_updated_at = row->updated_at,
	};

	return sql_record_update(cx->db, &in, NULL);
}

static enum err store(struct ctx *cx, const struct sync_row *row, struct str body,
		      struct sync_run *run)
{
	const struct sql_record_find_in in = { run->connector, run->collection, row->id };
	struct sql_record_find_row before;
	uint8_t sum[SHA256_BYTES];
	struct str hash = { (const char *)sum, sizeof sum };
	enum err e;

	sha256_of(BYTES(body), sum);
	e = sql_record_find(cx->db, &in, &before);
	if (e == ERR_NOT_FOUND) {
		run->created++;
		return insert(cx, run, row, body, hash);
	}
	TRY(e);
	if (str_eq(before.body_hash, hash)) {
		run->unchanged++;
		return OK;
	}
	run->updated++;
	return update(cx, run, row, body, hash);
}

enum err sync_store_rows(struct ctx *cx, const struct sync_page *page, struct texts secrets,
			 struct sync_run *run)
{
	BUF_AUTO struct buf body = { 0 };
	struct json_writer w;

	buf_init(&body, SYNC_RECORD_BYTES);
	run->fetched += (int64_t)(page->rows + page->left_out);
	run->skipped += (int64_t)page->left_out;
	for (size_t i = 0; i < page->rows; i++) {
		enum err e;

		buf_clear(&body);
		jw_start(&w, &body);
		jw_add_tree(&w, page->row[i].json);
		e = buf_error(&body);
		if (e == ERR_TOO_BIG || (e == OK && connection_holds_secret(buf_str(&body), secrets))) {
			run->skipped++;
			continue;
		}
		TRY(e);
		TRY(store(cx, &page->row[i], buf_str(&body), run));
	}
	return OK;
}
