/* SPDX-License-Identifier: ISC */
/* Correlation, incomplete beta function, adjustment for multiple tests, median, and MAD. */
#include <math.h>
#include <stdlib.h>

#include "pool.h"
#include "svc/usage/stats.h"

#define FRACTION_STEPS 500
#define FRACTION_TINY 1e-300
#define FRACTION_EPS 1e-15

static double away_from_zero(double value)
{
	return fabs(value) < FRACTION_TINY ? FRACTION_TINY : value;
}

/* The continued fraction of I_x(a, b) by Lentz's method. It converges fast for x < (a + 1) / (a + b + 2). */
static double fraction(double a, double b, double x)
{
	double c = 1, d = 1 / away_from_zero(1 - (a + b) * x / (a + 1)), h = d;

	for (int m = 1; m <= FRACTION_STEPS; m++) {
		double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
		double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));

		d = 1 / away_from_zero(1 + even * d);
		c = away_from_zero(1 + even / c);
		h *= d * c;
		d = 1 / away_from_zero(1 + odd * d);
		c = away_from_zero(1 + odd / c);
		h *= d * c;
		if (fabs(d * c - 1) < FRACTION_EPS)
			break;
	}
	return h;
}

double stats_beta_inc(double a, double b, double x)
{
	double front;

	if (!(a > 0) || !(b > 0) || !(x >= 0) || !(x <= 1))
		return NAN;
	if (x == 0 || x == 1)
		return x;
	front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x));
	if (x < (a + 1) / (a + b + 2))
		return front * fraction(a, b, x) / a;
	return 1 - front * fraction(b, a, 1 - x) / b;
}

/* Computes the means first, because one pass over squares loses all digits if the values are large and similar. */
struct stats_r stats_pearson(const double *x, const double *y, int count, int lag)
{
	struct stats_r out = { .r = NAN, .p = NAN };
	double mean_x = 0, mean_y = 0, xx = 0, yy = 0, xy = 0, rest;

	for (int i = 0; i + lag < count; i++) {
		if (isnan(x[i]) || isnan(y[i + lag]))
			continue;
		mean_x += x[i];
		mean_y += y[i + lag];
		out.n++;
	}
	if (out.n < 3)
		return out;
	mean_x /= out.n;
	mean_y /= out.n;
	for (int i = 0; i + lag < count; i++) {
		if (isnan(x[i]) || isnan(y[i + lag]))
			continue;
		xx += (x[i] - mean_x) * (x[i] - mean_x);
		yy += (y[i + lag] - mean_y) * (y[i + lag] - mean_y);
		xy += (x[i] - mean_x) * (y[i + lag] - mean_y);
	}
	/* equal values may differ by rounding, which does not count as variation */
	if (xx <= 1e-26 * mean_x * mean_x * out.n || yy <= 1e-26 * mean_y * mean_y * out.n)
		return out;
	out.r = fmax(-1, fmin(1, xy / sqrt(xx) / sqrt(yy)));
	rest = (1 - out.r) * (1 + out.r);
	out.p = stats_beta_inc((out.n - 2) / 2.0, 0.5, rest);
	return out;
}

struct ranked { double p; int place; };

static int by_p(const void *a, const void *b)
{
	double left = ((const struct ranked *)a)->p, right = ((const struct ranked *)b)->p;

	return (left > right) - (left < right);
}

void stats_adjust(const double *p, int count, double *q_r)
{
	struct ranked *ranked = pl_new(((size_t)count + 1) * sizeof(*ranked));
	double least = 1;

	for (int i = 0; i < count; i++)
		ranked[i] = (struct ranked){ p[i], i };
	qsort(ranked, (size_t)count, sizeof(*ranked), by_p);
	for (int i = count - 1; i >= 0; i--) {
		least = fmin(least, ranked[i].p * count / (i + 1));
		q_r[ranked[i].place] = least;
	}
	pl_free(ranked);
}

static int by_value(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return (left > right) - (left < right);
}

double stats_median(double *values, int count)
{
	int n = 0;

	for (int i = 0; i < count; i++)
		if (!isnan(values[i]))
			values[n++] = values[i];
	if (n == 0)
		return NAN;
	qsort(values, (size_t)n, sizeof(*values), by_value);
	return n % 2 != 0 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

double stats_mad(double *values, int count, double median)
{
	for (int i = 0; i < count; i++)
		values[i] = fabs(values[i] - median);
	return stats_median(values, count);
}

double stats_score(double value, double median, double mad)
{
	return mad > 0 ? 0.6745 * (value - median) / mad : 0;
}
