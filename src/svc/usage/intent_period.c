/* SPDX-License-Identifier: ISC */
/* Periods of a question: single points, ranges, since, until, all time; and the period that it is compared with. */
#include <stdio.h>

#include "svc/usage/intent_int.h"

#include "clock.h"

struct reading {
	struct pl_pool *pool;
	struct tokens *t;
	struct intent_now now;
	struct periods *out;
	bool compares;			/* "compare" is one of the words */
	bool changes;			/* "up", "grow", or a similar word is */
};

static void set_text(struct intent_period *p, const char *text)
{
	snprintf(p->text, sizeof(p->text), "%s", text);
}

/* A period that would end later ends now. */
static void clip(struct intent_period *p, struct intent_now now)
{
	if (p->to_s <= now.local_s)
		return;
	p->open = p->to_s > now.local_s + 1;
	p->to_s = now.local_s + 1;
	p->to_exact = true;
	p->to_us = (now.utc_us / PL_US_PER_S + 1) * PL_US_PER_S;
}

static struct intent_period of_point(const struct point *point, struct intent_now now)
{
	struct intent_period p = { .from_s = point->from, .to_s = point->to };

	set_text(&p, point->text);
	if (point->hours > 0) {
		p.from_exact = true;
		p.from_us = (now.utc_us / PL_US_PER_S - point->hours * 3600) * PL_US_PER_S;
	}
	clip(&p, now);
	return p;
}

/* Moves a point without a year to the year of the other end of its range. */
static void move_years(struct point *p, int64_t years)
{
	struct civil c = civil_of(p->from);
	int64_t len = (p->to - p->from) / DAY_S;

	p->from = civil_seconds(c.year + years, c.month, c.day);
	p->to = p->unit == UNIT_DAY ? p->from + len * DAY_S : unit_add(p->unit, p->from, 1);
	if (p->unit == UNIT_DAY)
		snprintf(p->text, sizeof(p->text), "%04d-%02d-%02d", (int)(c.year + years) % 10000, c.month % 100,
		    c.day % 100);
	else if (p->unit == UNIT_MONTH)
		snprintf(p->text, sizeof(p->text), "%s %d", month_names[c.month], (int)(c.year + years) % 10000);
	else
		snprintf(p->text + 3, sizeof(p->text) - 3, "%d", (int)(c.year + years) % 10000);
}

static bool range_joint(const struct reading *r, int at, bool between)
{
	struct pl_str word = token_word(r->t, at);

	return between ? word_among(word, "and") : word_among(word, "to until till through - – — ..");
}

/* "between A and B", "from A to B", "A to B". Returns the number of tokens, 0: not a range. */
static int read_range(struct reading *r, int at, struct intent_period *p, struct point *first)
{
	bool between = word_among(token_word(r->t, at), "between"), from = word_among(token_word(r->t, at), "from");
	int start = at + (between || from), joint;
	struct point a, b;
	char text[64];

	if (!point_read(r->t, start, r->now.local_s, &a) || a.rolling || !range_joint(r, start + a.used, between))
		return 0;
	joint = start + a.used;
	if (word_among(token_word(r->t, joint + 1), "now")) {
		b = (struct point){ .used = 1, .from = r->now.local_s, .to = r->now.local_s + 1, .text = "now" };
	} else if (!point_read(r->t, joint + 1, r->now.local_s, &b) || b.rolling) {
		return 0;
	}
	if (!from && (r->compares || (!between && a.from > b.from)))
		return 0;		/* "compare this week to last week" */
	if (a.yearless && !b.yearless)
		move_years(&a, civil_of(b.from).year - civil_of(a.from).year);
	if (a.yearless && a.from > b.from)
		move_years(&a, -1);
	if (a.from > b.from || a.to > b.to) {
		r->out->why = "the range ends before it begins";
		r->out->where = token_word(r->t, start);
	}
	snprintf(text, sizeof(text), "%.28s to %.28s", a.text, b.text);
	*p = (struct intent_period){ .from_s = a.from, .to_s = b.to };
	set_text(p, text);
	clip(p, r->now);
	*first = a;
	return joint + 1 + b.used - at;
}

/* "since A", "until A", "before A", "after A", "all time" */
static int read_half_open(struct reading *r, int at, struct intent_period *p, struct point *point)
{
	struct pl_str head = token_word(r->t, at);
	char text[64];

	if ((word_among(head, "all") && word_among(token_word(r->t, at + 1), "time")) || word_among(head, "ever")) {
		*p = (struct intent_period){ .from_s = 0, .to_s = r->now.local_s + 2 };
		set_text(p, "all time");
		clip(p, r->now);
		p->open = false;
		return word_among(head, "ever") ? 1 : 2;
	}
	if (!word_among(head, "since until till before after through from") ||
	    !point_read(r->t, at + 1, r->now.local_s, point) || point->rolling)
		return 0;
	if (word_among(head, "from") && (point->current || point->past || r->changes || r->out->count > 0))
		return 0;	/* "messages from yesterday" are of that day only; "up from October" compares */
	*p = (struct intent_period){ .from_s = 0, .to_s = r->now.local_s + 2 };
	if (word_among(head, "since from after"))
		p->from_s = word_among(head, "after") ? point->to : point->from;
	else
		p->to_s = word_among(head, "before") ? point->from : point->to;
	snprintf(text, sizeof(text), "%s %.50s", word_among(head, "till through") ? "until" :
	    word_among(head, "from") ? "since" : pl_str_c(r->pool, head), point->text);
	for (char *c = text; *c != ' '; c++)
		*c = (char)(*c | 0x20);
	set_text(p, text);
	clip(p, r->now);
	p->open = p->open && word_among(head, "until till through");
	return 1 + point->used;
}

static bool stands_before(const struct reading *r, int at)
{
	struct pl_str word = token_word(r->t, at - 1);

	while (word_among(word, "the in on during to with of for")) {
		at--;
		word = token_word(r->t, at - 1);
	}
	return word_among(word, "than vs versus against compared from");
}

/* "the week before", "the 7 days before" next to another period. Returns the number of tokens. */
static int read_before(const struct reading *r, int at, struct intent_period *p, struct point *point)
{
	const struct periods *have = r->out;
	int64_t n = 1;
	int used = word_count(token_word(r->t, at), &n), days;
	enum unit unit = word_unit(token_word(r->t, at + used));

	if (have->count != 1 || unit < UNIT_DAY || !word_among(token_word(r->t, at + used + 1),
	    "before previously prior"))
		return 0;
	days = (int)((have->list[0].to_s - 1 - have->list[0].from_s) / DAY_S) + 1;
	if (used > 0 ? !have->point[0].rolling || n * (unit == UNIT_WEEK ? 7 : 1) != days || unit > UNIT_WEEK :
	    have->point[0].unit != unit || have->point[0].rolling)
		return 0;
	period_before(&have->point[0], &have->list[0], r->now, p);
	*point = (struct point){ .used = used + 2 };
	return used + 2;
}

/* "since the beginning of the year" */
static int read_beginning(const struct reading *r, int at, struct intent_period *p)
{
	int i = at + 1;
	enum unit unit;

	if (!word_among(token_word(r->t, at), "since from"))
		return 0;
	i += word_among(token_word(r->t, i), "the");
	if (!word_among(token_word(r->t, i), "beginning start") || !word_among(token_word(r->t, i + 1), "of"))
		return 0;
	i += 2 + word_among(token_word(r->t, i + 2), "the this");
	unit = word_unit(token_word(r->t, i));
	if (unit < UNIT_DAY)
		return 0;
	*p = (struct intent_period){ .from_s = unit_start(unit, r->now.local_s), .to_s = r->now.local_s + 2 };
	snprintf(p->text, sizeof(p->text), "since the beginning of the %s", unit_names[unit]);
	clip(p, r->now);
	p->open = false;
	return i + 1 - at;
}

static int read_one(struct reading *r, int at, struct intent_period *p, struct point *point)
{
	int used = read_beginning(r, at, p);

	*point = (struct point){ .used = used };
	if (used > 0)
		return used;
	used = read_before(r, at, p, point);
	if (used > 0)
		return used;
	used = read_range(r, at, p, point);

	if (used > 0) {
		point->rolling = point->current = point->past = false;
		return used;
	}
	used = read_half_open(r, at, p, point);
	if (used > 0) {
		*point = (struct point){ .used = used };
		return used;
	}
	if (!point_read(r->t, at, r->now.local_s, point))
		return 0;
	*p = of_point(point, r->now);
	return point->used;
}

void periods_read(struct pl_pool *pool, struct tokens *tokens, struct intent_now now, struct periods *out)
{
	struct reading r = { .pool = pool, .t = tokens, .now = now, .out = out };
	struct intent_period p;
	struct point point;

	*out = (struct periods){ .count = 0 };
	for (int at = 0; at < tokens->count; at++) {
		struct pl_str word = token_word(tokens, at);

		r.compares = r.compares || word_among(word,
		    "compare compares compared comparing comparison difference");
		r.changes = r.changes || r.compares || word_among(word, CHANGE_WORDS " vs versus against different");
	}
	for (int at = 0, used; at < tokens->count && out->why == NULL; at += used > 0 ? used : 1) {
		used = tokens->list[at].kind == TOKEN_WORD ? read_one(&r, at, &p, &point) : 0;
		if (used == 0)
			continue;
		out->where = tokens->list[at].text;
		if (out->count == PERIODS_MAX) {
			out->why = "there are more than two periods";
		} else if (out->why == NULL && p.from_s > now.local_s) {
			out->why = "that period has not begun yet";
		} else if (out->why == NULL && p.from_s >= p.to_s) {
			out->why = "the period is empty";
		} else if (out->why == NULL) {
			out->than[out->count] = stands_before(&r, at);
			out->at[out->count] = at;
			out->point[out->count] = point;
			out->list[out->count++] = p;
			tokens_take(tokens, at, used, TOKEN_PERIOD);
		}
	}
}

void period_last_days(struct intent_now now, int days, struct intent_period *out)
{
	struct point point = { .from = unit_start(UNIT_DAY, now.local_s) - (int64_t)(days - 1) * DAY_S,
		.to = now.local_s + 1 };

	snprintf(point.text, sizeof(point.text), "last %d days", days);
	*out = of_point(&point, now);
}

void period_before(const struct point *point, const struct intent_period *period, struct intent_now now,
    struct intent_period *out)
{
	char text[64];

	*out = (struct intent_period){ .to_s = period->from_s };
	out->from_s = period->from_s - (period->to_s - period->from_s);
	if (point->hours > 0) {
		out->from_exact = out->to_exact = true;
		out->to_us = period->from_us;
		out->from_us = period->from_us - point->hours * 3600 * PL_US_PER_S;
		snprintf(text, sizeof(text), "the %d hours before", point->hours);
	} else if (point->unit != UNIT_NONE && !point->rolling) {
		out->from_s = unit_add(point->unit, period->from_s, -1);
		if (period->open && out->from_s + (now.local_s + 1 - period->from_s) < out->to_s) {
			out->to_s = out->from_s + (now.local_s + 1 - period->from_s);
			snprintf(text, sizeof(text), "the %s before, up to the same moment", unit_names[point->unit]);
		} else {
			snprintf(text, sizeof(text), "the %s before", unit_names[point->unit]);
		}
	} else {
		int64_t days = (period->to_s - 1 - period->from_s) / DAY_S + 1;

		out->from_s = period->from_s - days * DAY_S;
		out->to_s = out->from_s + (period->to_s - period->from_s);
		snprintf(text, sizeof(text), "the %d day%s before", (int)days, days == 1 ? "" : "s");
		if (out->to_s < period->from_s)
			snprintf(text, sizeof(text), "the %d days before, up to the same moment", (int)days);
	}
	set_text(out, text);
}

bool period_current(const struct point *point, struct intent_now now, struct intent_period *out)
{
	struct point current = { .unit = point->unit };

	if (!point->past)
		return false;
	current.from = unit_start(point->unit, now.local_s);
	current.to = unit_add(point->unit, current.from, 1);
	snprintf(current.text, sizeof(current.text), "%s%s", point->unit == UNIT_DAY ? "today" : "this ",
	    point->unit == UNIT_DAY ? "" : unit_names[point->unit]);
	*out = of_point(&current, now);
	return true;
}

bool intent_is_partial(const struct intent_period *period, enum intent_dim step, int64_t start_s)
{
	enum unit unit = step == DIM_HOUR ? UNIT_HOUR : step == DIM_DAY ? UNIT_DAY :
	    step == DIM_WEEK ? UNIT_WEEK : step == DIM_MONTH ? UNIT_MONTH :
	    step == DIM_QUARTER ? UNIT_QUARTER : UNIT_YEAR;

	return start_s < period->from_s || unit_add(unit, start_s, 1) > period->to_s;
}
