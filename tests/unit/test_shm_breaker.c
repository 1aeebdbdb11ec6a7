/* SPDX-License-Identifier: ISC */
/*
 * core/shm_breaker.c: one trial over all processes, and no trial that is awaited indefinitely.
 */
#include "clock.h"
#include "shm_fixture.h"

Suite *suite_shm_breaker(void);

enum act { ALLOW, GOOD, BAD };

/* failures_max 3, cooldown 1000 ms */
static const struct { int64_t at_ms; enum act act; bool allowed; enum shm_breaker_state after; } steps[] = {
	{ 0, ALLOW, true, SHM_CLOSED },
	{ 0, BAD, false, SHM_CLOSED },
	{ 0, BAD, false, SHM_CLOSED },
	{ 0, GOOD, false, SHM_CLOSED },		/* consecutive, not in total */
	{ 0, BAD, false, SHM_CLOSED },
	{ 0, BAD, false, SHM_CLOSED },
	{ 10, BAD, false, SHM_OPEN },
	{ 10, ALLOW, false, SHM_OPEN },
	{ 500, BAD, false, SHM_OPEN },		/* started before the breaker opened: does not extend the cooldown */
	{ 500, GOOD, false, SHM_OPEN },
	{ 1009, ALLOW, false, SHM_OPEN },
	{ 1010, ALLOW, true, SHM_HALF_OPEN },
	{ 1010, ALLOW, false, SHM_HALF_OPEN },
	{ 1100, BAD, false, SHM_OPEN },
	{ 2099, ALLOW, false, SHM_OPEN },
	{ 2100, ALLOW, true, SHM_HALF_OPEN },
	{ 2200, ALLOW, false, SHM_HALF_OPEN },
	{ 3100, ALLOW, true, SHM_HALF_OPEN },	/* the process of the trial died: another trial */
	{ 3101, ALLOW, false, SHM_HALF_OPEN },
	{ 3200, GOOD, false, SHM_CLOSED },
	{ 3200, ALLOW, true, SHM_CLOSED },
	{ 3200, BAD, false, SHM_CLOSED },
};

START_TEST(test_steps)
{
	struct shm *shm = fixture_take(0);
	struct pl_str name = PL_STR("openai");

	for (size_t i = 0; i < PL_COUNT(steps); i++) {
		int64_t now_ns = steps[i].at_ms * PL_NS_PER_MS;

		if (steps[i].act == ALLOW)
			ck_assert_msg(shm_breaker_allow(shm, name, 1000, now_ns) == steps[i].allowed, "step %zu", i);
		else
			shm_breaker_report(shm, name, steps[i].act == GOOD, 3, 1000, now_ns);
		ck_assert_msg(shm_breaker_get(shm, name) == steps[i].after, "step %zu", i);
		ck_assert_int_eq(shm_breaker_get(shm, PL_STR("local")), SHM_CLOSED);
	}
}
END_TEST

START_TEST(test_more_names_than_entries)
{
	struct shm *shm = fixture_take(0);

	for (uint32_t i = 0; i < SHM_BREAKERS + 20; i++) {
		struct pl_str name = pl_strn((const char *)&i, sizeof(i));

		shm_breaker_report(shm, name, false, 1, 1000, 0);
		ck_assert(shm_breaker_get(shm, name) == (i < SHM_BREAKERS ? SHM_OPEN : SHM_CLOSED));
		ck_assert(shm_breaker_allow(shm, name, 1000, 0) == (i >= SHM_BREAKERS));
	}
}
END_TEST

static void try_once(struct shm *shm)
{
	shm_count(shm, SHM_M_sent, shm_breaker_allow(shm, PL_STR("x"), 1000, 2000 * PL_NS_PER_MS));
}

START_TEST(test_one_trial_over_processes)
{
	shm_breaker_report(fixture_shm, PL_STR("x"), false, 1, 1000, 0);
	for (int round = 0; round < 5; round++) {
		pid_t pid[4];

		for (int i = 0; i < 4; i++)
			pid[i] = fixture_fork(i, try_once);
		for (int i = 0; i < 4; i++)
			ck_assert_int_eq(waitpid(pid[i], NULL, 0), pid[i]);
	}
	ck_assert_int_eq(shm_sum(fixture_shm, SHM_M_sent), 1);
}
END_TEST

Suite *suite_shm_breaker(void)
{
	const TTest *const tests[] = { test_steps, test_more_names_than_entries, test_one_trial_over_processes };

	return fixture_suite("shm_breaker", tests, PL_COUNT(tests));
}
