/* Deadlocks, lost connections, and a COMMIT whose answer never came. */
#include "store_support.h"

#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"

static int fresh_counters(void **state)
{
	(void)state;
	unsetenv("LATCHWORK_DB_FAULT");
	private_mariadb_run(&server, "fixture",
			    "DELETE FROM note; DELETE FROM counter;"
			    "INSERT INTO counter VALUES ('a', 0), ('b', 0);");
	return 0;
}

static long counter(const char *name)
{
	char sql[100];

	snprintf(sql, sizeof(sql), "SELECT value FROM counter WHERE name = '%s'", name);
	return private_mariadb_number(&server, "fixture", sql);
}

static enum err set(struct db *db, const char *name, int64_t value)
{
	struct sql_counter_set_in in = { .name = str_of(name), .value = value };

	return sql_counter_set(db, &in, NULL);
}

static enum err add(struct db *db, const char *name, int64_t value)
{
	struct sql_counter_add_in in = { .name = str_of(name), .value = value };

	return sql_counter_add(db, &in, NULL);
}

static enum err get(struct db *db, const char *name)
{
	struct sql_counter_get_in in = { .name = str_of(name) };
	struct sql_counter_get_row row;

	return sql_counter_get(db, &in, &row);
}

/* --- begin, commit, roll back ------------------------------------------------------ */
static void what_is_rolled_back_never_was(void **state)
{
	struct db *db = open_front(NULL);

	(void)state;
	assert_ok(db_begin(db));
	assert_true(db_in_transaction(db));
	assert_int_equal(db_begin(db), ERR_INTERNAL);
	assert_ok(set(db, "a", 7));
	db_rollback(db);
	assert_false(db_in_transaction(db));
	assert_int_equal(counter("a"), 0);
	assert_ok(db_begin(db));
	assert_ok(set(db, "a", 8));
	assert_ok(db_commit(db));
	assert_int_equal(counter("a"), 8);
	assert_int_equal(db_commit(db), ERR_INTERNAL);
	db_free(db);
}

static void a_transaction_that_was_left_open_ends_with_its_scope(void **state)
{
	struct db *db = open_front(&TENANT_A);

	(void)state;
	assert_ok(db_begin(db));
	assert_ok(set(db, "a", 7));
	db_leave(db);
	assert_false(db_in_transaction(db));
	assert_ok(set(db, "b", 1));
	assert_int_equal(counter("a"), 0);
	assert_int_equal(counter("b"), 1);
	db_free(db);
}

static enum err set_and_fail(struct db *db, void *arg)
{
	(void)arg;
	TRY(set(db, "a", 7));
	return ERR_CONFLICT;
}

static void a_function_that_fails_leaves_nothing_behind(void **state)
{
	struct db *db = open_front(NULL);

	(void)state;
	assert_int_equal(db_run(db, set_and_fail, NULL), ERR_CONFLICT);
	assert_false(db_in_transaction(db));
	assert_int_equal(counter("a"), 0);
	db_free(db);
}

/* --- deadlock ------------------------------------------------------------------------ */
struct crossing {
	const char *first, *second;
	pthread_barrier_t *met;
	int tries;
	enum err result;
};

/* Two of them, each holding what the other wants. They meet in the first try only. */
static enum err cross(struct db *db, void *arg)
{
	struct crossing *c = arg;

	c->tries++;
	TRY(add(db, c->first, 1));
	if (c->tries == 1)
		pthread_barrier_wait(c->met);
	return add(db, c->second, 1);
}

static void *cross_over(void *arg)
{
	struct crossing *c = arg;
	struct db *db = open_front(NULL);

	c->result = db_run(db, cross, c);
	db_free(db);
	return NULL;
}

static void both_sides_of_a_deadlock_succeed_in_the_end(void **state)
{
	pthread_barrier_t met;
	struct crossing one = { "a", "b", &met, 0, ERR_INTERNAL },
			two = { "b", "a", &met, 0, ERR_INTERNAL };
	pthread_t thread;

	(void)state;
	pthread_barrier_init(&met, NULL, 2);
	assert_int_equal(pthread_create(&thread, NULL, cross_over, &one), 0);
	cross_over(&two);
	pthread_join(thread, NULL);
	pthread_barrier_destroy(&met);
	assert_ok(one.result);
	assert_ok(two.result);
	assert_true(one.tries + two.tries > 2);
	assert_int_equal(counter("a"), 2);
	assert_int_equal(counter("b"), 2);
}

static enum err doom(struct db *db, void *arg)
{
	struct db *other = arg;

	TRY(set(db, "a", 7));
	TRY(set(other, "b", 1));
	(void)set(db, "b", 2);  /* waits for `other` until it may wait no longer */
	return set(db, "a", 9); /* a caller that overlooked it */
}

static void nothing_runs_in_a_transaction_that_the_server_gave_up(void **state)
{
	struct db *other = open_front(NULL);
	struct db_options options = {
		.socket = server.socket, .user = "front", .database = "fixture", .lock_wait_s = 1
	};
	struct db *db;

	(void)state;
	assert_ok(db_new(&options, &db));
	assert_ok(db_begin(other));
	assert_ok(db_begin(db));
	assert_int_equal(doom(db, other), ERR_DB_RETRY);
	assert_int_equal(get(db, "a"), ERR_DB_RETRY);
	assert_int_equal(db_commit(db), ERR_DB_RETRY);
	assert_false(db_in_transaction(db));
	assert_int_equal(counter("a"), 0);
	assert_ok(set(db, "a", 3));
	db_rollback(other);
	db_free(other);
	db_free(db);
}

static void a_locked_row_is_told_at_once_and_the_transaction_goes_on(void **state)
{
	struct db *holder = open_front(NULL), *db = open_front(NULL);
	struct sql_counter_set_now_in in = { .name = STR("a"), .value = 5 };

	(void)state;
	assert_ok(db_begin(holder));
	assert_ok(set(holder, "a", 1));
	assert_ok(db_begin(db));
	assert_ok(set(db, "b", 2));
	assert_int_equal(sql_counter_set_now(db, &in, NULL), ERR_DB_LOCKED);
	assert_ok(db_commit(db));
	assert_int_equal(counter("b"), 2);
	assert_ok(db_commit(holder));
	assert_ok(sql_counter_set_now(db, &in, NULL));
	assert_int_equal(counter("a"), 5);
	db_free(holder);
	db_free(db);
}

/* --- lost connections ------------------------------------------------------------------ */
static void a_read_survives_the_loss_of_its_connection(void **state)
{
	struct db *db = open_front(&TENANT_A);
	struct sql_note_get_in in = { .note_id = note_id(1) };
	struct sql_note_get_row row;
	int64_t before;

	(void)state;
	assert_ok(add_note(db, 1, "still here"));
	before = connection_number(db);
	kill_connection(db);
	assert_ok(sql_note_get(db, &in, &row));
	assert_str(row.title, "still here");
	assert_int_not_equal(connection_number(db), before);
	db_free(db);
}

static void texts_of_a_row_outlive_the_connection(void **state)
{
	struct db *db = open_front(&TENANT_A);
	struct sql_note_get_in in = { .note_id = note_id(1) };
	struct sql_note_get_row row;

	(void)state;
	assert_ok(add_note(db, 1, "still here"));
	assert_ok(sql_note_get(db, &in, &row));
	kill_connection(db);
	assert_ok(get(db, "a"));
	assert_str(row.title, "still here");
	db_free(db);
}

static void a_list_that_lost_its_connection_says_so(void **state)
{
	struct db *db = open_front(&TENANT_A);
	struct sql_note_list_in in = { .before = ID_MAX, .limit = 10 };
	struct sql_note_list_row row;

	(void)state;
	assert_ok(add_note(db, 1, "one"));
	assert_ok(add_note(db, 2, "two"));
	assert_ok(sql_note_list(db, &in));
	assert_ok(sql_note_list_next(db, &row));
	kill_connection(db);
	assert_ok(get(db, "a"));
	assert_int_equal(sql_note_list_next(db, &row), ERR_DB_LOST);
	db_free(db);
}

static void an_idle_connection_that_died_does_not_hurt_a_write(void **state)
{
	struct db *db = open_front(NULL);

	(void)state;
	kill_connection(db);
	assert_ok(add(db, "a", 1));
	assert_int_equal(counter("a"), 1);
	kill_connection(db);
	assert_ok(db_begin(db));
	assert_ok(add(db, "a", 1));
	assert_ok(db_commit(db));
	assert_int_equal(counter("a"), 2);
	db_free(db);
}

static void a_transaction_that_lost_its_connection_never_goes_on_half_way(void **state)
{
	struct db *db = open_front(NULL);

	(void)state;
	assert_ok(db_begin(db));
	assert_ok(set(db, "a", 7));
	kill_connection(db);
	assert_int_equal(set(db, "b", 7), ERR_DB_LOST);
	assert_int_equal(get(db, "a"), ERR_DB_LOST);
	assert_int_equal(db_commit(db), ERR_DB_LOST);
	assert_int_equal(counter("a"), 0);
	assert_int_equal(counter("b"), 0);
	assert_ok(set(db, "b", 1));
	db_free(db);
}

static void a_commit_that_was_never_sent_is_known_to_have_failed(void **state)
{
	struct db *db = open_front(NULL);

	(void)state;
	assert_ok(db_begin(db));
	assert_ok(set(db, "a", 7));
	setenv("LATCHWORK_DB_FAULT", "before_commit", 1);
	assert_int_equal(db_commit(db), ERR_DB_LOST);
	unsetenv("LATCHWORK_DB_FAULT");
	assert_false(db_in_transaction(db));
	assert_int_equal(counter("a"), 0);
	assert_ok(get(db, "a"));
	db_free(db);
}

/* Runs in a child of its own, for the fault counts once a process. */
static void a_commit_whose_answer_is_lost_is_unsure_and_not_failed(void **state)
{
	int status;
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		struct db *db = open_front(NULL);
		enum err e;

		setenv("LATCHWORK_DB_FAULT", "after_commit:2", 1);
		/* The first one only reads: there is nothing to be unsure of. */
		e = db_begin(db);
		e = e == OK ? get(db, "a") : e;
		e = e == OK ? db_commit(db) : e;
		e = e == OK ? db_begin(db) : e;
		e = e == OK ? set(db, "a", 7) : e;
		_exit(e == OK && db_commit(db) == ERR_DB_UNSURE ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_int_equal(counter("a"), 7);
}

static void a_read_is_tried_again_when_its_connection_breaks_under_it(void **state)
{
	int status;
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		struct db *db = open_front(NULL);
		enum err e = get(db, "a");

		setenv("LATCHWORK_DB_FAULT", "lost_read", 1);
		_exit(e == OK && get(db, "a") == OK ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void a_crash_between_statement_and_commit_leaves_nothing(void **state)
{
	int status;
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		struct db *db = open_front(NULL);

		setenv("LATCHWORK_CRASH_AT", "before_commit", 1);
		if (db_begin(db) == OK && set(db, "a", 7) == OK)
			_exit(db_commit(db) == OK ? 1 : 2);
		_exit(3);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 137);
	assert_int_equal(counter("a"), 0);
}

/* --- a database that is away ----------------------------------------------------------- */
static void a_dead_database_is_not_asked_again_at_once(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct db_options options = { .user = "front",
				      .database = "fixture",
				      .connect_timeout_s = 1 };
	struct pollfd waiting = { .events = POLLIN };
	struct db *db;
	int fd;

	(void)state;
	snprintf(address.sun_path, sizeof(address.sun_path), "/tmp/lw-test-dead-%d", (int)getpid());
	waiting.fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(waiting.fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(waiting.fd, 8), 0);
	options.socket = address.sun_path;
	assert_ok(db_new(&options, &db));
	assert_int_equal(db_ping(db), ERR_DB_LOST); /* nobody answers */
	assert_int_equal(poll(&waiting, 1, 0), 1);
	fd = accept(waiting.fd, NULL, NULL);
	close(fd);
	assert_int_equal(get(db, "a"), ERR_DB_LOST);
	assert_int_equal(poll(&waiting, 1, 0), 0);
	db_free(db);
	close(waiting.fd);
	unlink(address.sun_path);
}

static void readiness_notices_a_connection_that_died(void **state)
{
	struct db *db = open_front(NULL);

	(void)state;
	assert_ok(db_ping(db));
	kill_connection(db);
	assert_ok(db_ping(db));
	assert_ok(db_begin(db));
	kill_connection(db);
	assert_int_equal(db_ping(db), ERR_DB_LOST);
	db_rollback(db);
	db_free(db);
}

#define TEST(name) cmocka_unit_test_setup(name, fresh_counters)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_rolled_back_never_was),
		TEST(a_transaction_that_was_left_open_ends_with_its_scope),
		TEST(a_function_that_fails_leaves_nothing_behind),
		TEST(both_sides_of_a_deadlock_succeed_in_the_end),
		TEST(nothing_runs_in_a_transaction_that_the_server_gave_up),
		TEST(a_locked_row_is_told_at_once_and_the_transaction_goes_on),
		TEST(a_read_survives_the_loss_of_its_connection),
		TEST(texts_of_a_row_outlive_the_connection),
		TEST(a_list_that_lost_its_connection_says_so),
		TEST(an_idle_connection_that_died_does_not_hurt_a_write),
		TEST(a_transaction_that_lost_its_connection_never_goes_on_half_way),
		TEST(a_commit_whose_answer_is_lost_is_unsure_and_not_failed),
		TEST(a_read_is_tried_again_when_its_connection_breaks_under_it),
		TEST(a_crash_between_statement_and_commit_leaves_nothing),
		TEST(a_commit_that_was_never_sent_is_known_to_have_failed),
		TEST(a_dead_database_is_not_asked_again_at_once),
		TEST(readiness_notices_a_connection_that_died),
	};

	log_setup("test_store_transaction", LOG_ERROR);
	return cmocka_run_group_tests(tests, start_server, stop_server);
}
