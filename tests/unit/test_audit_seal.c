/* Which rows are sealed when: those of the last seconds, and those that are committed long after they were made. */
#include "feature_support.h"

#include "audit/seal.h"
#include "base/clock.h"

enum { GENERATION = 1 };

static struct ctx worker;
static struct secret key = SECRET_EMPTY;

static int start(void **state)
{
	char root[KEYRING_ID_MAX + 1];

	(void)state;
	start_feature(root);
	open_context(&worker, "worker");
	worker.now_ms = clock_now_ms();
	return secret_copy("0123456789abcdef0123456789abcdef", 32, &key) == OK ? 0 : -1;
}

static int stop(void **state)
{
	secret_done(&key);
	close_context(&worker);
	return stop_feature(state);
}

static int forget_rows(void **state)
{
	(void)state;
	private_mariadb_run(&server, "latchwork", "DELETE FROM audit_chain; DELETE FROM audit");
	return 0;
}

static void insert(long seq, long age_ms)
{
	char sql[300];

	(void)snprintf(sql, sizeof(sql),
		       "INSERT INTO audit (seq, audit_id, tenant_id, at, actor_kind, action, outcome) VALUES "
		       "(%ld, RPAD(%ld, 16, 'x'), RPAD('', 16, X'00'), %lld, 'system', 'token.create', 'ok')",
		       seq, seq, (long long)worker.now_ms - age_ms);
	private_mariadb_run(&server, "latchwork", sql);
}

static int64_t seal_with(struct audit_seen *seen, int64_t settled_ms)
{
	struct audit_head head;
	int64_t sealed;

	assert_int_equal(audit_seal(worker.db, &key, GENERATION, settled_ms, seen, &sealed, &head), OK);
	return sealed;
}

/* How many rows were sealed by that. */
static int64_t seal(int64_t look_back_ms) { return seal_with(NULL, worker.now_ms - look_back_ms); }

static void a_row_that_comes_soon_is_sealed_soon(void **state)
{
	(void)state;
	insert(10, 60000);
	insert(12, 2000);
	insert(13, 1000);
	assert_int_equal(seal(AUDIT_SOON_MS), 3);
	insert(11, 3000); /* it was made before those */
	assert_int_equal(seal(AUDIT_SOON_MS), 1);
	assert_int_equal(seal(AUDIT_AT_LAST_MS), 0);
}

static void a_row_that_comes_late_is_sealed_by_whoever_looks_further_back(void **state)
{
	(void)state;
	insert(10, 120000);
	insert(12, 60000);
	insert(13, 50000);
	assert_int_equal(seal(AUDIT_SOON_MS), 3);
	insert(11, 110000);
	assert_int_equal(seal(AUDIT_SOON_MS), 0);
	assert_int_equal(seal(AUDIT_AT_LAST_MS), 1);
}

/* A worker that was away for long leaves nothing behind. */
static void a_backlog_is_sealed_whole_however_old_it_is(void **state)
{
	(void)state;
	insert(1, 3600000);
	assert_int_equal(seal(AUDIT_SOON_MS), 1);
	for (long i = 2; i <= 1200; i++) /* more than are sealed in one transaction */
		insert(i, 3600000 - i);
	assert_int_equal(seal(AUDIT_SOON_MS), 1199);
}

/* It looks only behind what it had sealed at the time that is asked about. */
static void who_remembers_how_far_it_was_looks_no_further_back(void **state)
{
	struct audit_seen seen = { 0 };
	int64_t first;

	(void)state;
	insert(10, 60000);
	insert(12, 100);
	assert_int_equal(seal_with(&seen, worker.now_ms - AUDIT_SOON_MS), 2);
	first = seen.mark[0].at_ms;
	assert_true(first > 0);
	assert_int_equal(seen.mark[0].seq, 12);
	insert(11, 90);
	insert(13, 80);
	/* Of a time before that it knows nothing: it reads the chain. */
	assert_int_equal(seal_with(&seen, worker.now_ms - AUDIT_SOON_MS), 2);
	assert_int_equal(seen.mark[0].seq, 13);
	assert_int_equal(seen.mark[1].seq, 12);
	insert(9, 70);
	insert(14, 60);
	assert_int_equal(seal_with(&seen, first), 1);
	assert_int_equal(seal(AUDIT_AT_LAST_MS), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_row_that_comes_soon_is_sealed_soon, forget_rows),
		cmocka_unit_test_setup(a_row_that_comes_late_is_sealed_by_whoever_looks_further_back, forget_rows),
		cmocka_unit_test_setup(who_remembers_how_far_it_was_looks_no_further_back, forget_rows),
		cmocka_unit_test_setup(a_backlog_is_sealed_whole_however_old_it_is, forget_rows),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
