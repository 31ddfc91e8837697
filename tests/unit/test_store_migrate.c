/*
 * Migrations: cut off anywhere, run twice, or from the wrong program, the schema must stay whole.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "private_mariadb.h"
#include "store/migrate.h"

#define assert_ok(expression) assert_int_equal((expression), OK)

static struct private_mariadb server;
static char directory[96];

static const struct migrate_account accounts[] = {
	{ "front", "latch_front", "localhost" },
	{ "vault", "latch_vault", "localhost" },
	{ "worker", "latch_worker", "localhost" },
	{ "ctl", "latch_ctl", "localhost" },
};

#define HELD "SELECT COUNT(*) FROM information_schema.TABLE_PRIVILEGES WHERE "
#define TABLES "SELECT COUNT(*) FROM information_schema.TABLES WHERE "

static const char *root_of(const char *variable)
{
	const char *path = getenv(variable);

	return path ? path : ".";
}

static void put(const char *name, const char *text)
{
	char path[256];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	file = fopen(path, "we");
	assert_non_null(file);
	assert_int_equal(fputs(text, file) < 0, 0);
	fclose(file);
}

static void drop_file(const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	unlink(path);
}

static int start_server(void **state)
{
	(void)state;
	if (!private_mariadb_start(&server)) {
		fprintf(stderr, "no mariadbd here: skipped\n");
		exit(77);
	}
	snprintf(directory, sizeof(directory), "%s/migrations", server.directory);
	assert_int_equal(mkdir(directory, 0755), 0);
	return 0;
}

static int stop_server(void **state)
{
	(void)state;
	private_mariadb_stop(&server);
	return 0;
}

/* An empty database, and a directory with 0000 and two small migrations. */
static int fresh(void **state)
{
	char command[512];

	(void)state;
	unsetenv("LATCHWORK_CRASH_AT");
	private_mariadb_run(&server, NULL,
			    "DROP DATABASE IF EXISTS m; CREATE DATABASE m CHARACTER SET utf8mb4;"
			    "DROP USER IF EXISTS latch_front@localhost, latch_vault@localhost,"
			    " latch_worker@localhost, latch_ctl@localhost, stranger@localhost;"
			    "CREATE USER latch_front@localhost, latch_vault@localhost,"
			    " latch_worker@localhost, latch_ctl@localhost, stranger@localhost;");
	snprintf(command, sizeof(command), "cp %s/sql/migrations/0000_schema_migration.sql %s/",
		 root_of("top_srcdir"), directory);
	assert_int_equal(system(command), 0);
	put("0001_first.sql",
	    "CREATE TABLE one (a INT PRIMARY KEY);\nINSERT INTO one VALUES (1), (2);\n"
	    "ALTER TABLE one ADD COLUMN b INT;\nINSERT INTO one (a) VALUES (3);\n");
	put("0002_second.sql", "CREATE TABLE two (a INT PRIMARY KEY);\n");
	drop_file("0003_third.sql");
	return 0;
}

static struct db *open_root(void)
{
	struct db_options options = {
		.socket = server.socket, .user = "root", .database = "m", .statement_s = -1
	};
	struct db *db;

	assert_ok(db_new(&options, &db));
	return db;
}

static enum err migrate(struct migrate_result *ret_result)
{
	struct migrate_options options = { .directory = directory };
	struct db *db = open_root();
	enum err e = migrate_run(db, &options, ret_result);

	db_free(db);
	return e;
}

static long number(const char *sql) { return private_mariadb_number(&server, "m", sql); }

/* --- the real schema ------------------------------------------------------------------ */
static enum err migrate_for_real(struct migrate_result *ret_result)
{
	char migrations[512], views[512], grants[512];
	struct migrate_options options = { .directory = migrations,
					   .views = views,
					   .grants = grants,
					   .accounts = accounts,
					   .account_count = ARRAY_SIZE(accounts) };
	struct db *db = open_root();
	int64_t version;
	enum err e;

	snprintf(migrations, sizeof(migrations), "%s/sql/migrations", root_of("top_srcdir"));
	snprintf(views, sizeof(views), "%s/sql/views.sql", root_of("top_srcdir"));
	snprintf(grants, sizeof(grants), "%s/sql/grants.sql", root_of("top_builddir"));
	e = migrate_run(db, &options, ret_result);
	if (e == OK) {
		assert_ok(migrate_status(db, &version));
		assert_int_equal(version, migrate_expected_version());
	}
	db_free(db);
	return e;
}

static void an_empty_database_comes_to_the_programs_version(void **state)
{
	struct migrate_result result;

	(void)state;
	assert_ok(migrate_for_real(&result));
	assert_int_equal(result.version_before, -1);
	assert_int_equal(result.version_now, migrate_expected_version());
	assert_ok(migrate_for_real(&result));
	assert_int_equal(result.files_applied, 0);
	assert_int_equal(result.version_before, result.version_now);
}

static void the_front_gets_no_grant_on_ciphertext(void **state)
{
	struct migrate_result result;

	(void)state;
	assert_ok(migrate_for_real(&result));
	assert_true(number(HELD "GRANTEE LIKE '%latch_front%'") > 0);
	assert_int_equal(number(HELD "GRANTEE LIKE '%latch_front%' "
				     "AND TABLE_NAME IN ('credential', 'credential_version', "
				     "'v_credential_secret', 'tenant_key', "
				     "'v_tenant_key', 'audit_chain')"),
			 0);
}

static void a_grant_that_no_statement_needs_any_more_is_taken_back(void **state)
{
	struct migrate_result result;
	const char *held = HELD "TABLE_NAME = 'credential_version' "
				"AND PRIVILEGE_TYPE = 'SELECT'";
	long before;

	(void)state;
	assert_ok(migrate_for_real(&result));
	before = number(held);
	private_mariadb_run(&server, "m",
			    "GRANT SELECT ON credential_version TO latch_front@localhost;"
			    "GRANT SELECT ON credential_version TO stranger@localhost;");
	assert_ok(migrate_for_real(&result));
	assert_int_equal(number(held), before + 1); /* the stranger's: not ours to judge */
}

/* --- small ones -------------------------------------------------------------------------- */
static void each_file_runs_once(void **state)
{
	struct migrate_result result;

	(void)state;
	assert_ok(migrate(&result));
	assert_int_equal(result.files_applied, 2);
	assert_ok(migrate(&result));
	assert_int_equal(result.files_applied, 0);
	assert_int_equal(number("SELECT COUNT(*) FROM one"), 3);
	assert_int_equal(number("SELECT COUNT(*) FROM schema_migration "
				"WHERE done = started AND applied_at > 0"),
			 2);
}

static void an_applied_file_must_not_change(void **state)
{
	struct migrate_result result;

	(void)state;
	assert_ok(migrate(&result));
	put("0002_second.sql", "CREATE TABLE two (a BIGINT PRIMARY KEY);\n");
	assert_int_equal(migrate(&result), ERR_CONFLICT);
}

static void an_older_program_leaves_a_newer_schema_alone(void **state)
{
	struct migrate_result result;

	(void)state;
	assert_ok(migrate(&result));
	drop_file("0002_second.sql");
	put("0003_third.sql", "CREATE TABLE three (a INT);\n");
	assert_int_equal(migrate(&result), ERR_CONFLICT);
	assert_int_equal(number(TABLES "TABLE_SCHEMA = 'm' AND TABLE_NAME = 'three'"), 0);
}

static void a_failed_file_goes_on_where_it_stopped_once_it_is_mended(void **state)
{
	struct migrate_result result;

	(void)state;
	put("0002_second.sql", "INSERT INTO one (a) VALUES (10);\nCREATE TABEL two (a INT);\n");
	assert_int_equal(migrate(&result), ERR_DB_REFUSED);
	assert_int_equal(migrate(&result), ERR_DB_REFUSED);
	put("0002_second.sql", "INSERT INTO one (a) VALUES (10);\nCREATE TABLE two (a INT);\n");
	assert_ok(migrate(&result));
	assert_int_equal(number("SELECT COUNT(*) FROM one WHERE a = 10"), 1);
	assert_ok(migrate(&result));
	assert_int_equal(result.files_applied, 0);
}

static void a_table_that_somebody_else_made_is_not_taken_for_ours(void **state)
{
	struct migrate_result result;

	(void)state;
	private_mariadb_run(&server, "m", "CREATE TABLE two (other INT)");
	assert_int_equal(migrate(&result), ERR_DB_REFUSED);
	assert_int_equal(migrate(&result), ERR_DB_REFUSED);
}

static void crash_at(const char *place)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		struct migrate_result result;

		setenv("LATCHWORK_CRASH_AT", place, 1);
		_exit(migrate(&result) == OK ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 137);
}

static void a_migration_goes_on_after_a_crash_at_any_statement(void **state)
{
	static const char *const places[] = {
		"migration_statement_marked",
		"migration_statement_run",
		"migration_statement_marked:2",
		"migration_statement_run:2",
		"migration_statement_marked:3",
		"migration_statement_run:3",
		"before_commit",
		"after_commit",
		"before_commit:2",
		"after_commit:2",
	};
	struct migrate_result result;

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		fresh(state);
		crash_at(places[i]);
		assert_ok(migrate(&result));
		assert_int_equal(result.version_now, 2);
		assert_int_equal(number("SELECT COUNT(*) FROM one"), 3);
		assert_int_equal(number("SELECT COUNT(*) FROM two"), 0);
	}
}

/* While the first one is under way, a second one comes. */
static void try_another(void *arg, const char *file, size_t done, size_t statements)
{
	struct migrate_result result;
	enum err *second = arg;

	(void)statements;
	if (strcmp(file, "0001_first.sql") == 0 && done == 1)
		*second = migrate(&result);
}

static void two_migrations_do_not_run_at_once(void **state)
{
	enum err second = OK;
	struct migrate_options options = { .directory = directory,
					   .progress = try_another,
					   .progress_arg = &second };
	struct migrate_result result;
	struct db *db = open_root();

	(void)state;
	assert_ok(migrate_run(db, &options, &result));
	assert_int_equal(second, ERR_DB_LOCKED);
	db_free(db);
}

#define TEST(name) cmocka_unit_test_setup(name, fresh)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_empty_database_comes_to_the_programs_version),
		TEST(the_front_gets_no_grant_on_ciphertext),
		TEST(a_grant_that_no_statement_needs_any_more_is_taken_back),
		TEST(each_file_runs_once),
		TEST(an_applied_file_must_not_change),
		TEST(an_older_program_leaves_a_newer_schema_alone),
		TEST(a_failed_file_goes_on_where_it_stopped_once_it_is_mended),
		TEST(a_table_that_somebody_else_made_is_not_taken_for_ours),
		TEST(a_migration_goes_on_after_a_crash_at_any_statement),
		TEST(two_migrations_do_not_run_at_once),
	};

	log_setup("test_store_migrate", LOG_ERROR);
	return cmocka_run_group_tests(tests, start_server, stop_server);
}
