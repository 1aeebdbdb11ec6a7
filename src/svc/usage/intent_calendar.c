/* SPDX-License-Identifier: ISC */
/* A calendar without time zones: days, weeks from Monday, months, quarters, half-years, and years. */
#include "svc/usage/intent_int.h"

const char *const unit_names[] = { "", "hour", "day", "week", "month", "quarter", "half", "year" };

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

/*
 * Returns days since 1970-01-01 in the Gregorian calendar. The year starts in March here, so that a leap day is its
 * last day.
 */
static int64_t days_of(int64_t year, int month, int day)
{
	int64_t y = year - (month <= 2), era = floor_div(y, 400), of_era = y - era * 400;
	int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

int64_t civil_seconds(int64_t year, int64_t month, int64_t day)
{
	int64_t months = year * 12 + month - 1;

	return (days_of(floor_div(months, 12), (int)(months - floor_div(months, 12) * 12) + 1, 1) + day - 1) * DAY_S;
}

struct civil civil_of(int64_t s)
{
	int64_t days = floor_div(s, DAY_S) + 719468, era = floor_div(days, 146097), of_era = days - era * 146097;
	int64_t y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	int64_t of_year = of_era - (365 * y + y / 4 - y / 100), m = (5 * of_year + 2) / 153;
	int month = (int)(m < 10 ? m + 3 : m - 9);

	return (struct civil){ .year = y + era * 400 + (month <= 2), .month = month,
		.day = (int)(of_year - (153 * m + 2) / 5) + 1 };
}

bool civil_exists(int64_t year, int64_t month, int64_t day)
{
	return year >= 1970 && year <= 9999 && month >= 1 && month <= 12 && day >= 1 &&
	    day <= (civil_seconds(year, month + 1, 1) - civil_seconds(year, month, 1)) / DAY_S;
}

int civil_weekday(int64_t s)
{
	int64_t days = floor_div(s, DAY_S) + 3;	/* 1970-01-01 was a Thursday */

	return (int)(days - floor_div(days, 7) * 7) + 1;
}

static int months_in(enum unit unit)
{
	return unit == UNIT_MONTH ? 1 : unit == UNIT_QUARTER ? 3 : unit == UNIT_HALF ? 6 : unit == UNIT_YEAR ? 12 : 0;
}

int64_t unit_start(enum unit unit, int64_t s)
{
	struct civil c = civil_of(s);
	int months = months_in(unit);

	if (months > 0)
		return civil_seconds(c.year, (c.month - 1) / months * months + 1, 1);
	if (unit == UNIT_HOUR)
		return floor_div(s, 3600) * 3600;
	return floor_div(s, DAY_S) * DAY_S - (unit == UNIT_WEEK ? (civil_weekday(s) - 1) * DAY_S : 0);
}

int64_t unit_add(enum unit unit, int64_t s, int64_t n)
{
	struct civil c = civil_of(s);

	if (months_in(unit) > 0)
		return civil_seconds(c.year, c.month + n * months_in(unit), 1);
	return s + n * (unit == UNIT_HOUR ? 3600 : unit == UNIT_WEEK ? 7 * DAY_S : DAY_S);
}

int64_t civil_months_back(int64_t s, int64_t months)
{
	struct civil c = civil_of(s);
	int64_t first = civil_seconds(c.year, c.month - months, 1);
	int64_t days = (civil_seconds(c.year, c.month - months + 1, 1) - first) / DAY_S;

	return first + ((c.day < days ? c.day : days) - 1) * DAY_S;
}

enum unit word_unit(struct pl_str word)
{
	return word_among(word, "hour hours h hr hrs") ? UNIT_HOUR : word_among(word, "day days") ? UNIT_DAY :
	    word_among(word, "week weeks") ? UNIT_WEEK : word_among(word, "month months") ? UNIT_MONTH :
	    word_among(word, "quarter quarters") ? UNIT_QUARTER : word_among(word, "year years") ? UNIT_YEAR :
	    UNIT_NONE;
}
