#include "flow/cron.h"

#include "flow/calendar.h"

enum { SEARCH_DAYS = 9 * 366, DAY_S = 86400, HOUR_S = 3600, MINUTE_S = 60, ALL_HOURS = (1 << 24) - 1 };

/* --- reading ------------------------------------------------------------------------------------------ */

struct field {
	unsigned least, most;
	const char *names; /* of three letters each; NULL: none */
	unsigned first_name;
};

static const struct field MINUTES = { 0, 59, NULL, 0 }, HOURS = { 0, 23, NULL, 0 }, DAYS = { 1, 31, NULL, 0 },
			  MONTHS = { 1, 12, "janfebmaraprmayjunjulaugsepoctnovdec", 1 },
			  WEEKDAYS = { 0, 7, "sunmontuewedthufrisat", 0 };

static bool read_name(const struct field *field, struct str text, unsigned *ret_number)
{
	struct str names = str_of(field->names);

	for (size_t i = 0; text.n == 3 && i + 3 <= names.n; i += 3) {
		if (!str_eq_nocase(str_slice(names, i, 3), text))
			continue;
		*ret_number = field->first_name + (unsigned)(i / 3);
		return true;
	}
	return false;
}

static bool read_number(const struct field *field, struct str text, unsigned *ret_number)
{
	uint64_t number;

	if (read_name(field, text, ret_number))
		return true;
	if (text.n > 2 || !str_to_u64(text, &number) || number < field->least || number > field->most)
		return false;
	*ret_number = (unsigned)number;
	return true;
}

/* "*", "a" or "a-b"; of an "a" with a step the end is the field's. */
static const char *read_range(const struct field *field, struct str text, bool stepped, unsigned *ret_from,
			      unsigned *ret_to)
{
	struct str rest = text, from = str_cut(&rest, '-');

	*ret_from = field->least;
	*ret_to = field->most;
	if (str_eq(text, STR("*")))
		return NULL;
	if (!read_number(field, from, ret_from))
		return "a number is out of its field's bounds, or a name isn't known";
	if (str_absent(rest)) {
		*ret_to = stepped ? field->most : *ret_from;
		return NULL;
	}
	if (!read_number(field, rest, ret_to))
		return "a number is out of its field's bounds, or a name isn't known";
	/* "fri-sun": Sunday is the 7th day, too. */
	if (field->most == 7 && *ret_to == 0 && *ret_from > 0)
		*ret_to = 7;
	return *ret_from <= *ret_to ? NULL : "a range ends before it begins";
}

static const char *read_part(const struct field *field, struct str part, uint64_t *bits)
{
	struct str step_text = part, range = str_cut(&step_text, '/');
	bool stepped = !str_absent(step_text);
	uint64_t step = 1;
	unsigned from, to;
	const char *why = read_range(field, range, stepped, &from, &to);

	if (why)
		return why;
	if (stepped && (!str_to_u64(step_text, &step) || step == 0 || step > field->most))
		return "a step isn't a number within its field's bounds";
	for (uint64_t i = from; i <= to; i += step)
		*bits |= UINT64_C(1) << i;
	return NULL;
}

static const char *read_field(const struct field *field, struct str text, uint64_t *ret_bits)
{
	const char *why = NULL;

	*ret_bits = 0;
	while (!str_absent(text) && !why)
		why = read_part(field, str_cut(&text, ','), ret_bits);
	return why;
}

static struct str next_word(struct str *rest)
{
	size_t n = 0;

	*rest = str_trim(*rest);
	while (n < rest->n && rest->p[n] != ' ' && rest->p[n] != '\t')
		n++;
	struct str word = str_slice(*rest, 0, n);
	*rest = str_slice(*rest, n, rest->n);
	return word;
}

const char *cron_read(struct str text, struct cron *ret_cron)
{
	static const struct field *const fields[] = { &MINUTES, &HOURS, &DAYS, &MONTHS, &WEEKDAYS };
	struct str word[ARRAY_SIZE(fields)];
	uint64_t bits[ARRAY_SIZE(fields)];

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		word[i] = next_word(&text);
		if (word[i].n == 0)
			return "there have to be five fields: minute hour day-of-month month day-of-week";
		const char *why = read_field(fields[i], word[i], &bits[i]);
		if (why)
			return why;
	}
	if (str_trim(text).n > 0)
		return "there are more than five fields";
	*ret_cron = (struct cron){ .minutes = bits[0],
				   .hours = (uint32_t)bits[1],
				   .days = (uint32_t)bits[2],
				   .months = (uint32_t)bits[3],
				   .weekdays = (uint32_t)((bits[4] | bits[4] >> 7) & 0x7f),
				   .any_day = str_starts(word[2], STR("*")),
				   .any_weekday = str_starts(word[4], STR("*")) };
	return NULL;
}

/* --- the next time -------------------------------------------------------------------------------------- */

static bool day_matches(const struct cron *cron, int64_t day)
{
	struct civil civil = civil_of_day(day);
	bool by_day = cron->days >> civil.day & 1;
	bool by_weekday = cron->weekdays >> weekday_of_day(day) & 1;

	if (!(cron->months >> civil.month & 1))
		return false;
	return cron->any_day || cron->any_weekday ? by_day && by_weekday : by_day || by_weekday;
}

/* Of local seconds: those of the day's begin, and the day. */
static int64_t day_of(int64_t local) { return floor_div(local, DAY_S); }

/* By the hours that pass: each local minute that comes is looked at, days that don't match hour by hour. */
static bool next_of_every_hour(const struct cron *cron, const struct zone *zone, int64_t after, int64_t *ret_s)
{
	const int64_t last = after + (int64_t)SEARCH_DAYS * DAY_S;
	int64_t at = after + 1, local;

	while (at < last) {
		local = at + zone_offset(zone, at);
		if (floor_mod(local, MINUTE_S) != 0) {
			at += MINUTE_S - floor_mod(local, MINUTE_S);
		} else if (!day_matches(cron, day_of(local))) {
			at += HOUR_S - floor_mod(local, HOUR_S);
		} else if (cron->minutes >> floor_mod(local, HOUR_S) / MINUTE_S & 1) {
			*ret_s = at;
			return true;
		} else {
			at += MINUTE_S;
		}
	}
	return false;
}

/* The first of a day's times that is behind `after`. */
static bool next_on_day(const struct cron *cron, const struct zone *zone, int64_t day, int64_t after, int64_t *ret_s)
{
	for (int64_t hour = 0; hour < 24; hour++) {
		for (int64_t minute = 0; (cron->hours >> hour & 1) && minute < 60; minute++) {
			if (!(cron->minutes >> minute & 1))
				continue;
			*ret_s = zone_time_of(zone, day * DAY_S + hour * HOUR_S + minute * MINUTE_S);
			if (*ret_s > after)
				return true;
		}
	}
	return false;
}

bool cron_next(const struct cron *cron, const struct zone *zone, int64_t after_ms, int64_t *ret_ms)
{
	int64_t after = floor_div(after_ms, 1000), at, day;
	bool found = false;

	if (cron->hours == ALL_HOURS) {
		found = next_of_every_hour(cron, zone, after, &at);
	} else {
		day = day_of(after + zone_offset(zone, after));
		for (int64_t i = 0; i < SEARCH_DAYS && !found; i++)
			found = day_matches(cron, day + i) && next_on_day(cron, zone, day + i, after, &at);
	}
	if (found)
		*ret_ms = at * 1000;
	return found;
}
