/* SPDX-License-Identifier: ISC */
/*
 * Combines the words of a question: defaults, periods, thresholds, and trends; and refuses combinations that have no
 * answer.
 */
#include "svc/usage/intent_int.h"

#define HOURS_DAYS_MAX 7

bool intent_has_dim(const struct intent *in, enum intent_dim dim)
{
	for (int i = 0; i < in->dim_count; i++) {
		if (in->dims[i] == dim)
			return true;
	}
	return false;
}

bool intent_add_dim(struct reader *r, enum intent_dim dim)
{
	struct intent *out = r->out;

	if (intent_has_dim(out, dim)) {
		r->why = "the same thing is named twice";
	} else if (out->dim_count == INTENT_DIMS_MAX) {
		r->why = "a question groups by at most two things";
	} else if (out->dim_count > 0 && (intent_is_time(dim) || intent_is_cycle(dim)) &&
	    (intent_is_time(out->dims[0]) || intent_is_cycle(out->dims[0]))) {
		r->why = "a question has one step of time: hour, day, week, month, quarter, year, hour of the day, or "
		    "weekday";
	} else {
		out->dims[out->dim_count++] = dim;
		return true;
	}
	return false;
}

bool intent_averages(const struct intent *in)
{
	return in->agg == AGG_AVERAGE || in->agg == AGG_MEDIAN;
}

/* "the most active rooms": rooms by messages; "top users", "most used models": by a metric that fits them. */
static void rank_by_default(struct reader *r)
{
	struct intent *in = r->out;
	enum intent_dim dim = in->metric == METRIC_USERS ? DIM_USER : in->metric == METRIC_ROOMS ? DIM_ROOM : DIM_NONE;
	bool tokens = intent_has_dim(in, DIM_MODEL) || intent_has_dim(in, DIM_ROLE) || (r->used && in->run_count > 0);
	bool things = false;

	for (int i = 0; i < in->dim_count; i++)
		things = things || !(intent_is_time(in->dims[i]) || intent_is_cycle(in->dims[i]));
	if (in->order == ORDER_NONE && r->used && in->metric == METRIC_NONE && things)
		in->metric = METRIC_TOKENS;
	if (in->order == ORDER_NONE)
		return;
	if (r->active) {
		if (in->metric == METRIC_NONE || (dim != DIM_NONE && !intent_has_dim(in, dim) && intent_add_dim(r,
		    dim)))
			in->metric = METRIC_MESSAGES;
	} else if (in->metric == METRIC_NONE && things) {
		in->metric = tokens ? METRIC_TOKENS : METRIC_MESSAGES;
	} else if (r->default_metric && dim != DIM_NONE && in->dim_count == 0 && intent_add_dim(r, dim)) {
		in->metric = METRIC_MESSAGES;
	}
}

static void finish_limit(struct reader *r)
{
	struct intent *in = r->out;

	if (r->limit.count == 0)
		return;
	if (r->limit.count > 1)
		r->why = "there is more than one threshold";
	else if (r->limit.money && in->metric == METRIC_USERS && !intent_has_dim(in, DIM_USER) && intent_add_dim(r,
	    DIM_USER))
		in->metric = METRIC_COST;
	else if (r->limit.money && in->metric == METRIC_NONE)
		in->metric = METRIC_COST;
	else if (r->limit.money && in->metric != METRIC_COST)
		r->why = "that is not measured in dollars";
	in->limit = r->limit.limit;
	in->bound = r->limit.bound;
	if (in->dim_count == 0 && r->why == NULL)
		r->why = "a threshold needs groups: write, for example, users with more than, or days with more than";
}

static void finish_periods(struct reader *r, const struct periods *periods, struct intent_now now)
{
	struct intent *in = r->out;
	struct intent_period other;

	if (periods->count == 0) {
		struct point none = { .unit = UNIT_NONE };

		period_last_days(now, 30, &in->period);
		in->assumed = true;
		in->compares = r->changes;
		period_before(&none, &in->period, now, &in->before);
		if (r->changes && r->compares)
			r->why = "the period to compare with is missing";
		return;
	}
	in->period = periods->list[0];
	if (periods->count == 2) {
		other = periods->list[1];
		in->compares = true;
		if (!r->compares && !r->changes && !periods->than[1] && !word_among(token_word(&r->tokens,
		    periods->at[1] - 1), "and"))
			r->why = "there are two periods: write this week vs last week, or between A and B";
		if (periods->point[1].previous && !periods->point[0].previous)
			period_before(&periods->point[0], &in->period, now, &other);
		if (other.from_s == in->period.from_s && other.to_s == in->period.to_s)
			r->why = "both periods are the same";
	} else if (periods->than[0] && r->changes && r->compares) {
		in->compares = true;
		other = periods->list[0];
		if (!period_current(&periods->point[0], now, &in->period))
			r->why = "the period to compare with that one is missing";
	} else if (r->changes) {
		in->compares = true;
		period_before(&periods->point[0], &in->period, now, &other);
		if (in->period.from_s <= 0)
			r->why = "there is no earlier period to compare with";
	} else {
		return;
	}
	in->before = other;
	if (other.from_s > in->period.from_s || (other.from_s == in->period.from_s && other.to_s > in->period.to_s)) {
		in->before = in->period;
		in->period = other;
	}
}

/* A trend needs steps of time: as many as can be shown. */
static void finish_trend(struct reader *r)
{
	struct intent *in = r->out;
	int64_t days = (in->period.to_s - in->period.from_s) / DAY_S;

	for (int i = 0; r->trend && i < in->dim_count; i++)
		if (intent_is_time(in->dims[i]) || intent_is_cycle(in->dims[i]))
			return;
	if (r->trend)
		(void)intent_add_dim(r, days <= 31 ? DIM_DAY : days <= 190 ? DIM_WEEK : days <= 1100 ? DIM_MONTH :
		    DIM_YEAR);
}

void intent_finish(struct reader *r, const struct periods *periods, struct intent_now now)
{
	rank_by_default(r);
	finish_limit(r);
	if (r->why != NULL)
		return;
	finish_periods(r, periods, now);
	finish_trend(r);
}

/* ---- misfits ---- */

static bool compares_steps(const struct intent *in)
{
	for (int i = 0; in->compares && i < in->dim_count; i++)
		if (intent_is_time(in->dims[i]))
			return true;
	return false;
}

static const char *misfit_of_aggregate(const struct intent *in)
{
	bool rate = in->metric == METRIC_ERROR_RATE || in->metric == METRIC_ACCEPTANCE;
	bool counted = in->metric == METRIC_USERS || in->metric == METRIC_ROOMS;

	if (intent_averages(in) && !rate && in->unit == DIM_NONE)
		return "the question does not say what the average is over: write, for example, per session, per "
		    "user, or per day";
	if (in->unit == DIM_SESSION && in->metric != METRIC_TOKENS && in->metric != METRIC_COST &&
	    in->metric != METRIC_ERRORS)
		return "only tokens, cost, and errors can be averaged per session";
	if (in->unit != DIM_NONE && intent_has_dim(in, in->unit))
		return "an average per thing cannot be grouped by the same thing";
	if (in->unit == DIM_HOUR || intent_is_cycle(in->unit))
		return "an average per hour or weekday is not supported: write average per day, or per hour of the day";
	if (intent_is_time(in->unit) && (intent_has_dim(in, DIM_HOUR_OF_DAY) || intent_has_dim(in, DIM_WEEKDAY)))
		return "an average per step of time cannot be grouped by hours of the day or weekdays";
	if (intent_is_time(in->unit) && in->dim_count > 0 && intent_is_time(in->dims[0]) && in->dims[0] <= in->unit)
		return "an average per step of time needs longer steps to group by";
	if (intent_is_time(in->unit) && in->dim_count > 1 && intent_is_time(in->dims[1]) && in->dims[1] <= in->unit)
		return "an average per step of time needs longer steps to group by";
	if (intent_is_time(in->unit) && in->period.from_s == 0)
		return "an average per step of time needs a period with a beginning";
	if (in->agg == AGG_SHARE && (rate || counted))
		return "a share can be of messages, sessions, tokens, cost, feedback, or errors";
	if (in->agg == AGG_SHARE && in->dim_count == 0 && in->run_count == 0)
		return "the question does not say what the share is by: write, for example, share by model or share "
		    "by user";
	if (in->agg == AGG_SHARE && in->limit != LIMIT_NONE)
		return "a share cannot have a threshold";
	if (in->compares && (in->agg == AGG_SHARE || in->limit != LIMIT_NONE))
		return "only sums and averages of two periods can be compared";
	return compares_steps(in) ? "a comparison of two periods cannot have steps of time" : NULL;
}

/* Rows whose sum is 0 are missing, although they are below a threshold. */
bool intent_limit_skips(const struct intent *in)
{
	return in->agg == AGG_SUM && in->metric != METRIC_ERROR_RATE && in->metric != METRIC_ACCEPTANCE &&
	    (in->limit == LIMIT_UNDER || in->limit == LIMIT_MAX);
}

/* Does the threshold select only rows that are left out? */
static bool asks_for_nothing(const struct intent *in)
{
	double least = in->metric == METRIC_COST ? 1e-6 : 1;

	if (in->agg != AGG_SUM || in->metric == METRIC_ERROR_RATE || in->metric == METRIC_ACCEPTANCE)
		return false;
	return in->limit == LIMIT_UNDER ? in->bound <= least :
	    (in->limit == LIMIT_MAX || in->limit == LIMIT_EQUAL) && in->bound < least;
}

/* Explains why the question cannot be grouped, filtered, or ranked like this. */
const char *intent_misfit(const struct intent *in)
{
	bool spend = in->metric == METRIC_TOKENS || in->metric == METRIC_COST;
	bool answers = spend || in->metric == METRIC_ERRORS || in->metric == METRIC_ERROR_RATE ||
	    in->metric == METRIC_ACCEPTANCE;

	if (in->metric == METRIC_NONE)
		return "the question does not say what to count";
	if ((intent_has_dim(in, DIM_MODEL) || in->name_count[KIND_MODEL] > 0 || in->unit == DIM_MODEL) && !answers &&
	    in->metric != METRIC_SESSIONS && in->metric != METRIC_USERS)
		return "only tokens, cost, sessions, errors, acceptance, and users have a model";
	if ((intent_has_dim(in, DIM_ROLE) || in->name_count[KIND_ROLE] > 0 || in->unit == DIM_ROLE) && !answers)
		return "only tokens, cost, errors, and acceptance have a role";
	if ((intent_has_dim(in, DIM_ROOM) || in->name_count[KIND_ROOM] > 0 || in->unit == DIM_ROOM) &&
	    (in->metric == METRIC_SESSIONS || in->metric == METRIC_FEEDBACK))
		return "sessions and feedback have no room";
	if (((intent_has_dim(in, DIM_USER) || in->unit == DIM_USER) && in->metric == METRIC_USERS) ||
	    ((intent_has_dim(in, DIM_ROOM) || in->unit == DIM_ROOM) && in->metric == METRIC_ROOMS))
		return "a thing cannot be counted per itself";
	if ((in->order != ORDER_NONE || in->top != 0) && in->dim_count == 0)
		return "the question does not say what to rank: write, for example, per user or per day";
	if (in->top != 0 && in->order == ORDER_NONE)
		return "a number of rows needs a ranking: write top or bottom";
	if (in->mine && (in->name_count[KIND_USER] > 0 || (in->agg == AGG_SHARE && intent_has_dim(in, DIM_USER))))
		return "ask for your own figure and for figures of other users in two questions";
	if (intent_has_dim(in, DIM_HOUR) && in->period.to_s - in->period.from_s > HOURS_DAYS_MAX * DAY_S + 1)
		return "hours are shown for at most 7 days: name a shorter period, or write per hour of the day";
	if (asks_for_nothing(in))
		return "rows without a value are not listed: write more than 0, or the fewest";
	return misfit_of_aggregate(in);
}
