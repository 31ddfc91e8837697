/* When chores run, on a clock that the tests turn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "jobs/chores.h"

static enum err never_called(struct ctx *cx)
{
	(void)cx;
	return ERR_INTERNAL;
}

static const struct chore TABLE[] = {
	{ "second", 1000, never_called },
	{ "minute", 60000, never_called },
	{ "hour", 3600000, never_called },
};
enum { SECOND, MINUTE, HOUR, KINDS };

/* A world: the clock, whether the database is there, what each chore comes to and how long it takes. */
struct world {
	int64_t now_ms;
	enum err ready;
	enum err outcome[KINDS];
	int64_t takes_ms[KINDS];
	unsigned runs[KINDS];
	unsigned asked;
	char order[256];
	struct chores chores;
};

static int64_t world_now(void *arg) { return ((struct world *)arg)->now_ms; }

static enum err world_ready(void *arg, const char **ret_why)
{
	struct world *world = arg;

	world->asked++;
	*ret_why = "because";
	return world->ready;
}

static enum err world_call(void *arg, const struct chore *chore)
{
	struct world *world = arg;
	size_t i = (size_t)(chore - TABLE);
	size_t n = strlen(world->order);

	world->runs[i]++;
	world->now_ms += world->takes_ms[i];
	if (n + 1 < sizeof(world->order)) {
		world->order[n] = chore->name[0];
		world->order[n + 1] = '\0';
	}
	return world->outcome[i];
}

static void world_begin(struct world *world)
{
	const struct chores_host host = {
		.arg = world, .now_ms = world_now, .ready = world_ready, .call = world_call
	};

	*world = (struct world){ .now_ms = 1000000 };
	assert_int_equal(chores_init(&world->chores, TABLE, KINDS, &host), OK);
}

/* Lets the time pass, and everything happen that falls due. */
static void pass(struct world *world, int64_t ms)
{
	int64_t end_ms = world->now_ms + ms;

	for (int steps = 0; chores_due_ms(&world->chores) <= end_ms; steps++) {
		if (chores_due_ms(&world->chores) > world->now_ms)
			world->now_ms = chores_due_ms(&world->chores);
		chores_step(&world->chores);
		assert_true(steps < 100000);
	}
	if (world->now_ms < end_ms)
		world->now_ms = end_ms;
}

static void everything_is_done_once_at_the_start(void **state)
{
	struct world world;
	(void)state;

	world_begin(&world);
	pass(&world, 0);
	assert_string_equal(world.order, "smh");
}

static void each_chore_keeps_its_own_interval(void **state)
{
	struct world world;
	(void)state;

	world_begin(&world);
	pass(&world, 60 * 60 * 1000);
	assert_int_equal(world.runs[SECOND], 3601);
	assert_int_equal(world.runs[MINUTE], 61);
	assert_int_equal(world.runs[HOUR], 2);
}

static void a_slow_chore_does_not_starve_the_others(void **state)
{
	struct world world;
	(void)state;

	world_begin(&world);
	world.takes_ms[SECOND] = 5000;
	pass(&world, 10 * 60 * 1000);
	assert_int_equal(world.runs[MINUTE], 10);
}

static void a_failing_chore_is_tried_ever_less_often_and_keeps_nobody_back(void **state)
{
	struct world world;
	(void)state;

	world_begin(&world);
	world.outcome[SECOND] = ERR_UPSTREAM;
	pass(&world, 60 * 60 * 1000);
	/* 2 + 4 + ... + 256 s, then every 300 s. */
	assert_in_range(world.runs[SECOND], 18, 21);
	assert_int_equal(world.runs[MINUTE], 61);
	world.outcome[SECOND] = OK;
	pass(&world, 300 * 1000);
	world.runs[SECOND] = 0;
	pass(&world, 60 * 1000);
	assert_int_equal(world.runs[SECOND], 60);
}

static void a_rare_chore_that_fails_is_not_tried_more_rarely_still(void **state)
{
	struct world world;
	(void)state;

	world_begin(&world);
	world.outcome[HOUR] = ERR_INTERNAL;
	pass(&world, 10 * 60 * 60 * 1000);
	assert_int_equal(world.runs[HOUR], 11);
}

static void nothing_is_tried_while_the_database_is_away(void **state)
{
	struct world world;
	(void)state;

	world_begin(&world);
	world.ready = ERR_DB_LOST;
	pass(&world, 10 * 60 * 1000);
	assert_string_equal(world.order, "");
	/* 1 + 2 + 4 + 8 + 16 s, then every 30 s. */
	assert_in_range(world.asked, 20, 26);
	world.ready = OK;
	pass(&world, 30 * 1000);
	assert_true(strncmp(world.order, "smh", 3) == 0);
}

static void a_chore_that_meets_the_outage_is_the_first_afterwards(void **state)
{
	struct world world;
	(void)state;

	world_begin(&world);
	pass(&world, 1500);
	world.ready = ERR_DB_LOST;
	world.outcome[SECOND] = ERR_DB_LOST;
	memset(world.order, 0, sizeof(world.order));
	pass(&world, 60 * 1000);
	assert_string_equal(world.order, "s");
	world.ready = OK;
	world.outcome[SECOND] = OK;
	world.runs[SECOND] = 0;
	pass(&world, 30 * 1000);
	assert_true(strncmp(world.order, "ss", 2) == 0);
	/* An outage isn't a failure of the chore: it is back at its interval. */
	pass(&world, 10 * 1000);
	world.runs[SECOND] = 0;
	pass(&world, 10 * 1000);
	assert_int_equal(world.runs[SECOND], 10);
}

static void a_reload_makes_everything_due_and_asks_for_the_database_again(void **state)
{
	struct world world;
	(void)state;

	world_begin(&world);
	pass(&world, 500);
	assert_int_equal(world.asked, 1);
	chores_hurry(&world.chores);
	memset(world.order, 0, sizeof(world.order));
	pass(&world, 0);
	assert_string_equal(world.order, "smh");
	assert_int_equal(world.asked, 2);
}

static void a_step_before_its_time_does_nothing(void **state)
{
	struct world world;
	(void)state;

	world_begin(&world);
	pass(&world, 0);
	world.now_ms += 999;
	chores_step(&world.chores);
	assert_int_equal(world.runs[SECOND], 1);
	world.now_ms += 1;
	chores_step(&world.chores);
	assert_int_equal(world.runs[SECOND], 2);
}

static void an_empty_table_sleeps_for_ever(void **state)
{
	struct world world;
	(void)state;

	world_begin(&world);
	assert_int_equal(chores_init(&world.chores, TABLE, 0, &world.chores.host), OK);
	assert_true(chores_due_ms(&world.chores) == INT64_MAX);
	assert_int_equal(chores_init(&world.chores, TABLE, CHORES_MAX + 1, &world.chores.host),
			 ERR_TOO_BIG);
}

/* What was written to stderr since. */
static size_t lines_with(FILE *log, const char *words)
{
	char line[8192];
	size_t n = 0;

	rewind(log);
	while (fgets(line, sizeof(line), log))
		n += strstr(line, words) != NULL;
	return n;
}

static void the_log_says_once_that_something_is_wrong_and_once_that_it_is_over(void **state)
{
	int before = dup(STDERR_FILENO);
	FILE *log = tmpfile();
	struct world world;
	(void)state;

	assert_non_null(log);
	assert_true(dup2(fileno(log), STDERR_FILENO) >= 0);
	world_begin(&world);
	world.outcome[SECOND] = ERR_UPSTREAM;
	pass(&world, 10 * 60 * 1000);
	world.outcome[SECOND] = OK;
	pass(&world, 10 * 60 * 1000);
	world.ready = world.outcome[MINUTE] = ERR_DB_LOST;
	pass(&world, 10 * 60 * 1000);
	world.ready = ERR_NO_KEY;
	pass(&world, 10 * 60 * 1000);
	world.ready = world.outcome[MINUTE] = OK;
	pass(&world, 10 * 60 * 1000);
	fflush(stderr);
	dup2(before, STDERR_FILENO);
	close(before);
	assert_int_equal(lines_with(log, "a chore failed"), 1);
	assert_int_equal(lines_with(log, "a chore works again"), 1);
	assert_int_equal(lines_with(log, "the database is away"), 1);
	assert_int_equal(lines_with(log, "the database can't be used"), 1);
	assert_int_equal(lines_with(log, "the database is back"), 1);
	fclose(log);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything_is_done_once_at_the_start),
		cmocka_unit_test(each_chore_keeps_its_own_interval),
		cmocka_unit_test(a_slow_chore_does_not_starve_the_others),
		cmocka_unit_test(a_failing_chore_is_tried_ever_less_often_and_keeps_nobody_back),
		cmocka_unit_test(a_rare_chore_that_fails_is_not_tried_more_rarely_still),
		cmocka_unit_test(nothing_is_tried_while_the_database_is_away),
		cmocka_unit_test(a_chore_that_meets_the_outage_is_the_first_afterwards),
		cmocka_unit_test(a_reload_makes_everything_due_and_asks_for_the_database_again),
		cmocka_unit_test(a_step_before_its_time_does_nothing),
		cmocka_unit_test(an_empty_table_sleeps_for_ever),
		cmocka_unit_test(
			the_log_says_once_that_something_is_wrong_and_once_that_it_is_over),
	};

	log_setup("test", LOG_INFO);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
