/* SPDX-License-Identifier: ISC */
/* Daily figures as columns; pairs, lags, and adjustment; unusual days. */
#include <math.h>
#include <stdlib.h>

#include "svc/usage/insights.h"
#include "svc/usage/stats.h"

#define COLUMNS_MAX 24
#define OUTLIERS_MAX 50

struct column { struct pl_str name; bool imported; double *values; };
struct table { struct column columns[COLUMNS_MAX]; int columns_count, days; int64_t first; };

static struct column *column_of(struct table *t, struct pl_pool *pool, const struct usage_day *d)
{
	struct column *c;

	for (int i = 0; i < t->columns_count; i++)
		if (t->columns[i].imported == d->imported && pl_str_eq(t->columns[i].name, d->name))
			return &t->columns[i];
	if (t->columns_count == COLUMNS_MAX)
		return NULL;
	c = &t->columns[t->columns_count++];
	*c = (struct column){ .name = d->name, .imported = d->imported };
	c->values = pl_alloc(pool, (size_t)t->days * sizeof(*c->values));
	for (int i = 0; i < t->days; i++)
		c->values[i] = NAN;
	return c;
}

/*
 * Days without a session between the first and the last session count as 0 sessions, tokens, and costs; their rates are
 * unknown. Days that are missing in an imported series are unknown, too.
 */
static void fill_quiet_days(struct table *t, int64_t from, int64_t to)
{
	for (int i = 0; i < t->columns_count; i++) {
		struct column *c = &t->columns[i];

		if (c->imported || pl_str_is(c->name, "acceptance_rate") || pl_str_is(c->name, "error_rate"))
			continue;
		for (int64_t day = from; day <= to; day++)
			if (isnan(c->values[day - t->first]))
				c->values[day - t->first] = 0;
	}
}

static struct table *table_of(struct pl_pool *pool, const struct usage_day_list *list)
{
	struct table *t = pl_alloc(pool, sizeof(*t));
	int64_t last = INT64_MIN, own_first = INT64_MAX, own_last = INT64_MIN;

	t->first = INT64_MAX;
	for (int i = 0; i < list->count; i++) {
		int64_t day = list->rows[i].day;

		t->first = day < t->first ? day : t->first;
		last = day > last ? day : last;
		if (list->rows[i].imported)
			continue;
		own_first = day < own_first ? day : own_first;
		own_last = day > own_last ? day : own_last;
	}
	if (list->count == 0 || last - t->first > USAGE_DAYS_MAX + 1)
		return t;
	t->days = (int)(last - t->first) + 1;
	for (int i = 0; i < list->count; i++) {
		struct column *c = column_of(t, pool, &list->rows[i]);

		if (c != NULL)
			c->values[list->rows[i].day - t->first] = list->rows[i].value;
	}
	if (own_last >= own_first)
		fill_quiet_days(t, own_first, own_last);
	return t;
}

/* ---- pairs ---- */

/* Tests usage against imported series, and the amount of use against rates that are not computed from it. */
static bool worth_a_test(const struct column *a, const struct column *b)
{
	if (a->imported)
		return false;
	return b->imported || (pl_str_is(a->name, "ai_sessions") &&
	    (pl_str_is(b->name, "acceptance_rate") || pl_str_is(b->name, "error_rate")));
}

struct tests { struct insights_pair *items; int count, first, last; };

static void try_lags(struct tests *tests, const struct table *t, const struct column *a, const struct column *b)
{
	for (int lag = tests->first; lag <= tests->last && lag < t->days; lag++) {
		struct stats_r s = stats_pearson(a->values, b->values, t->days, lag);

		if (s.n >= INSIGHTS_PAIR_MIN && !isnan(s.p))
			tests->items[tests->count++] = (struct insights_pair){ .one = a->name, .two = b->name,
				.lag = lag, .n = s.n, .r = s.r, .p = s.p };
	}
}

static int by_p(const void *left, const void *right)
{
	const struct insights_pair *a = left, *b = right;

	return a->p != b->p ? (a->p > b->p) - (a->p < b->p) : a->lag - b->lag;
}

static void correlate(struct insights *in, struct pl_pool *pool, const struct table *t, int lag)
{
	size_t most = (size_t)t->columns_count * (size_t)t->columns_count * (INSIGHTS_LAG_MAX + 1) + 1;
	struct tests tests = { .items = pl_alloc(pool, most * sizeof(*tests.items)), .first = lag >= 0 ? lag : 0,
		.last = lag >= 0 ? lag : INSIGHTS_LAG_MAX };
	double *p = pl_alloc(pool, most * sizeof(*p)), *q = pl_alloc(pool, most * sizeof(*q));

	for (int i = 0; i < t->columns_count; i++)
		for (int k = 0; k < t->columns_count; k++)
			if (i != k && worth_a_test(&t->columns[i], &t->columns[k]))
				try_lags(&tests, t, &t->columns[i], &t->columns[k]);
	for (int i = 0; i < tests.count; i++)
		p[i] = tests.items[i].p;
	stats_adjust(p, tests.count, q);
	for (int i = 0; i < tests.count; i++) {
		tests.items[i].q = q[i];
		tests.items[i].significant = q[i] < INSIGHTS_FDR;
	}
	qsort(tests.items, (size_t)tests.count, sizeof(*tests.items), by_p);
	in->pairs = tests.items;
	for (int i = 0; i < tests.count; i++) {
		bool seen = false;

		for (int k = 0; k < in->pairs_count && !seen; k++)
			seen = pl_str_eq(in->pairs[k].one, tests.items[i].one) &&
			    pl_str_eq(in->pairs[k].two, tests.items[i].two);
		if (!seen)
			in->pairs[in->pairs_count++] = tests.items[i];
	}
}

/* ---- unusual days ---- */

static int by_day(const void *left, const void *right)
{
	const struct insights_outlier *a = left, *b = right;

	return a->day != b->day ? (a->day < b->day) - (a->day > b->day) : (int)a->metric.len - (int)b->metric.len;
}

static void find_outliers(struct insights *in, struct pl_pool *pool, const struct table *t)
{
	double *copy = pl_alloc(pool, ((size_t)t->days + 1) * sizeof(*copy));

	in->outliers = pl_alloc(pool, ((size_t)t->days * COLUMNS_MAX + 1) * sizeof(*in->outliers));
	for (int i = 0; i < t->columns_count; i++) {
		const double *values = t->columns[i].values;
		double median, mad;
		int known = 0;

		for (int d = 0; d < t->days; d++)
			if (!isnan(values[d]))
				copy[known++] = values[d];
		if (known < INSIGHTS_DAYS_MIN)
			continue;
		median = stats_median(copy, known);
		mad = stats_mad(copy, known, median);
		for (int d = 0; d < t->days; d++)
			if (!isnan(values[d]) && fabs(stats_score(values[d], median, mad)) > INSIGHTS_SCORE)
				in->outliers[in->outliers_count++] =
				    (struct insights_outlier){ .metric = t->columns[i].name,
					.day = t->first + d, .value = values[d], .median = median, .mad = mad };
	}
	qsort(in->outliers, (size_t)in->outliers_count, sizeof(*in->outliers), by_day);
	if (in->outliers_count > OUTLIERS_MAX)
		in->outliers_count = OUTLIERS_MAX;
}

struct insights *insights_make(struct pl_pool *pool, const struct usage_kpis *kpis, const struct usage_day_list *days,
    int lag)
{
	struct insights *in = pl_alloc(pool, sizeof(*in));
	const struct table *t = table_of(pool, days);

	correlate(in, pool, t, lag);
	find_outliers(in, pool, t);
	insights_words(in, pool, kpis);
	return in;
}
