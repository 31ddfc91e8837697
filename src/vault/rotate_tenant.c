/* A new key for one tenant: every version of its credentials is sealed again. */
#include "audit/audit.h"
#include "base/crash.h"
#include "base/log.h"
#include "store/db.h"
#include "store/sql_tenant_key.h"
#include "vault/rotate.h"
#include "vault/seal.h"

/*
 * Rows of one transaction: large enough that its COMMIT doesn't count, small enough that a writer
 * who wants one of the rows waits for a tenth of a second at most.
 */
enum { BATCH_VERSIONS = 500, GENERATIONS_MAX = 64 };

/* One walk over the versions under one generation of the key. */
struct walk {
	struct ctx *cx;
	struct tenant_key from;
	struct tenant_key to; /* no key: only look whether they open */
	const struct vault_progress *progress;
	int64_t total;
	struct vault_rotated found;
	struct id after; /* where the next batch begins */
	int64_t after_version;
	bool more;
};

static void walk_done(struct walk *w)
{
	tenant_key_done(&w->from);
	tenant_key_done(&w->to);
}

static void tell_progress(const struct walk *w)
{
	if (w->progress && w->progress->step)
		w->progress->step(w->progress->arg, w->found.done, w->total);
}

/* The generations that there are, oldest first. */
struct generations {
	size_t n;
	int64_t v[GENERATIONS_MAX];
};

static enum err read_generations(struct db *db, struct generations *ret_list)
{
	struct sql_tenant_key_list_row row;
	enum err e;

	ret_list->n = 0;
	TRY(sql_tenant_key_list(db));
	while ((e = sql_tenant_key_list_next(db, &row)) == OK) {
		if (ret_list->n == GENERATIONS_MAX)
			return ERR_TOO_BIG;
		ret_list->v[ret_list->n++] = row.generation;
	}
	return e == ERR_END ? OK : e;
}

static enum err read_key(struct ctx *cx, int64_t generation, struct tenant_key *ret_key)
{
	struct sql_tenant_key_list_row row;
	enum err e, opened = ERR_NOT_FOUND;

	TRY(sql_tenant_key_list(cx->db));
	while ((e = sql_tenant_key_list_next(cx->db, &row)) == OK)
		if (row.generation == generation)
			opened = tenant_key_unwrap(cx, &cx->who.tenant, generation, row.root_key_id,
						   row.wrapped, ret_key);
	return e == ERR_END ? opened : e;
}

/* --- the rows --------------------------------------------------------------- */

static enum err tell_unreadable(struct walk *w, const struct id *credential)
{
	char text[ID_TEXT_MAX];

	w->found.unreadable++;
	log_write(LOG_ERROR, "a stored credential can't be opened",
		  LOG_FIELDS(log_str("credential", id_format(ID_CREDENTIAL, credential, text))));
	w->cx->audit = (struct audit_note){ 0 };
	ctx_audit_target(w->cx, ID_CREDENTIAL, credential);
	return audit_write(w->cx, AUDIT_CREDENTIAL_UNREADABLE, ERR_UNREADABLE);
}

static enum err store_resealed(struct walk *w, const struct sql_tenant_key_stale_row *row,
			       struct str ciphertext)
{
	const struct sql_tenant_key_reseal_in in = {
		.credential_id = row->credential_id,
		.version = row->version,
		.old_generation = w->from.generation,
		.key_generation = w->to.generation,
		.ciphertext = ciphertext,
	};

	/* No row: the version was destroyed meanwhile. */
	return sql_tenant_key_reseal(w->cx->db, &in, NULL);
}

static enum err visit_version(struct walk *w, const struct sql_tenant_key_stale_row *row,
			      struct buf *sealed)
{
	SECRET_AUTO struct secret plain = SECRET_EMPTY;
	const struct vault_place place = { row->credential_id, row->owner, row->type,
					   row->version };
	enum err e = vault_unseal_with(w->cx, &w->from, &place, row->ciphertext, &plain);

	if (e == ERR_UNREADABLE)
		return tell_unreadable(w, &row->credential_id);
	TRY(e);
	w->found.done++;
	if (!w->to.key.p)
		return OK;
	buf_clear(sealed);
	TRY(vault_seal(w->cx, &w->to, &place, secret_str(&plain), sealed));
	return store_resealed(w, row, buf_str(sealed));
}

static enum err visit_rows(struct walk *w, int64_t *ret_rows)
{
	struct sql_tenant_key_stale_row row;
	BUF_AUTO struct buf sealed = { 0 };
	enum err e;

	buf_init(&sealed, VAULT_SEALED_MAX);
	*ret_rows = 0;
	while ((e = sql_tenant_key_stale_next(w->cx->db, &row)) == OK) {
		TRY(visit_version(w, &row, &sealed));
		w->after = row.credential_id;
		w->after_version = row.version;
		++*ret_rows;
	}
	return e == ERR_END ? OK : e;
}

static enum err visit_batch(struct db *db, void *arg)
{
	struct walk *committed = arg, w = *committed; /* a batch that is run again begins anew */
	const struct sql_tenant_key_stale_in in = {
		.key_generation = w.from.generation,
		.after = w.after,
		.after_version = w.after_version,
		.limit = BATCH_VERSIONS,
	};
	int64_t rows;

	TRY(sql_tenant_key_stale(db, &in));
	TRY(visit_rows(&w, &rows));
	w.more = rows == BATCH_VERSIONS;
	lw_crash_point("rotate_tenant_before_commit");
	*committed = w;
	return OK;
}

static enum err walk_versions(struct walk *w)
{
	w->after = ID_NIL;
	w->after_version = -1;
	do {
		struct walk batch = *w;

		TRY(db_run(w->cx->db, visit_batch, &batch));
		*w = batch;
		lw_crash_point("rotate_tenant_after_commit");
		tell_progress(w);
	} while (w->more);
	return OK;
}

/* --- the rotation ----------------------------------------------------------- */

struct start {
	struct ctx *cx;
	int64_t generation; /* the one to move to; 0: there is nothing under a key yet */
	struct generations keys;
};

/*
 * Nobody writes under the old key any more once this is committed: writers hold the tenant's row
 * shared.
 */
static enum err start(struct db *db, void *arg)
{
	TENANT_KEY_AUTO struct tenant_key key = { 0 };
	struct start *s = arg;
	struct sql_tenant_key_lock_row row;

	s->generation = 0;
	TRY(sql_tenant_key_lock(db, &row));
	TRY(read_generations(db, &s->keys));
	if (s->keys.n == 0)
		return OK;
	s->generation = row.generation;
	if (s->keys.v[0] < row.generation) /* cut off before: go on */
		return OK;
	s->generation = row.generation + 1;
	const struct sql_tenant_key_advance_in in = { .generation = s->generation };
	TRY(tenant_key_make(s->cx, (uint32_t)s->generation, &key));
	TRY(sql_tenant_key_advance(db, &in, NULL));
	lw_crash_point("rotate_tenant_before_start");
	return OK;
}

/* Seals everything again that lies under one of the older keys. */
static enum err move_versions(struct walk *w, const struct start *s)
{
	for (size_t i = 0; i < s->keys.n && s->keys.v[i] < s->generation; i++) {
		tenant_key_done(&w->from);
		TRY(read_key(w->cx, s->keys.v[i], &w->from));
		TRY(walk_versions(w));
	}
	return OK;
}

struct end {
	struct ctx *cx;
	int64_t generation;
	int64_t done;
};

static enum err write_audit(const struct end *end)
{
	struct ctx *cx = end->cx;

	cx->audit = (struct audit_note){ 0 };
	ctx_audit_target(cx, ID_TENANT, &cx->who.tenant);
	ctx_audit_detail(cx, "generation",
			 arena_printf(cx->arena, "%lld", (long long)end->generation));
	ctx_audit_detail(cx, "versions", arena_printf(cx->arena, "%lld", (long long)end->done));
	return audit_write(cx, AUDIT_TENANT_KEY_ROTATE, OK);
}

/*
 * The proof, and what depends on it. The tenant's row is locked after the count, so that writers
 * wait for a moment only: none of them can add a row under the old key any more.
 */
static enum err finish(struct db *db, void *arg)
{
	const struct end *end = arg;
	const struct sql_tenant_key_stale_count_in count = { .key_generation = end->generation };
	const struct sql_tenant_key_delete_old_in old = { .generation = end->generation };
	struct sql_tenant_key_stale_count_row left;
	struct sql_tenant_key_lock_row row;

	TRY(sql_tenant_key_stale_count(db, &count, &left));
	TRY(sql_tenant_key_lock(db, &row));
	if (row.generation != end->generation)
		return ERR_CONFLICT;
	if (left.stale > 0)
		return ERR_UNREADABLE;
	TRY(sql_tenant_key_delete_old(db, &old, NULL));
	TRY(write_audit(end));
	lw_crash_point("rotate_tenant_before_end");
	return OK;
}

static enum err rotate(struct walk *w, const struct start *s)
{
	const struct sql_tenant_key_stale_count_in in = { .key_generation = s->generation };
	struct sql_tenant_key_stale_count_row count;
	struct end end = { .cx = w->cx, .generation = s->generation };

	TRY(read_key(w->cx, s->generation, &w->to));
	TRY(sql_tenant_key_stale_count(w->cx->db, &in, &count));
	w->total = count.stale;
	TRY(move_versions(w, s));
	end.done = w->found.done;
	return db_run(w->cx->db, finish, &end);
}

enum err vault_rotate_tenant(struct ctx *cx, const struct vault_progress *progress,
			     struct vault_rotated *ret_rotated)
{
	CLEANUP(walk_done) struct walk w = { .cx = cx, .progress = progress };
	struct start s = { .cx = cx };
	enum err e;

	*ret_rotated = w.found;
	TRY(db_run(cx->db, start, &s));
	lw_crash_point("rotate_tenant_after_start");
	if (s.generation == 0)
		return OK;
	w.found.generation = s.generation;
	e = rotate(&w, &s);
	*ret_rotated = w.found;
	return e;
}

enum err vault_verify_tenant(struct ctx *cx, const struct vault_progress *progress,
			     struct vault_rotated *ret_found)
{
	CLEANUP(walk_done) struct walk w = { .cx = cx, .progress = progress };
	const struct sql_tenant_key_stale_count_in in = { .key_generation = 0 };
	struct sql_tenant_key_stale_count_row count;
	struct generations keys;
	enum err e = OK;

	TRY(read_generations(cx->db, &keys));
	TRY(sql_tenant_key_stale_count(cx->db, &in, &count));
	w.total = count.stale;
	for (size_t i = 0; e == OK && i < keys.n; i++) {
		tenant_key_done(&w.from);
		e = read_key(cx, keys.v[i], &w.from);
		if (e == OK)
			e = walk_versions(&w);
	}
	*ret_found = w.found;
	return e;
}
