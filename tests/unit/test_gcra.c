/* SPDX-License-Identifier: ISC */
/*
 * Rate arithmetic: bounds, waiting times, and the notation of rates.
 */
#include <check.h>
#include <stdlib.h>

#include "gcra.h"

Suite *suite_gcra(void);

#define S 1000000000LL

static struct pl_rate rate_of(const char *text)
{
	struct pl_rate rate;

	ck_assert_msg(pl_rate_parse(pl_str(text), &rate), "%s", text);
	return rate;
}

START_TEST(burst_then_interval)
{
	struct pl_rate rate = rate_of("5/min");
	int64_t tat = 0, now = 1000 * S;
	struct pl_gcra step;

	for (int i = 0; i < 5; i++) {
		step = pl_gcra_step(&rate, tat, now);
		ck_assert(step.allowed);
		ck_assert_int_eq(step.remaining, 4 - i);
		ck_assert_int_eq(step.reset_ns, (i + 1) * 12 * S);
		tat = step.tat_ns;
	}
	step = pl_gcra_step(&rate, tat, now);
	ck_assert(!step.allowed);
	ck_assert_int_eq(step.tat_ns, tat);
	ck_assert_int_eq(step.remaining, 0);
	ck_assert_int_eq(step.retry_ns, 12 * S);
	ck_assert_int_eq(step.reset_ns, 60 * S);
	ck_assert(!pl_gcra_step(&rate, tat, now + 12 * S - 1).allowed);
	ck_assert(pl_gcra_step(&rate, tat, now + 12 * S).allowed);
}
END_TEST

/* admitted == burst + floor(elapsed / interval) under saturating demand. */
START_TEST(saturated)
{
	static const char *const texts[] = { "5/min", "10/s", "30/min burst 60", "100/hour", "7/min burst 1", "1/day" };

	for (size_t i = 0; i < PL_COUNT(texts); i++) {
		struct pl_rate rate = rate_of(texts[i]);
		int64_t start = 5 * S, first = 0, elapsed = 0, tat = 0, admitted = 0;

		for (int k = 0; k < 20000; k++) {
			struct pl_gcra step;

			/* Irregular requests at a much higher rate than the limit. */
			elapsed += rate.interval_ns / (k % 7 + 31) + k % 5;
			first = first != 0 ? first : start + elapsed;
			step = pl_gcra_step(&rate, tat, start + elapsed);
			admitted += step.allowed;
			tat = step.tat_ns;
			if (step.allowed)
				continue;
			/* With a burst of 1, a request that comes a little late loses that time permanently. */
			ck_assert_int_le(admitted, rate.burst + (start + elapsed - first) / rate.interval_ns);
			if (rate.burst > 1)
				ck_assert_int_eq(admitted, rate.burst + (start + elapsed - first) / rate.interval_ns);
			ck_assert(!pl_gcra_step(&rate, tat, start + elapsed + step.retry_ns - 1).allowed);
			ck_assert(pl_gcra_step(&rate, tat, start + elapsed + step.retry_ns).allowed);
		}
		ck_assert_int_gt(admitted, rate.burst);
	}
}
END_TEST

START_TEST(idle_and_stale)
{
	struct pl_rate rate = rate_of("10/s"), tight = rate_of("2/s");
	struct pl_gcra step;

	ck_assert_int_eq(pl_gcra_step(&rate, 1, 100 * S).remaining, 9);
	ck_assert_int_eq(pl_gcra_step(&rate, 99 * S, 100 * S).remaining, 9);
	/* The state of a wider limit waits for one interval of the tighter one, instead of the old debt. */
	step = pl_gcra_step(&tight, 1000 * S, 100 * S);
	ck_assert(!step.allowed);
	ck_assert_int_eq(step.retry_ns, S / 2);
	ck_assert_int_eq(step.tat_ns, 1000 * S);
}
END_TEST

START_TEST(off_allows)
{
	struct pl_rate rate = rate_of("off");
	struct pl_gcra step = pl_gcra_step(&rate, 77, 5);

	ck_assert_int_eq(rate.burst, 0);
	ck_assert(step.allowed);
	ck_assert_int_eq(step.tat_ns, 77);
}
END_TEST

START_TEST(refund)
{
	struct pl_rate rate = rate_of("2/s");
	int64_t now = 10 * S, tat;

	tat = pl_gcra_step(&rate, 0, now).tat_ns;
	tat = pl_gcra_step(&rate, tat, now).tat_ns;
	ck_assert(!pl_gcra_step(&rate, tat, now).allowed);
	tat = pl_gcra_refund(&rate, tat);
	ck_assert(pl_gcra_step(&rate, tat, now).allowed);
	tat = pl_gcra_refund(&rate, pl_gcra_refund(&rate, pl_gcra_refund(&rate, tat)));
	ck_assert_int_eq(pl_gcra_step(&rate, tat, now).remaining, 1);
	ck_assert_int_eq(pl_gcra_refund(&rate, 0), 0);
}
END_TEST

START_TEST(huge)
{
	struct pl_rate rate = { .interval_ns = 86400 * S, .burst = S, .window_s = 86400, .count = 1 };
	struct pl_gcra step = pl_gcra_step(&rate, 0, INT64_MAX / 4);

	ck_assert(step.allowed);
	ck_assert_int_ge(step.remaining, 1);
	ck_assert_int_gt(pl_gcra_step(&rate, INT64_MAX, 1).retry_ns, 0);
}
END_TEST

START_TEST(parse)
{
	static const struct {
		const char *text;
		int64_t interval_ns, burst, window_s, count;
		const char *shown;
	} good[] = {
		{ "5/min", 12 * S, 5, 60, 5, "5 per 1 minute" },
		{ " 5 / min ", 12 * S, 5, 60, 5, "5 per 1 minute" },
		{ "10/s", S / 10, 10, 1, 10, "10 per 1 second" },
		{ "30/min burst 60", 2 * S, 60, 60, 30, "30 per 1 minute" },
		{ "100/hour", 36 * S, 100, 3600, 100, "100 per 1 hour" },
		{ "3/10min", 200 * S, 3, 600, 3, "3 per 10 minute" },
		{ "1/day burst 2", 86400 * S, 2, 86400, 1, "1 per 1 day" },
		{ "60/90s", S * 3 / 2, 60, 90, 60, "60 per 90 second" },
		{ "off", 0, 0, 0, 0, "off" },
	};
	static const char *const bad[] = { "", "5", "5/", "/min", "0/min", "-1/min", "5/fortnight", "5/min burst",
		"5/min burst 0", "5/min burst x", "5/min 60", "5 min", "99999999999/s", "5/0min",
		"1/day burst 1000000000", "Off", "5/min/min", "5/minburst 6" };
	struct pl_rate rate;
	char shown[48];

	for (size_t i = 0; i < PL_COUNT(good); i++) {
		rate = rate_of(good[i].text);
		ck_assert_int_eq(rate.interval_ns, good[i].interval_ns);
		ck_assert_int_eq(rate.burst, good[i].burst);
		ck_assert_int_eq(rate.window_s, good[i].window_s);
		ck_assert_int_eq(rate.count, good[i].count);
		pl_rate_text(&rate, shown);
		ck_assert_str_eq(shown, good[i].shown);
	}
	for (size_t i = 0; i < PL_COUNT(bad); i++)
		ck_assert_msg(!pl_rate_parse(pl_str(bad[i]), &rate), "'%s' was taken", bad[i]);
}
END_TEST

Suite *suite_gcra(void)
{
	Suite *suite = suite_create("gcra");
	TCase *tc = tcase_create("gcra");

	tcase_add_test(tc, burst_then_interval);
	tcase_add_test(tc, saturated);
	tcase_add_test(tc, idle_and_stale);
	tcase_add_test(tc, off_allows);
	tcase_add_test(tc, refund);
	tcase_add_test(tc, huge);
	tcase_add_test(tc, parse);
	suite_add_tcase(suite, tc);
	return suite;
}
