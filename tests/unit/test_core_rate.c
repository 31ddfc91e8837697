/* Rate limits: the mean is kept, a burst is let through, subjects don't mix. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/metrics.h"
#include "core/rate.h"

enum { NOW = 1000000 };

static struct rate_table *table;

static struct rate_verdict take(const char *subject, int64_t limit, int64_t now)
{
	return rate_take(table, RATE_DEFAULT, RATE_ADDRESS, str_of(subject), limit, now);
}

static void a_minutes_worth_is_allowed_at_once_and_no_more(void **state)
{
	struct rate_verdict v;

	(void)state;
	for (int i = 0; i < 30; i++) {
		v = take("burst", 30, NOW);
		assert_true(v.allowed);
		assert_int_equal(v.remaining, 29 - i);
	}
	v = take("burst", 30, NOW);
	assert_false(v.allowed);
	assert_int_equal(v.limit, 30);
	assert_int_equal(v.remaining, 0);
	assert_int_equal(v.retry_s, 2);
	assert_int_equal(v.reset_s, 60);
}

static void the_bucket_fills_again_evenly(void **state)
{
	(void)state;
	for (int i = 0; i < 60; i++)
		assert_true(take("even", 60, NOW).allowed);
	assert_false(take("even", 60, NOW + 900).allowed);
	assert_true(take("even", 60, NOW + 1000).allowed);
	assert_false(take("even", 60, NOW + 1000).allowed);
	assert_int_equal(take("even", 60, NOW + 1000 + 60000).remaining, 59);
}

static void what_was_refused_is_counted_until_one_is_allowed(void **state)
{
	(void)state;
	assert_int_equal(take("count", 1, NOW).refused, 0);
	for (int i = 0; i < 17; i++)
		assert_int_equal(take("count", 1, NOW + i).refused, 0);
	assert_int_equal(take("count", 1, NOW + 60000).refused, 17);
	assert_int_equal(take("count", 1, NOW + 120000).refused, 0);
}

static void a_limit_of_more_than_one_a_microsecond_is_no_division_by_zero(void **state)
{
	(void)state;
	assert_true(take("fast", 100000000, NOW).allowed);
}

static void one_subject_does_not_use_up_anothers_bucket(void **state)
{
	(void)state;
	while (take("greedy", 5, NOW).allowed)
		;
	assert_true(take("modest", 5, NOW).allowed);
	assert_true(rate_take(table, RATE_LOGIN, RATE_ADDRESS, STR("greedy"), 5, NOW).allowed);
	assert_true(rate_take(table, RATE_DEFAULT, RATE_TENANT, STR("greedy"), 5, NOW).allowed);
}

static void no_limit_says_nothing(void **state)
{
	struct rate_verdict v = take("free", 0, NOW);

	(void)state;
	assert_true(v.allowed);
	assert_int_equal(v.limit, 0);
}

static void processes_share_the_buckets(void **state)
{
	int status, allowed = 0;
	pid_t child = fork();

	(void)state;
	if (child == 0) {
		for (int i = 0; i < 6; i++)
			take("shared", 10, NOW);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	while (take("shared", 10, NOW).allowed)
		allowed++;
	assert_int_equal(allowed, 4);
}

static void a_flood_of_subjects_costs_no_memory_and_no_honest_client(void **state)
{
	char name[32];
	int refused = 0;

	(void)state;
	for (int i = 0; i < 200000; i++) {
		struct str subject = { name, (size_t)snprintf(name, sizeof name, "flood %d", i) };

		if (!rate_take(table, RATE_DEFAULT, RATE_ADDRESS, subject, 100, NOW + i).allowed)
			refused++;
	}
	assert_int_equal(refused, 0);
}

static void the_series_add_up_over_processes(void **state)
{
	struct metrics *metrics;
	BUF_AUTO struct buf text = { 0 };
	pid_t child;
	int status;

	(void)state;
	buf_init(&text, 1 << 16);
	assert_int_equal(metrics_new(&metrics), OK);
	child = fork();
	if (child == 0) {
		metrics_request(metrics, 200, 700);
		metrics_add(metrics, METRIC_SECRETS_OPENED, 2);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	metrics_request(metrics, 503, 20000000);
	metrics_write(metrics, "front", &text);
	buf_add_char(&text, '\0');
	assert_non_null(strstr(text.p, "latchwork_requests_total{pool=\"front\",status=\"2xx\"} 1\n"));
	assert_non_null(strstr(text.p, "latchwork_requests_total{pool=\"front\",status=\"5xx\"} 1\n"));
	assert_non_null(strstr(text.p, "latchwork_secrets_opened_total{pool=\"front\"} 2\n"));
	assert_non_null(strstr(text.p, "_bucket{pool=\"front\",le=\"0.0005\"} 0\n"));
	assert_non_null(strstr(text.p, "_bucket{pool=\"front\",le=\"0.001\"} 1\n"));
	assert_non_null(strstr(text.p, "_bucket{pool=\"front\",le=\"+Inf\"} 2\n"));
}

static int make_table(void **state)
{
	(void)state;
	return rate_table_new(&table) == OK ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_minutes_worth_is_allowed_at_once_and_no_more),
		cmocka_unit_test(the_bucket_fills_again_evenly),
		cmocka_unit_test(what_was_refused_is_counted_until_one_is_allowed),
		cmocka_unit_test(a_limit_of_more_than_one_a_microsecond_is_no_division_by_zero),
		cmocka_unit_test(one_subject_does_not_use_up_anothers_bucket),
		cmocka_unit_test(no_limit_says_nothing),
		cmocka_unit_test(processes_share_the_buckets),
		cmocka_unit_test(a_flood_of_subjects_costs_no_memory_and_no_honest_client),
		cmocka_unit_test(the_series_add_up_over_processes),
	};

	return cmocka_run_group_tests(tests, make_table, NULL);
}
