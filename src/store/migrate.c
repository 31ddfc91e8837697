/* Applying sql/migrations, sql/views.sql and grants.sql, in this order. */
#include "store/migrate.h"

#include <string.h>

#include "base/buf.h"
#include "base/crash.h"
#include "base/log.h"
#include "store/grants.h"
#include "store/migration.h"
#include "store/private.h"
#include "store/schema_version.h"
#include "store/script.h"
#include "store/sql_migrate.h"

int64_t migrate_expected_version(void) { return SCHEMA_VERSION; }

enum err migrate_status(struct db *db, int64_t *ret_version)
{
	struct sql_migration_version_row row;

	*ret_version = 0;
	TRY(sql_migration_version(db, &row));
	*ret_version = row.version;
	return OK;
}

/* --- what the database says ---------------------------------------------------- */
static enum err conflict(const char *why, struct str name)
{
	log_write(LOG_ERROR, why, LOG_FIELDS(log_str("migration", name)));
	return ERR_CONFLICT;
}

static enum err compare(struct migrations *all, const struct sql_migration_list_row *row)
{
	for (size_t i = 0; i < all->n; i++) {
		struct migration *m = &all->v[i];

		if (m->version != row->version)
			continue;
		m->known = true;
		m->applied = row->applied_at.set;
		m->started = row->started;
		m->done = row->done;
		m->mended = row->checksum.n != sizeof(m->checksum) ||
			    memcmp(row->checksum.p, m->checksum, sizeof(m->checksum)) != 0;
		return m->applied && m->mended
			       ? conflict("an applied migration has changed", row->name)
			       : OK;
	}
	return conflict("the database knows a migration that this program doesn't", row->name);
}

static enum err read_state(struct db *db, struct migrations *all)
{
	struct sql_migration_list_row row;
	enum err e;

	TRY(sql_migration_list(db));
	while ((e = sql_migration_list_next(db, &row)) == OK)
		TRY(compare(all, &row));
	return e == ERR_END ? OK : e;
}

/* --- running ---------------------------------------------------------------------- */
enum err migrate_command(struct db *db, const char *name, struct str sql, unsigned *ret_code)
{
	struct db_trouble trouble = { .sql_name = name, .preparing = true };

	TRY(db_transaction_usable(db));
	TRY(db_connect(db));
	if (ret_code)
		*ret_code = 0;
	if (mysql_real_query(db->mysql, sql.p, sql.n) == 0) {
		MYSQL_RES *result = mysql_store_result(db->mysql);

		mysql_free_result(result);
		db->wrote = true;
		return OK;
	}
	trouble.code = mysql_errno(db->mysql);
	if (ret_code)
		*ret_code = trouble.code;
	return db_take_trouble(db, &trouble, mysql_error(db->mysql));
}

/* The server says that the statement has been run before. */
static bool means_done(unsigned code)
{
	static const unsigned done[] = {
		1050 /* table exists */,          1051 /* unknown table */,
		1060 /* duplicate column */,      1061 /* duplicate key */,
		1068 /* primary key */,           1091 /* nothing to drop */,
		1304 /* routine exists */,        1305 /* no routine */,
		1359 /* trigger exists */,        1360 /* no such trigger */,
		1826 /* duplicate foreign key */,
	};

	for (size_t i = 0; i < ARRAY_SIZE(done); i++)
		if (done[i] == code)
			return true;
	return false;
}

static enum err mark(struct db *db, const struct migration *m)
{
	struct sql_migration_mark_in in = { .version = m->version,
					    .started = m->started,
					    .done = m->done };

	return sql_migration_mark(db, &in, NULL);
}

/* Rows and the mark in one transaction: the statement is done exactly when the mark says so. */
static enum err run_data(struct db *db, struct migration *m, struct str sql)
{
	enum err e;

	m->started = m->done = m->done + 1;
	TRY(db_begin(db));
	e = migrate_command(db, m->name, sql, NULL);
	if (e == OK)
		e = mark(db, m);
	if (e == OK)
		return db_commit(db);
	db_rollback(db);
	return e;
}

/* It was refused, and so it isn't half done: what exists when it runs again is somebody else's. */
static enum err not_run(struct db *db, struct migration *m, enum err why)
{
	m->started = m->done;
	if (why == ERR_DB_REFUSED)
		TRY(mark(db, m));
	return why;
}

static enum err run_ddl(struct db *db, struct migration *m, struct str sql)
{
	bool interrupted = m->started > m->done;
	unsigned code = 0;
	enum err e;

	m->started = m->done + 1;
	TRY(mark(db, m));
	lw_crash_point("migration_statement_marked");
	e = migrate_command(db, m->name, sql, &code);
	if (e != OK && !(interrupted && means_done(code)))
		return not_run(db, m, e);
	lw_crash_point("migration_statement_run");
	m->done = m->started;
	return mark(db, m);
}

static size_t count_statements(struct str text)
{
	struct str sql;
	size_t n = 0;

	while (script_next(&text, &sql))
		n++;
	return n;
}

static void tell(const struct migrate_options *options, const char *file, size_t done, size_t of)
{
	if (options->progress)
		options->progress(options->progress_arg, file, done, of);
}

static enum err record(struct db *db, const struct migration *m)
{
	struct str checksum = { (const char *)m->checksum, sizeof(m->checksum) };

	if (m->known && m->mended) {
		struct sql_migration_mend_in in = { .version = m->version, .checksum = checksum };

		return sql_migration_mend(db, &in, NULL);
	}
	if (!m->known) {
		struct sql_migration_begin_in in = { .version = m->version,
						     .name = str_of(m->name),
						     .checksum = checksum };

		return sql_migration_begin(db, &in, NULL);
	}
	return OK;
}

static enum err apply(struct db *db, struct migration *m, const struct migrate_options *options)
{
	struct sql_migration_finish_in finish = { .version = m->version };
	struct str rest = buf_str(&m->text), sql;
	size_t total = count_statements(rest);

	TRY(record(db, m));
	for (int64_t i = 0; script_next(&rest, &sql); i++) {
		if (i < m->done)
			continue;
		tell(options, m->name, (size_t)i, total);
		TRY(script_changes_rows(sql) ? run_data(db, m, sql) : run_ddl(db, m, sql));
	}
	TRY(sql_migration_finish(db, &finish, NULL));
	tell(options, m->name, total, total);
	return OK;
}

/* A script whose statements can all be run again: 0000 and the views. */
static enum err run_again(struct db *db, const char *name, struct str text,
			  const struct migrate_options *options)
{
	size_t total = count_statements(text), done = 0;
	struct str sql;

	while (script_next(&text, &sql)) {
		tell(options, name, done++, total);
		TRY(migrate_command(db, name, sql, NULL));
	}
	tell(options, name, total, total);
	return OK;
}

static enum err run_views_and_grants(struct db *db, const struct migrate_options *options)
{
	BUF_AUTO struct buf views = { 0 };
	BUF_AUTO struct buf grants = { 0 };

	if (options->views) {
		TRY(migration_read_file(options->views, &views));
		TRY(run_again(db, "views.sql", buf_str(&views), options));
	}
	if (options->grants) {
		TRY(migration_read_file(options->grants, &grants));
		TRY(grants_apply(db, buf_str(&grants), options));
	}
	return OK;
}

static enum err apply_missing(struct db *db, struct migrations *all,
			      const struct migrate_options *options,
			      struct migrate_result *ret_result)
{
	if (all->n == 0 || all->v[0].version != 0) {
		log_write(LOG_ERROR, "no migrations there",
			  LOG_FIELDS(log_text("directory", options->directory)));
		return ERR_CONFIG;
	}
	TRY(run_again(db, all->v[0].name, buf_str(&all->v[0].text), options));
	TRY(read_state(db, all));
	ret_result->version_before = -1;
	for (size_t i = 1; i < all->n; i++)
		if (all->v[i].applied)
			ret_result->version_before = all->v[i].version;
	for (size_t i = 1; i < all->n; i++) {
		if (all->v[i].applied)
			continue;
		TRY(apply(db, &all->v[i], options));
		ret_result->files_applied++;
	}
	TRY(migrate_status(db, &ret_result->version_now));
	return run_views_and_grants(db, options);
}

enum err migrate_run(struct db *db, const struct migrate_options *options,
		     struct migrate_result *ret_result)
{
	struct sql_migration_lock_row lock;
	struct sql_migration_unlock_row unlock;
	struct migrations all;
	enum err e;

	*ret_result = (struct migrate_result){ 0 };
	if (db_in_transaction(db))
		return ERR_INTERNAL;
	TRY(sql_migration_lock(db, &lock));
	if (lock.got.v != 1) {
		log_write(LOG_ERROR, "another migration runs", LOG_NO_FIELDS);
		return ERR_DB_LOCKED;
	}
	e = migrations_load(options->directory, &all);
	if (e == OK)
		e = apply_missing(db, &all, options, ret_result);
	migrations_done(&all);
	if (sql_migration_unlock(db, &unlock) != OK)
		log_write(LOG_WARN, "the migration's lock goes with the connection", LOG_NO_FIELDS);
	return e;
}
