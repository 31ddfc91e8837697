/* Schedules: what the five fields name, and when that comes in zones whose clocks are put forward and back. */
#include "flow_support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "flow/calendar.h"
#include "flow/cron.h"

static const struct zone *zone_named(const char *name)
{
	const struct zone *zone;

	if (zone_load(flow_cx.arena, str_of(name), &zone) == OK)
		return zone;
	print_message("no tz database, or no %s in it\n", name);
	skip();
	return NULL;
}

static int64_t ms_of(const char *text)
{
	int64_t ms;

	if (!time_parse(str_of(text), &ms))
		fail_msg("%s is no time", text);
	return ms;
}

/* The times that follow each other from `after` on, up to an absent one. */
static void assert_times(const char *cron_text, const char *zone_name, const char *after, const char *const *times)
{
	const struct zone *zone = zone_named(zone_name);
	struct cron cron;
	int64_t at = ms_of(after);
	char text[TIME_TEXT_MAX];

	if (cron_read(str_of(cron_text), &cron))
		fail_msg("%s: %s", cron_text, cron_read(str_of(cron_text), &cron));
	for (; *times; times++) {
		assert_true(cron_next(&cron, zone, at, &at));
		if (at != ms_of(*times)) {
			struct str got = time_format(at, text);

			fail_msg("%s in %s: %.*s instead of %s", cron_text, zone_name, STR_ARG(got), *times);
		}
	}
}
#define TIMES(...) ((const char *const[]){ __VA_ARGS__, NULL })

static void test_fields(void **state)
{
	(void)state;
	assert_times("*/15 * * * *", "UTC", "2026-11-20T10:00:00Z",
		     TIMES("2026-11-20T10:15:00Z", "2026-11-20T10:30:00Z", "2026-11-20T10:45:00Z", "2026-11-20T11:00:00Z"));
	assert_times("5,10-12 9 * * *", "UTC", "2026-11-20T09:05:00Z",
		     TIMES("2026-11-20T09:10:00Z", "2026-11-20T09:11:00Z", "2026-11-20T09:12:00Z", "2026-11-21T09:05:00Z"));
	assert_times("0 9-17/4 * * *", "UTC", "2026-11-20T08:59:59Z",
		     TIMES("2026-11-20T09:00:00Z", "2026-11-20T13:00:00Z", "2026-11-20T17:00:00Z", "2026-11-21T09:00:00Z"));
	assert_times("0 0 1 jan,JUL *", "UTC", "2026-01-01T00:00:00Z",
		     TIMES("2026-07-01T00:00:00Z", "2027-01-01T00:00:00Z"));
	assert_times("0 9 * * mon-fri", "UTC", "2026-11-20T09:00:00Z",
		     TIMES("2026-11-23T09:00:00Z", "2026-11-24T09:00:00Z"));
	assert_times("0 9 * * fri-sun", "UTC", "2026-11-20T08:00:00Z",
		     TIMES("2026-11-20T09:00:00Z", "2026-11-21T09:00:00Z", "2026-11-22T09:00:00Z", "2026-11-27T09:00:00Z"));
	assert_times("0 9 * * 7", "UTC", "2026-11-20T08:00:00Z", TIMES("2026-11-22T09:00:00Z", "2026-11-29T09:00:00Z"));
	assert_times("30/10 8 * * *", "UTC", "2026-11-20T08:00:00Z",
		     TIMES("2026-11-20T08:30:00Z", "2026-11-20T08:40:00Z", "2026-11-20T08:50:00Z", "2026-11-21T08:30:00Z"));
	assert_times(" \t59  23\t31 12 * ", "UTC", "2026-11-20T08:00:00Z", TIMES("2026-12-31T23:59:00Z"));
}

static void test_one_of_two_days(void **state)
{
	(void)state;
	/* The 13th, and every Friday. */
	assert_times("0 0 13 * fri", "UTC", "2026-11-10T00:00:00Z",
		     TIMES("2026-11-13T00:00:00Z", "2026-11-20T00:00:00Z", "2026-11-27T00:00:00Z", "2026-12-04T00:00:00Z",
			   "2026-12-11T00:00:00Z", "2026-12-13T00:00:00Z"));
	/* A star and a step still say nothing by themselves: odd days that are Fridays. */
	assert_times("0 0 */2 * fri", "UTC", "2026-11-10T00:00:00Z",
		     TIMES("2026-11-13T00:00:00Z", "2026-11-27T00:00:00Z", "2026-12-11T00:00:00Z"));
}

static void test_rare_days(void **state)
{
	struct cron cron;
	int64_t at;

	(void)state;
	assert_times("0 12 29 2 *", "UTC", "2026-11-20T00:00:00Z", TIMES("2028-02-29T12:00:00Z", "2032-02-29T12:00:00Z"));
	/* 2100 is no leap year. */
	assert_times("* * 29 2 *", "UTC", "2096-03-01T00:00:00Z", TIMES("2104-02-29T00:00:00Z", "2104-02-29T00:01:00Z"));
	assert_null(cron_read(STR("0 0 30 2 *"), &cron));
	assert_false(cron_next(&cron, zone_named("UTC"), 0, &at));
	assert_null(cron_read(STR("* * 31 4 *"), &cron));
	assert_false(cron_next(&cron, zone_named("UTC"), 0, &at));
}

static void test_refused(void **state)
{
	static const char *const bad[] = {
		"",	       "* * * *",      "* * * * * *",  "60 * * * *",	"* 24 * * *",  "* * 0 * *",    "* * 32 * *",
		"* * * 0 *",   "* * * 13 *",   "* * * * 8",	"*/0 * * * *",	"*/60 * * * *", "5-1 * * * *", "1- * * * *",
		"-1 * * * *",  ", * * * *",    "1,,2 * * * *", "a * * * *",	"* * * foo *", "* * * * moon", "1/ * * * *",
		"1//2 * * * *", "@daily",      "* * * * mon#1", "* * L * *",	"*5 * * * *",  "1-2-3 * * * *", "+1 * * * *",
		"001 * * * *", "0x1 * * * *", "jan * * * *",
	};
	struct cron cron;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (!cron_read(str_of(bad[i]), &cron))
			fail_msg("\"%s\" was taken", bad[i]);
}

static void test_clocks_put_forward(void **state)
{
	(void)state;
	/* 2:30 doesn't come on 2026-03-29: once, at the moment behind the gap. */
	assert_times("30 2 * * *", "Europe/Vienna", "2026-03-28T00:00:00Z",
		     TIMES("2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"));
	assert_times("0,30 2 * * *", "Europe/Vienna", "2026-03-28T12:00:00Z",
		     TIMES("2026-03-29T01:00:00Z", "2026-03-30T00:00:00Z"));
	/* 3:00 itself is that moment, too: it isn't started twice. */
	assert_times("30 2-3 * * *", "Europe/Vienna", "2026-03-28T12:00:00Z",
		     TIMES("2026-03-29T01:00:00Z", "2026-03-29T01:30:00Z", "2026-03-30T00:30:00Z"));
	assert_times("0 9 * * *", "America/New_York", "2026-03-07T00:00:00Z",
		     TIMES("2026-03-07T14:00:00Z", "2026-03-08T13:00:00Z"));
	/* Midnight doesn't come where clocks are put forward at midnight. */
	assert_times("0 0 * * *", "Africa/Cairo", "2026-04-23T12:00:00Z", TIMES("2026-04-23T22:00:00Z", "2026-04-24T21:00:00Z"));
}

static void test_clocks_put_back(void **state)
{
	(void)state;
	/* 2:30 comes twice on 2026-10-25: the first one. */
	assert_times("30 2 * * *", "Europe/Vienna", "2026-10-24T12:00:00Z",
		     TIMES("2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"));
	assert_times("30 2,3 * * *", "Europe/Vienna", "2026-10-24T12:00:00Z",
		     TIMES("2026-10-25T00:30:00Z", "2026-10-25T02:30:00Z", "2026-10-26T01:30:00Z"));
	/* In the midst of the hour that comes again. */
	assert_times("15,45 2 * * *", "Europe/Vienna", "2026-10-25T01:20:00Z", TIMES("2026-10-26T01:15:00Z"));
}

static void test_every_hour_goes_by_the_hours_that_pass(void **state)
{
	(void)state;
	assert_times("30 * * * *", "Europe/Vienna", "2026-03-29T00:00:00Z",
		     TIMES("2026-03-29T00:30:00Z", "2026-03-29T01:30:00Z", "2026-03-29T02:30:00Z"));
	assert_times("30 * * * *", "Europe/Vienna", "2026-10-24T23:45:00Z",
		     TIMES("2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", "2026-10-25T02:30:00Z"));
	assert_times("*/20 * 1 * *", "Europe/Vienna", "2026-11-20T00:00:00Z",
		     TIMES("2026-11-30T23:00:00Z", "2026-11-30T23:20:00Z"));
}

static void test_odd_zones(void **state)
{
	(void)state;
	assert_times("0 9 * * *", "Asia/Kathmandu", "2026-11-20T00:00:00Z", TIMES("2026-11-20T03:15:00Z"));
	/* Half an hour, in the southern summer. */
	assert_times("15 2 * * *", "Australia/Lord_Howe", "2026-10-02T20:00:00Z",
		     TIMES("2026-10-03T15:30:00Z", "2026-10-04T15:15:00Z"));
	/* Ireland's standard time is that of its summer. */
	assert_times("0 9 * * *", "Europe/Dublin", "2026-03-28T00:00:00Z", TIMES("2026-03-28T09:00:00Z", "2026-03-29T08:00:00Z"));
	/* Behind all that the files list. */
	assert_times("0 9 1 1,7 *", "Europe/Vienna", "2060-01-01T12:00:00Z",
		     TIMES("2060-07-01T07:00:00Z", "2061-01-01T08:00:00Z"));
	assert_times("0 9 1 1,7 *", "Australia/Sydney", "2060-01-01T12:00:00Z",
		     TIMES("2060-06-30T23:00:00Z", "2060-12-31T22:00:00Z"));
}

static void test_zone_names(void **state)
{
	static const char *const bad[] = { "", "/etc/passwd", "../../../etc/passwd", "Europe", "Europe/", "Nowhere/City",
					   "Europe/Vienna\n", "tzdata.zi", "zone.tab", "/Europe/Vienna", "Europe//" };
	const struct zone *zone;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (zone_load(flow_cx.arena, str_of(bad[i]), &zone) == OK)
			fail_msg("\"%s\" was taken", bad[i]);
	assert_int_equal(zone_load(flow_cx.arena, STR("UTC"), &zone), OK);
	assert_int_equal(zone_offset(zone, 0), 0);
}

static int64_t rule_offset(const char *rule_text, const char *at)
{
	struct zone_rule rule;

	if (!zone_rule_read(str_of(rule_text), &rule))
		fail_msg("%s isn't read", rule_text);
	return zone_rule_offset(&rule, ms_of(at) / 1000);
}

static void test_rules(void **state)
{
	static const char *const bad[] = { "CET",	    "C-1",	     "CET-1CEST",	 "CET-1CEST,M3.5.0",
					   "CET-1CEST,M13.5.0,M10.5.0", "CET-1CEST,M3.6.0,M10.5.0", "CET-25",
					   "<CET-1",	    "CET-1CEST,M3.5.7,M10.5.0", "CET-1x", "CET-1CEST,M3.5.0,M10.5.0x",
					   "CET-1CEST,366,1" };
	struct zone_rule rule;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (zone_rule_read(str_of(bad[i]), &rule))
			fail_msg("%s was taken", bad[i]);
	assert_int_equal(rule_offset("UTC0", "2026-01-01T00:00:00Z"), 0);
	assert_int_equal(rule_offset("<+0545>-5:45", "2026-01-01T00:00:00Z"), 20700);
	assert_int_equal(rule_offset("CET-1CEST,M3.5.0,M10.5.0/3", "2026-03-29T00:59:59Z"), 3600);
	assert_int_equal(rule_offset("CET-1CEST,M3.5.0,M10.5.0/3", "2026-03-29T01:00:00Z"), 7200);
	assert_int_equal(rule_offset("CET-1CEST,M3.5.0,M10.5.0/3", "2026-10-25T01:00:00Z"), 3600);
	assert_int_equal(rule_offset("EST5EDT,J60,J300", "2028-03-01T07:00:00Z"), -14400);
	assert_int_equal(rule_offset("EST5EDT,J60,J300", "2028-02-29T20:00:00Z"), -18000);
	assert_int_equal(rule_offset("EST5EDT,59,299", "2028-02-29T07:00:00Z"), -14400);
	/* Israel's Friday before the last Sunday, by 26:00 of the Thursday; Greenland's by an hour before midnight. */
	assert_int_equal(rule_offset("IST-2IDT,M3.4.4/26,M10.5.0", "2026-03-26T23:59:59Z"), 7200);
	assert_int_equal(rule_offset("IST-2IDT,M3.4.4/26,M10.5.0", "2026-03-27T00:00:00Z"), 10800);
	assert_int_equal(rule_offset("<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "2026-03-29T00:59:59Z"), -7200);
	assert_int_equal(rule_offset("<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "2026-03-29T01:00:00Z"), -3600);
}

/* Each day of 800 years, against the next one. */
static void test_calendar(void **state)
{
	int64_t day = day_of_civil(1600, 1, 1);

	(void)state;
	assert_int_equal(day_of_civil(1970, 1, 1), 0);
	assert_int_equal(weekday_of_day(0), 4);
	for (; day < day_of_civil(2400, 1, 1); day++) {
		struct civil civil = civil_of_day(day);

		assert_int_equal(day_of_civil(civil.year, civil.month, civil.day), day);
		assert_in_range(civil.month, 1, 12);
		assert_in_range(civil.day, 1, 31);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_one_of_two_days),
		cmocka_unit_test(test_rare_days),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_clocks_put_forward),
		cmocka_unit_test(test_clocks_put_back),
		cmocka_unit_test(test_every_hour_goes_by_the_hours_that_pass),
		cmocka_unit_test(test_odd_zones),
		cmocka_unit_test(test_zone_names),
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_calendar),
	};

	return cmocka_run_group_tests(tests, flow_setup, flow_teardown);
}
