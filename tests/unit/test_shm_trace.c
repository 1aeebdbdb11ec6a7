/* SPDX-License-Identifier: ISC */
/*
 * core/shm_trace.c: the last requests of each slot, read while they are overwritten.
 */
#include <stdio.h>

#include "shm_fixture.h"

Suite *suite_shm_trace(void);

static struct shm_trace_rec rec_of(uint64_t n)
{
	struct shm_trace_rec rec = {
		.status = 200, .wall_us = (int64_t)n, .user_id = (int64_t)n, .in_bytes = (uint32_t)n,
	};

	snprintf(rec.request_id, sizeof(rec.request_id), "id-%llu", (unsigned long long)n);
	snprintf(rec.route, sizeof(rec.route), "/r/%llu", (unsigned long long)n);
	return rec;
}

static bool find(struct shm *shm, uint64_t n, struct shm_trace_rec *rec_r)
{
	struct shm_trace_rec rec = rec_of(n);

	return shm_trace_find(shm, pl_str(rec.request_id), rec_r);
}

START_TEST(test_put_and_find)
{
	struct shm *a = fixture_take(0), *b = fixture_take(1);
	struct shm_trace_rec rec, got;

	for (uint64_t n = 1; n <= SHM_TRACES + 100; n++) {
		rec = rec_of(n);
		shm_trace_put(b, &rec);
	}
	ck_assert(!find(a, 100, &got));
	ck_assert(find(a, 101, &got));
	ck_assert(find(a, SHM_TRACES + 100, &got));
	ck_assert_int_eq(got.slot, 1);
	ck_assert_int_eq(got.user_id, SHM_TRACES + 100);
	ck_assert(!shm_trace_find(a, PL_STR("id-"), &got));
	ck_assert(!shm_trace_find(a, PL_STR(""), &got));
	ck_assert(!shm_trace_find(a, PL_STR("0123456789012345678901234567890123"), &got));
	/* the same id on another slot: the later one */
	rec = rec_of(200);
	rec.wall_us = 1000000;
	shm_trace_put(a, &rec);
	ck_assert(find(b, 200, &got));
	ck_assert_int_eq(got.slot, 0);
	/* traces survive their process */
	fixture_respawn(1);
	ck_assert(find(a, 300, &got));
}
END_TEST

static void put_forever(struct shm *shm)
{
	for (uint64_t n = 0;; n++) {
		struct shm_trace_rec rec = rec_of(n % 20);

		shm_trace_put(shm, &rec);
		shm_count(shm, SHM_M_sent, 1);
	}
}

START_TEST(test_copies_are_whole_also_after_kills)
{
	struct shm *a = fixture_take(0);
	struct shm_trace_rec got, want;
	int found = 0;

	for (int round = 0; round < 20; round++) {
		int64_t before = shm_sum(a, SHM_M_sent);
		pid_t pid = fixture_fork(1, put_forever);

		while (shm_sum(a, SHM_M_sent) < before + 20)
			sched_yield();
		for (uint64_t n = 0; n < 100; n++) {
			if (n == 80)
				fixture_kill(pid);
			if (!find(a, n % 20, &got))
				continue;
			want = rec_of(n % 20);
			ck_assert_str_eq(got.request_id, want.request_id);
			ck_assert_str_eq(got.route, want.route);
			ck_assert_int_eq(got.user_id, want.user_id);
			ck_assert_uint_eq(got.in_bytes, want.in_bytes);
			found++;
		}
		shm_slot_died(fixture_shm, 1);
	}
	ck_assert_int_gt(found, 100);
}
END_TEST

Suite *suite_shm_trace(void)
{
	const TTest *const tests[] = { test_put_and_find, test_copies_are_whole_also_after_kills };

	return fixture_suite("shm_trace", tests, PL_COUNT(tests));
}
