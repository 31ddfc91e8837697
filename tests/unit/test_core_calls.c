/* Caps on calls to the outside: what they keep free, and that a killed worker takes nothing with it. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/calls.h"
#include "core/metrics.h"

enum { NOW = 1000, LATER = 10000, PER_TENANT = 2, PER_PROVIDER = 3, WORKERS = 8, ROUNDS = 400 };

static const struct id TENANT_A = { { 1 } }, TENANT_B = { { 2 } };
static struct calls *calls;
static struct metrics *metrics;

static int set_up(void **state)
{
	(void)state;
	assert_int_equal(metrics_new(&metrics), OK);
	return calls_new(metrics, &calls) == OK ? 0 : -1;
}

static enum err enter_at(const struct id *tenant, struct str provider, int64_t now_ms,
			 int *ret_place)
{
	return calls_enter(calls, tenant, provider, PER_TENANT, PER_PROVIDER, now_ms, LATER,
			   ret_place);
}

static enum err enter(const struct id *tenant, const char *provider, int *ret_place)
{
	return enter_at(tenant, str_of(provider), NOW, ret_place);
}

/* The value of one series, out of the text that the operator reads. */
static long long series(const char *name)
{
	struct buf text;
	long long value = -1;

	buf_init(&text, 1 << 20);
	metrics_write(metrics, "vault", &text);
	buf_add_char(&text, '\0');
	assert_int_equal(buf_error(&text), OK);
	for (const char *line = text.p; line;
	     line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
		if (strncmp(line, name, strlen(name)) == 0)
			sscanf(line + strlen(name), "{pool=\"vault\"} %lld", &value);
	buf_done(&text);
	return value;
}

static void test_tenant_cap(void **state)
{
	int place[PER_TENANT], refused;

	(void)state;
	for (size_t i = 0; i < PER_TENANT; i++)
		assert_int_equal(enter(&TENANT_A, i == 0 ? "one" : "two", &place[i]), OK);
	assert_int_equal(enter(&TENANT_A, "three", &refused), ERR_PROVIDER_BUSY);
	assert_int_equal(refused, CALLS_NO_PLACE);
	assert_int_equal(enter(&TENANT_B, "three", &refused), OK);
	calls_leave(calls, refused);
	calls_leave(calls, place[0]);
	assert_int_equal(enter(&TENANT_A, "three", &place[0]), OK);
	for (size_t i = 0; i < PER_TENANT; i++)
		calls_leave(calls, place[i]);
}

static void test_provider_cap(void **state)
{
	struct id tenant[PER_PROVIDER + 1] = { 0 };
	int place[PER_PROVIDER], other;

	(void)state;
	for (size_t i = 0; i < PER_PROVIDER + 1; i++)
		tenant[i].b[3] = (uint8_t)(i + 1);
	for (size_t i = 0; i < PER_PROVIDER; i++)
		assert_int_equal(enter(&tenant[i], "hanging", &place[i]), OK);
	assert_int_equal(enter(&tenant[PER_PROVIDER], "hanging", &other), ERR_PROVIDER_BUSY);
	assert_int_equal(enter(&tenant[PER_PROVIDER], "another", &other), OK);
	calls_leave(calls, other);
	for (size_t i = 0; i < PER_PROVIDER; i++)
		calls_leave(calls, place[i]);
}

static void test_metrics(void **state)
{
	int place[PER_TENANT], refused;

	(void)state;
	for (size_t i = 0; i < PER_TENANT; i++)
		assert_int_equal(enter(&TENANT_A, "one", &place[i]), OK);
	assert_int_equal(enter(&TENANT_A, "one", &refused), ERR_PROVIDER_BUSY);
	assert_int_equal(series("latchwork_calls_in_flight"), PER_TENANT);
	assert_int_equal(series("latchwork_calls_refused_total"), 1);
	for (size_t i = 0; i < PER_TENANT; i++)
		calls_leave(calls, place[i]);
	assert_int_equal(series("latchwork_calls_in_flight"), 0);
}

static void test_no_table(void **state)
{
	int place;

	(void)state;
	assert_int_equal(calls_enter(NULL, &TENANT_A, STR("one"), 0, 0, NOW, LATER, &place), OK);
	calls_leave(NULL, place);
	calls_leave(calls, CALLS_NO_PLACE);
	calls_leave(calls, CALLS_PLACES);
}

/* A child that takes its tenant's places and never leaves; it says when it has them. */
static pid_t start_holder(void)
{
	int ready[2];
	char byte = 0;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		int place;

		for (int i = 0; i < PER_TENANT; i++)
			if (enter(&TENANT_A, "one", &place) != OK)
				_exit(1);
		if (write(ready[1], "+", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return pid;
}

static void test_killed_holder(void **state)
{
	int place[PER_TENANT], refused, status;
	pid_t pid = start_holder();

	(void)state;
	assert_int_equal(enter(&TENANT_A, "two", &refused), ERR_PROVIDER_BUSY);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	for (size_t i = 0; i < PER_TENANT; i++)
		assert_int_equal(enter(&TENANT_A, "two", &place[i]), OK);
	assert_int_equal(enter(&TENANT_A, "two", &refused), ERR_PROVIDER_BUSY);
	assert_int_equal(series("latchwork_calls_in_flight"), PER_TENANT);
	for (size_t i = 0; i < PER_TENANT; i++)
		calls_leave(calls, place[i]);
	assert_int_equal(series("latchwork_calls_in_flight"), 0);
}

static void test_overdue_holder(void **state)
{
	int place[PER_TENANT], refused, status;
	pid_t pid = start_holder();

	(void)state;
	assert_int_equal(enter_at(&TENANT_A, STR("two"), LATER - 1, &refused), ERR_PROVIDER_BUSY);
	for (size_t i = 0; i < PER_TENANT; i++)
		assert_int_equal(calls_enter(calls, &TENANT_A, STR("two"), PER_TENANT, PER_PROVIDER,
					     LATER, 2 * LATER, &place[i]),
				 OK);
	for (size_t i = 0; i < PER_TENANT; i++)
		calls_leave(calls, place[i]);
	assert_int_equal(series("latchwork_calls_in_flight"), 0);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
}

static void churn(void)
{
	for (int i = 0; i < ROUNDS; i++) {
		int place;

		if (enter(i % 2 ? &TENANT_A : &TENANT_B, "one", &place) == OK)
			calls_leave(calls, place);
	}
	_exit(0);
}

/* Killed wherever they happen to be, in the walk over the table too. */
static void test_killed_anywhere(void **state)
{
	int place[PER_TENANT], other[1], status;
	pid_t pid[WORKERS];

	(void)state;
	for (int round = 0; round < 20; round++) {
		for (size_t i = 0; i < WORKERS; i++) {
			pid[i] = fork();
			assert_true(pid[i] >= 0);
			if (pid[i] == 0)
				churn();
		}
		for (size_t i = 0; i < WORKERS; i++) {
			kill(pid[i], SIGKILL);
			assert_int_equal(waitpid(pid[i], &status, 0), pid[i]);
		}
	}
	for (size_t i = 0; i < PER_TENANT; i++)
		assert_int_equal(enter(&TENANT_A, "one", &place[i]), OK);
	assert_int_equal(enter(&TENANT_B, "one", &other[0]), OK);
	calls_leave(calls, other[0]);
	for (size_t i = 0; i < PER_TENANT; i++)
		calls_leave(calls, place[i]);
}

static void test_caps_hold(void **state)
{
	int status;
	pid_t pid[WORKERS];
	int at[2], most = 0;
	char answer;

	(void)state;
	assert_int_equal(pipe(at), 0);
	for (size_t i = 0; i < WORKERS; i++) {
		pid[i] = fork();
		assert_true(pid[i] >= 0);
		if (pid[i] == 0) {
			int place;
			bool entered = enter(&TENANT_A, "one", &place) == OK;

			if (write(at[1], entered ? "+" : "-", 1) != 1)
				_exit(1);
			for (;;)
				pause();
		}
	}
	for (size_t i = 0; i < WORKERS; i++) {
		assert_int_equal(read(at[0], &answer, 1), 1);
		most += answer == '+';
	}
	assert_int_equal(most, PER_TENANT);
	for (size_t i = 0; i < WORKERS; i++) {
		kill(pid[i], SIGKILL);
		waitpid(pid[i], &status, 0);
	}
	close(at[0]);
	close(at[1]);
}

#define CASE(sentence, function)                                                                   \
	{                                                                                          \
		sentence, function, set_up, NULL, NULL                                             \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE("a tenant that calls much leaves room for the others", test_tenant_cap),
		CASE("a provider that hangs holds so many places and no more", test_provider_cap),
		CASE("the gauge and the counter say what happened", test_metrics),
		CASE("without a table there are no caps", test_no_table),
		CASE("the places of a killed worker are free again", test_killed_holder),
		CASE("a call that forgot the time keeps nobody out", test_overdue_holder),
		CASE("workers that are killed anywhere leave a table that works",
		     test_killed_anywhere),
		CASE("many processes at once never get more than the cap", test_caps_hold),
	};

	return cmocka_run_group_tests_name("core_calls", tests, NULL, NULL);
}
