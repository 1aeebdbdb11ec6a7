/* SPDX-License-Identifier: ISC */
/*
 * Rules that read a question: words, periods, names. A word that no rule takes is refused, never passed over, so that an
 * answer is an answer to what was asked.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "svc/intent.h"

#include "clock.h"

#define WORDS_MAX 80
#define COUNT_MAX 1000
#define DAY_S 86400

const char *const intent_metrics[METRIC_COUNT] = { "", "messages", "sessions", "tokens", "cost", "feedback", "users", "rooms" };
const char *const intent_units[METRIC_COUNT] = { "", "messages", "sessions", "tokens", "USD", "votes", "users", "rooms" };
const char *const intent_dims[DIM_COUNT] = { "", "day", "week", "month", "user", "room", "model", "role" };

#define CAN_ASK "Ask for messages, sessions, tokens, cost, feedback, users or rooms; per day, week, month, user, room, model or " \
	"role; of user NAME, in room \"NAME\", with model NAME; today, yesterday, last 7 days, weeks or months, this or last week or " \
	"month, since 2026-01-31."

struct word { struct pl_str text; bool quoted; };
struct reader { struct pl_pool *pool; struct word words[WORDS_MAX]; int count, at; int64_t now_s; struct intent *out;
	struct pl_err *err; bool period_set, most, dim_next; };

struct meaning { const char *words; int value; };
static const struct meaning metrics[] = {
	{ "messages message posts", METRIC_MESSAGES }, { "sessions session conversations", METRIC_SESSIONS },
	{ "tokens token", METRIC_TOKENS }, { "cost costs spend spent spending money dollars usd", METRIC_COST },
	{ "feedback votes vote ratings", METRIC_FEEDBACK }, { "users people", METRIC_USERS }, { "rooms channels", METRIC_ROOMS },
};
static const struct meaning dims[] = {
	{ "day days date daily", DIM_DAY }, { "week weeks weekly", DIM_WEEK }, { "month months monthly", DIM_MONTH },
	{ "user users person people", DIM_USER }, { "room rooms channel", DIM_ROOM }, { "model models", DIM_MODEL },
	{ "role roles", DIM_ROLE },
};
static const char fillers[] = "a an and are at been by count did do does for from give had has have how in is list many me much "
	"number of on over please sent send show tell the their there to total used use using was we were what with write written "
	"wrote our during us made opened given gave active all";

static bool among(struct pl_str word, const char *list)
{
	for (const char *p = list; *p != '\0'; p += strcspn(p, " "), p += *p == ' ') {
		if (strcspn(p, " ") == word.len && strncasecmp(p, word.ptr, word.len) == 0)
			return true;
	}
	return false;
}

static int meaning_of(struct pl_str word, const struct meaning *table, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (among(word, table[i].words))
			return table[i].value;
	}
	return 0;
}

static bool ends_word(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == ',' || c == '?' || c == '!' || c == ';' || c == '"';
}

static bool split(struct reader *r, struct pl_str text)
{
	for (size_t i = 0; i < text.len;) {
		size_t from = i;
		bool quoted = text.ptr[i] == '"';

		if (ends_word(text.ptr[i]) && !quoted) {
			i++;
			continue;
		}
		for (i += quoted, from = i; i < text.len && (quoted ? text.ptr[i] != '"' : !ends_word(text.ptr[i]));)
			i++;
		if (r->count == WORDS_MAX)
			return false;
		r->words[r->count] = (struct word){ .text = pl_strn(text.ptr + from, i - from), .quoted = quoted };
		i += quoted && i < text.len;
		if (!quoted && r->words[r->count].text.ptr[r->words[r->count].text.len - 1] == '.')
			r->words[r->count].text.len--;
		r->count += r->words[r->count].text.len > 0;
	}
	return true;
}

static struct pl_str peek(const struct reader *r, int ahead)
{
	bool there = r->at + ahead < r->count && !r->words[r->at + ahead].quoted;

	return there ? r->words[r->at + ahead].text : PL_STR("");
}

/* ---- periods ---- */

static int64_t day_start(int64_t s)
{
	return s - s % DAY_S;
}

static int64_t week_start(int64_t s)
{
	return day_start(s) - (s / DAY_S + 3) % 7 * DAY_S;	/* 1970-01-01 was a Thursday */
}

/* Start of the month `back` months ago; keep_day: that day of it instead. */
static int64_t month_start(int64_t s, int back, bool keep_day)
{
	time_t t = s;
	struct tm tm;

	gmtime_r(&t, &tm);
	tm = (struct tm){ .tm_year = tm.tm_year, .tm_mon = tm.tm_mon - back, .tm_mday = keep_day ? tm.tm_mday : 1 };
	return timegm(&tm);
}

static void set_period(struct reader *r, int words, int64_t from_s, int64_t to_s, const char *text)
{
	r->out->from_us = from_s * PL_US_PER_S;
	r->out->to_us = to_s * PL_US_PER_S;
	snprintf(r->out->period, sizeof(r->out->period), "%s", text);
	r->period_set = true;
	r->at += words;
}

static bool read_last_n(struct reader *r, int64_t n)
{
	struct pl_str unit = peek(r, 2);
	int64_t now = r->now_s, from;
	char text[32];

	if (among(unit, "day days"))
		from = day_start(now) - (n - 1) * DAY_S;
	else if (among(unit, "week weeks"))
		from = day_start(now) - (7 * n - 1) * DAY_S;
	else if (among(unit, "month months"))
		from = month_start(now, (int)n, true);
	else
		return false;
	snprintf(text, sizeof(text), "last %d %.*s", (int)n, (int)unit.len < 8 ? (int)unit.len : 8, unit.ptr);
	set_period(r, 3, from, now + 1, text);
	return true;
}

static bool read_calendar(struct reader *r, bool last)
{
	struct pl_str unit = peek(r, 1);
	int64_t now = r->now_s, this_week = week_start(now), this_month = month_start(now, 0, false);

	if (among(unit, "week"))
		set_period(r, 2, last ? this_week - 7 * DAY_S : this_week, last ? this_week : now + 1, last ? "last week" : "this week");
	else if (among(unit, "month"))
		set_period(r, 2, last ? month_start(now, 1, false) : this_month, last ? this_month : now + 1,
		    last ? "last month" : "this month");
	else
		return false;
	return true;
}

static bool read_since(struct reader *r)
{
	struct pl_str date = peek(r, 1);
	char text[32], whole[32];
	int64_t us;

	if (date.len != 10)
		return false;
	snprintf(whole, sizeof(whole), "%.10sT00:00:00Z", date.ptr);
	snprintf(text, sizeof(text), "since %.10s", date.ptr);
	if (!pl_time_parse(whole, strlen(whole), &us) || us < 0 || us / PL_US_PER_S > r->now_s)
		return false;
	set_period(r, 2, us / PL_US_PER_S, r->now_s + 1, text);
	return true;
}

static bool read_period(struct reader *r)
{
	struct pl_str word = peek(r, 0);
	int64_t today = day_start(r->now_s), n;

	if (r->period_set)
		return false;
	if (among(word, "today"))
		set_period(r, 1, today, r->now_s + 1, "today");
	else if (among(word, "yesterday"))
		set_period(r, 1, today - DAY_S, today, "yesterday");
	else if (among(word, "last past previous"))
		return pl_str_i64(peek(r, 1), 1, COUNT_MAX, &n) ? read_last_n(r, n) : read_calendar(r, true);
	else if (among(word, "this"))
		return read_calendar(r, false);
	else
		return among(word, "since") && read_since(r);
	return true;
}

/* ---- what, per what, whose ---- */

static bool read_filter(struct reader *r)
{
	struct pl_str word = peek(r, 0), *slot = among(word, "user") ? &r->out->user : among(word, "room channel") ? &r->out->room :
	    among(word, "model") ? &r->out->model : NULL;
	const struct word *name = r->at + 1 < r->count ? &r->words[r->at + 1] : NULL;

	if (slot == NULL || name == NULL || slot->ptr != NULL || r->most)
		return false;
	if (!name->quoted && (among(name->text, fillers) || among(name->text, "last past previous this since today yesterday per each") ||
	    meaning_of(name->text, metrics, PL_COUNT(metrics)) != 0))
		return false;
	*slot = name->text;
	r->at += 2;
	return true;
}

static bool read_dim(struct reader *r)
{
	struct pl_str word = peek(r, 0);
	int dim = meaning_of(word, dims, PL_COUNT(dims));

	if (dim == 0 || r->out->dim != DIM_NONE || (!r->dim_next && !among(word, "daily weekly monthly")))
		return false;
	r->out->dim = dim;
	r->dim_next = false;
	r->at++;
	return true;
}

static bool read_metric(struct reader *r)
{
	int metric = meaning_of(peek(r, 0), metrics, PL_COUNT(metrics)), had = r->out->metric;

	if (metric == 0)
		return false;
	if (had == METRIC_NONE || had == metric) {
		r->out->metric = metric;
	} else if ((had == METRIC_USERS || had == METRIC_ROOMS) && r->out->dim == DIM_NONE && r->most) {
		r->out->dim = had == METRIC_USERS ? DIM_USER : DIM_ROOM;	/* "users with the most tokens" */
		r->out->metric = metric;
	} else if (!((had == METRIC_USERS || had == METRIC_ROOMS) && metric == METRIC_MESSAGES)) {
		return false;							/* "users who wrote messages" is about users */
	}
	r->at++;
	return true;
}

static bool read_word(struct reader *r)
{
	struct pl_str word = peek(r, 0);

	if (word.len == 0)
		return false;
	if (read_period(r))
		return true;
	if (r->dim_next || among(word, "per by each every which top across")) {
		bool opens = !r->dim_next || among(word, "per by each every which top across");
		bool ranks = among(word, "which top");
		int64_t n;

		if (opens) {
			r->dim_next = true;
			r->most = r->most || ranks;
			r->at++;
			return true;
		}
		if (pl_str_i64(word, 1, COUNT_MAX, &n))
			return r->at++, true;
		if (!r->most && read_filter(r))
			return r->dim_next = false, true;
		if (read_dim(r))
			return true;
		r->dim_next = false;
	}
	if (read_filter(r) || read_dim(r) || read_metric(r))
		return true;
	if (among(word, "who") && r->out->dim == DIM_NONE)
		r->out->dim = DIM_USER;
	else if (among(word, "my mine i"))
		r->out->mine = true;
	else if (among(word, "most highest"))
		r->most = true;
	else if (!among(word, fillers))
		return false;
	r->at++;
	return true;
}

/* What cannot be grouped or filtered so. */
static const char *misfit(const struct intent *in)
{
	bool spend = in->metric == METRIC_TOKENS || in->metric == METRIC_COST;

	if ((in->dim == DIM_MODEL || in->model.ptr != NULL) && !spend && in->metric != METRIC_SESSIONS)
		return "only tokens, cost and sessions have a model";
	if (in->dim == DIM_ROLE && !spend)
		return "only tokens and cost have a role";
	if ((in->dim == DIM_ROOM || in->room.ptr != NULL) && (in->metric == METRIC_SESSIONS || in->metric == METRIC_FEEDBACK))
		return "sessions and feedback have no room";
	if ((in->dim == DIM_USER && in->metric == METRIC_USERS) || (in->dim == DIM_ROOM && in->metric == METRIC_ROOMS))
		return "a thing cannot be counted per itself";
	return NULL;
}

bool intent_read(struct pl_pool *pool, struct pl_str question, int64_t now_us, struct intent *out, struct pl_err *err)
{
	struct reader *r = pl_alloc(pool, sizeof(*r));
	const char *why;

	*out = (struct intent){ .metric = METRIC_NONE };
	*r = (struct reader){ .pool = pool, .now_s = now_us / PL_US_PER_S, .out = out, .err = err };
	if (!split(r, question))
		return pl_err_field(err, pool, "body.query", "value_error", "too many words. %s", CAN_ASK);
	while (r->at < r->count) {
		if (!read_word(r))
			return pl_err_field(err, pool, "body.query", "value_error", "not understood from \"%.*s\" on. %s",
			    PL_FMT(r->words[r->at].text), CAN_ASK);
	}
	if (out->metric == METRIC_NONE)
		return pl_err_field(err, pool, "body.query", "value_error", "nothing to count or add up is named. %s", CAN_ASK);
	why = misfit(out);
	if (why != NULL)
		return pl_err_field(err, pool, "body.query", "value_error", "%s. %s", why, CAN_ASK);
	if (!r->period_set)
		set_period(r, 0, day_start(r->now_s) - 29 * DAY_S, r->now_s + 1, "last 30 days");
	return true;
}
