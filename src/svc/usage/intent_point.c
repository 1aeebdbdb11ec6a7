/* SPDX-License-Identifier: ISC */
/* One point or period of a question: a day, a month, a quarter, "last week", "3 days ago", "last 7 days". */
#include <stdio.h>

#include "svc/usage/intent_int.h"

static bool set(struct point *out, int used, enum unit unit, int64_t from, const char *text)
{
	out->used = used;
	out->unit = unit;
	out->from = from;
	out->to = unit_add(unit, from, 1);
	snprintf(out->text, sizeof(out->text), "%s", text);
	return true;
}

static const char *date_text(char text[11], int64_t s)
{
	struct civil c = civil_of(s);

	snprintf(text, 11, "%04u-%02u-%02u", (unsigned)c.year % 10000, (unsigned)c.month % 100, (unsigned)c.day % 100);
	return text;
}

/* ---- rolling windows, which end now ---- */

static bool set_rolling(struct point *out, int used, enum unit unit, int64_t n, int64_t now)
{
	int64_t today = unit_start(UNIT_DAY, now);

	*out = (struct point){ .used = used, .unit = unit, .rolling = true, .to = now + 1 };
	if (unit == UNIT_HOUR) {
		out->hours = (int)n;
		out->from = now - n * 3600;
	} else if (unit == UNIT_DAY || unit == UNIT_WEEK) {
		out->from = today - ((unit == UNIT_WEEK ? 7 : 1) * n - 1) * DAY_S;
	} else {
		out->from = civil_months_back(today, n * (unit == UNIT_QUARTER ? 3 : unit == UNIT_YEAR ? 12 : 1));
	}
	snprintf(out->text, sizeof(out->text), "last %d %s%s", (int)n, unit_names[unit], n == 1 ? "" : "s");
	return true;
}

/* "24h", "7d", "2w" */
static bool short_count(struct pl_str word, enum unit *unit_r, int64_t *n_r)
{
	char last = word.len > 1 ? (char)(word.ptr[word.len - 1] | 0x20) : 0;

	*unit_r = last == 'h' ? UNIT_HOUR : last == 'd' ? UNIT_DAY : last == 'w' ? UNIT_WEEK : UNIT_NONE;
	return *unit_r != UNIT_NONE && pl_str_i64(pl_strn(word.ptr, word.len - 1), 1, COUNT_MAX, n_r);
}

/* "last 7 days", "past two weeks", "past month", "last 24h" */
static bool read_rolling(const struct tokens *t, int at, int64_t now, struct point *out)
{
	struct pl_str head = token_word(t, at), next = token_word(t, at + 1);
	enum unit unit;
	int64_t n;

	if (!word_among(head, "last past previous preceding prior trailing rolling"))
		return false;
	if (short_count(next, &unit, &n))
		return set_rolling(out, 2, unit, n, now);
	if (word_count(next, &n)) {
		unit = word_unit(token_word(t, at + 2));
		if (unit == UNIT_NONE || !set_rolling(out, 3, unit, n, now))
			return false;
		out->previous = word_among(head, "previous preceding prior");
		return true;
	}
	unit = word_unit(next);
	if (word_among(head, "past") || (word_among(head, "last") && word_among(next, "hour day"))) {
		int days = unit == UNIT_WEEK ? 7 : unit == UNIT_MONTH ? 30 : unit == UNIT_QUARTER ? 90 :
		    unit == UNIT_YEAR ? 365 :
		    0;

		return unit == UNIT_HOUR ? set_rolling(out, 2, UNIT_HOUR, 1, now) : unit == UNIT_DAY ?
		    set_rolling(out, 2, UNIT_HOUR, 24, now) : days > 0 && set_rolling(out, 2, UNIT_DAY, days, now);
	}
	return false;
}

/* ---- calendar periods relative to now ---- */

static int skip_to_date(const struct tokens *t, int at)
{
	if (word_among(token_word(t, at), "so") && word_among(token_word(t, at + 1), "far"))
		return 2;
	return word_among(token_word(t, at), "to") && word_among(token_word(t, at + 1), "date") ? 2 : 0;
}

static bool set_current(struct point *out, int used, enum unit unit, int64_t now)
{
	char text[32];

	snprintf(text, sizeof(text), "this %s", unit_names[unit]);
	set(out, used, unit, unit_start(unit, now), text);
	out->current = true;
	return true;
}

static bool read_weekend(const struct tokens *t, int at, int64_t now, struct point *out)
{
	bool last = word_among(token_word(t, at), "last previous past");
	int64_t saturday = unit_start(UNIT_WEEK, now) + 5 * DAY_S;

	if (!word_among(token_word(t, at + 1), "weekend"))
		return false;
	*out = (struct point){ .used = 2, .unit = UNIT_DAY, .current = !last };
	out->from = last && civil_weekday(now) < 6 ? saturday - 7 * DAY_S : last ? saturday - 7 * DAY_S : saturday;
	out->to = out->from + 2 * DAY_S;
	snprintf(out->text, sizeof(out->text), "%s weekend", last ? "last" : "this");
	return true;
}

static bool read_around_now(const struct tokens *t, int at, int64_t now, struct point *out)
{
	static const struct { const char *word; enum unit unit; } short_forms[] = { { "ytd", UNIT_YEAR },
		{ "qtd", UNIT_QUARTER }, { "mtd", UNIT_MONTH }, { "wtd", UNIT_WEEK } };
	struct pl_str head = token_word(t, at), next = token_word(t, at + 1);
	int64_t today = unit_start(UNIT_DAY, now);
	enum unit unit = word_unit(next);
	char text[32];

	if (word_among(head, "today")) {
		set(out, 1, UNIT_DAY, today, "today");
		out->current = true;
		return true;
	}
	for (size_t i = 0; i < PL_COUNT(short_forms); i++) {
		if (pl_str_ieq(head, pl_str(short_forms[i].word)))
			return set_current(out, 1, short_forms[i].unit, now);
	}
	if (word_among(head, "yesterday")) {
		out->past = true;
		return set(out, 1, UNIT_DAY, today - DAY_S, "yesterday");
	}
	if (word_among(head, "day") && word_among(next, "before") && word_among(token_word(t, at + 2), "yesterday"))
		return set(out, 3, UNIT_DAY, today - 2 * DAY_S, "the day before yesterday");
	if (word_unit(head) >= UNIT_DAY && skip_to_date(t, at + 1) == 2 && word_among(next, "to"))
		return set_current(out, 3, word_unit(head), now);
	if (word_among(head, "this current last previous past") && read_weekend(t, at, now, out))
		return true;
	if (skip_to_date(t, at) == 2 && word_among(head, "so") && word_among(token_word(t, at + 2), "this") &&
	    word_unit(token_word(t, at + 3)) >= UNIT_DAY)
		return set_current(out, 4, word_unit(token_word(t, at + 3)), now);
	if (word_among(head, "this current") && unit >= UNIT_DAY)
		return set_current(out, 2 + skip_to_date(t, at + 2), unit, now);
	if (word_among(head, "last previous prior preceding") && unit >= UNIT_WEEK) {
		snprintf(text, sizeof(text), "last %s", unit_names[unit]);
		out->past = true;
		return set(out, 2, unit, unit_add(unit, unit_start(unit, now), -1), text);
	}
	return false;
}

/* "3 days ago", "a week ago" */
static bool read_ago(const struct tokens *t, int at, int64_t now, struct point *out)
{
	struct pl_str head = token_word(t, at);
	enum unit unit = word_unit(token_word(t, at + 1));
	char text[48];
	int64_t n = 1;

	if ((!word_among(head, "a") && !word_count(head, &n)) || unit < UNIT_DAY ||
	    !word_among(token_word(t, at + 2), "ago"))
		return false;
	snprintf(text, sizeof(text), "%s %d %s%s ago", unit == UNIT_DAY ? "the day" : "the calendar period", (int)n,
	    unit_names[unit], n == 1 ? "" : "s");
	return set(out, 3, unit, unit_add(unit, unit_start(unit, now), -n), text + (unit == UNIT_DAY ? 8 : 0));
}

/* ---- names and numbers ---- */

static bool read_year(struct pl_str word, int64_t *year_r)
{
	return word.len == 4 && pl_str_i64(word, 1970, 2199, year_r);
}

/* Returns the newest one that has begun. */
static void newest(struct point *out, int64_t now, int64_t year, int month, enum unit unit)
{
	out->from = civil_seconds(year, month, 1);
	if (out->from > now)
		out->from = civil_seconds(year - 1, month, 1);
	out->to = unit_add(unit, out->from, 1);
	out->yearless = true;
}

/* Reads a year after the tokens of a point: "2026", "of 2026". Returns the number of tokens. */
static int year_behind(const struct tokens *t, int at, int64_t *year_r)
{
	if (read_year(token_word(t, at), year_r))
		return 1;
	return word_among(token_word(t, at), "of in") && read_year(token_word(t, at + 1), year_r) ? 2 : 0;
}

/* "20", "20th", "1st" */
static bool read_day(struct pl_str word, int64_t *day_r)
{
	size_t len = word.len;

	if (len > 2 && word_among(pl_strn(word.ptr + len - 2, 2), "st nd rd th"))
		len -= 2;
	return pl_str_i64(pl_strn(word.ptr, len), 1, 31, day_r);
}

static bool set_day(struct point *out, int used, int64_t year, int month, int64_t day, bool yearless, int64_t now)
{
	char text[11];

	if (yearless && (!civil_exists(year, month, day) || civil_seconds(year, month, day) > now))
		year--;
	if (!civil_exists(year, month, day))
		return false;
	set(out, used, UNIT_DAY, civil_seconds(year, month, day), "");
	snprintf(out->text, sizeof(out->text), "%s", date_text(text, out->from));
	out->yearless = yearless;
	return true;
}

/* "October", "October 2026", "20 October", "Oct 20th, 2026" */
static bool read_month(const struct tokens *t, int at, int64_t now, struct point *out)
{
	int64_t year = civil_of(now).year, day = 0;
	int used = 0, month, years;
	bool before = read_day(token_word(t, at), &day);

	if (before)
		used = 1 + word_among(token_word(t, at + 1), "of");
	month = word_month(token_word(t, at + used++));
	if (month == 0)
		return false;
	if (!before && read_day(token_word(t, at + used), &day) && word_unit(token_word(t, at + used + 1)) == UNIT_NONE)
		used++;
	else if (!before)
		day = 0;
	years = year_behind(t, at + used, &year);
	if (day != 0)
		return set_day(out, used + years, year, month, day, years == 0, now);
	/* "may" and "march" have other meanings, too */
	if (word_among(token_word(t, at), "may march mar") && years == 0 && at > 0 &&
	    !word_before_time(token_word(t, at - 1)))
		return false;
	if (word_among(token_word(t, at), "may march mar") && years == 0 && at == 0)
		return false;
	set(out, used + years, UNIT_MONTH, civil_seconds(year, month, 1), "");
	if (years == 0)
		newest(out, now, year, month, UNIT_MONTH);
	snprintf(out->text, sizeof(out->text), "%s %d", month_names[month], (int)civil_of(out->from).year % 10000);
	return true;
}

/* "Q3", "Q3 2026", "2026 Q3", "2026-Q3", "third quarter of 2026", "H1 2026" */
static bool read_part_of_year(const struct tokens *t, int at, int64_t now, struct point *out)
{
	static const char *const ordinals[] = { "first 1st", "second 2nd", "third 3rd", "fourth 4th" };
	struct pl_str word = token_word(t, at);
	int64_t year = civil_of(now).year, part = 0;
	int used = 1, years = 0;
	enum unit unit = UNIT_NONE;

	if (word.len == 7 && (word.ptr[4] == '-' || word.ptr[4] == '/') && read_year(pl_strn(word.ptr, 4), &year)) {
		word = pl_strn(word.ptr + 5, 2);
		years = 1;
	} else if (read_year(word, &year)) {
		word = token_word(t, at + used++);
		years = 1;
	}
	if (word.len == 2 && (word.ptr[0] | 0x20) == 'q' && pl_str_i64(pl_strn(word.ptr + 1, 1), 1, 4, &part))
		unit = UNIT_QUARTER;
	else if (word.len == 2 && (word.ptr[0] | 0x20) == 'h' && pl_str_i64(pl_strn(word.ptr + 1, 1), 1, 2, &part))
		unit = UNIT_HALF;
	for (int i = 0; i < 4 && unit == UNIT_NONE && years == 0; i++) {
		if (!word_among(word, ordinals[i]))
			continue;
		part = i + 1;
		unit = word_among(token_word(t, at + 1), "quarter") ? UNIT_QUARTER : i < 2 &&
		    word_among(token_word(t, at + 1), "half") ? UNIT_HALF : UNIT_NONE;
		used = 2;
	}
	if (unit == UNIT_NONE)
		return false;
	if (years == 0)
		years = year_behind(t, at + used, &year), used += years;
	set(out, used, unit, civil_seconds(year, (part - 1) * (unit == UNIT_HALF ? 6 : 3) + 1, 1), "");
	if (years == 0)
		newest(out, now, year, (int)((part - 1) * (unit == UNIT_HALF ? 6 : 3) + 1), unit);
	snprintf(out->text, sizeof(out->text), "%s%d %d", unit == UNIT_HALF ? "H" : "Q", (int)part,
	    (int)civil_of(out->from).year % 10000);
	return true;
}

/* "2026-11-20", "2026-11", "2026" */
static bool read_numbers(const struct tokens *t, int at, int64_t now, struct point *out)
{
	struct pl_str word = token_word(t, at), before = token_word(t, at - 1);
	int64_t year, month, day;
	char text[11];

	if (word.len == 10 && word.ptr[4] == '-' && word.ptr[7] == '-')
		return read_year(pl_strn(word.ptr, 4), &year) && pl_str_i64(pl_strn(word.ptr + 5, 2), 1, 12, &month) &&
		    pl_str_i64(pl_strn(word.ptr + 8, 2), 1, 31, &day) && set_day(out, 1, year, (int)month, day, false,
		    now);
	if (word.len == 7 && word.ptr[4] == '-' && read_year(pl_strn(word.ptr, 4), &year) &&
	    pl_str_i64(pl_strn(word.ptr + 5, 2), 1, 12, &month)) {
		snprintf(text, sizeof(text), "%.4s-%02d", word.ptr, (int)month % 100);
		return set(out, 1, UNIT_MONTH, civil_seconds(year, month, 1), text);
	}
	if (read_year(word, &year) && (at == 0 || word_before_time(before) || word_among(before, "year") ||
	    word_metric(before) != METRIC_NONE || at + 1 == t->count) && word_metric(token_word(t,
	    at + 1)) == METRIC_NONE &&
	    word_dim(token_word(t, at + 1)) == DIM_NONE && !word_among(before,
	    "top most least bottom over above under below than")) {
		snprintf(text, sizeof(text), "%d", (int)year % 10000);
		return set(out, 1, UNIT_YEAR, civil_seconds(year, 1, 1), text);
	}
	return false;
}

/* "Monday", "last Monday", "this Monday" */
static bool read_weekday(const struct tokens *t, int at, int64_t now, struct point *out)
{
	bool last = word_among(token_word(t, at), "last"), this = word_among(token_word(t, at), "this");
	struct pl_str word = token_word(t, at + (last || this));
	int weekday = word_weekday(word), back = civil_weekday(now) - weekday;
	char text[11], whole[32];

	if (weekday == 0 || (word.len == 3 && !last && !this && !word_among(token_word(t, at - 1),
	    "on since until till from to "
	    "between and")))
		return false;
	if (back < 0 || (last && back == 0))
		back += this ? 0 : 7;
	set(out, 1 + (last || this), UNIT_DAY, unit_start(UNIT_DAY, now) - back * DAY_S, "");
	snprintf(whole, sizeof(whole), "%s, %s", weekday_names[weekday], date_text(text, out->from));
	snprintf(out->text, sizeof(out->text), "%s", whole);
	return true;
}

/* "last October", "last Q3": the newest one that is over; "this October": the one of this year */
static bool read_last_named(const struct tokens *t, int at, int64_t now, struct point *out)
{
	bool last = word_among(token_word(t, at), "last");
	struct point inner = { .used = 0 };
	struct civil c;

	if (!last && !word_among(token_word(t, at), "this"))
		return false;
	if (!read_month(t, at + 1, now, &inner) && !read_part_of_year(t, at + 1, now, &inner))
		return false;
	if (!inner.yearless || inner.unit == UNIT_DAY)
		return false;
	c = civil_of(inner.from);
	if (last && inner.to > now)
		c.year--;
	else if (!last)
		c.year = civil_of(now).year;
	inner.from = civil_seconds(c.year, c.month, 1);
	inner.to = unit_add(inner.unit, inner.from, 1);
	inner.used++;
	if (inner.unit == UNIT_MONTH)
		snprintf(inner.text, sizeof(inner.text), "%s %d", month_names[c.month], (int)c.year % 10000);
	else
		snprintf(inner.text + 3, sizeof(inner.text) - 3, "%d", (int)c.year % 10000);
	*out = inner;
	return true;
}

bool point_read(const struct tokens *t, int at, int64_t now, struct point *out)
{
	*out = (struct point){ .used = 0 };
	return read_rolling(t, at, now, out) || read_around_now(t, at, now, out) || read_ago(t, at, now, out) ||
	    read_last_named(t, at, now, out) || read_weekday(t, at, now, out) || read_part_of_year(t, at, now, out) ||
	    read_month(t, at, now, out) || read_numbers(t, at, now, out);
}
