/* SPDX-License-Identifier: ISC */
/*
 * Insights from the figures: correlations of daily usage with imported series, outliers, findings, and recommendations
 * in sentences that name their figures. Pure computation.
 *
 * Rules for "significant": a pair needs 10 days with both values; lags of 0 to 7 days are tried, all tests of the
 * answer are adjusted together (Benjamini-Hochberg, 5 %), and the lag with the least p is shown; outliers need 14 days
 * and a modified z-score over 3.5; findings need 20 sessions.
 */
#ifndef SVC_INSIGHTS_H
#define SVC_INSIGHTS_H

#include "svc/usage/usage.h"

#define INSIGHTS_LAG_MAX 7
#define INSIGHTS_PAIR_MIN 10
#define INSIGHTS_DAYS_MIN 14
#define INSIGHTS_ROWS_MIN 20
#define INSIGHTS_SCORE 3.5
#define INSIGHTS_FDR 0.05

struct insights_pair { struct pl_str one, two; int lag, n; double r, p, q; bool significant; };
struct insights_outlier { struct pl_str metric; int64_t day; double value, median, mad; };
struct insights {
	struct insights_pair *pairs;
	int pairs_count;
	struct insights_outlier *outliers;
	int outliers_count;
	struct pl_str *findings, *advice;
	int findings_count, advice_count;
};

/* Everything is in `pool`. lag: only this one; -1: all from 0 to INSIGHTS_LAG_MAX. */
struct insights *insights_make(struct pl_pool *pool, const struct usage_kpis *kpis, const struct usage_day_list *days,
    int lag);

/* insights_words.c: fills findings and advice from the rest. */
void insights_words(struct insights *in, struct pl_pool *pool, const struct usage_kpis *kpis);

#endif
