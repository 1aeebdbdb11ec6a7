/* SPDX-License-Identifier: ISC */
/*
 * The statistics of GET /api/insights. Plain functions over arrays of doubles; NaN is a missing value.
 *
 * Sources: Pearson's r with the two-sided p-value of Student's t with n-2 degrees of freedom, p = I_{1-r^2}((n-2)/2,
 * 1/2) (the regularised incomplete beta function: NIST DLMF 8.17, continued fraction 8.17.22); Benjamini and Hochberg
 * 1995; median absolute deviation and the modified z-score 0.6745 (x - median) / MAD (Iglewicz and Hoaglin 1993).
 */
#ifndef SVC_STATS_H
#define SVC_STATS_H

/* I_x(a, b) for a, b > 0 and 0 <= x <= 1; NaN otherwise. */
double stats_beta_inc(double a, double b, double x);

struct stats_r { double r, p; int n; };
/*
 * Correlation of x[t] with y[t + lag] over the pairs where both are present; lag >= 0. n: number of pairs. r and p are
 * NaN when n < 3 or one side does not vary.
 */
struct stats_r stats_pearson(const double *x, const double *y, int count, int lag);
/* p-values adjusted for `count` tests (false discovery rate); q_r may not be p. No NaN in p. */
void stats_adjust(const double *p, int count, double *q_r);
/* Median and median absolute deviation of the values that are present; sorts `values`. NaN when there are none. */
double stats_median(double *values, int count);
double stats_mad(double *values, int count, double median);
/* Modified z-score; 0 when mad is 0. */
double stats_score(double value, double median, double mad);

#endif
