/* Tenants and sessions: what stands between one customer's rows and another's. */
#include "store_support.h"

#include <mariadb/mysql.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"

static int empty_tables(void **state)
{
	(void)state;
	private_mariadb_run(
		&server, "fixture",
		"DELETE FROM note; DELETE FROM tag; DELETE FROM counter; DELETE FROM session;");
	return 0;
}

/* --- tenants -------------------------------------------------------------------- */
static void another_tenants_row_is_not_there(void **state)
{
	struct db *db = open_front(&TENANT_A);
	struct sql_note_get_in in = { .note_id = note_id(1) };
	struct sql_note_get_row row;
	struct sql_note_delete_in gone = { .note_id = note_id(1) };
	int64_t rows;

	(void)state;
	assert_ok(add_note(db, 1, "of A"));
	enter(db, &TENANT_B);
	assert_int_equal(sql_note_get(db, &in, &row), ERR_NOT_FOUND);
	assert_ok(sql_note_delete(db, &gone, &rows));
	assert_int_equal(rows, 0);
	enter(db, &TENANT_A);
	assert_ok(sql_note_get(db, &in, &row));
	db_free(db);
}

/* What a statement that forgot, or mistook, the tenant would meet. */
static void the_view_hides_other_tenants_even_from_a_wrong_statement(void **state)
{
	struct db *db = open_front(&TENANT_A);
	MYSQL *raw = mysql_init(NULL);
	MYSQL_RES *result;

	(void)state;
	assert_ok(add_note(db, 1, "of A"));
	assert_non_null(mysql_real_connect(raw, NULL, "front", "", "fixture", 0, server.socket, 0));
	assert_int_equal(mysql_query(raw, "SET @lw_tenant = X'BB020000000000000000000000000000'"),
			 0);
	assert_int_equal(mysql_query(raw, "SELECT title FROM v_note "
					  "WHERE tenant_id = X'AA010000000000000000000000000000'"),
			 0);
	result = mysql_store_result(raw);
	assert_int_equal(mysql_num_rows(result), 0);
	mysql_free_result(result);
	assert_int_not_equal(mysql_query(raw,
					 "INSERT INTO v_note (tenant_id, note_id, title) VALUES "
					 "(X'AA010000000000000000000000000000', 'x', 'smuggled')"),
			     0);
	assert_int_equal(mysql_errno(raw), 1369);
	assert_int_not_equal(mysql_query(raw, "SELECT title FROM note"), 0);
	assert_int_equal(mysql_errno(raw), 1142);
	mysql_close(raw);
	db_free(db);
}

static void a_tenants_statement_without_a_tenant_ends_the_process(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	pid = fork();
	if (pid == 0) {
		struct db_options options = { .socket = server.socket,
					      .user = "front",
					      .database = "fixture" };
		struct db_scope nobody = { .has_tenant = false };
		struct db *db;

		signal(SIGABRT, SIG_DFL);
		if (db_new(&options, &db) != OK)
			_exit(1);
		db_enter(db, &nobody);
		_exit(add_note(db, 1, "whose?") == OK ? 2 : 3);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
	assert_int_equal(private_mariadb_number(&server, "fixture", "SELECT COUNT(*) FROM note"),
			 0);
}

/* --- sessions --------------------------------------------------------------------- */
static const struct id SESSION = { { 5, 5, 5 } }, USER = { { 7, 7 } };

static void begin_session(struct db *db, const char *role)
{
	struct sql_fix_session_insert_in in = { .session_id = SESSION,
						.tenant_id = TENANT_A,
						.user_id = USER,
						.new_role = str_of(role),
						.expires_at = INT64_MAX };

	assert_ok(sql_fix_session_insert(db, &in, NULL));
}

static void enter_session(struct db *db, const char *role)
{
	struct db_scope scope = { .has_tenant = true,
				  .tenant = TENANT_A,
				  .user = USER,
				  .session = SESSION,
				  .role = str_of(role) };

	db_enter(db, &scope);
}

static enum err get_live(struct db *db)
{
	struct sql_note_get_live_in in = { .note_id = note_id(1) };
	struct sql_note_get_live_row row;

	return sql_note_get_live(db, &in, &row);
}

static void a_revoked_session_reads_nothing(void **state)
{
	struct db *db = open_front(&TENANT_A);
	struct sql_fix_session_revoke_in revoke = { .session_id = SESSION };

	(void)state;
	assert_ok(add_note(db, 1, "mine"));
	begin_session(db, "admin");
	enter_session(db, "admin");
	assert_false(db_live_confirmed(db));
	assert_ok(get_live(db));
	assert_true(db_live_confirmed(db));
	assert_ok(sql_fix_session_revoke(db, &revoke, NULL));
	enter_session(db, "admin");
	assert_int_equal(get_live(db), ERR_NOT_FOUND);
	assert_false(db_live_confirmed(db));
	db_free(db);
}

static void a_token_of_an_old_role_reads_nothing(void **state)
{
	struct db *db = open_front(&TENANT_A);

	(void)state;
	assert_ok(add_note(db, 1, "mine"));
	begin_session(db, "viewer");
	enter_session(db, "admin");
	assert_int_equal(get_live(db), ERR_NOT_FOUND);
	db_free(db);
}

static void a_principal_without_a_session_that_was_checked_reads(void **state)
{
	struct db *db = open_front(&TENANT_A);

	(void)state;
	assert_ok(add_note(db, 1, "mine"));
	assert_ok(get_live(db));
	db_free(db);
}

static void a_binding_statement_says_whose_the_connection_is(void **state)
{
	struct db *db = open_front(&TENANT_B);
	struct sql_fix_session_bind_in in = { .session_id = SESSION };
	struct sql_fix_session_bind_row row;
	struct id bound;

	(void)state;
	begin_session(db, "admin");
	assert_false(db_bound_tenant(db, &bound));
	assert_int_equal(sql_note_get_live(db, &(struct sql_note_get_live_in){ note_id(1) },
					   &(struct sql_note_get_live_row){ STR_NONE }),
			 ERR_NOT_FOUND);
	assert_true(db_bound_tenant(db, &bound));
	assert_true(id_eq(&bound, &TENANT_B));
	assert_ok(sql_fix_session_bind(db, &in, &row));
	assert_true(db_bound_tenant(db, &bound));
	assert_true(id_eq(&bound, &TENANT_A));
	enter(db, &TENANT_B);
	assert_ok(add_note(db, 3, "of B"));
	assert_int_equal(
		private_mariadb_number(&server, "fixture",
				       "SELECT COUNT(*) FROM note WHERE tenant_id LIKE X'BB25'"),
		1);
	db_free(db);
}

/* --- secrets ------------------------------------------------------------------------ */
static void a_wiped_statements_value_does_not_outlive_the_scope(void **state)
{
	struct db *db = open_front(&TENANT_A);
	struct sql_note_secret_in in = { .note_id = note_id(1) };
	struct sql_note_secret_row row;
	struct sql_note_insert_in insert = { .note_id = note_id(1),
					     .title = STR("t"),
					     .blob_data = STR("CANARY") };
	const char *where;

	(void)state;
	assert_ok(sql_note_insert(db, &insert, NULL));
	assert_ok(sql_note_secret(db, &in, &row));
	assert_str(row.blob_data, "CANARY");
	where = row.blob_data.p;
	db_leave(db);
	assert_memory_equal(where, "\0\0\0\0\0\0", 6);
	db_free(db);
}

#define TEST(name) cmocka_unit_test_setup(name, empty_tables)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(another_tenants_row_is_not_there),
		TEST(the_view_hides_other_tenants_even_from_a_wrong_statement),
		TEST(a_tenants_statement_without_a_tenant_ends_the_process),
		TEST(a_revoked_session_reads_nothing),
		TEST(a_token_of_an_old_role_reads_nothing),
		TEST(a_principal_without_a_session_that_was_checked_reads),
		TEST(a_binding_statement_says_whose_the_connection_is),
		TEST(a_wiped_statements_value_does_not_outlive_the_scope),
	};

	log_setup("test_store_scope", LOG_ERROR);
	return cmocka_run_group_tests(tests, start_server, stop_server);
}
