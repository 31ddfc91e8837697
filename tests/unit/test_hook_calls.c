/* Calls out on behalf of webhooks: within the caps, like all others. No call is made here: there is no room for one. */
#include "feature_support.h"

#include "base/clock.h"
#include "connect_support.h"
#include "core/calls.h"
#include "hook/fetch_keys.h"
#include "hook/visit.h"
#include "net/egress.h"

#define PLAIN "{'scheme': 'hmac'}"
#define SIGNED                                                                                          \
	"{'scheme': 'rsa_certificate', 'source': 'json:Signature', 'encoding': 'base64', 'hash': 'sha256',"  \
	" 'certificate': {'source': 'json:Cert', 'address': '^https://api[.]example[.]com/cert$',"          \
	" 'owner': '^api[.]example[.]com$'}, 'signed_keys': ['Message'],"                                   \
	" 'handshakes': [{'when': 'json:Type', 'equals': 'Confirm', 'signed': true, 'visit': 'json:URL',"   \
	" 'visit_address': '^https://api[.]example[.]com/yes$'}]}"

static const struct id TENANT = { .b = { 0xaa, 1 } }, JOB = { .b = { 0xbb, 1 } };

static struct world {
	struct ctx cx;
	struct calls *calls;
	struct catalog *catalog;
	struct egress_policy *egress;
} w;

static int start(void **state)
{
	char key[KEYRING_ID_MAX + 1];

	(void)state;
	config = (struct config){ .limits_calls_per_tenant = 2, .limits_calls_per_provider = 1 };
	start_feature(key);
	return 0;
}

/* Somebody else's call to the provider is under way. */
static void take_the_room(void)
{
	const struct id other = { .b = { 0xee } };
	int64_t now = clock_now_ms();
	int place;

	assert_ok(calls_new(NULL, &w.calls));
	assert_ok(calls_enter(w.calls, &other, STR("example.com"), 2, 1, now, now + 600000, &place));
}

static int open_world(void **state)
{
	char why[EGRESS_WHY_MAX];

	(void)state;
	private_mariadb_run(&server, "latchwork", "DELETE FROM hook_wanted_key; DELETE FROM job");
	w = (struct world){ .catalog = sample_catalog(SAMPLE, PLAIN, SIGNED) };
	assert_ok(egress_policy_new(&(struct egress_settings){ 0 }, why, &w.egress));
	take_the_room();
	open_context(&w.cx, "worker");
	w.cx.now_ms = clock_now_ms();
	w.cx.who = (struct principal){ .who = WHO_SYSTEM, .tenant = TENANT, .live = true };
	w.cx.catalog = w.catalog;
	w.cx.egress = w.egress;
	w.cx.calls = w.calls;
	ctx_enter(&w.cx);
	return 0;
}

static int close_world(void **state)
{
	(void)state;
	close_context(&w.cx);
	egress_policy_free(w.egress);
	catalog_free(w.catalog);
	return 0;
}

static long number(const char *query) { return private_mariadb_number(&server, "latchwork", query); }

static void a_key_that_there_is_no_room_to_fetch_is_fetched_in_the_next_round(void **state)
{
	(void)state;
	private_mariadb_run(&server, "latchwork",
			    "INSERT INTO hook_wanted_key (connector_type, url_hash, url, wanted_by, wanted_at) VALUES"
			    " ('sample', REPEAT('h', 32), 'https://api.example.com/cert', REPEAT('c', 16), 5)");
	assert_ok(hook_fetch_keys(&w.cx));
	assert_int_equal(number("SELECT COUNT(*) FROM hook_wanted_key WHERE tried_at = 0 AND failures = 0 AND retry_at = 0"), 1);
}

static void a_visit_that_there_is_no_room_for_is_put_off_and_has_not_failed(void **state)
{
	struct job job = { .tenant = TENANT, .id = JOB, .kind = JOB_HOOK_VISIT, .attempts = 1, .lease = 1,
			   .payload = STR("{\"type\":\"sample\",\"url\":\"https://api.example.com/yes\"}") };
	struct run run = { .job = &job };

	(void)state;
	private_mariadb_run(&server, "latchwork",
			    "INSERT INTO job (tenant_id, job_id, queue, kind, state, run_at, attempts, lease, worker, payload, created_at)"
			    " VALUES (RPAD(X'AA01', 16, X'00'), RPAD(X'BB01', 16, X'00'), 'delivery', 'hook_visit', 'live', 1, 1, 1, 'w', '{}', 1)");
	assert_ok(job_hook_visit(&w.cx, &run));
	assert_true(run.finished);
	assert_int_equal(number("SELECT COUNT(*) FROM job WHERE state = 'live' AND attempts = 0 AND worker IS NULL AND run_at > 1"), 1);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, open_world, close_world)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_key_that_there_is_no_room_to_fetch_is_fetched_in_the_next_round),
		TEST(a_visit_that_there_is_no_room_for_is_put_off_and_has_not_failed),
	};

	return cmocka_run_group_tests(tests, start, stop_feature);
}
