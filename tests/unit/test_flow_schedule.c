/* What the clock starts, in a real database: each time once, however many processes look at the same moment. */
#include "feature_support.h"

#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "flow/execution.h"

enum { LOOKERS = 4, SCHEDULES = 25, MOST = 30, MINUTE_MS = 60000 };

static int start(void **state)
{
	char key[KEYRING_ID_MAX + 1];

	(void)state;
	config = (struct config){ .limits_live_executions = MOST };
	start_feature(key);
	private_mariadb_run(&server, "latchwork",
			    "INSERT INTO workflow (tenant_id, workflow_id, name, active, version, created_by, created_at, updated_at)"
			    " VALUES (REPEAT(CHAR(170), 16), REPEAT('w', 16), 'w', 1, 1, REPEAT('u', 16), 0, 0),"
			    " (REPEAT(CHAR(170), 16), REPEAT('p', 16), 'p', 0, 1, REPEAT('u', 16), 0, 0);"
			    "INSERT INTO workflow_version (tenant_id, workflow_id, version, definition, created_by, created_at)"
			    " SELECT tenant_id, workflow_id, 1, '{}', created_by, 0 FROM workflow");
	return 0;
}

static int empty(void **state)
{
	(void)state;
	private_mariadb_run(&server, "latchwork", "DELETE FROM workflow_schedule; DELETE FROM execution; DELETE FROM execution_live; DELETE FROM job");
	return 0;
}

static void put(int n, const char *workflow, const char *cron, const char *missed, int64_t next_at)
{
	char sql[1024];

	snprintf(sql, sizeof sql,
		 "INSERT INTO workflow_schedule (tenant_id, schedule_id, workflow_id, cron, time_zone, missed, input_data, active,"
		 " next_at, created_by, created_at, updated_at) VALUES (REPEAT(CHAR(170), 16), LPAD('%d', 16, '0'),"
		 " REPEAT('%s', 16), '%s', 'UTC', '%s', '{}', 1, %lld, REPEAT('u', 16), 0, 0)",
		 n, workflow, cron, missed, (long long)next_at);
	private_mariadb_run(&server, "latchwork", sql);
}

static enum err look(int64_t now_ms)
{
	struct ctx cx = { 0 };
	enum err e;

	open_context(&cx, "worker");
	cx.now_ms = now_ms;
	cx.who = (struct principal){ .who = WHO_SYSTEM, .live = true };
	ctx_enter(&cx);
	e = flow_schedules_due(&cx, 100);
	close_context(&cx);
	return e;
}

/* One number out of the database. */
static int64_t count(const char *sql)
{
	return private_mariadb_number(&server, "latchwork", sql);
}

static void test_each_time_starts_one_execution(void **state)
{
	int64_t now_ms = clock_now_ms();
	int status;

	(void)state;
	for (int i = 0; i < SCHEDULES; i++)
		put(i, "w", "0 0 1 1 *", "skip", now_ms - 1000);
	for (int i = 0; i < LOOKERS; i++)
		if (fork() == 0)
			_exit(look(now_ms) == OK ? 0 : 1);
	for (int i = 0; i < LOOKERS; i++) {
		assert_true(wait(&status) > 0);
		assert_int_equal(status, 0);
	}
	assert_int_equal(count("SELECT COUNT(*) FROM execution"), SCHEDULES);
	assert_int_equal(count("SELECT COUNT(DISTINCT source_id) FROM execution"), SCHEDULES);
	assert_int_equal(count("SELECT COUNT(*) FROM job"), SCHEDULES);
}

static void test_missed(void **state)
{
	int64_t now_ms = clock_now_ms() / MINUTE_MS * MINUTE_MS + 20000;

	(void)state;
	put(1, "w", "* * * * *", "skip", now_ms - 20000 - 10 * MINUTE_MS);
	put(2, "w", "* * * * *", "once", now_ms - 20000 - 10 * MINUTE_MS);
	assert_ok(look(now_ms));
	assert_int_equal(count("SELECT COUNT(*) FROM execution WHERE source_id = LPAD('1', 16, '0')"), 0);
	assert_int_equal(count("SELECT COUNT(*) FROM execution WHERE source_id = LPAD('2', 16, '0')"), 1);
	/* The minute that is only just over isn't missed. */
	assert_ok(look(now_ms));
	assert_int_equal(count("SELECT COUNT(*) FROM execution WHERE source_id = LPAD('1', 16, '0')"), 1);
	assert_int_equal(count("SELECT COUNT(*) FROM execution WHERE source_id = LPAD('2', 16, '0')"), 1);
	assert_ok(look(now_ms));
	assert_int_equal(count("SELECT COUNT(*) FROM execution"), 2);
	assert_int_equal(count("SELECT COUNT(DISTINCT next_at) FROM workflow_schedule"), 1);
	assert_int_equal(count("SELECT MIN(next_at) FROM workflow_schedule"), now_ms + 40000);
}

static void test_what_cannot_start_moves_on(void **state)
{
	int64_t now_ms = clock_now_ms();

	(void)state;
	put(1, "p", "0 0 1 1 *", "once", now_ms - 1000);
	put(2, "w", "not a cron", "once", now_ms - 1000);
	put(3, "x", "0 0 1 1 *", "once", now_ms - 1000);
	put(4, "w", "0 0 1 1 *", "once", now_ms - 1000);
	assert_ok(look(now_ms));
	assert_int_equal(count("SELECT COUNT(*) FROM execution"), 1);
	assert_int_equal(count("SELECT next_at > 0 AND last_at IS NULL FROM workflow_schedule WHERE schedule_id = LPAD('1', 16, '0')"), 1);
	assert_int_equal(count("SELECT next_at IS NULL FROM workflow_schedule WHERE schedule_id = LPAD('2', 16, '0')"), 1);
}

/* As many executions as may be are under way: the time is the same one, however often it was looked at. */
static void test_what_has_no_room_waits(void **state)
{
	int64_t now_ms = clock_now_ms(), due_at = now_ms - 1000;

	(void)state;
	private_mariadb_run(&server, "latchwork",
			    "INSERT INTO execution_live (tenant_id, place, live) VALUES (REPEAT(CHAR(170), 16), 1, 40),"
			    " (REPEAT(CHAR(170), 16), 2, -10)");
	put(1, "w", "0 0 1 1 *", "skip", due_at);
	for (int i = 0; i < 3; i++) {
		assert_ok(look(now_ms));
		assert_int_equal(count("SELECT COUNT(*) FROM execution"), 0);
		assert_int_equal(count("SELECT held_at FROM workflow_schedule"), due_at);
		assert_true(count("SELECT next_at FROM workflow_schedule") > now_ms);
		/* Later than a time that nobody was there for. */
		private_mariadb_run(&server, "latchwork", "UPDATE workflow_schedule SET next_at = next_at - 600000");
	}
	private_mariadb_run(&server, "latchwork", "UPDATE execution_live SET live = 39 WHERE place = 1");
	assert_ok(look(now_ms));
	assert_int_equal(count("SELECT COUNT(*) FROM execution WHERE request LIKE '{\"scheduled_at\":%'"), 1);
	assert_int_equal(count("SELECT held_at IS NULL AND last_at IS NOT NULL FROM workflow_schedule"), 1);
	assert_ok(look(now_ms));
	assert_int_equal(count("SELECT COUNT(*) FROM execution"), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_each_time_starts_one_execution, empty),
		cmocka_unit_test_setup(test_missed, empty),
		cmocka_unit_test_setup(test_what_cannot_start_moves_on, empty),
		cmocka_unit_test_setup(test_what_has_no_room_waits, empty),
	};

	return cmocka_run_group_tests(tests, start, stop_feature);
}
