/* SPDX-License-Identifier: ISC */
/*
 * Figures with labels: buckets, sums over slots, names of upstreams, and what a successor continues.
 */
#include "core/shm_stats.h"

#include <stdio.h>

#include "shm_fixture.h"

Suite *suite_shm_stats(void);

START_TEST(test_buckets)
{
	static const struct { int64_t us; int bucket; } cases[] = {
		{ 0, 0 }, { 100, 0 }, { 101, 1 }, { 250, 1 }, { 251, 2 }, { 60000000, SHM_BOUNDS_COUNT - 1 },
		{ 60000001, SHM_BOUNDS_COUNT },
	};
	static const int64_t bounds[SHM_BOUNDS_COUNT] = SHM_BOUNDS;
	struct shm *shm = fixture_take(0);
	struct shm_endpoint_sum sum;
	int64_t want[SHM_BOUNDS_COUNT + 1] = { 0 }, total = 0;

	for (int i = 1; i < SHM_BOUNDS_COUNT; i++)
		ck_assert_int_gt(bounds[i], bounds[i - 1]);
	for (size_t i = 0; i < PL_COUNT(cases); i++) {
		shm_endpoint_count(shm, 7, 200, cases[i].us);
		want[cases[i].bucket]++;
		total += cases[i].us;
	}
	shm_endpoint_read(shm, 7, &sum);
	for (int b = 0; b <= SHM_BOUNDS_COUNT; b++)
		ck_assert_int_eq(sum.times.bucket[b], want[b]);
	ck_assert_int_eq(sum.times.sum_us, total);
}
END_TEST

START_TEST(test_statuses_of_all_slots)
{
	static const struct { int status, klass; } cases[] = {
		{ 101, 0 }, { 200, 1 }, { 204, 1 }, { 304, 2 }, { 404, 3 }, { 499, 3 },
		{ 503, 4 }, { 0, 4 }, { 999, 4 },
	};
	struct shm *slots[] = { fixture_take(0), fixture_take(2) };
	struct shm_endpoint_sum sum;
	int64_t want[SHM_STATUSES] = { 0 };

	for (size_t i = 0; i < PL_COUNT(cases); i++) {
		shm_endpoint_count(slots[i % 2], SHM_ENDPOINTS - 1, cases[i].status, 1);
		want[cases[i].klass]++;
	}
	shm_endpoint_read(fixture_shm, SHM_ENDPOINTS - 1, &sum);
	for (int s = 0; s < SHM_STATUSES; s++)
		ck_assert_int_eq(sum.status[s], want[s]);
	ck_assert_int_eq(shm_requests(fixture_shm, 0) + shm_requests(fixture_shm, 2), (int)PL_COUNT(cases));
	fixture_respawn(0);
	shm_endpoint_read(fixture_shm, SHM_ENDPOINTS - 1, &sum);
	ck_assert_int_eq(sum.status[1], want[1]);	/* the successor continues it */
}
END_TEST

START_TEST(test_upstreams)
{
	struct shm *a = fixture_take(0), *b = fixture_take(1);
	struct shm_upstream_sum sums[SHM_UPSTREAMS];
	struct shm_question q = { .outcome = SHM_ASKED_DONE, .attempts = 2, .total_us = 500, .first_us = 90,
		.prompt_tokens = 10, .completion_tokens = 5 };

	shm_upstream_count(a, PL_STR("openai"), &q);
	shm_upstream_count(b, PL_STR("local"), &q);
	q = (struct shm_question){ .outcome = SHM_ASKED_UNAVAILABLE, .first_us = -1, .prompt_tokens = -1,
		.completion_tokens = -1 };
	shm_upstream_count(b, PL_STR("openai"), &q);
	shm_upstream_cost(b, PL_STR("openai"), 1500);
	shm_upstream_cost(b, PL_STR("openai"), -1);
	ck_assert_int_eq(shm_upstreams_read(fixture_shm, sums), 2);
	ck_assert_str_eq(sums[0].name, "openai");
	ck_assert_str_eq(sums[1].name, "local");
	ck_assert_int_eq(sums[0].outcome[SHM_ASKED_DONE], 1);
	ck_assert_int_eq(sums[0].outcome[SHM_ASKED_UNAVAILABLE], 1);
	ck_assert_int_eq(sums[0].attempts, 2);
	ck_assert_int_eq(sums[0].prompt_tokens, 10);
	ck_assert_int_eq(sums[0].completion_tokens, 5);
	ck_assert_int_eq(sums[0].cost_micros, 1500);
	ck_assert_int_eq(sums[0].total.sum_us, 500);	/* unknown times do not count */
	ck_assert_int_eq(sums[0].first.bucket[0], 1);
}
END_TEST

START_TEST(test_more_upstreams_than_places)
{
	struct shm *shm = fixture_take(0);
	struct shm_upstream_sum sums[SHM_UPSTREAMS];
	struct shm_question q = { .outcome = SHM_ASKED_FAILED, .first_us = -1 };
	char name[16];

	for (int i = 0; i < SHM_UPSTREAMS + 3; i++) {
		snprintf(name, sizeof(name), "u%d", i);
		shm_upstream_count(shm, pl_str(name), &q);
	}
	ck_assert_int_eq(shm_upstreams_read(fixture_shm, sums), SHM_UPSTREAMS);
	ck_assert_str_eq(sums[SHM_UPSTREAMS - 1].name, "other");
	ck_assert_int_eq(sums[SHM_UPSTREAMS - 1].outcome[SHM_ASKED_FAILED], 4);
}
END_TEST

Suite *suite_shm_stats(void)
{
	const TTest *const tests[] = {
		test_buckets, test_statuses_of_all_slots, test_upstreams, test_more_upstreams_than_places,
	};

	return fixture_suite("shm_stats", tests, PL_COUNT(tests));
}
