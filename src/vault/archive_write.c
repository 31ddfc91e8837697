/* `latchctl export`: plain data goes from the database into sealed records, and nowhere else. */
#include "audit/audit.h"
#include "base/json_write.h"
#include "core/answer.h"
#include "store/db.h"
#include "store/sql_credential.h"
#include "vault/archive.h"
#include "vault/seal.h"

enum { BATCH_IDS = 500 };

struct export
{
	struct ctx *cx;
	struct archive_writer writer;
	const struct vault_progress *progress;
	int64_t total;
	struct vault_archived done;
	struct buf record; /* plain: wiped */
};

static void export_done(struct export *x)
{
	archive_writer_done(&x->writer);
	buf_done(&x->record);
}

static void put_opt_int(struct json_writer *w, const char *key, struct opt_int number)
{
	if (number.set)
		jw_put_int(w, key, number.v);
	else
		jw_put_null(w, key);
}

static enum err put_record(struct export *x)
{
	enum err e = buf_error(&x->record);

	if (e == OK)
		e = archive_put(&x->writer, buf_str(&x->record));
	buf_clear(&x->record);
	return e;
}

static enum err put_credential(struct export *x, const struct id *id,
			       const struct sql_credential_export_row *row)
{
	struct json_writer w;

	jw_start(&w, &x->record);
	jw_object(&w);
	jw_key(&w, "credential");
	jw_object(&w);
	answer_id(&w, "id", ID_CREDENTIAL, id);
	jw_put_text(&w, "name", row->name);
	jw_put_text(&w, "type", row->type);
	jw_put_text(&w, "service", row->service);
	jw_put_text(&w, "key_service", row->key_service);
	jw_put_text(&w, "status", row->status);
	answer_id(&w, "created_by", ID_USER, &row->owner);
	jw_put_int(&w, "created_at", row->created_at);
	jw_put_int(&w, "updated_at", row->updated_at);
	put_opt_int(&w, "expires_at", row->expires_at);
	jw_put_text(&w, "verify_status", row->verify_status);
	jw_put_text(&w, "verify_error_code", row->verify_error_code);
	jw_put_text(&w, "verify_message", row->verify_message);
	jw_put_text(&w, "verify_account", row->verify_account);
	put_opt_int(&w, "verify_checked_at", row->verify_checked_at);
	jw_object_end(&w);
	jw_object_end(&w);
	return put_record(x);
}

static enum err put_version(struct export *x, const struct sql_credential_export_row *row,
			    const struct secret *plain)
{
	struct json_writer w;

	jw_start(&w, &x->record);
	jw_object(&w);
	jw_key(&w, "version");
	jw_object(&w);
	jw_put_int(&w, "version", row->version);
	answer_id(&w, "created_by", ID_USER, &row->version_by);
	jw_put_int(&w, "created_at", row->version_at);
	jw_put_raw(&w, "data", secret_str(plain));
	jw_object_end(&w);
	jw_object_end(&w);
	return put_record(x);
}

static enum err unseal_row(struct export *x, const struct id *id,
			   const struct sql_credential_export_row *row, struct secret *ret_plain)
{
	const struct vault_sealed sealed = {
		.place = { *id, row->owner, row->type, row->version },
		.generation = row->key_generation,
		.ciphertext = row->ciphertext,
		.root_key_id = row->root_key_id,
		.wrapped = row->wrapped,
	};

	return vault_unseal(x->cx, &sealed, ret_plain);
}

/* The newest version comes first and brings the credential; without it the others mean nothing. */
static enum err export_row(struct export *x, const struct id *id,
			   const struct sql_credential_export_row *row, bool *begun)
{
	SECRET_AUTO struct secret plain = SECRET_EMPTY;
	enum err e = unseal_row(x, id, row, &plain);

	if (e == ERR_UNREADABLE)
		x->done.unreadable++;
	if (e != OK)
		return e == ERR_UNREADABLE ? OK : e;
	if (row->version == row->current) {
		TRY(put_credential(x, id, row));
		x->done.credentials++;
		*begun = true;
	}
	if (!*begun)
		return OK;
	x->done.versions++;
	return put_version(x, row, &plain);
}

static enum err export_credential(struct export *x, const struct id *id)
{
	const struct sql_credential_export_in in = { .credential_id = *id };
	struct sql_credential_export_row row;
	bool begun = false;
	enum err e;

	TRY(sql_credential_export(x->cx->db, &in));
	while ((e = sql_credential_export_next(x->cx->db, &row)) == OK)
		TRY(export_row(x, id, &row, &begun));
	if (x->progress && x->progress->step)
		x->progress->step(x->progress->arg, x->done.credentials, x->total);
	return e == ERR_END ? OK : e;
}

static enum err export_batch(struct export *x, struct id *after, bool *ret_more)
{
	const struct sql_credential_ids_in in = { .after = *after, .limit = BATCH_IDS };
	struct sql_credential_ids_row row;
	int rows = 0;
	enum err e;

	TRY(sql_credential_ids(x->cx->db, &in));
	while ((e = sql_credential_ids_next(x->cx->db, &row)) == OK) {
		TRY(export_credential(x, &row.credential_id));
		*after = row.credential_id;
		rows++;
	}
	*ret_more = rows == BATCH_IDS;
	return e == ERR_END ? OK : e;
}

static enum err write_audit(struct db *db, void *arg)
{
	struct export *x = arg;
	struct ctx *cx = x->cx;

	(void)db;
	cx->audit = (struct audit_note){ 0 };
	ctx_audit_detail(cx, "credentials",
			 arena_printf(cx->arena, "%lld", (long long)x->done.credentials));
	ctx_audit_detail(cx, "versions",
			 arena_printf(cx->arena, "%lld", (long long)x->done.versions));
	return audit_write(cx, AUDIT_CREDENTIAL_EXPORT, OK);
}

enum err vault_export(struct ctx *cx, const struct secret *passphrase, FILE *out,
		      const struct vault_progress *progress, struct vault_archived *ret_archived)
{
	CLEANUP(export_done) struct export x = { .cx = cx, .progress = progress };
	struct sql_credential_count_row count;
	struct id after = ID_NIL;
	bool more = true;

	*ret_archived = x.done;
	buf_init(&x.record, ARCHIVE_RECORD_MAX);
	TRY(sql_credential_count(cx->db, &count));
	x.total = count.credentials;
	TRY(archive_writer_start(&x.writer, out, passphrase, ARCHIVE_ITERATIONS, cx->now_ms));
	while (more)
		TRY(export_batch(&x, &after, &more));
	/* The row first: no audit, no archive that can be read. */
	TRY(db_run(cx->db, write_audit, &x));
	TRY(archive_finish(&x.writer));
	*ret_archived = x.done;
	return OK;
}
