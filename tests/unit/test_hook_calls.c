/* Calls out on behalf of webhooks: within the caps, like all others. No call is made here: there is no room for one. */
#include "feature_support.h"

#include "base/clock.h"
#include "connect_support.h"
#include "core/calls.h"
#include "hook/fetch_keys.h"
#include "hook/forward.h"
#include "hook/visit.h"
#include "net/egress.h"

#define PLAIN "{'scheme': 'hmac'}"
#define SIGNED                                                                                          \
	"{'scheme': 'rsa_certificate', 'source': 'json:Signature', 'encoding': 'base64', 'hash': 'sha256',"  \
	" 'certificate': {'source': 'json:Cert', 'address': '^https://api[.]example[.]com/cert$',"          \
	" 'owner': '^api[.]example[.]com$'}, 'signed_keys': ['Message'],"                                   \
	" 'handshakes': [{'when': 'json:Type', 'equals': 'Confirm', 'signed': true, 'visit': 'json:URL',"   \
	" 'visit_address': '^https://api[.]example[.]com/yes$'}]}"

static const struct id TENANT = { .b = { 0xaa, 1 } }, JOB = { .b = { 0xbb, 1 } }, SUBSCRIPTION = { .b = { 0xcc, 1 } };

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

/* Somebody else's calls to the provider, and to a receiver, are under way. */
static void take_the_room(void)
{
	const struct id other = { .b = { 0xee } };
	int64_t now = clock_now_ms();
	int place;

	assert_ok(calls_new(NULL, &w.calls));
	assert_ok(calls_enter(w.calls, &other, STR("example.com"), 2, 1, now, now + 600000, &place));
	assert_ok(calls_enter(w.calls, &other, STR("receiver.invalid:443"), 2, 1, now, now + 600000, &place));
}

static int open_world(void **state)
{
	char why[EGRESS_WHY_MAX];

	(void)state;
	private_mariadb_run(&server, "latchwork", "DELETE FROM hook_wanted_key; DELETE FROM job; DELETE FROM subscription; DELETE FROM event");
	w = (struct world){ .catalog = sample_catalog(SAMPLE, PLAIN, SIGNED) };
	assert_ok(egress_policy_new(&(struct egress_settings){ 0 }, why, &w.egress));
	take_the_room();
	open_context(&w.cx, "worker");
	w.cx.now_ms = clock_now_ms();
	w.cx.who = (struct principal){ .who = WHO_SYSTEM, .tenant = TENANT, .live = true };
	w.cx.catalog = w.catalog;
	w.cx.egress = w.egress;
	w.cx.calls = w.calls;
	w.cx.front_keys = open_key_directory();
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

static void add_job(const char *kind)
{
	char sql[512];

	snprintf(sql, sizeof(sql),
		 "INSERT INTO job (tenant_id, job_id, queue, kind, state, run_at, attempts, lease, worker, payload,"
		 " created_at) VALUES (RPAD(X'AA01', 16, X'00'), RPAD(X'BB01', 16, X'00'), 'delivery', '%s', 'live', 1, 1,"
		 " 1, 'w', '{}', 1)", kind);
	private_mariadb_run(&server, "latchwork", sql);
}

static bool is_put_off(const struct run *run)
{
	return run->finished &&
	       number("SELECT COUNT(*) FROM job WHERE state = 'live' AND attempts = 0 AND worker IS NULL AND run_at > 1") == 1;
}

static void a_visit_that_there_is_no_room_for_is_put_off_and_has_not_failed(void **state)
{
	struct job job = { .tenant = TENANT, .id = JOB, .kind = JOB_HOOK_VISIT, .attempts = 1, .lease = 1,
			   .payload = STR("{\"type\":\"sample\",\"url\":\"https://api.example.com/yes\"}") };
	struct run run = { .job = &job };

	(void)state;
	add_job("hook_visit");
	assert_ok(job_hook_visit(&w.cx, &run));
	assert_true(is_put_off(&run));
}

/* --- deliveries to subscriptions ---------------------------------------------------------- */

static void add_subscription(const char *url)
{
	BUF_AUTO struct buf text = { 0 };
	BUF_AUTO struct buf sealed = { 0 };
	BUF_AUTO struct buf sql = { 0 };

	buf_init(&text, 256);
	buf_init(&sealed, 512);
	buf_init(&sql, 4096);
	assert_ok(forward_new_secret(&w.cx, &SUBSCRIPTION, &text, &sealed));
	buf_printf(&sql,
		   "INSERT INTO subscription (tenant_id, subscription_id, url, created_by, created_at, updated_at, secret)"
		   " VALUES (RPAD(X'AA01', 16, X'00'), RPAD(X'CC01', 16, X'00'), '%s', REPEAT('u', 16), 1, 1, X'", url);
	for (size_t i = 0; i < sealed.n; i++)
		buf_printf(&sql, "%02x", (unsigned char)sealed.p[i]);
	buf_add_c(&sql, "'); INSERT INTO event (tenant_id, event_id, connector_id, provider, type, status, received_at, headers,"
			" body) VALUES (RPAD(X'AA01', 16, X'00'), RPAD(X'DD01', 16, X'00'), REPEAT('c', 16), 'sample', 'x',"
			" 'received', 1, '{}', '{}')");
	buf_add_char(&sql, '\0');
	assert_ok(buf_error(&sql));
	private_mariadb_run(&server, "latchwork", sql.p);
}

static enum err deliver_to(const char *url, struct run *run)
{
	static struct job job;
	BUF_AUTO struct buf payload = { 0 };

	add_subscription(url);
	add_job("event_deliver");
	buf_init(&payload, JOB_PAYLOAD_MAX);
	assert_ok(job_payload_of("subscription_id", ID_SUBSCRIPTION, &SUBSCRIPTION, &payload));
	job = (struct job){ .tenant = TENANT, .id = JOB, .kind = JOB_EVENT_DELIVER, .attempts = 1, .lease = 1,
			    .subject = { true, { .b = { 0xdd, 1 } } }, .payload = buf_str(&payload) };
	*run = (struct run){ .job = &job };
	return job_event_deliver(&w.cx, run);
}

static void a_receiver_that_hangs_has_no_more_room_for_having_many_addresses(void **state)
{
	struct run run;

	(void)state;
	assert_ok(deliver_to("https://Receiver.INVALID/another/path?of=it", &run));
	assert_true(is_put_off(&run));
}

static void another_port_of_a_host_is_another_receiver(void **state)
{
	struct run run;

	(void)state;
	assert_int_equal(deliver_to("https://receiver.invalid:8443/", &run), ERR_HOST_FORBIDDEN);
	assert_false(run.finished);
	assert_true(run.hopeless);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, open_world, close_world)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_key_that_there_is_no_room_to_fetch_is_fetched_in_the_next_round),
		TEST(a_visit_that_there_is_no_room_for_is_put_off_and_has_not_failed),
		TEST(a_receiver_that_hangs_has_no_more_room_for_having_many_addresses),
		TEST(another_port_of_a_host_is_another_receiver),
	};

	return cmocka_run_group_tests(tests, start, stop_feature);
}
