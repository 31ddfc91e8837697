/* Values in and out: what a handler relies on without seeing it. */
#include "store_support.h"

#include "base/log.h"

static int empty_tables(void **state)
{
	(void)state;
	private_mariadb_run(
		&server, "fixture",
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
	struct sql_note_insert_in full = { .note_id = note_id(1),
					   .title = STR("full"),
					   .body = STR("text"),
					   .parent_id = { true, note_id(9) },
					   .remind_at = { true, 77 },
					   .blob_data = STR("b") };
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
	private_mariadb_run(
		&server, "fixture",
		"UPDATE note SET blob_data = REPEAT('x', 5 << 20) WHERE title = 'huge'");
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

static enum err add_counter(struct db *db, const char *name, int64_t value)
{
	return sql_counter_insert(db, &(struct sql_counter_insert_in){ .name = str_of(name), .value = value }, NULL);
}

static void a_list_that_broke_off_can_be_asked_for_again_at_once(void **state)
{
	const struct sql_counter_set_in other = { .name = STR("two"), .value = 2 };
	struct db *db = open_front(&TENANT_A);
	struct sql_counter_only_row row;
	int64_t connection = connection_number(db);

	(void)state;
	assert_ok(add_counter(db, "one", 1));
	assert_ok(add_counter(db, "two", 1));
	assert_int_equal(sql_counter_only(db), ERR_DB_REFUSED);
	assert_int_equal(sql_counter_only(db), ERR_DB_REFUSED);
	assert_ok(sql_counter_set(db, &other, NULL));
	assert_ok(sql_counter_only(db));
	assert_ok(sql_counter_only_next(db, &row));
	assert_str(row.name, "one");
	/* Nor did it wait in vain for the rest until the connection was given up. */
	assert_int_equal(connection_number(db), connection);
	db_free(db);
}

/* `latchctl migrate` makes the views anew while the pools work. */
static void a_prepared_statement_survives_new_views_under_it(void **state)
{
	struct db *db = open_front(&TENANT_A);

	(void)state;
	assert_ok(add_note(db, 1, "before"));
	assert_str(get_note(db, 1).title, "before");
	run_fixture("views.sql");
	assert_str(get_note(db, 1).title, "before");
	run_fixture("views.sql");
	assert_ok(db_begin(db));
	assert_str(get_note(db, 1).title, "before");
	assert_ok(add_note(db, 2, "behind"));
	assert_ok(db_commit(db));
	assert_str(get_note(db, 2).title, "behind");
	db_free(db);
}

#define TEST(name) cmocka_unit_test_setup(name, empty_tables)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_row_comes_back_as_it_was_stored),
		TEST(a_null_is_absent_and_not_the_value_of_the_row_before),
		TEST(a_text_larger_than_its_buffer_is_read_whole),
		TEST(long_texts_in_a_list_are_read_whole),
		TEST(a_value_beyond_the_cap_is_refused_and_the_connection_goes_on),
		TEST(a_text_is_measured_in_characters),
		TEST(a_text_that_must_be_there_cannot_be_forgotten),
		TEST(a_taken_name_says_which_key_it_met),
		TEST(a_change_that_changes_nothing_still_counts_its_row),
		TEST(a_list_survives_statements_in_between_and_being_left_early),
		TEST(a_list_that_broke_off_can_be_asked_for_again_at_once),
		TEST(a_prepared_statement_survives_new_views_under_it),
	};

	log_setup("test_store_statement", LOG_ERROR);
	return cmocka_run_group_tests(tests, start_server, stop_server);
}
