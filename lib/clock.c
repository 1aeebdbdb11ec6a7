/* SPDX-License-Identifier: ISC */
/*
 * Clocks and the two time formats of the wire. Own calendar arithmetic (proleptic Gregorian), so that neither TZ nor a
 * locale nor a lock in the C library has a say.
 */
#include "clock.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "pool.h"

#define DAY_S 86400LL
#define DAYS_BEFORE_1970 719468LL	/* since 0000-03-01 */
#define WALL_MIN_S (-62167219200LL)	/* 0000-01-01T00:00:00Z */
#define WALL_MAX_S 253402300799LL	/* 9999-12-31T23:59:59Z */

static int64_t fake_mono_ns, fake_wall_us;

struct civil { int year, month, day; };

static int64_t read_ns(clockid_t id)
{
	struct timespec now;

	clock_gettime(id, &now);
	return now.tv_sec * PL_NS_PER_S + now.tv_nsec;
}

int64_t pl_now_ns(void)
{
	return fake_mono_ns != 0 ? fake_mono_ns : read_ns(CLOCK_MONOTONIC);
}

int64_t pl_wall_us(void)
{
	return fake_wall_us != 0 ? fake_wall_us : read_ns(CLOCK_REALTIME) / 1000;
}

void pl_clock_fake(int64_t mono_ns, int64_t wall_us)
{
	fake_mono_ns = mono_ns;
	fake_wall_us = wall_us;
}

/*
 * Years are counted from March, so that the leap day is the last day of one: a day's number in its 400-year era then
 * gives year and month by division alone.
 */
static struct civil civil_from_days(int64_t days)
{
	int64_t shifted = days + DAYS_BEFORE_1970;
	int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
	int day_of_era = (int)(shifted - era * 146097);
	int year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	int day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	int march_month = (5 * day_of_year + 2) / 153;
	int month = march_month < 10 ? march_month + 3 : march_month - 9;

	return (struct civil){
		.year = (int)(year_of_era + era * 400) + (month <= 2),
		.month = month,
		.day = day_of_year - (153 * march_month + 2) / 5 + 1,
	};
}

static int64_t days_from_civil(struct civil date)
{
	int year = date.year - (date.month <= 2);
	int era = (year >= 0 ? year : year - 399) / 400;
	int year_of_era = year - era * 400;
	int march_month = date.month > 2 ? date.month - 3 : date.month + 9;
	int day_of_year = (153 * march_month + 2) / 5 + date.day - 1;
	int day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

	return era * 146097LL + day_of_era - DAYS_BEFORE_1970;
}

static bool is_leap(int year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int month_days(int year, int month)
{
	static const unsigned char days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

static void put2(char *out, int value)
{
	out[0] = (char)('0' + value / 10);
	out[1] = (char)('0' + value % 10);
}

static int64_t wall_seconds(int64_t wall_us, int *fraction_us_r)
{
	int64_t seconds = floor_div(wall_us, PL_US_PER_S);
	int fraction_us = (int)(wall_us % PL_US_PER_S);

	*fraction_us_r = fraction_us < 0 ? fraction_us + (int)PL_US_PER_S : fraction_us;
	if (seconds < WALL_MIN_S)
		return WALL_MIN_S;
	return seconds > WALL_MAX_S ? WALL_MAX_S : seconds;
}

void pl_time_format(int64_t wall_us, char out[PL_TIME_LEN])
{
	int fraction_us;
	int64_t seconds = wall_seconds(wall_us, &fraction_us);
	int64_t days = floor_div(seconds, DAY_S);
	int of_day = (int)(seconds - days * DAY_S);
	struct civil date = civil_from_days(days);

	put2(out, date.year / 100);
	put2(out + 2, date.year % 100);
	out[4] = '-';
	put2(out + 5, date.month);
	out[7] = '-';
	put2(out + 8, date.day);
	out[10] = 'T';
	put2(out + 11, of_day / 3600);
	out[13] = ':';
	put2(out + 14, of_day / 60 % 60);
	out[16] = ':';
	put2(out + 17, of_day % 60);
	out[19] = '.';
	put2(out + 20, fraction_us / 10000);
	put2(out + 22, fraction_us / 100 % 100);
	put2(out + 24, fraction_us % 100);
	out[26] = 'Z';
}

void pl_time_http(int64_t wall_us, char out[30])
{
	static const char days_of_week[] = "ThuFriSatSunMonTueWed";	/* 1970-01-01 was a Thursday */
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	int fraction_us;
	int64_t seconds = wall_seconds(wall_us, &fraction_us);
	int64_t days = floor_div(seconds, DAY_S);
	int of_day = (int)(seconds - days * DAY_S);
	struct civil date = civil_from_days(days);

	memcpy(out, "Www, 00 Mmm 0000 00:00:00 GMT", 30);
	memcpy(out, days_of_week + 3 * (days - 7 * floor_div(days, 7)), 3);
	put2(out + 5, date.day);
	memcpy(out + 8, months + 3 * (date.month - 1), 3);
	put2(out + 12, date.year / 100);
	put2(out + 14, date.year % 100);
	put2(out + 17, of_day / 3600);
	put2(out + 20, of_day / 60 % 60);
	put2(out + 23, of_day % 60);
}

struct cursor { const char *at, *end; };

static bool take_digits(struct cursor *in, int count, int *value_r)
{
	int value = 0;

	if (in->end - in->at < count)
		return false;
	for (int i = 0; i < count; i++, in->at++) {
		if (*in->at < '0' || *in->at > '9')
			return false;
		value = value * 10 + (*in->at - '0');
	}
	*value_r = value;
	return true;
}

static bool take_any(struct cursor *in, const char *set)
{
	if (in->at == in->end || *in->at == '\0' || strchr(set, *in->at) == NULL)
		return false;
	in->at++;
	return true;
}

static bool take_date(struct cursor *in, struct civil *date_r)
{
	return take_digits(in, 4, &date_r->year) && take_any(in, "-") &&
	    take_digits(in, 2, &date_r->month) && take_any(in, "-") && take_digits(in, 2, &date_r->day) &&
	    date_r->month >= 1 && date_r->month <= 12 && date_r->day >= 1 &&
	    date_r->day <= month_days(date_r->year, date_r->month);
}

/* 23:59:60 is a time in RFC 3339; it becomes the second after it. lax: seconds may be absent. */
static bool take_clock(struct cursor *in, int64_t *of_day_us_r, bool lax)
{
	int hour, minute, second = 0, digits = 0, fraction_us = 0;
	bool seconds;

	if (!take_digits(in, 2, &hour) || !take_any(in, ":") || !take_digits(in, 2, &minute))
		return false;
	seconds = take_any(in, ":");
	if ((seconds ? !take_digits(in, 2, &second) : !lax) || hour > 23 || minute > 59 || second > 60)
		return false;
	if (seconds && take_any(in, lax ? ".," : ".")) {
		for (; in->at < in->end && *in->at >= '0' && *in->at <= '9'; in->at++, digits++) {
			if (digits < 6)
				fraction_us = fraction_us * 10 + (*in->at - '0');
		}
		if (digits < 1 || digits > 9)
			return false;
		for (; digits < 6; digits++)
			fraction_us *= 10;
	}
	*of_day_us_r = (hour * 3600LL + minute * 60LL + second) * PL_US_PER_S + fraction_us;
	return true;
}

static bool take_offset(struct cursor *in, int64_t *offset_us_r)
{
	int hours, minutes, sign;

	*offset_us_r = 0;
	if (take_any(in, "Zz"))
		return true;
	sign = in->at < in->end && *in->at == '-' ? -1 : 1;
	if (!take_any(in, "+-") || !take_digits(in, 2, &hours) || !take_any(in, ":") || !take_digits(in, 2, &minutes) ||
	    hours > 23 || minutes > 59)
		return false;
	*offset_us_r = sign * (hours * 3600LL + minutes * 60LL) * PL_US_PER_S;
	return true;
}

bool pl_time_parse(const char *text, size_t len, int64_t *wall_us_r)
{
	struct cursor in = { .at = text, .end = text + len };
	int64_t of_day_us, offset_us;
	struct civil date;

	if (text == NULL || !take_date(&in, &date) || !take_any(&in, "Tt ") || !take_clock(&in, &of_day_us, false) ||
	    !take_offset(&in, &offset_us) || in.at != in.end)
		return false;
	*wall_us_r = days_from_civil(date) * DAY_S * PL_US_PER_S + of_day_us - offset_us;
	return true;
}

/* Z, UTC or GMT, an offset of hours, hours and minutes, or hours, minutes and seconds; nothing: UTC. */
static bool take_offset_lax(struct cursor *in, int64_t *offset_us_r)
{
	int parts[3] = { 0 }, sign = 1, count = 0;
	const char *before = in->at;
	bool blank, colons;

	*offset_us_r = 0;
	while (take_any(in, " "))
		;
	blank = in->at > before;
	if (in->end - in->at == 3 && (strncasecmp(in->at, "UTC", 3) == 0 || strncasecmp(in->at, "GMT", 3) == 0)) {
		in->at = in->end;
		return true;
	}
	if ((in->at == in->end && !blank) || take_any(in, "Zz"))
		return true;
	if (take_any(in, "-"))
		sign = -1;
	else if (!take_any(in, "+") && !blank)
		return false;
	if (!take_digits(in, 2, &parts[count++]))
		return false;
	colons = in->at < in->end && *in->at == ':';
	while (count < 3 && in->at < in->end)
		if ((colons && !take_any(in, ":")) || !take_digits(in, 2, &parts[count++]))
			return false;
	if (parts[0] > 23 || parts[1] > 59 || parts[2] > 59)
		return false;
	*offset_us_r = sign * (parts[0] * 3600LL + parts[1] * 60LL + parts[2]) * PL_US_PER_S;
	return true;
}

bool pl_time_parse_lax(const char *text, size_t len, int64_t *wall_us_r)
{
	struct cursor in = { .at = text, .end = text + len };
	int64_t of_day_us = 0, offset_us = 0;
	struct civil date;

	if (text == NULL || !take_date(&in, &date))
		return false;
	if (in.at != in.end && (!take_any(&in, "Tt ") || !take_clock(&in, &of_day_us, true) ||
	    !take_offset_lax(&in, &offset_us) || in.at != in.end))
		return false;
	*wall_us_r = days_from_civil(date) * DAY_S * PL_US_PER_S + of_day_us - offset_us;
	return true;
}
