/* `latchctl restore`: an archive is read twice, once to be sure of all of it, once to store it. */
#include <inttypes.h>

#include "audit/audit.h"
#include "base/crash.h"
#include "base/json_read.h"
#include "base/json_write.h"
#include "store/db.h"
#include "store/sql_credential.h"
#include "vault/archive.h"
#include "vault/data.h"
#include "vault/row.h"
#include "vault/seal.h"

enum { SCRATCH_MAX = 16 << 20 };

struct restore {
	struct ctx *cx;
	const struct secret *passphrase;
	FILE *in;
	bool store; /* false: only look */
	const struct vault_progress *progress;
	char *why;
	struct tenant_key key;
	struct vault_archived done;
	struct vault_archived total; /* of the first reading */
	/* The credential that version records belong to. */
	bool has_credential;
	bool row_stored;
	enum credential_type type;
	struct credential credential; /* texts live as long as `held` */
	struct arena *held;
};

static enum err malformed(struct restore *r, const struct archive_reader *reader, const char *words)
{
	snprintf(r->why, ARCHIVE_WHY_MAX, "line %" PRIu64 ": %s", reader->records + 1, words);
	return ERR_BAD_INPUT;
}

static struct opt_int opt_int_of(const json_t *value)
{
	struct opt_int number = { 0 };

	number.set = json_integer_of(value, &number.v);
	return number;
}

static bool read_credential(struct restore *r, const json_t *o)
{
	struct credential *c = &r->credential;

	*c = (struct credential){
		.name = json_member_text(o, "name"),
		.type = json_member_text(o, "type"),
		.service = json_member_text(o, "service"),
		.key_service = json_member_text(o, "key_service"),
		.status = json_member_text(o, "status"),
		.expires_at = opt_int_of(json_member(o, "expires_at")),
		.verify = { json_member_text(o, "verify_status"),
			    json_member_text(o, "verify_error_code"),
			    json_member_text(o, "verify_message"),
			    json_member_text(o, "verify_account"),
			    opt_int_of(json_member(o, "verify_checked_at")) },
	};
	return id_parse(ID_CREDENTIAL, json_member_text(o, "id"), &c->id) &&
	       id_parse(ID_USER, json_member_text(o, "created_by"), &c->created_by) &&
	       vault_type_parse(c->type, &r->type) && !str_absent(c->name) &&
	       !str_absent(c->status) &&
	       json_integer_of(json_member(o, "created_at"), &c->created_at) &&
	       json_integer_of(json_member(o, "updated_at"), &c->updated_at);
}

struct version {
	int64_t version, created_at;
	struct id created_by;
	const json_t *data;
};

static bool read_version(const json_t *o, struct version *ret_version)
{
	ret_version->data = json_member(o, "data");
	return json_integer_of(json_member(o, "version"), &ret_version->version) &&
	       ret_version->version > 0 && ret_version->version <= UINT32_MAX &&
	       json_integer_of(json_member(o, "created_at"), &ret_version->created_at) &&
	       id_parse(ID_USER, json_member_text(o, "created_by"), &ret_version->created_by) &&
	       json_is_kind(ret_version->data, JSON_OBJECT);
}

/* --- storing ---------------------------------------------------------------- */

/* With its own id if that is free, and as the service's key if the service has none. */
static enum err store_row(struct restore *r, struct credential *c)
{
	enum err e = vault_insert_row(r->cx->db, c);

	for (int tries = 0; e == ERR_DB_DUPLICATE && tries < 2; tries++) {
		if (str_eq(db_duplicate_key(r->cx->db), STR("PRIMARY")))
			TRY(id_new(&c->id));
		else
			c->key_service = STR_NONE;
		e = vault_insert_row(r->cx->db, c);
	}
	return e;
}

static enum err audit_restored(struct restore *r, const struct credential *c)
{
	r->cx->audit = (struct audit_note){ .service = c->service };
	ctx_audit_target(r->cx, ID_CREDENTIAL, &c->id);
	ctx_audit_detail(r->cx, "source", STR("archive"));
	return audit_write(r->cx, AUDIT_CREDENTIAL_IMPORT, OK);
}

static enum err store_version(struct restore *r, const struct version *v, struct str masked)
{
	const struct credential *c = &r->credential;
	const struct vault_place place = { c->id, c->created_by, c->type, v->version };
	BUF_AUTO struct buf plain = { 0 }, sealed = { 0 };
	struct json_writer w;

	buf_init(&plain, VAULT_DATA_MAX);
	buf_init(&sealed, VAULT_SEALED_MAX);
	jw_start(&w, &plain);
	jw_add_tree(&w, v->data);
	TRY(buf_error(&plain));
	TRY(vault_seal(r->cx, &r->key, &place, buf_str(&plain), &sealed));
	const struct sql_version_insert_in in = {
		.credential_id = c->id,
		.version = v->version,
		.type = c->type,
		.owner = c->created_by,
		.key_generation = r->key.generation,
		.ciphertext = buf_str(&sealed),
		.masked = masked,
		.created_by = v->created_by,
		.created_at = v->created_at,
		.made_by = STR("person"),
	};
	return sql_version_insert(r->cx->db, &in, NULL);
}

static enum err store(struct restore *r, const struct version *v)
{
	BUF_AUTO struct buf masked = { 0 };

	buf_init(&masked, VAULT_MASKED_MAX);
	vault_mask(r->type, v->data, &masked);
	TRY(buf_error(&masked));
	if (!r->row_stored) {
		r->credential.version = v->version;
		r->credential.masked = buf_str(&masked);
		TRY(store_row(r, &r->credential));
		TRY(audit_restored(r, &r->credential));
		r->row_stored = true;
	}
	return store_version(r, v, buf_str(&masked));
}

/* --- reading ---------------------------------------------------------------- */

static enum err take_credential(struct restore *r, const struct archive_reader *reader,
				struct str plain)
{
	json_t *json;

	arena_reset(r->held);
	TRY(json_read(r->held, plain, &json, NULL));
	if (!read_credential(r, json_member(json, "credential")))
		return malformed(r, reader, "this credential lacks something");
	r->has_credential = true;
	r->row_stored = false;
	r->done.credentials++;
	if (r->progress && r->progress->step)
		r->progress->step(r->progress->arg, r->done.credentials, r->total.credentials);
	return OK;
}

static enum err take_version(struct restore *r, const struct archive_reader *reader,
			     const json_t *o)
{
	struct version version;

	if (!r->has_credential || !read_version(o, &version))
		return malformed(r, reader, "this version lacks something");
	r->done.versions++;
	return r->store ? store(r, &version) : OK;
}

static enum err take_record(struct restore *r, const struct archive_reader *reader,
			    struct str plain)
{
	json_t *json;

	arena_reset(r->cx->arena);
	if (json_read(r->cx->arena, plain, &json, NULL) != OK)
		return malformed(r, reader, "this record isn't valid JSON");
	if (json_is_kind(json_member(json, "credential"), JSON_OBJECT))
		return take_credential(r, reader, plain);
	return take_version(r, reader, json_member(json, "version"));
}

static enum err read_all(struct restore *r)
{
	CLEANUP(archive_reader_done) struct archive_reader reader = { 0 };
	enum err e;

	r->done = (struct vault_archived){ 0 };
	r->has_credential = false;
	if (fseek(r->in, 0, SEEK_SET) != 0) {
		snprintf(r->why, ARCHIVE_WHY_MAX,
			 "the archive must be a file, not a pipe: it is read twice");
		return ERR_IO;
	}
	e = archive_reader_start(&reader, r->in, r->passphrase);
	while (e == OK) {
		SECRET_AUTO struct secret plain = SECRET_EMPTY;

		e = archive_next(&reader, &plain);
		if (e == OK)
			e = take_record(r, &reader, secret_str(&plain));
	}
	if (e != ERR_END && r->why[0] == '\0')
		snprintf(r->why, ARCHIVE_WHY_MAX, "%s", reader.why);
	return e == ERR_END ? OK : e;
}

static enum err store_all(struct db *db, void *arg)
{
	struct restore *r = arg;

	(void)db;
	tenant_key_done(&r->key);
	TRY(tenant_key_to_seal(r->cx, &r->key));
	TRY(read_all(r));
	lw_crash_point("restore_before_commit");
	return OK;
}

/* The records' trees and texts are dropped one by one, not at the end: an archive may be large. */
static enum err with_scratch(struct restore *r, enum err (*run)(struct restore *r))
{
	struct arena *own = r->cx->arena, *scratch = arena_new(SCRATCH_MAX);
	enum err e = ERR_NO_MEMORY;

	r->held = arena_new(SCRATCH_MAX);
	if (scratch && r->held) {
		r->cx->arena = scratch;
		e = run(r);
	}
	r->cx->arena = own;
	r->cx->audit = (struct audit_note){ 0 };
	arena_free(scratch);
	arena_free(r->held);
	tenant_key_done(&r->key);
	return e;
}

static enum err run_restore(struct restore *r)
{
	TRY(read_all(r));
	r->total = r->done;
	r->store = true;
	return db_run(r->cx->db, store_all, r);
}

enum err vault_verify_archive(struct ctx *cx, const struct secret *passphrase, FILE *in,
			      char ret_why[ARCHIVE_WHY_MAX], struct vault_archived *ret_archived)
{
	struct restore r = { .cx = cx, .passphrase = passphrase, .in = in, .why = ret_why };
	enum err e;

	ret_why[0] = '\0';
	e = with_scratch(&r, read_all);
	*ret_archived = r.done;
	return e;
}

enum err vault_restore_archive(struct ctx *cx, const struct secret *passphrase, FILE *in,
			       const struct vault_progress *progress, char ret_why[ARCHIVE_WHY_MAX],
			       struct vault_archived *ret_archived)
{
	struct restore r = {
		.cx = cx, .passphrase = passphrase, .in = in, .why = ret_why, .progress = progress
	};
	enum err e;

	ret_why[0] = '\0';
	e = with_scratch(&r, run_restore);
	*ret_archived = r.done;
	return e;
}
