/* SPDX-License-Identifier: ISC */
/*
 * core/shm_presence*.c and shm_route.c: who is present, which slots receive events, and what a killed process leaves.
 */
#include "shm_fixture.h"

Suite *suite_shm_presence(void);

START_TEST(test_counts_and_edges)
{
	struct shm *a = fixture_take(0), *b = fixture_take(1);
	int64_t users[8];

	ck_assert(shm_present_add(a, 1, 100));
	ck_assert(!shm_present_add(a, 1, 100));
	ck_assert(shm_present_add(b, 1, 100));
	ck_assert(shm_present_add(b, 1, 50));
	ck_assert(shm_present_add(b, 2, 7));
	ck_assert_int_eq(shm_present_list(a, 1, users, 8), 2);
	ck_assert_int_eq(users[0], 50);
	ck_assert_int_eq(users[1], 100);
	ck_assert_int_eq(shm_present_list(a, 1, users, 1), 2);
	ck_assert_int_eq(shm_present_list(a, 1, NULL, 0), 2);
	ck_assert_int_eq(shm_present_list(a, 3, users, 8), 0);
	ck_assert(shm_present_has(a, 2, 7) && !shm_present_has(a, 1, 7));
	ck_assert(!shm_present_remove(a, 1, 100));
	ck_assert(shm_present_remove(a, 1, 100));
	ck_assert(!shm_present_remove(a, 1, 100));
	ck_assert(shm_present_has(a, 1, 100));
	ck_assert(shm_present_remove(b, 1, 100));
	ck_assert(!shm_present_has(a, 1, 100));
}
END_TEST

START_TEST(test_dead_slot_is_ignored)
{
	struct shm *a = fixture_take(0), *b = fixture_take(1);
	int64_t users[8];

	shm_present_add(a, 1, 10);
	shm_present_add(b, 1, 20);
	shm_slot_died(fixture_shm, 1);
	ck_assert_int_eq(shm_present_list(a, 1, users, 8), 1);
	ck_assert_int_eq(users[0], 10);
	b = fixture_take(1);
	ck_assert(!shm_present_has(a, 1, 20));
	ck_assert(shm_present_add(b, 1, 30));
	ck_assert_int_eq(shm_present_list(a, 1, users, 8), 2);
	/* leftovers of another generation do not count either */
	atomic_fetch_add(&fixture_shm->scores[1].generation, 1);
	ck_assert(!shm_present_has(a, 1, 30));
}
END_TEST

START_TEST(test_full_table_and_reuse)
{
	struct shm *a = fixture_take(0);
	static int64_t users[SHM_PRESENCE_MAX];

	for (int64_t i = 1; i <= SHM_PRESENCE_MAX; i++)
		ck_assert(shm_present_add(a, 1 + i % 3, i));
	ck_assert(!shm_present_add(a, 9, 1));
	ck_assert(!shm_present_has(a, 9, 1));
	ck_assert(!shm_present_remove(a, 9, 1));
	for (int64_t i = 1; i <= SHM_PRESENCE_MAX; i += 2)
		ck_assert(shm_present_remove(a, 1 + i % 3, i));
	for (int64_t i = 1; i <= SHM_PRESENCE_MAX / 2; i++)
		ck_assert(shm_present_add(a, 9, i));
	ck_assert(!shm_present_add(a, 9, 1000000));
	ck_assert_int_eq(shm_present_list(a, 9, users, SHM_PRESENCE_MAX), SHM_PRESENCE_MAX / 2);
	for (int64_t i = 1; i <= SHM_PRESENCE_MAX / 2; i++)
		ck_assert_int_eq(users[i - 1], i);
	for (int64_t i = 1; i <= SHM_PRESENCE_MAX; i++)
		ck_assert_int_eq(shm_present_has(a, 1 + i % 3, i), i % 2 == 0);
	/* routing has no such limit */
	shm_route_add(a, 12345);
}
END_TEST

/* Users 1 and 2 always stay in room 1; others come and go in rooms 1 to 3. */
static void churn_forever(struct shm *shm)
{
	shm_present_add(shm, 1, 1);
	shm_present_add(shm, 1, 2);
	shm_count(shm, SHM_M_ws_opened, 1);
	for (int64_t i = 0;; i++) {
		int64_t room = 1 + i % 3, user = 1000 + room * 100 + i * 7 % 50;

		if (i * 7919 % 5 < 3)
			shm_present_add(shm, room, user);
		else
			shm_present_remove(shm, room, user);
	}
}

START_TEST(test_readers_see_whole_entries_also_of_the_killed)
{
	struct shm *a = fixture_take(0);
	int64_t users[128];

	for (int round = 0; round < 20; round++) {
		pid_t pid = fixture_fork(1, churn_forever);

		while (atomic_load(&a->counters[1].metric[SHM_M_ws_opened]) <= round)
			sched_yield();
		for (int look = 0; look < 200 + round; look++) {
			int count = shm_present_list(a, 1, users, 128);

			if (look == 199)	/* from here on it is dead, but its slot is not cleaned up yet */
				fixture_kill(pid);
			for (int i = 0; i < count; i++)
				ck_assert(users[i] == 1 || users[i] == 2 || (users[i] >= 1100 && users[i] < 1150));
			ck_assert(!shm_present_has(a, 1, 1200));
		}
		ck_assert(shm_present_has(a, 1, 1) && shm_present_has(a, 1, 2));
		shm_slot_died(fixture_shm, 1);
		ck_assert_int_eq(shm_present_list(a, 1, users, 128), 0);
	}
}
END_TEST

START_TEST(test_routes)
{
	struct shm *a = fixture_take(0), *b = fixture_take(1), *c = fixture_take(2);
	struct shm_mask mask;

	ck_assert(!shm_route_mask(a, 77, &mask));
	shm_route_add(a, 77);
	ck_assert(!shm_route_mask(a, 77, &mask));	/* only this one */
	shm_route_add(b, 77);
	shm_route_add(b, 77);
	shm_route_add(c, 77);
	ck_assert(shm_route_mask(a, 77, &mask));
	ck_assert_uint_eq(mask.bits[0], 6);
	shm_route_remove(b, 77);
	shm_route_remove(c, 77);
	ck_assert(shm_route_mask(a, 77, &mask));
	ck_assert_uint_eq(mask.bits[0], 2);
	shm_mask_all(a, &mask);
	ck_assert_uint_eq(mask.bits[0], 6);
	shm_slot_died(fixture_shm, 1);
	ck_assert(!shm_route_mask(a, 77, &mask));
	b = fixture_take(1);
	ck_assert(!shm_route_mask(a, 77, &mask));
	shm_mask_all(b, &mask);
	ck_assert_uint_eq(mask.bits[0], 5);
}
END_TEST

START_TEST(test_full_counter_stays)
{
	struct shm *a = fixture_take(0), *b = fixture_take(1);
	struct shm_mask mask;

	for (int i = 0; i < 70000; i++)
		shm_route_add(b, 5);
	for (int i = 0; i < 70000; i++)
		shm_route_remove(b, 5);
	ck_assert(shm_route_mask(a, 5, &mask));
}
END_TEST

START_TEST(test_remove_without_add_is_a_bug)
{
	shm_route_remove(fixture_take(0), 5);
}
END_TEST

Suite *suite_shm_presence(void)
{
	const TTest *const tests[] = {
		test_counts_and_edges, test_dead_slot_is_ignored, test_full_table_and_reuse,
		test_readers_see_whole_entries_also_of_the_killed, test_routes, test_full_counter_stays,
	};
	Suite *suite = fixture_suite("shm_presence", tests, PL_COUNT(tests));
	TCase *bugs = tcase_create("bugs");

	tcase_add_checked_fixture(bugs, fixture_setup, fixture_teardown);
	if (getenv("CK_FORK") == NULL || strcmp(getenv("CK_FORK"), "no") != 0)
		tcase_add_test_raise_signal(bugs, test_remove_without_add_is_a_bug, SIGABRT);
	suite_add_tcase(suite, bugs);
	return suite;
}
