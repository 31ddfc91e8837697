/* POSIX's TZ: "CET-1CEST,M3.5.0,M10.5.0/3", with RFC 9636's times of up to a week before and behind the day. */
#include "flow/calendar.h"
#include "flow/zone.h"

enum { DAY_S = 86400, HOUR_S = 3600, MONTHS_USUAL_S = 2 * 3600, TIME_MOST_H = 167, OFFSET_MOST_H = 24 };

static bool take(struct str *rest, char c)
{
	if (rest->n == 0 || rest->p[0] != c)
		return false;
	*rest = str_slice(*rest, 1, rest->n);
	return true;
}

static bool take_number(struct str *rest, int64_t most, int64_t *ret_number)
{
	size_t n = 0;
	int64_t number = 0;

	while (n < rest->n && n < 3 && char_is_digit(rest->p[n]))
		number = number * 10 + (rest->p[n++] - '0');
	*rest = str_slice(*rest, n, rest->n);
	*ret_number = number;
	return n > 0 && number <= most;
}

/* [+-]h[:m[:s]] */
static bool take_time(struct str *rest, int64_t most_hours, int64_t *ret_seconds)
{
	int64_t hours, minutes = 0, seconds = 0;
	bool minus = take(rest, '-');

	if (!minus)
		(void)take(rest, '+');
	if (!take_number(rest, most_hours, &hours))
		return false;
	if (take(rest, ':') &&
	    (!take_number(rest, 59, &minutes) || (take(rest, ':') && !take_number(rest, 59, &seconds))))
		return false;
	*ret_seconds = hours * HOUR_S + minutes * 60 + seconds;
	if (minus)
		*ret_seconds = -*ret_seconds;
	return true;
}

static bool skip_name(struct str *rest)
{
	bool quoted = take(rest, '<');
	size_t n = 0;

	while (n < rest->n && (quoted ? rest->p[n] != '>' : char_is_letter(rest->p[n])))
		n++;
	*rest = str_slice(*rest, n, rest->n);
	return n >= 3 && (!quoted || take(rest, '>'));
}

static bool take_month_day(struct str *rest, struct zone_change *change)
{
	int64_t month, week, day;

	if (!take_number(rest, 12, &month) || month < 1 || !take(rest, '.') || !take_number(rest, 5, &week) ||
	    week < 1 || !take(rest, '.') || !take_number(rest, 6, &day))
		return false;
	change->kind = 'M';
	change->month = (int)month;
	change->week = (int)week;
	change->day = (int)day;
	return true;
}

static bool take_change(struct str *rest, struct zone_change *change)
{
	int64_t day;

	*change = (struct zone_change){ .kind = '0', .seconds = MONTHS_USUAL_S };
	if (!take(rest, ','))
		return false;
	if (take(rest, 'M')) {
		if (!take_month_day(rest, change))
			return false;
	} else {
		change->kind = take(rest, 'J') ? 'J' : '0';
		if (!take_number(rest, 365, &day))
			return false;
		change->day = (int)day;
	}
	return !take(rest, '/') || take_time(rest, TIME_MOST_H, &change->seconds);
}

bool zone_rule_read(struct str text, struct zone_rule *ret_rule)
{
	struct zone_rule *rule = ret_rule;
	struct str rest = text;

	*rule = (struct zone_rule){ 0 };
	if (text.n == 0)
		return true;
	rule->known = true;
	if (!skip_name(&rest) || !take_time(&rest, OFFSET_MOST_H, &rule->standard))
		return false;
	/* POSIX counts westwards. */
	rule->standard = -rule->standard;
	if (rest.n == 0)
		return true;
	rule->saves = true;
	rule->summer = rule->standard + HOUR_S;
	if (!skip_name(&rest))
		return false;
	if (rest.n > 0 && rest.p[0] != ',') {
		if (!take_time(&rest, OFFSET_MOST_H, &rule->summer))
			return false;
		rule->summer = -rule->summer;
	}
	return take_change(&rest, &rule->begin) && take_change(&rest, &rule->end) && rest.n == 0;
}

/* --- using it ----------------------------------------------------------------------------------------- */

static int64_t day_of_change(const struct zone_change *change, int64_t year)
{
	int64_t first = day_of_civil(year, 1, 1), day, month_end;
	int64_t leap = day_of_civil(year, 3, 1) - first - 59;

	if (change->kind == '0')
		return first + change->day;
	if (change->kind == 'J')
		return first + change->day - 1 + (change->day >= 60 ? leap : 0);
	first = day_of_civil(year, (unsigned)change->month, 1);
	month_end = change->month == 12 ? day_of_civil(year + 1, 1, 1)
					: day_of_civil(year, (unsigned)change->month + 1, 1);
	day = first + floor_mod(change->day - (int64_t)weekday_of_day(first), 7) + 7 * ((int64_t)change->week - 1);
	return day < month_end ? day : day - 7;
}

int64_t zone_rule_offset(const struct zone_rule *rule, int64_t at)
{
	int64_t year, begin, end;

	if (!rule->saves)
		return rule->standard;
	year = civil_of_day(floor_div(at + rule->standard, DAY_S)).year;
	begin = day_of_change(&rule->begin, year) * DAY_S + rule->begin.seconds - rule->standard;
	end = day_of_change(&rule->end, year) * DAY_S + rule->end.seconds - rule->summer;
	if (begin < end)
		return at >= begin && at < end ? rule->summer : rule->standard;
	return at >= end && at < begin ? rule->standard : rule->summer;
}
