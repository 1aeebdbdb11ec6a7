/* SPDX-License-Identifier: ISC */
/*
 * core/shm_refusal.c: refusals are collected per key and taken once, also while processes add some and are killed.
 */
#include <stdio.h>

#include "shm_fixture.h"

Suite *suite_shm_refusal(void);

struct drained { int keys; int64_t count, others; struct shm_refusal last; };

static void on_refusal(void *arg, const struct shm_refusal *refusal)
{
	struct drained *drained = arg;

	drained->keys++;
	drained->count += refusal->count;
	if (refusal->user_id == 0 && refusal->addr[0] == '\0')
		drained->others += refusal->count;
	drained->last = *refusal;
}

START_TEST(test_gathered_per_key)
{
	struct shm *a = fixture_take(0), *b = fixture_take(1);
	struct drained drained = { 0 };

	shm_refusal_note(a, "login", 0, "192.0.2.1", 100);
	shm_refusal_note(a, "login", 0, "192.0.2.1", 200);
	shm_refusal_note(a, "login", 0, "192.0.2.2", 200);
	shm_refusal_note(a, "send", 7, "192.0.2.2", 200);
	shm_refusal_note(a, "send", 7, "192.0.2.3", 200);
	shm_refusal_note(b, "send", 7, "192.0.2.3", 200);
	shm_refusal_drain(a, on_refusal, &drained);
	ck_assert_int_eq(drained.keys, 4);
	ck_assert_int_eq(drained.count, 6);
	shm_refusal_drain(a, on_refusal, &drained);
	ck_assert_int_eq(drained.count, 6);
	shm_refusal_note(a, "login", 0, "192.0.2.1", 300);
	shm_refusal_note(a, "login", 0, "192.0.2.1", 400);
	shm_refusal_drain(a, on_refusal, &drained);
	ck_assert_int_eq(drained.count, 8);
	ck_assert_str_eq(drained.last.klass, "login");
	ck_assert_str_eq(drained.last.addr, "192.0.2.1");
	ck_assert_int_eq(drained.last.first_us, 300);
	ck_assert_int_eq(drained.last.last_us, 400);
	/* the refusals of a dead slot are not lost */
	shm_refusal_note(b, "ask", 9, "unix", 500);
	shm_slot_died(fixture_shm, 1);
	shm_refusal_drain(a, on_refusal, &drained);
	ck_assert_int_eq(drained.count, 9);
}
END_TEST

START_TEST(test_too_many_keys_are_counted_together)
{
	struct shm *a = fixture_take(0);
	struct drained drained = { 0 };
	char addr[46];

	for (int i = 0; i < 5000; i++) {
		snprintf(addr, sizeof(addr), "10.0.%d.%d", i / 250, i % 250);
		shm_refusal_note(a, "read", 0, addr, i);
	}
	shm_refusal_drain(a, on_refusal, &drained);
	ck_assert_int_eq(drained.count, 5000);
	ck_assert_int_gt(drained.others, 0);
	ck_assert_int_gt(drained.keys, 500);
}
END_TEST

/* The owner records a refusal: its table is not used until it has finished, or died. */
START_TEST(test_note_in_progress_is_left)
{
	struct shm *a = fixture_take(0);
	struct drained drained = { 0 };

	shm_refusal_note(a, "read", 1, "unix", 1);
	atomic_fetch_add(&shm_refusals_at(a, 0)->inside, 1);
	shm_refusal_drain(fixture_shm, on_refusal, &drained);
	shm_refusal_drain(fixture_shm, on_refusal, &drained);
	ck_assert_int_eq(drained.count, 0);
	shm_slot_died(fixture_shm, 0);
	shm_refusal_drain(fixture_shm, on_refusal, &drained);
	ck_assert_int_eq(drained.count, 1);
	a = fixture_take(0);
	shm_refusal_note(a, "read", 1, "unix", 1);
	shm_refusal_drain(fixture_shm, on_refusal, &drained);
	ck_assert_int_eq(drained.count, 2);
}
END_TEST

static void note_forever(struct shm *shm)
{
	for (int64_t n = 1;; n++) {
		shm_refusal_note(shm, "read", 1 + n % 50, "unix", n);
		shm_count(shm, SHM_M_rate_refused, 1);
	}
}

START_TEST(test_each_is_taken_once)
{
	struct drained drained = { 0 };
	int64_t noted;

	for (int round = 0; round < 20; round++) {
		int64_t before = shm_sum(fixture_shm, SHM_M_rate_refused);
		pid_t pid = fixture_fork(1, note_forever);

		while (shm_sum(fixture_shm, SHM_M_rate_refused) < before + 1000)
			shm_refusal_drain(fixture_shm, on_refusal, &drained);
		fixture_kill(pid);
		shm_slot_died(fixture_shm, 1);
	}
	shm_refusal_drain(fixture_shm, on_refusal, &drained);
	shm_refusal_drain(fixture_shm, on_refusal, &drained);
	noted = shm_sum(fixture_shm, SHM_M_rate_refused);
	/* a process killed between the entry and its counter makes the difference */
	ck_assert_int_ge(drained.count, noted);
	ck_assert_int_le(drained.count, noted + 20);
}
END_TEST

Suite *suite_shm_refusal(void)
{
	const TTest *const tests[] = {
		test_gathered_per_key, test_too_many_keys_are_counted_together, test_note_in_progress_is_left,
		test_each_is_taken_once,
	};

	return fixture_suite("shm_refusal", tests, PL_COUNT(tests));
}
