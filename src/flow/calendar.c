#include "flow/calendar.h"

enum { ERA_DAYS = 146097, EPOCH = 719468 };

struct civil civil_of_day(int64_t day)
{
	int64_t shifted = day + EPOCH, era = floor_div(shifted, ERA_DAYS), of_era = shifted - era * ERA_DAYS;
	int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	int64_t of_year = of_era - (365 * year + year / 4 - year / 100), march = (5 * of_year + 2) / 153;
	struct civil civil = { .day = (unsigned)(of_year - (153 * march + 2) / 5 + 1),
			       .month = (unsigned)(march < 10 ? march + 3 : march - 9) };

	civil.year = year + era * 400 + (civil.month <= 2);
	return civil;
}

int64_t day_of_civil(int64_t year, unsigned month, unsigned day)
{
	int64_t y = year - (month <= 2), era = floor_div(y, 400), of_era = y - era * 400;
	int64_t march = month > 2 ? month - 3 : month + 9, of_year = (153 * march + 2) / 5 + day - 1;

	return era * ERA_DAYS + of_era * 365 + of_era / 4 - of_era / 100 + of_year - EPOCH;
}
