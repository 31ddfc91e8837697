/* Values in and out, tenants, sessions: what a handler relies on without seeing it. */
#include "store_support.h"

#include <mariadb/mysql.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"

static int empty_tables(void **state)
{
	(void)state;
	private_mariadb_run(&server, "fixture",
			    "DELETE FROM note; DELETE FROM tag; DELETE FROM counter; DELETE FROM session;");
	return 0;
}

static struct sql_note_get_row get_note(struct db *db, uint8_t number)
{
	struct sql_note_get_in in = { .note_id = note_id(number) };
	struct sql_note_get_row row;

	assert_ok(sql_note_get(db, &in, &row));
	return row;
}

static void a_row_comes_back_as_it_was_stored(void **state)
{
	static const char bytes[] = { 0, 1, '\'', '"', '\\', (char)0xff };
	struct db *db = open_front(&TENANT_A);
	struct sql_note_insert_in in = {
		.note_id = note_id(1),
		.title = STR("Größe \xf0\x9f\x98\x80 'x'"),
		.body = STR(""),
		.parent_id = { true, note_id(9) },
		.pinned = true,
		.remind_at = { true, -5 },
		.blob_data = { bytes, sizeof(bytes) },
	};
	struct sql_note_get_row row;

	(void)state;
	assert_ok(sql_note_insert(db, &in, NULL));
	row = get_note(db, 1);
	assert_true(id_eq(&row.note_id, &in.note_id));
	assert_str(row.title, "Größe \xf0\x9f\x98\x80 'x'");
	assert_non_null(row.body.p);
	assert_int_equal(row.body.n, 0);
	assert_true(row.parent_id.set && id_eq(&row.parent_id.v, &in.parent_id.v));
	assert_true(row.pinned);
	assert_true(row.remind_at.set);
	assert_int_equal(row.remind_at.v, -5);
	assert_int_equal(row.blob_data.n, sizeof(bytes));
	assert_memory_equal(row.blob_data.p, bytes, sizeof(bytes));
	db_free(db);
}

static void a_null_is_absent_and_not_the_value_of_the_row_before(void **state)
{
	struct db *db = open_front(&TENANT_A);
	struct sql_note_insert_in full = { .note_id = note_id(1),	     .title = STR("full"),
					   .body = STR("text"),		     .parent_id = { true, note_id(9) },
					   .remind_at = { true, 77 },	     .blob_data = STR("b") };
	struct sql_note_get_row row;

	(void)state;
	assert_ok(sql_note_insert(db, &full, NULL));
	assert_ok(add_note(db, 2, "bare"));
	(void)get_note(db, 1);
	row = get_note(db, 2);
	assert_true(str_absent(row.body) && str_absent(row.blob_data));
	assert_false(row.parent_id.set || row.remind_at.set || row.pinned);
	db_free(db);
}

static void insert_long(struct db *db, uint8_t number, size_t n, char fill)
{
	struct sql_note_insert_in in = { .note_id = note_id(number) };
	char title[16];
	char *body = malloc(n);

	assert_non_null(body);
	memset(body, fill, n);
	snprintf(title, sizeof(title), "long %d", number);
	in.title = str_of(title);
	in.body = (struct str){ body, n };
	assert_ok(sql_note_insert(db, &in, NULL));
	free(body);
}

static void check_long(struct str body, size_t n, char fill)
{
	assert_int_equal(body.n, n);
	for (size_t i = 0; i < n; i++)
		if (body.p[i] != fill)
			fail();
}

static void a_text_larger_than_its_buffer_is_read_whole(void **state)
{
	static const size_t sizes[] = { 4096, 4097, 100000, 10, 1048576, 0 };
	struct db *db = open_front(&TENANT_A);

	(void)state;
	for (uint8_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		insert_long(db, i, sizes[i], (char)('a' + i));
		check_long(get_note(db, i).body, sizes[i], (char)('a' + i));
	}
	db_free(db);
}

static void long_texts_in_a_list_are_read_whole(void **state)
{
	struct db *db = open_front(&TENANT_A);
	struct sql_note_list_in in = { .before = ID_MAX, .limit = 10 };
	struct sql_note_list_row row;

	(void)state;
	for (uint8_t i = 0; i < 5; i++)
		insert_long(db, i, i % 2 ? 50000u * i : 3, (char)('a' + i));
	assert_ok(sql_note_list(db, &in));
	for (int i = 4; i >= 0; i--) {
		assert_ok(sql_note_list_next(db, &row));
		check_long(row.body, i % 2 ? 50000u * (size_t)i : 3, (char)('a' + i));
	}
	assert_int_equal(sql_note_list_next(db, &row), ERR_END);
	assert_int_equal(sql_note_list_next(db, &row), ERR_END);
	db_free(db);
}

static void a_value_beyond_the_cap_is_refused_and_the_connection_goes_on(void **state)
{
	struct db *db = open_front(&TENANT_A);
	struct sql_note_get_in in = { .note_id = note_id(1) };
	struct sql_note_get_row row;

	(void)state;
	assert_ok(add_note(db, 1, "huge"));
	assert_ok(add_note(db, 2, "small"));
	private_mariadb_run(&server, "fixture", "UPDATE note SET blob_data = REPEAT('x', 5 << 20) WHERE title = 'huge'");
	assert_int_equal(sql_note_get(db, &in, &row), ERR_TOO_BIG);
	assert_str(get_note(db, 2).title, "small");
	db_free(db);
}

static void a_text_is_measured_in_characters(void **state)
{
	struct db *db = open_front(&TENANT_A);
	char title[404] = "";

	(void)state;
	for (int i = 0; i < 100; i++)
		memcpy(title + (size_t)i * 4, "\xf0\x9f\x98\x80", 5);
	assert_ok(add_note(db, 1, title));
	assert_str(get_note(db, 1).title, title);
	memset(title, 'x', 101);
	title[101] = '\0';
	assert_int_equal(add_note(db, 2, title), ERR_TOO_BIG);
	db_free(db);
}

static void a_text_that_must_be_there_cannot_be_forgotten(void **state)
{
	struct db *db = open_front(&TENANT_A);

	(void)state;
	assert_int_equal(add_note(db, 1, NULL), ERR_INTERNAL);
	db_free(db);
}

static void a_taken_name_says_which_key_it_met(void **state)
{
	struct db *db = open_front(&TENANT_A);

	(void)state;
	assert_ok(add_note(db, 1, "it's for key 'x'"));
	assert_int_equal(add_note(db, 2, "it's for key 'x'"), ERR_DB_DUPLICATE);
	assert_str(db_duplicate_key(db), "note_title");
	assert_int_equal(add_note(db, 1, "another"), ERR_DB_DUPLICATE);
	assert_str(db_duplicate_key(db), "PRIMARY");
	db_free(db);
}

static void a_change_that_changes_nothing_still_counts_its_row(void **state)
{
	struct db *db = open_front(&TENANT_A);
	struct sql_note_retitle_in in = { .note_id = note_id(1), .title = STR("same") };
	int64_t rows = -1;

	(void)state;
	assert_ok(add_note(db, 1, "same"));
	assert_ok(sql_note_retitle(db, &in, &rows));
	assert_int_equal(rows, 1);
	in.note_id = note_id(2);
	assert_ok(sql_note_retitle(db, &in, &rows));
	assert_int_equal(rows, 0);
	db_free(db);
}

static void a_list_survives_statements_in_between_and_being_left_early(void **state)
{
	struct db *db = open_front(&TENANT_A);
	struct sql_note_list_in in = { .before = ID_MAX, .limit = 10 };
	struct sql_note_list_row row;

	(void)state;
	assert_ok(add_note(db, 1, "one"));
	assert_ok(add_note(db, 2, "two"));
	assert_ok(sql_note_list(db, &in));
	assert_ok(sql_note_list_next(db, &row));
	assert_str(row.title, "two");
	assert_str(get_note(db, 1).title, "one");
	assert_ok(add_note(db, 3, "three"));
	assert_ok(sql_note_list_next(db, &row));
	assert_str(row.title, "one");
	assert_ok(sql_note_list(db, &in));
	assert_ok(sql_note_list_next(db, &row));
	assert_str(row.title, "three");
	db_leave(db);
	enter(db, &TENANT_A);
	assert_str(get_note(db, 2).title, "two");
	db_free(db);
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
	assert_int_equal(mysql_query(raw, "SET @lw_tenant = X'BB020000000000000000000000000000'"), 0);
	assert_int_equal(mysql_query(raw, "SELECT title FROM v_note WHERE tenant_id = X'AA010000000000000000000000000000'"), 0);
	result = mysql_store_result(raw);
	assert_int_equal(mysql_num_rows(result), 0);
	mysql_free_result(result);
	assert_int_not_equal(mysql_query(raw, "INSERT INTO v_note (tenant_id, note_id, title) VALUES "
					      "(X'AA010000000000000000000000000000', 'x', 'smuggled')"), 0);
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
		struct db_options options = { .socket = server.socket, .user = "front", .database = "fixture" };
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
	assert_int_equal(private_mariadb_number(&server, "fixture", "SELECT COUNT(*) FROM note"), 0);
}

/* --- sessions --------------------------------------------------------------------- */
static const struct id SESSION = { { 5, 5, 5 } }, USER = { { 7, 7 } };

static void begin_session(struct db *db, const char *role)
{
	struct sql_fix_session_insert_in in = { .session_id = SESSION, .tenant_id = TENANT_A, .user_id = USER,
					    .new_role = str_of(role), .expires_at = INT64_MAX };

	assert_ok(sql_fix_session_insert(db, &in, NULL));
}

static void enter_session(struct db *db, const char *role)
{
	struct db_scope scope = { .has_tenant = true, .tenant = TENANT_A, .user = USER, .session = SESSION,
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
					   &(struct sql_note_get_live_row){ STR_NONE }), ERR_NOT_FOUND);
	assert_true(db_bound_tenant(db, &bound));
	assert_true(id_eq(&bound, &TENANT_B));
	assert_ok(sql_fix_session_bind(db, &in, &row));
	assert_true(db_bound_tenant(db, &bound));
	assert_true(id_eq(&bound, &TENANT_A));
	enter(db, &TENANT_B);
	assert_ok(add_note(db, 3, "of B"));
	assert_int_equal(private_mariadb_number(&server, "fixture", "SELECT COUNT(*) FROM note WHERE tenant_id LIKE X'BB25'"), 1);
	db_free(db);
}

/* --- secrets ------------------------------------------------------------------------ */
static void a_wiped_statements_value_does_not_outlive_the_scope(void **state)
{
	struct db *db = open_front(&TENANT_A);
	struct sql_note_secret_in in = { .note_id = note_id(1) };
	struct sql_note_secret_row row;
	struct sql_note_insert_in insert = { .note_id = note_id(1), .title = STR("t"), .blob_data = STR("CANARY") };
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_row_comes_back_as_it_was_stored, empty_tables),
		cmocka_unit_test_setup(a_null_is_absent_and_not_the_value_of_the_row_before, empty_tables),
		cmocka_unit_test_setup(a_text_larger_than_its_buffer_is_read_whole, empty_tables),
		cmocka_unit_test_setup(long_texts_in_a_list_are_read_whole, empty_tables),
		cmocka_unit_test_setup(a_value_beyond_the_cap_is_refused_and_the_connection_goes_on, empty_tables),
		cmocka_unit_test_setup(a_text_is_measured_in_characters, empty_tables),
		cmocka_unit_test_setup(a_text_that_must_be_there_cannot_be_forgotten, empty_tables),
		cmocka_unit_test_setup(a_taken_name_says_which_key_it_met, empty_tables),
		cmocka_unit_test_setup(a_change_that_changes_nothing_still_counts_its_row, empty_tables),
		cmocka_unit_test_setup(a_list_survives_statements_in_between_and_being_left_early, empty_tables),
		cmocka_unit_test_setup(another_tenants_row_is_not_there, empty_tables),
		cmocka_unit_test_setup(the_view_hides_other_tenants_even_from_a_wrong_statement, empty_tables),
		cmocka_unit_test_setup(a_tenants_statement_without_a_tenant_ends_the_process, empty_tables),
		cmocka_unit_test_setup(a_revoked_session_reads_nothing, empty_tables),
		cmocka_unit_test_setup(a_token_of_an_old_role_reads_nothing, empty_tables),
		cmocka_unit_test_setup(a_principal_without_a_session_that_was_checked_reads, empty_tables),
		cmocka_unit_test_setup(a_binding_statement_says_whose_the_connection_is, empty_tables),
		cmocka_unit_test_setup(a_wiped_statements_value_does_not_outlive_the_scope, empty_tables),
	};

	log_setup("test_store_statement", LOG_ERROR);
	return cmocka_run_group_tests(tests, start_server, stop_server);
}
