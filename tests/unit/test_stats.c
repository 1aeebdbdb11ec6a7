/* SPDX-License-Identifier: ISC */
/*
 * Statistics against values computed by SciPy 1.10 (scipy.special.betainc, scipy.stats.pearsonr, median_abs_deviation).
 */
#include <check.h>
#include <math.h>
#include <string.h>

#include "pool.h"
#include "svc/usage/stats.h"

Suite *suite_stats(void);

static void near(double got, double want, double relative)
{
	ck_assert_msg(fabs(got - want) <= relative * fabs(want) + 1e-300, "%.17g instead of %.17g", got, want);
}

START_TEST(beta)
{
	static const struct { double a, b, x, want; } rows[] = {
		{ 0.5, 0.5, 0.5, 0.50000000000000011 }, { 1, 1, 0.3, 0.29999999999999999 },
		{ 4, 0.5, 0.2, 0.0004776140575940058 }, { 4, 0.5, 0.9, 0.37337491740225959 },
		{ 14, 0.5, 0.4225, 1.1097716332822668e-06 }, { 49, 0.5, 0.99, 0.32221736303061921 },
		{ 2.5, 3.5, 0.7, 0.92281906547791936 }, { 500, 0.5, 0.95, 8.0588184556543491e-13 },
		{ 0.5, 20, 0.001, 0.15758381398363847 }, { 1000, 0.5, 0.999, 0.15724727426683946 },
		{ 3, 2, 0, 0 }, { 3, 2, 1, 1 },
	};

	near(stats_beta_inc(rows[_i].a, rows[_i].b, rows[_i].x), rows[_i].want, 1e-10);
	ck_assert(isnan(stats_beta_inc(0, 1, 0.5)) && isnan(stats_beta_inc(1, 1, 1.5)) &&
	    isnan(stats_beta_inc(1, 1, NAN)));
}
END_TEST

#define N NAN

START_TEST(pearson)
{
	static const struct { double x[12], y[12]; int count, lag, n; double r, p, relative; } rows[] = {
		{ { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 }, { 2, 1, 4, 3, 7, 5, 8, 9, 12, 10 }, 10, 0, 10, 0.93620614236292532,
		    6.7058353286493966e-05, 1e-10 },
		{ { 3.1, 0.2, 5.5, 4.4, 2.2, 9.1, 7.7, 1.5, 6.3, 8.8, 0.9, 3.3 },
		    { 7, 1, 4, 4, 9, 2, 2.5, 8, 3, 6, 5, 1 }, 12, 0, 12, -0.24016827229698307, 0.45212073980156992,
		    1e-10 },
		{ { 10, 20, 30, 40, 55 }, { 9.5, 8, 5, 3.5, -1 }, 5, 0, 5, -0.99314590962970195, 0.00068047408321893178,
		    1e-10 },
		{ { 1e9 + 1, 1e9 + 2, 1e9 + 3, 1e9 + 5, 1e9 + 4, 1e9 + 9 }, { 3, 1, 4, 1, 5, 9 }, 6, 0, 6,
		    0.73203388306003658, 0.098087993705677945, 1e-6 },
		{ { 1, 2, 3, 4 }, { 2, 4, 6, 8.0001 }, 4, 0, 4, 0.99999999992500221, 7.4997785759478575e-11, 1e-4 },
		{ { 4, 8, 1, 9, 5, 3, 7, 2, 6, 10, 12, 11 }, { 0, 0, 4.5, 8, 1.5, 9, 5.2, 3, 7.1, 2.2, 6, 9.9 }, 12, 0,
		    12, 0.23900393354838187, 0.45438270947897907, 1e-10 },
		{ { 4, 8, 1, 9, 5, 3, 7, 2, 6, 10, 12, 11 }, { 0, 0, 4.5, 8, 1.5, 9, 5.2, 3, 7.1, 2.2, 6, 9.9 }, 12, 1,
		    11, 0.015837507886539454, 0.96313775259019907, 1e-10 },
		{ { 4, 8, 1, 9, 5, 3, 7, 2, 6, 10, 12, 11 }, { 0, 0, 4.5, 8, 1.5, 9, 5.2, 3, 7.1, 2.2, 6, 9.9 }, 12, 2,
		    10, 0.9986588617026102, 1.4131010012391108e-11, 1e-8 },
		{ { 4, 8, 1, 9, 5, 3, 7, 2, 6, 10, 12, 11 }, { 0, 0, 4.5, 8, 1.5, 9, 5.2, 3, 7.1, 2.2, 6, 9.9 }, 12, 3,
		    9, -0.55204185054233412, 0.12329347609295617, 1e-10 },
		{ { 1, N, 3, 4, 5, N, 7, 8 }, { 2, 3, 1, N, 6, 5, 9, 7 }, 8, 0, 5, 0.87531239689193496,
		    0.051853098259583764, 1e-10 },
	};
	struct stats_r got = stats_pearson(rows[_i].x, rows[_i].y, rows[_i].count, rows[_i].lag);

	ck_assert_int_eq(got.n, rows[_i].n);
	near(got.r, rows[_i].r, rows[_i].relative);
	near(got.p, rows[_i].p, rows[_i].relative);
}
END_TEST

START_TEST(nothing_to_correlate)
{
	static const double x[] = { 1, 2, 3, 4 }, same[] = { 0.1, 0.1, 0.1, 0.1 }, gone[] = { N, N, 1, 2 };

	ck_assert(isnan(stats_pearson(x, same, 4, 0).r));
	ck_assert(isnan(stats_pearson(same, x, 4, 0).p));
	ck_assert(isnan(stats_pearson(x, gone, 4, 0).r));
	ck_assert_int_eq(stats_pearson(x, gone, 4, 0).n, 2);
	ck_assert_int_eq(stats_pearson(x, x, 4, 4).n, 0);
	ck_assert(stats_pearson(x, x, 4, 0).r > 0.999999 && stats_pearson(x, x, 4, 0).p < 1e-12);
}
END_TEST

START_TEST(adjust)
{
	static const double p[] = { 0.01, 0.04, 0.03, 0.005, 0.2, 0.03, 1.0, 0.0002 };
	static const double want[] = { 0.02666666666666667, 0.05333333333333334, 0.048, 0.02, 0.2285714285714286, 0.048,
		1.0, 0.0016 };
	double q[PL_COUNT(p)];

	stats_adjust(p, PL_COUNT(p), q);
	for (size_t i = 0; i < PL_COUNT(p); i++)
		near(q[i], want[i], 1e-12);
	stats_adjust(p, 0, q);
}
END_TEST

START_TEST(median_and_mad)
{
	static const struct { double values[8]; int count; double median, mad; } rows[] = {
		{ { 5 }, 1, 5, 0 }, { { 1, 2 }, 2, 1.5, 0.5 }, { { 3, 1, 2 }, 3, 2, 1 }, { { 1, 1, 1, 1, 9 }, 5, 1, 0 },
		{ { 2.5, 7, 1, 100, 3, 8, 4.2, 6 }, 8, 5.1, 2.35 }, { { N, 3, N, 1, 2 }, 5, 2, 1 },
	};
	double copy[8], median;

	memcpy(copy, rows[_i].values, sizeof(copy));
	median = stats_median(copy, rows[_i].count);
	near(median, rows[_i].median, 1e-12);
	memcpy(copy, rows[_i].values, sizeof(copy));
	near(stats_mad(copy, rows[_i].count, median), rows[_i].mad, 1e-12);
	ck_assert(isnan(stats_median(copy, 0)));
	near(stats_score(100, 5.1, 2.35), 0.6745 * 94.9 / 2.35, 1e-12);
	ck_assert(stats_score(9, 1, 0) == 0);
}
END_TEST

Suite *suite_stats(void)
{
	Suite *suite = suite_create("stats");
	TCase *tc = tcase_create("stats");

	tcase_add_loop_test(tc, beta, 0, 12);
	tcase_add_loop_test(tc, pearson, 0, 10);
	tcase_add_test(tc, nothing_to_correlate);
	tcase_add_test(tc, adjust);
	tcase_add_loop_test(tc, median_and_mad, 0, 6);
	suite_add_tcase(suite, tc);
	return suite;
}
