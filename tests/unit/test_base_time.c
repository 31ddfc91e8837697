/* Times and their text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/clock.h"

struct pair {
	int64_t ms;
	const char *text;
};

static void known_instants_have_their_text(void **state)
{
	(void)state;
	static const struct pair PAIRS[] = {
		{ 0, "1970-01-01T00:00:00.000Z" },
		{ -1, "1969-12-31T23:59:59.999Z" },
		{ INT64_C(951782400000), "2000-02-29T00:00:00.000Z" },
		{ INT64_C(951868799999), "2000-02-29T23:59:59.999Z" },
		{ INT64_C(951868800000), "2000-03-01T00:00:00.000Z" },
		{ INT64_C(4107542400000), "2100-03-01T00:00:00.000Z" },
		{ INT64_C(4107542399999), "2100-02-28T23:59:59.999Z" },
		{ INT64_C(1795170840007), "2026-11-20T10:34:00.007Z" },
		{ INT64_C(-62167219200000), "0000-01-01T00:00:00.000Z" },
		{ INT64_C(253402300799999), "9999-12-31T23:59:59.999Z" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(PAIRS); i++) {
		char text[TIME_TEXT_MAX];
		int64_t ms;
		assert_true(str_eq(time_format(PAIRS[i].ms, text), str_of(PAIRS[i].text)));
		assert_string_equal(text, PAIRS[i].text);
		assert_true(time_parse(str_of(PAIRS[i].text), &ms));
		assert_int_equal(ms, PAIRS[i].ms);
	}
}

static void every_day_agrees_with_the_c_library(void **state)
{
	(void)state;
	char text[TIME_TEXT_MAX], expected[48];

	/* From the year 1600 to 2400, a whole cycle of leap years and more. */
	for (int64_t day = -135140; day <= 157054; day++) {
		time_t seconds = (time_t)(day * 86400 + 45296);
		struct tm tm;
		gmtime_r(&seconds, &tm);
		snprintf(expected, sizeof(expected), "%04d-%02d-%02dT12:34:56.000Z",
			 tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday);
		time_format((int64_t)seconds * 1000, text);
		if (strcmp(text, expected) != 0)
			fail_msg("%s should be %s", text, expected);
		int64_t ms;
		if (!time_parse(str_of(text), &ms) || ms != (int64_t)seconds * 1000)
			fail_msg("%s isn't read as it was written", text);
	}
}

static void instants_outside_four_digit_years_are_clamped(void **state)
{
	(void)state;
	char text[TIME_TEXT_MAX];

	time_format(INT64_MIN, text);
	assert_string_equal(text, "0000-01-01T00:00:00.000Z");
	time_format(INT64_MAX, text);
	assert_string_equal(text, "9999-12-31T23:59:59.999Z");
}

static void offsets_and_fractions_are_understood(void **state)
{
	(void)state;
	static const struct pair PAIRS[] = {
		{ INT64_C(1795170840000), "2026-11-20T10:34:00Z" },
		{ INT64_C(1795170840000), "2026-11-20t10:34:00z" },
		{ INT64_C(1795170840000), "2026-11-20T12:34:00+02:00" },
		{ INT64_C(1795170840000), "2026-11-20T05:04:00-05:30" },
		{ INT64_C(1795170840000), "2026-11-20T10:34:00-00:00" },
		{ INT64_C(1795170840100), "2026-11-20T10:34:00.1Z" },
		{ INT64_C(1795170840123), "2026-11-20T10:34:00.123999999Z" },
		{ INT64_C(1795170840000), "2026-11-20T10:34:00.000999Z" },
		/* the leap second of 1990 (RFC 3339, section 5.8), in UTC and in California */
		{ INT64_C(662688000000), "1990-12-31T23:59:60Z" },
		{ INT64_C(662688000000), "1990-12-31T15:59:60-08:00" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(PAIRS); i++) {
		int64_t ms;
		if (!time_parse(str_of(PAIRS[i].text), &ms))
			fail_msg("%s is refused", PAIRS[i].text);
		assert_int_equal(ms, PAIRS[i].ms);
	}
}

static void anything_but_rfc_3339_is_refused(void **state)
{
	(void)state;
	static const char *const BAD[] = {
		"",
		"2026",
		"2026-11-20",
		"2026-11-20T10:34:00",
		"2026-11-20 10:34:00Z",
		"2026-11-20T10:34Z",
		"2026-13-01T00:00:00Z",
		"2026-00-01T00:00:00Z",
		"2026-02-29T00:00:00Z",
		"1900-02-29T00:00:00Z",
		"2026-04-31T00:00:00Z",
		"2026-01-00T00:00:00Z",
		"2026-11-20T24:00:00Z",
		"2026-11-20T10:60:00Z",
		"2026-11-20T10:34:60Z",
		"2026-11-20T10:34:61Z",
		"2026-11-20T23:59:60+01:00",
		"2026-11-20T10:34:00.Z",
		"2026-11-20T10:34:00.1234567890Z",
		"2026-11-20T10:34:00,1Z",
		"2026-11-20T10:34:00+24:00",
		"2026-11-20T10:34:00+01:60",
		"2026-11-20T10:34:00+0100",
		"2026-11-20T10:34:00+01",
		"2026-11-20T10:34:00ZZ",
		" 2026-11-20T10:34:00Z",
		"2026-11-20T10:34:00Z ",
		"+026-11-20T10:34:00Z",
		"2026-1-20T10:34:00Z",
		"2026-11-20T-1:34:00Z",
	};
	int64_t ms;

	for (size_t i = 0; i < ARRAY_SIZE(BAD); i++)
		if (time_parse(str_of(BAD[i]), &ms))
			fail_msg("'%s' is taken", BAD[i]);
	assert_false(time_parse(STR_NONE, &ms));
	assert_false(time_parse(STR("2026-11-20T10:34:00Z\0"), &ms));
}

static void the_clock_agrees_with_the_system(void **state)
{
	(void)state;
	int64_t before = (int64_t)time(NULL) * 1000;
	int64_t now = clock_now_ms();
	int64_t monotonic = clock_monotonic_us();

	/* time(NULL) may lag behind by a tick. */
	assert_true(now >= before - 1000);
	assert_true(now <= ((int64_t)time(NULL) + 2) * 1000);
	assert_true(clock_monotonic_us() >= monotonic);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_instants_have_their_text),
		cmocka_unit_test(every_day_agrees_with_the_c_library),
		cmocka_unit_test(instants_outside_four_digit_years_are_clamped),
		cmocka_unit_test(offsets_and_fractions_are_understood),
		cmocka_unit_test(anything_but_rfc_3339_is_refused),
		cmocka_unit_test(the_clock_agrees_with_the_system),
	};

	return cmocka_run_group_tests_name("base: time", tests, NULL, NULL);
}
