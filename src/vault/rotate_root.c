/* A new root key: tenants' keys are wrapped again, credentials aren't touched. */
#include "audit/audit.h"
#include "base/crash.h"
#include "base/log.h"
#include "crypt/envelope.h"
#include "store/db.h"
#include "store/sql_root_key.h"
#include "vault/root_key.h"
#include "vault/rotate.h"
#include "vault/tenant_key.h"

enum { BATCH_KEYS = 500 };

/* One walk over all wrapped keys, batch by batch. */
struct walk {
	struct ctx *cx;
	const struct root_key *root; /* to wrap with; NULL: only look whether they open */
	const struct vault_progress *progress;
	int64_t total;
	struct vault_rotated found;
	struct id after; /* where the next batch begins */
	int64_t after_generation;
	bool more;
};

static void tell_progress(const struct walk *w)
{
	if (w->progress && w->progress->step)
		w->progress->step(w->progress->arg, w->found.done, w->total);
}

static void tell_unreadable(struct walk *w, const struct sql_root_key_wrapped_row *row)
{
	char text[ID_TEXT_MAX];

	w->found.unreadable++;
	log_write(LOG_ERROR, "a wrapped key can't be opened",
		  LOG_FIELDS(log_str("tenant", id_format(ID_TENANT, &row->tenant_id, text)),
			     log_int("generation", row->generation),
			     log_str("root_key", row->root_key_id)));
}

static enum err store_rewrapped(struct walk *w, const struct sql_root_key_wrapped_row *row,
				const struct tenant_key *key)
{
	BUF_AUTO struct buf wrapped = { 0 };

	buf_init(&wrapped, ENVELOPE_WRAPPED_BYTES);
	TRY(envelope_wrap(w->root, &row->tenant_id, key->generation, &key->key, &wrapped));
	const struct sql_root_key_rewrap_in in = {
		.key_tenant = row->tenant_id,
		.generation = row->generation,
		.old_id = row->root_key_id,
		.root_key_id = root_key_id(w->root),
		.wrapped = buf_str(&wrapped),
	};
	return sql_root_key_rewrap(w->cx->db, &in, NULL);
}

static enum err visit_key(struct walk *w, const struct sql_root_key_wrapped_row *row)
{
	TENANT_KEY_AUTO struct tenant_key key = { 0 };
	enum err e;

	if (w->root && str_eq(row->root_key_id, root_key_id(w->root)))
		return OK;
	e = tenant_key_unwrap(w->cx, &row->tenant_id, row->generation, row->root_key_id,
			      row->wrapped, &key);
	if (e == ERR_UNREADABLE) {
		tell_unreadable(w, row);
		return OK;
	}
	TRY(e);
	w->found.done++;
	return w->root ? store_rewrapped(w, row, &key) : OK;
}

static enum err visit_batch(struct db *db, void *arg)
{
	struct walk *committed = arg, w = *committed; /* a batch that is run again begins anew */
	const struct sql_root_key_wrapped_in in = { .after = w.after,
						    .after_generation = w.after_generation,
						    .limit = BATCH_KEYS };
	struct sql_root_key_wrapped_row row;
	int64_t rows = 0;
	enum err e;

	TRY(sql_root_key_wrapped(db, &in));
	while ((e = sql_root_key_wrapped_next(db, &row)) == OK) {
		TRY(visit_key(&w, &row));
		w.after = row.tenant_id;
		w.after_generation = row.generation;
		rows++;
	}
	if (e != ERR_END)
		return e;
	w.more = rows == BATCH_KEYS;
	lw_crash_point("rotate_root_before_commit");
	*committed = w;
	return OK;
}

static enum err walk_keys(struct walk *w)
{
	w->after = ID_NIL;
	w->after_generation = -1;
	do {
		struct walk batch = *w;

		TRY(db_run(w->cx->db, visit_batch, &batch));
		*w = batch;
		lw_crash_point("rotate_root_after_commit");
		tell_progress(w);
	} while (w->more);
	return OK;
}

static enum err is_still_current(struct db *db, struct str id)
{
	const struct sql_root_key_lock_in in = { .purpose = STR(VAULT_PURPOSE) };
	struct sql_root_key_lock_row row;
	bool current = false;
	enum err e;

	TRY(sql_root_key_lock(db, &in));
	while ((e = sql_root_key_lock_next(db, &row)) == OK)
		if (str_eq(row.root_key_id, id))
			current = str_eq(row.state, STR("current"));
	if (e != ERR_END)
		return e;
	return current ? OK : ERR_CONFLICT;
}

/* The proof, and what depends on it. */
static enum err finish(struct db *db, void *arg)
{
	struct walk *w = arg;
	const struct sql_root_key_uses_in in = { .root_key_id = root_key_id(w->root) };
	const struct sql_root_key_retire_in retire = { .purpose = STR(VAULT_PURPOSE) };
	struct sql_root_key_uses_row uses;

	TRY(is_still_current(db, in.root_key_id));
	TRY(sql_root_key_uses(db, &in, &uses));
	if (uses.elsewhere > 0)
		return ERR_UNREADABLE;
	TRY(sql_root_key_retire(db, &retire, NULL));
	w->cx->audit = (struct audit_note){ 0 };
	ctx_audit_detail(w->cx, "root_key", in.root_key_id);
	TRY(audit_write(w->cx, AUDIT_ROOT_KEY_ROTATE, OK));
	lw_crash_point("rotate_root_before_retire");
	return OK;
}

enum err vault_rotate_root(struct ctx *cx, struct str new_id, const struct vault_progress *progress,
			   struct vault_rotated *ret_rotated)
{
	struct walk w = { .cx = cx, .progress = progress };
	struct sql_root_key_uses_row uses;
	enum err e;

	*ret_rotated = w.found;
	TRY(vault_register_key(cx->db, cx->vault_keys, VAULT_PURPOSE, new_id, cx->now_ms));
	TRY(keyring_find(cx->vault_keys, new_id, NULL, &w.root));
	const struct sql_root_key_uses_in in = { .root_key_id = new_id };
	TRY(sql_root_key_uses(cx->db, &in, &uses));
	w.total = uses.elsewhere;
	e = walk_keys(&w);
	*ret_rotated = w.found;
	return e == OK ? db_run(cx->db, finish, &w) : e;
}

enum err vault_verify_wrapped(struct ctx *cx, struct vault_rotated *ret_found)
{
	struct walk w = { .cx = cx };
	enum err e = walk_keys(&w);

	*ret_found = w.found;
	return e;
}
