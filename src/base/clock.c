/*
 * Time of day and its text. The calendar is computed here, not by gmtime and
 * strftime: they read the environment and the locale, and they cost more.
 *
 * The two calendar functions are Howard Hinnant's civil_from_days and
 * days_from_civil ("chrono-Compatible Low-Level Date Algorithms"): years start
 * in March, so that the leap day is the last one of a year, and are counted in
 * eras of 400 years = 146,097 days.
 */
#include "base/clock.h"

#include <stddef.h>
#include <string.h>
#include <time.h>

#define DAY_MS INT64_C(86400000)
#define FIRST_MS INT64_C(-62167219200000) /* 0000-01-01T00:00:00.000Z */
#define LAST_MS INT64_C(253402300799999)  /* 9999-12-31T23:59:59.999Z */

enum {
	ERA_YEARS = 400,
	ERA_DAYS = 146097,
	EPOCH_DAYS = 719468 /* from 0000-03-01 to 1970-01-01 */
};

struct civil {
	int64_t year;
	unsigned month; /* 1-12 */
	unsigned day;   /* 1-31 */
};

int64_t clock_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t clock_monotonic_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

void clock_pause_ms(int64_t ms)
{
	const struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&t, NULL);
}

/* Days since the epoch to a date; days since 0000-01-01 or later only. */
static struct civil civil_from_days(int64_t days)
{
	int64_t z = days + EPOCH_DAYS;
	int64_t era = (z >= 0 ? z : z - (ERA_DAYS - 1)) / ERA_DAYS;
	unsigned day_of_era = (unsigned)(z - era * ERA_DAYS);
	unsigned year_of_era =
		(day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	unsigned day_of_year =
		day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	unsigned march_month = (5 * day_of_year + 2) / 153; /* 0 is March */
	unsigned month = march_month < 10 ? march_month + 3 : march_month - 9;

	return (struct civil){ (int64_t)year_of_era + era * ERA_YEARS + (month <= 2), month,
			       day_of_year - (153 * march_month + 2) / 5 + 1 };
}

static int64_t days_from_civil(struct civil date)
{
	int64_t year = date.year - (date.month <= 2);
	int64_t era = (year >= 0 ? year : year - (ERA_YEARS - 1)) / ERA_YEARS;
	unsigned year_of_era = (unsigned)(year - era * ERA_YEARS);
	unsigned march_month = date.month > 2 ? date.month - 3 : date.month + 9;
	unsigned day_of_year = (153 * march_month + 2) / 5 + date.day - 1;
	unsigned day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

	return era * ERA_DAYS + (int64_t)day_of_era - EPOCH_DAYS;
}

static void put_digits(char *p, unsigned value, int digits)
{
	while (digits-- > 0) {
		p[digits] = (char)('0' + value % 10);
		value /= 10;
	}
}

struct str time_format(int64_t ms, char text[TIME_TEXT_MAX])
{
	static const char SHAPE[] = "0000-00-00T00:00:00.000Z";

	if (ms < FIRST_MS)
		ms = FIRST_MS;
	if (ms > LAST_MS)
		ms = LAST_MS;
	int64_t days = (ms - (ms < 0 ? DAY_MS - 1 : 0)) / DAY_MS;
	unsigned of_day = (unsigned)(ms - days * DAY_MS);
	struct civil date = civil_from_days(days);

	memcpy(text, SHAPE, sizeof(SHAPE));
	put_digits(text, (unsigned)date.year, 4);
	put_digits(text + 5, date.month, 2);
	put_digits(text + 8, date.day, 2);
	put_digits(text + 11, of_day / 3600000, 2);
	put_digits(text + 14, of_day / 60000 % 60, 2);
	put_digits(text + 17, of_day / 1000 % 60, 2);
	put_digits(text + 20, of_day % 1000, 3);
	return (struct str){ text, sizeof(SHAPE) - 1 };
}

/* Exactly `digits` digits off the front. */
static bool take_number(struct str *text, size_t digits, unsigned *ret_value)
{
	unsigned value = 0;

	*ret_value = 0;
	if (text->n < digits)
		return false;
	for (size_t i = 0; i < digits; i++) {
		if (text->p[i] < '0' || text->p[i] > '9')
			return false;
		value = value * 10 + (unsigned)(text->p[i] - '0');
	}
	*text = str_slice(*text, digits, text->n);
	*ret_value = value;
	return true;
}

static bool take_char(struct str *text, char c)
{
	if (text->n == 0 || text->p[0] != c)
		return false;
	*text = str_slice(*text, 1, text->n);
	return true;
}

static unsigned days_of_month(int64_t year, unsigned month)
{
	static const unsigned char DAYS[12] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	if (month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0))
		return 29;
	return DAYS[month - 1];
}

static bool take_date(struct str *text, int64_t *ret_days)
{
	unsigned year, month, day;

	*ret_days = 0;
	if (!take_number(text, 4, &year) || !take_char(text, '-') ||
	    !take_number(text, 2, &month) || !take_char(text, '-') || !take_number(text, 2, &day))
		return false;
	if (month < 1 || month > 12 || day < 1 || day > days_of_month(year, month))
		return false;
	*ret_days = days_from_civil((struct civil){ year, month, day });
	return true;
}

/* One to nine digits behind '.', of which the first three count. */
static bool take_fraction(struct str *text, unsigned *ret_ms)
{
	unsigned digit, scale = 100;
	size_t digits = 0;

	*ret_ms = 0;
	while (text->n > 0 && text->p[0] >= '0' && text->p[0] <= '9') {
		if (++digits > 9 || !take_number(text, 1, &digit))
			return false;
		*ret_ms += digit * scale;
		scale /= 10;
	}
	return digits > 0;
}

/* "Z" or "+hh:mm", in minutes east of UTC. */
static bool take_offset(struct str *text, int *ret_minutes)
{
	unsigned hours, minutes;
	int sign = 1;

	*ret_minutes = 0;
	if (take_char(text, 'Z') || take_char(text, 'z'))
		return true;
	if (take_char(text, '-'))
		sign = -1;
	else if (!take_char(text, '+'))
		return false;
	if (!take_number(text, 2, &hours) || !take_char(text, ':') ||
	    !take_number(text, 2, &minutes) || hours > 23 || minutes > 59)
		return false;
	*ret_minutes = sign * (int)(hours * 60 + minutes);
	return true;
}

bool time_parse(struct str text, int64_t *ret_ms)
{
	int64_t days;
	unsigned hour, minute, second, ms = 0;
	int offset;

	*ret_ms = 0;
	if (!take_date(&text, &days) || !(take_char(&text, 'T') || take_char(&text, 't')))
		return false;
	if (!take_number(&text, 2, &hour) || !take_char(&text, ':') ||
	    !take_number(&text, 2, &minute) || !take_char(&text, ':') ||
	    !take_number(&text, 2, &second))
		return false;
	if (take_char(&text, '.') && !take_fraction(&text, &ms))
		return false;
	if (!take_offset(&text, &offset) || text.n != 0)
		return false;
	if (hour > 23 || minute > 59 || second > 60)
		return false;
	int of_day = (int)(hour * 60 + minute) - offset;
	/* A leap second ends a day in UTC (RFC 3339, 5.7); here it is the next day's first. */
	if (second == 60 && (of_day + 1) % 1440 != 0)
		return false;
	*ret_ms = days * DAY_MS + (int64_t)of_day * 60000 + (int64_t)second * 1000 + ms;
	return true;
}
