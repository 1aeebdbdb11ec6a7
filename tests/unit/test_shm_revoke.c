/* SPDX-License-Identifier: ISC */
/*
 * core/shm_revoke.c: ended login sessions, and tickets that are valid once.
 */
#include "clock.h"
#include "shm_fixture.h"

Suite *suite_shm_revoke(void);

#define NOW_S 1000000

START_TEST(test_revoked_until)
{
	struct shm *shm;

	pl_clock_fake(PL_NS_PER_S, NOW_S * PL_US_PER_S);
	shm = fixture_take(0);
	ck_assert(!shm_revoked(shm, 7, NOW_S));
	ck_assert(shm_revoke(shm, 7, NOW_S + 10));
	ck_assert(shm_revoked(shm, 7, NOW_S));
	ck_assert(shm_revoked(shm, 7, NOW_S + 9));
	ck_assert(!shm_revoked(shm, 7, NOW_S + 10));
	ck_assert(!shm_revoked(shm, 8, NOW_S));
	/* a shorter life does not shorten, a longer one extends */
	ck_assert(shm_revoke(shm, 7, NOW_S + 5));
	ck_assert(shm_revoked(shm, 7, NOW_S + 9));
	ck_assert(shm_revoke(shm, 7, NOW_S + 20));
	ck_assert(shm_revoked(shm, 7, NOW_S + 19));
	ck_assert(shm_revoke(shm, 9, NOW_S - 1));
	ck_assert(!shm_revoked(shm, 9, NOW_S));
	ck_assert(!shm_revoked_unsure(shm, NOW_S));
	pl_clock_fake(0, 0);
}
END_TEST

START_TEST(test_full_is_unsure)
{
	struct shm *shm;
	bool full = false;

	pl_clock_fake(PL_NS_PER_S, NOW_S * PL_US_PER_S);
	shm = fixture_take(0);
	for (int64_t id = 1; id <= 1000; id++) {
		bool kept = shm_revoke(shm, id, NOW_S + 10);

		ck_assert(shm_revoked(shm, id, NOW_S) == kept);
		full = full || !kept;
	}
	ck_assert(full);
	ck_assert(shm_revoked_unsure(shm, NOW_S + 9));
	ck_assert(!shm_revoked_unsure(shm, NOW_S + 10));
	/* tickets have their own places */
	ck_assert(shm_once(shm, 4711, NOW_S + 30, NOW_S));
	pl_clock_fake(0, 0);
}
END_TEST

START_TEST(test_once)
{
	struct shm *a = fixture_take(0), *b = fixture_take(1);
	bool full = false;

	ck_assert(shm_once(a, 11, NOW_S + 30, NOW_S));
	ck_assert(!shm_once(a, 11, NOW_S + 30, NOW_S));
	ck_assert(!shm_once(b, 11, NOW_S + 30, NOW_S + 29));
	ck_assert(shm_once(b, 12, NOW_S + 30, NOW_S));
	ck_assert(!shm_once(a, 13, NOW_S, NOW_S));
	for (uint64_t tag = 100; tag < 1100; tag++)
		full = !shm_once(a, tag, NOW_S + 30, NOW_S) || full;
	ck_assert(full);
	/* expired ones are replaced */
	ck_assert(shm_once(a, 5000, NOW_S + 300, NOW_S + 100));
}
END_TEST

static void use_tickets(struct shm *shm)
{
	for (uint64_t tag = 1; tag <= 40; tag++) {
		if (shm_once(shm, tag * 0x9e3779b97f4a7c15ULL, NOW_S + 30, NOW_S))
			shm_count(shm, SHM_M_sent, 1);
	}
}

START_TEST(test_once_over_processes)
{
	pid_t pid[4];

	for (int i = 0; i < 4; i++)
		pid[i] = fixture_fork(i, use_tickets);
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(waitpid(pid[i], NULL, 0), pid[i]);
	ck_assert_int_le(shm_sum(fixture_shm, SHM_M_sent), 40);
	ck_assert_int_ge(shm_sum(fixture_shm, SHM_M_sent), 30);	/* the small table may be full for some */
}
END_TEST

Suite *suite_shm_revoke(void)
{
	const TTest *const tests[] = {
		test_revoked_until, test_full_is_unsure, test_once, test_once_over_processes,
	};

	return fixture_suite("shm_revoke", tests, PL_COUNT(tests));
}
