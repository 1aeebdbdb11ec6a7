/* SPDX-License-Identifier: ISC */
/*
 * Rules that read a question: words, periods, names. A word that no rule takes is refused, never passed over, so that
 * an answer is an answer to what was asked.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "svc/usage/intent.h"

#include "clock.h"

/* The words of an intent as clients and the database have them. */
const char *const intent_metrics[METRIC_COUNT] = { "", "messages", "sessions", "tokens", "cost", "feedback", "users",
	"rooms" };
const char *const intent_units[METRIC_COUNT] = { "", "messages", "sessions", "tokens", "USD", "votes", "users",
	"rooms" };
const char *const intent_dims[DIM_COUNT] = { "", "day", "week", "month", "user", "room", "model", "role" };
const char *const intent_orders[ORDER_COUNT] = { "", "most", "least" };

#define WORDS_MAX 80
#define COUNT_MAX 1000
#define DAY_S 86400

#define CAN_ASK "Ask for messages, sessions, tokens, cost, feedback, users or rooms; per day, week, month, user, " \
	"room, model or role, or two of these; the most, the fewest, top 5; of user NAME, in room \"NAME\", with " \
	"model NAME; today, yesterday, last 7 days, weeks or months, this or last week or month, since 2026-01-31."

#define NO_DIM "what to group by is missing"

struct word { struct pl_str text; bool quoted; };
struct reader {
	struct pl_pool *pool;
	struct word words[WORDS_MAX];
	int count, at;
	int64_t now_s;
	struct intent *out;
	bool period_set;
	bool dim_next;		/* after "per", "top" and their kin: what to group by is to come */
	bool dim_maybe;		/* after a dimension and "and": another one may come */
	bool by;		/* "by" was the word before: a metric after it is what is ranked by */
	bool active;		/* "active": of what is ranked, those with the most messages */
	bool ranks;		/* "which", "top", "most" were read: "users with the most tokens" is about users */
	bool no_name;		/* it is a kind of things, never the name of one: "each user" */
	bool top_next;		/* it is what "top 5" counts */
	int top_dim;		/* index + 1 of that one */
	int dim_end;		/* where the words of the newest dimension ended */
	const char *why;	/* a sentence for what is wrong with this word; NULL: it is not understood */
};

struct meaning { const char *words; int value; };
static const struct meaning metrics[] = {
	{ "messages message posts", METRIC_MESSAGES }, { "sessions session conversations", METRIC_SESSIONS },
	{ "tokens token", METRIC_TOKENS }, { "cost costs spend spent spending money dollars usd", METRIC_COST },
	{ "feedback votes vote ratings", METRIC_FEEDBACK }, { "users people", METRIC_USERS },
	    { "rooms channels", METRIC_ROOMS },
};
static const struct meaning dims[] = {
	{ "day days date daily", DIM_DAY }, { "week weeks weekly", DIM_WEEK }, { "month months monthly", DIM_MONTH },
	{ "user users person people developer developers", DIM_USER }, { "room rooms channel", DIM_ROOM },
	    { "model models", DIM_MODEL },
	{ "role roles", DIM_ROLE },
};
static const char fillers[] =
    "a an and are at been by count did do does for from give had has have how in is list many me much "
	"number of on over please sent send show tell the their there to total used use using was we were what with "
	    "write written "
	"wrote our during us made opened given gave all compare";

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
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == ',' || c == '?' || c == '!' || c == ';' ||
	    c == '"';
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
		set_period(r, 2, last ? this_week - 7 * DAY_S : this_week, last ? this_week : now + 1,
		    last ? "last week" : "this week");
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

static bool dim_word(struct pl_str word)
{
	return meaning_of(word, dims, PL_COUNT(dims)) != DIM_NONE;
}

static bool has_dim(const struct intent *in, enum intent_dim dim)
{
	for (int i = 0; i < in->dim_count; i++) {
		if (in->dims[i] == dim)
			return true;
	}
	return false;
}

static bool read_filter(struct reader *r)
{
	struct pl_str word = peek(r, 0), *slot = among(word, "user developer") ? &r->out->user : among(word,
	    "room channel") ? &r->out->room : among(word, "model") ? &r->out->model : NULL;
	const struct word *name = r->at + 1 < r->count ? &r->words[r->at + 1] : NULL;

	if (slot == NULL || name == NULL || slot->ptr != NULL)
		return false;
	if (!name->quoted && (among(name->text, fillers) || among(name->text,
	    "last past previous this since today yesterday per each top most highest least fewest lowest") ||
	    meaning_of(name->text, metrics, PL_COUNT(metrics)) != 0))
		return false;
	*slot = name->text;
	r->at += 2;
	return true;
}

static bool add_dim(struct reader *r, enum intent_dim dim)
{
	struct intent *out = r->out;

	if (has_dim(out, dim)) {
		r->why = "the same is named twice";
	} else if (out->dim_count == INTENT_DIMS_MAX) {
		r->why = "a question groups by at most two things";
	} else if (out->dim_count > 0 && intent_is_time(dim) && intent_is_time(out->dims[0])) {
		r->why = "a question has one step of time: day, week or month";
	} else {
		out->dims[out->dim_count++] = dim;
		return true;
	}
	return false;
}

static bool read_dim(struct reader *r)
{
	struct pl_str word = peek(r, 0);
	int dim = meaning_of(word, dims, PL_COUNT(dims));

	if (dim == DIM_NONE || (!r->dim_next && !r->dim_maybe && !among(word, "daily weekly monthly")) ||
	    !add_dim(r, dim))
		return false;
	if (r->top_next)
		r->top_dim = r->out->dim_count;
	else if (r->dim_maybe)
		r->top_dim = 0;		/* "top 5 users and rooms": 5 pairs */
	r->dim_next = r->dim_maybe = r->top_next = false;
	r->dim_end = ++r->at;
	return true;
}

static bool read_metric(struct reader *r)
{
	int metric = meaning_of(peek(r, 0), metrics, PL_COUNT(metrics)), had = r->out->metric;
	enum intent_dim things = had == METRIC_USERS ? DIM_USER : had == METRIC_ROOMS ? DIM_ROOM : DIM_NONE;

	if (metric == METRIC_NONE)
		return false;
	if (r->dim_next && !(r->by && (r->out->dim_count > 0 || things != DIM_NONE)) &&
	    !(r->top_next && r->out->top == 0)) {
		r->why = NO_DIM;
		return false;
	}
	if (had == METRIC_NONE || had == metric) {
		r->out->metric = metric;
	} else if (things != DIM_NONE && (r->ranks || r->by)) {
		/* "users with the most tokens", "rooms by cost" */
		if (!has_dim(r->out, things) && !add_dim(r, things))
			return false;
		r->out->metric = metric;
	} else if (things == DIM_NONE || metric != METRIC_MESSAGES) {
		return false;						/* "users who wrote messages" is about users */
	}
	r->dim_next = r->top_next = r->by = false;
	r->at++;
	return true;
}

/* "the most expensive models", "the most active users": what is ranked by, and its dimension may come behind. */
static bool read_adjective(struct reader *r)
{
	struct pl_str word = peek(r, 0);

	if (among(word, "active")) {
		r->active = true;
	} else if (among(word, "expensive costly") && r->out->order != ORDER_NONE &&
	    (r->out->metric == METRIC_NONE || r->out->metric == METRIC_COST)) {
		r->out->metric = METRIC_COST;
	} else {
		return false;
	}
	if (r->out->order != ORDER_NONE && !r->dim_next) {
		r->dim_maybe = true;
		r->no_name = true;
	}
	r->at++;
	return true;
}

/* "most", "top 5", "lowest 3": the number and what it counts come next. */
static bool read_rank(struct reader *r)
{
	struct pl_str word = peek(r, 0);
	enum intent_order order = among(word, "top most highest biggest largest") ? ORDER_MOST :
	    among(word, "bottom least fewest lowest smallest") ? ORDER_LEAST : ORDER_NONE;
	int64_t n;

	if (order == ORDER_NONE)
		return false;
	if (r->out->order != ORDER_NONE && r->out->order != order) {
		r->why = "both the most and the least are asked for";
		return false;
	}
	r->out->order = order;
	r->ranks = true;
	r->at++;
	if (pl_str_i64(peek(r, 0), 1, COUNT_MAX, &n)) {
		if (r->out->top != 0) {
			r->why = "there are two numbers of rows";
			return false;
		}
		r->out->top = (int)n;
		r->at++;
	}
	if (among(word, "top bottom") || (r->out->top != 0 && dim_word(peek(r, 0))))
		r->top_next = r->dim_next = r->no_name = true;
	return true;
}

/* "the 5 users with the most tokens", "the 5 most expensive models" */
static bool read_count(struct reader *r)
{
	struct pl_str next = peek(r, 1);
	int64_t n;

	if (!pl_str_i64(peek(r, 0), 1, COUNT_MAX, &n) || r->out->top != 0 ||
	    !(among(next, "most least highest lowest") || (dim_word(next) &&
	    !intent_is_time(meaning_of(next, dims, PL_COUNT(dims))))))
		return false;
	r->out->top = (int)n;
	r->ranks = r->top_next = r->dim_next = r->no_name = true;
	r->at++;
	return true;
}

/* What follows "per" and its kin; a word that is none of it ends the waiting. */
static bool read_grouping(struct reader *r)
{
	if (among(peek(r, 0), "per by each every which across")) {
		r->ranks = r->ranks || among(peek(r, 0), "which");
		r->by = among(peek(r, 0), "by");
		r->no_name = !r->by;
		r->top_next = false;
		r->dim_next = true;
		r->at++;
		return true;
	}
	if (r->at > 0 && r->at == r->dim_end && among(peek(r, 0), "and")) {
		r->dim_maybe = true;
		r->no_name = false;
		r->at++;
		return true;
	}
	if (!r->dim_next && !r->dim_maybe)
		return false;
	if ((!r->no_name && read_filter(r)) || read_dim(r)) {
		r->dim_next = r->dim_maybe = r->top_next = r->by = false;
		return true;
	}
	r->dim_maybe = false;
	return false;
}

static bool read_word(struct reader *r)
{
	struct pl_str word = peek(r, 0);

	if (word.len == 0)
		return false;
	if (read_period(r) || read_rank(r) || (r->why == NULL &&
	    (read_count(r) || read_adjective(r) || read_grouping(r))))
		return true;
	if (r->why == NULL && ((!r->dim_next && (read_filter(r) || read_dim(r))) || (r->why == NULL && read_metric(r))))
		return true;
	if (r->why != NULL)
		return false;
	if (among(word, "who") && !has_dim(r->out, DIM_USER))
		(void)add_dim(r, DIM_USER);
	else if (among(word, "my mine i"))
		r->out->mine = true;
	else if (!among(word, fillers))
		return false;
	r->at++;
	return r->why == NULL;
}

/* "the most active rooms": rooms by messages. */
static void rank_active(struct reader *r)
{
	struct intent *in = r->out;
	enum intent_dim dim = in->metric == METRIC_USERS ? DIM_USER : in->metric == METRIC_ROOMS ? DIM_ROOM : DIM_NONE;

	if (!r->active || in->order == ORDER_NONE)
		return;
	if (in->metric == METRIC_NONE || (dim != DIM_NONE && !has_dim(in, dim) && add_dim(r, dim)))
		in->metric = METRIC_MESSAGES;
}

/* What cannot be grouped, filtered or ranked so. */
static const char *misfit(const struct reader *r)
{
	const struct intent *in = r->out;
	bool spend = in->metric == METRIC_TOKENS || in->metric == METRIC_COST;

	if (in->metric == METRIC_NONE)
		return "nothing to count or add up is named";
	if (r->dim_next)
		return NO_DIM;
	if ((has_dim(in, DIM_MODEL) || in->model.ptr != NULL) && !spend && in->metric != METRIC_SESSIONS)
		return "only tokens, cost and sessions have a model";
	if (has_dim(in, DIM_ROLE) && !spend)
		return "only tokens and cost have a role";
	if ((has_dim(in, DIM_ROOM) || in->room.ptr != NULL) && (in->metric == METRIC_SESSIONS ||
	    in->metric == METRIC_FEEDBACK))
		return "sessions and feedback have no room";
	if ((has_dim(in, DIM_USER) && in->metric == METRIC_USERS) ||
	    (has_dim(in, DIM_ROOM) && in->metric == METRIC_ROOMS))
		return "a thing cannot be counted per itself";
	if ((in->order != ORDER_NONE || in->top != 0) && in->dim_count == 0)
		return "the most or the fewest of what is not said: say per user, per day or the like";
	if (in->top != 0 && in->order == ORDER_NONE)
		return "a number of rows needs the most or the fewest of something";
	return NULL;
}

const char *intent_private(const struct intent *in)
{
	if (in->mine)
		return "Questions about \"my\" data require a token.";
	if (in->user.ptr != NULL || in->room.ptr != NULL || has_dim(in, DIM_USER) || has_dim(in, DIM_ROOM) ||
	    has_dim(in, DIM_ROLE))
		return "Questions by user, room, or role require a token.";
	return NULL;
}

bool intent_read(struct pl_pool *pool, struct pl_str question, int64_t now_us, struct intent *out, struct pl_err *err)
{
	struct reader *r = pl_alloc(pool, sizeof(*r));

	*out = (struct intent){ .metric = METRIC_NONE };
	*r = (struct reader){ .pool = pool, .now_s = now_us / PL_US_PER_S, .out = out };
	if (!split(r, question))
		return pl_err_field(err, pool, "body.query", "value_error", "too many words. %s", CAN_ASK);
	while (r->at < r->count) {
		int at = r->at;

		if (!read_word(r) && r->why == NULL)
			return pl_err_field(err, pool, "body.query", "value_error",
			    "not understood from \"%.*s\" on. %s", PL_FMT(r->words[at].text), CAN_ASK);
		if (r->why != NULL)
			return pl_err_field(err, pool, "body.query", "value_error", "%s, at \"%.*s\". %s", r->why,
			    PL_FMT(r->words[at].text), CAN_ASK);
	}
	rank_active(r);
	r->why = misfit(r);
	if (r->why != NULL)
		return pl_err_field(err, pool, "body.query", "value_error", "%s. %s", r->why, CAN_ASK);
	if (out->top != 0 && out->dim_count == INTENT_DIMS_MAX && r->top_dim != 0)
		out->each = INTENT_DIMS_MAX + 1 - r->top_dim;
	if (!r->period_set)
		set_period(r, 0, day_start(r->now_s) - 29 * DAY_S, r->now_s + 1, "last 30 days");
	return true;
}
