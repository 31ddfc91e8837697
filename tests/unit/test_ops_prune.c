/* Who may remove a tenant's rows and which: spans of a page, leases, limits. In a real database. */
#include "feature_support.h"

#include "base/clock.h"
#include "identity/tenant.h"
#include "ops/prune.h"
#include "ops/pruning.h"

static const struct id TENANT = { .b = { 0xaa, 1 } };
#define TENANT_SQL "RPAD(X'AA01', 16, X'00')"

static struct ctx worker, front;

static int start(void **state)
{
	char key[KEYRING_ID_MAX + 1];

	(void)state;
	config = (struct config){ .retention_event_days = 30,
				  .retention_execution_days = 90,
				  .retention_ai_days = 90,
				  .workflows_versions_kept = 2,
				  .limits_live_executions = 10 };
	start_feature(key);
	return 0;
}

static void be_in_tenant(struct ctx *cx, const char *user)
{
	*cx = (struct ctx){ 0 };
	open_context(cx, user);
	cx->now_ms = clock_now_ms();
	cx->who = (struct principal){ .who = WHO_SYSTEM, .tenant = TENANT, .live = true };
	ctx_enter(cx);
}

static void sql(const char *text) { private_mariadb_run(&server, "latchwork", text); }
static long number(const char *query) { return private_mariadb_number(&server, "latchwork", query); }

static int open_world(void **state)
{
	(void)state;
	sql("DELETE FROM tenant; DELETE FROM tenant_retention; DELETE FROM ai_usage; DELETE FROM execution_live; DELETE FROM execution;"
	    "INSERT INTO tenant (tenant_id, name, created_at) VALUES (" TENANT_SQL ", 'alder', 7)");
	be_in_tenant(&worker, "worker");
	be_in_tenant(&front, "front");
	config.retention_ai_days = 90;
	return 0;
}

static int close_world(void **state)
{
	(void)state;
	close_context(&worker);
	close_context(&front);
	return 0;
}

/* --- spans ------------------------------------------------------------------------------------- */

static struct id numbered(uint8_t n) { return (struct id){ .b = { [15] = n } }; }

/* "+" may go, "-" stays. */
static void take(struct spans *spans, const char *page)
{
	spans->n = spans->seen = 0;
	spans->open = false;
	for (uint8_t i = 0; page[i]; i++)
		spans_take(spans, &(struct id){ .b = { [15] = (uint8_t)(i + 1) } }, page[i] == '+');
}

static void assert_span(const struct spans *spans, size_t i, uint8_t from, uint8_t to)
{
	const struct id first = numbered(from), last = numbered(to);

	assert_true(i < spans->n);
	assert_true(id_eq(&spans->span[i].from, &first) && id_eq(&spans->span[i].to, &last));
}

static void what_stays_is_in_no_span(void **state)
{
	static struct spans spans;
	const struct id last = numbered(7);

	(void)state;
	take(&spans, "++-+--+");
	assert_int_equal(spans.n, 3);
	assert_span(&spans, 0, 1, 2);
	assert_span(&spans, 1, 4, 4);
	assert_span(&spans, 2, 7, 7);
	assert_int_equal(spans.seen, 7);
	assert_true(id_eq(&spans.last, &last));
	take(&spans, "----");
	assert_int_equal(spans.n, 0);
	take(&spans, "+++++");
	assert_int_equal(spans.n, 1);
	assert_span(&spans, 0, 1, 5);
}

/* --- limits --------------------------------------------------------------------------------------- */

static enum err wish(enum tenant_limit limit, bool none, int64_t days)
{
	struct tenant_wish wishes[TENANT_LIMITS] = { [0] = { 0 } };
	struct tenant tenant;
	enum err e;

	wishes[limit] = (struct tenant_wish){ true, none, days };
	assert_ok(db_begin(front.db));
	assert_ok(tenant_lock(&front, &tenant));
	e = tenant_set_limits(&front, &tenant, wishes);
	if (e == OK)
		assert_ok(db_commit(front.db));
	else
		db_rollback(front.db);
	return e;
}

static void a_tenant_keeps_less_than_the_installation_and_never_more(void **state)
{
	struct tenant tenant;

	(void)state;
	assert_ok(tenant_read(&front, &tenant));
	assert_false(tenant.days[TENANT_EVENT_DAYS].set);
	assert_int_equal(tenant.updated_at, 7);
	assert_int_equal(wish(TENANT_EVENT_DAYS, false, 31), ERR_BAD_INPUT);
	assert_int_equal(wish(TENANT_EVENT_DAYS, false, 0), ERR_BAD_INPUT);
	assert_ok(wish(TENANT_EVENT_DAYS, false, 30));
	assert_ok(wish(TENANT_AI_DAYS, false, 5));
	assert_ok(wish(TENANT_EVENT_DAYS, true, 0));
	assert_ok(tenant_read(&front, &tenant));
	assert_false(tenant.days[TENANT_EVENT_DAYS].set);
	assert_true(tenant.days[TENANT_AI_DAYS].set && tenant.days[TENANT_AI_DAYS].v == 5);
	assert_true(tenant.updated_at > 7);
}

static void use(int64_t days_ago, int rows)
{
	char text[512];

	snprintf(text, sizeof(text),
		 "INSERT INTO ai_usage (tenant_id, usage_id, provider, model, source, tokens_in, tokens_out, outcome, duration_ms, created_at)"
		 " SELECT " TENANT_SQL ", CONCAT(UNHEX(LPAD(HEX(%lld), 12, '0')), UNHEX(LPAD(HEX(seq), 20, '0'))), 'p', 'm', 's', 1, 1, 'ok', 1, 1"
		 " FROM seq_1_to_%d", (long long)(clock_now_ms() - days_ago * 86400000LL), rows);
	sql(text);
}

static void what_the_installation_cut_off_below_a_limit_leaves_nothing_to_remove(void **state)
{
	(void)state;
	assert_ok(wish(TENANT_AI_DAYS, false, 80));
	use(85, 3);
	config.retention_ai_days = 60;
	assert_ok(prune_tenants(&worker));
	assert_int_equal(number("SELECT COUNT(*) FROM ai_usage"), 3);
	config.retention_ai_days = 90;
	sql("UPDATE tenant_retention SET due_at = 1");
	assert_ok(prune_tenants(&worker));
	assert_int_equal(number("SELECT COUNT(*) FROM ai_usage"), 0);
}

/* --- leases ---------------------------------------------------------------------------------------- */

static void who_has_a_tenants_turn_has_it_alone(void **state)
{
	struct pruning ours = { .batches = 9 }, theirs;

	(void)state;
	assert_ok(wish(TENANT_AI_DAYS, false, 5));
	ours.lease = number("SELECT due_at FROM tenant_retention");
	theirs = ours;
	assert_ok(pruning_next(&worker, &ours));
	assert_int_equal(pruning_next(&worker, &theirs), ERR_CONFLICT);
	assert_ok(pruning_next(&worker, &ours));
	use(9, 3);
	assert_ok(prune_tenants(&worker));
	assert_int_equal(number("SELECT COUNT(*) FROM ai_usage"), 3);
}

static void whoever_changes_the_limits_ends_a_turn(void **state)
{
	struct pruning p = { .batches = 9 };

	(void)state;
	assert_ok(wish(TENANT_AI_DAYS, false, 5));
	p.lease = number("SELECT due_at FROM tenant_retention");
	assert_ok(pruning_next(&worker, &p));
	assert_ok(wish(TENANT_AI_DAYS, true, 0));
	assert_int_equal(pruning_next(&worker, &p), ERR_CONFLICT);
}

static void a_turn_has_an_end_and_the_next_one_goes_on(void **state)
{
	struct pruning p = { .batches = 2 };
	int64_t before = clock_now_ms();

	(void)state;
	assert_ok(wish(TENANT_AI_DAYS, false, 5));
	p.lease = number("SELECT due_at FROM tenant_retention");
	assert_ok(pruning_next(&worker, &p));
	assert_ok(pruning_next(&worker, &p));
	assert_int_equal(pruning_next(&worker, &p), ERR_END);
	use(9, 2500);
	sql("UPDATE tenant_retention SET due_at = 1");
	assert_ok(prune_tenants(&worker));
	assert_int_equal(number("SELECT COUNT(*) FROM ai_usage"), 0);
	assert_true(number("SELECT due_at FROM tenant_retention") > before + 1800000);
	assert_ok(wish(TENANT_AI_DAYS, true, 0));
	assert_ok(prune_tenants(&worker));
	assert_int_equal(number("SELECT COUNT(*) FROM tenant_retention WHERE due_at IS NULL"), 1);
}

/* --- how many are under way --------------------------------------------------------------------------- */

static void the_count_follows_executions_and_is_mended_where_it_can_not(void **state)
{
	(void)state;
	sql("INSERT INTO execution (tenant_id, execution_id, workflow_id, version, status, source, input_data, started_at)"
	    " SELECT " TENANT_SQL ", UNHEX(LPAD(HEX(seq), 32, '0')), 'w', 1, 'queued', 'manual', 'null', 1 FROM seq_1_to_12;"
	    "UPDATE execution SET status = 'completed', completed_at = 1 WHERE execution_id < UNHEX(LPAD('3', 32, '0'));"
	    "UPDATE execution SET turn = turn + 1");
	assert_int_equal(number("SELECT SUM(live) FROM execution_live"), 10);
	sql("DELETE FROM execution WHERE completed_at IS NULL");
	assert_int_equal(number("SELECT SUM(live) FROM execution_live"), 10);
	for (int i = 0; i < 3; i++) {
		assert_ok(prune_counts(&worker));
		assert_int_equal(number("SELECT SUM(live) FROM execution_live"), 0);
		sql("UPDATE execution_live SET live = live + 10 LIMIT 1");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)
		TEST(what_stays_is_in_no_span),
		TEST(a_tenant_keeps_less_than_the_installation_and_never_more),
		TEST(what_the_installation_cut_off_below_a_limit_leaves_nothing_to_remove),
		TEST(who_has_a_tenants_turn_has_it_alone),
		TEST(whoever_changes_the_limits_ends_a_turn),
		TEST(a_turn_has_an_end_and_the_next_one_goes_on),
		TEST(the_count_follows_executions_and_is_mended_where_it_can_not),
#undef TEST
	};

	return cmocka_run_group_tests(tests, start, stop_feature);
}
