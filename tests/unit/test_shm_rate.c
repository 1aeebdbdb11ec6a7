/* SPDX-License-Identifier: ISC */
/*
 * core/shm.c and core/shm_rate.c: layout, slots, and rates that are exact over processes, also if some are killed.
 */
#include "clock.h"
#include "core/shm_rate.h"
#include "shm_fixture.h"

Suite *suite_shm_rate(void);

#define NOW_NS (1000 * PL_NS_PER_S)

static const struct pl_rate five = { .interval_ns = 12 * PL_NS_PER_S, .burst = 5, .window_s = 60, .count = 5 };
static const struct pl_rate hundred = { .interval_ns = PL_NS_PER_S, .burst = 100, .window_s = 100, .count = 100 };

START_TEST(test_sizes_are_checked)
{
	static const struct shm_sizes bad[] = {
		{ 3, 9, 1024, 64, SHM_RING_MIN_BYTES, 4, 4 },
		{ 65, 134, 1024, 64, SHM_RING_MIN_BYTES, 4, 4 },
		{ 3, 10, 1000, 64, SHM_RING_MIN_BYTES, 4, 4 },
		{ 3, 10, 1024, 0, SHM_RING_MIN_BYTES, 4, 4 },
		{ 3, 10, 1024, 64, 65536, 4, 4 },
		{ 3, 10, 1024, 64, SHM_RING_MIN_BYTES + 1, 4, 4 },
		{ 3, 10, 1024, 64, SHM_RING_MIN_BYTES, 0, 4 },
		{ 3, 10, 1024, 64, SHM_RING_MIN_BYTES, 4, 3 },
		{ 3, 10, 1024, 64, SHM_RING_MIN_BYTES, 4, 4 + SHM_TEXT_POOL_MAX + 1 },
	};

	for (size_t i = 0; i < PL_COUNT(bad); i++) {
		char why[256] = "";

		ck_assert_msg(shm_new(&bad[i], why) == NULL, "case %zu", i);
		ck_assert_msg(why[0] != '\0', "case %zu", i);
	}
}
END_TEST

/* The largest settings: generations and answer_memory. Pages that nobody writes to cost nothing. */
START_TEST(test_largest_sizes)
{
	static const struct shm_sizes most = { 64, SHM_SLOTS_MAX, 1024, 64, SHM_RING_MIN_BYTES, 4096,
		4096 + SHM_TEXT_POOL_MAX };
	char why[256] = "";
	struct shm *shm = shm_new(&most, why);

	ck_assert_msg(shm != NULL, "%s", why);
	shm_free(&shm);
}
END_TEST

/* Reading does not count; clearing refunds everything, once. */
START_TEST(test_look_and_clear)
{
	struct shm *shm = fixture_take(0);
	uint64_t tag = shm_tag(shm, "send:1", 6), other = shm_tag(shm, "send:2", 6);

	ck_assert_int_eq(shm_rate_look(shm, tag, NOW_NS), 0);
	ck_assert(!shm_rate_clear(shm, tag, NOW_NS));
	for (int i = 0; i < 6; i++)
		(void)shm_rate_take(shm, tag, &five, NOW_NS);
	(void)shm_rate_take(shm, other, &five, NOW_NS);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(shm_rate_look(shm, tag, NOW_NS), NOW_NS + 60 * PL_NS_PER_S);
	ck_assert_int_eq(shm_rate_look(shm, tag, NOW_NS + 61 * PL_NS_PER_S), 0);
	ck_assert(shm_rate_clear(shm, tag, NOW_NS));
	ck_assert(!shm_rate_clear(shm, tag, NOW_NS));
	ck_assert_int_eq(shm_rate_look(shm, tag, NOW_NS), 0);
	ck_assert_int_eq(shm_rate_take(shm, tag, &five, NOW_NS).remaining, 4);
	ck_assert_int_eq(shm_rate_look(shm, other, NOW_NS), NOW_NS + 12 * PL_NS_PER_S);
}
END_TEST

START_TEST(test_burst_then_refused_then_one_more)
{
	struct shm *shm = fixture_take(0);
	uint64_t tag = shm_tag(shm, "login:1", 7);
	struct pl_gcra step;

	for (int i = 0; i < 5; i++)
		ck_assert(shm_rate_take(shm, tag, &five, NOW_NS).allowed);
	step = shm_rate_take(shm, tag, &five, NOW_NS);
	ck_assert(!step.allowed);
	ck_assert_int_eq(step.retry_ns, five.interval_ns);
	ck_assert(!shm_rate_take(shm, tag, &five, NOW_NS + five.interval_ns - 1).allowed);
	ck_assert(shm_rate_take(shm, tag, &five, NOW_NS + five.interval_ns).allowed);
	ck_assert(shm_rate_take(shm, shm_tag(shm, "login:2", 7), &five, NOW_NS).allowed);
}
END_TEST

START_TEST(test_refund_gives_one_back)
{
	struct shm *shm = fixture_take(0);

	for (int i = 0; i < 5; i++)
		ck_assert(shm_rate_take(shm, 77, &five, NOW_NS).allowed);
	shm_rate_refund(shm, 77, &five, NOW_NS);
	ck_assert(shm_rate_take(shm, 77, &five, NOW_NS).allowed);
	ck_assert(!shm_rate_take(shm, 77, &five, NOW_NS).allowed);
	/* an idle key has nothing to refund */
	shm_rate_refund(shm, 78, &five, NOW_NS);
	for (int i = 0; i < 5; i++)
		ck_assert(shm_rate_take(shm, 78, &five, NOW_NS).allowed);
	ck_assert(!shm_rate_take(shm, 78, &five, NOW_NS).allowed);
}
END_TEST

START_TEST(test_off_and_full_table_allow)
{
	struct shm *shm = fixture_take(0);
	const struct pl_rate off = { 0 };

	for (int i = 0; i < 100; i++)
		ck_assert(shm_rate_take(shm, 5, &off, NOW_NS).allowed);
	for (uint64_t i = 0; i < 20000; i++)
		ck_assert(shm_rate_take(shm, pl_random_u64() | 1, &five, NOW_NS).allowed);
	ck_assert_int_gt(shm_sum(shm, SHM_M_rate_full), 0);
	/* everything is free again after it expired */
	ck_assert(shm_rate_take(shm, 9, &five, NOW_NS + 3600 * PL_NS_PER_S).allowed);
}
END_TEST

/* The same key is stored at two places: the duplicate is found at any distance, also across the end of the table. */
START_TEST(test_twin_is_found)
{
	struct shm *shm = fixture_take(0);
	size_t count = shm->head->sizes.rate_pairs;

	for (size_t mine = 0; mine < count; mine += 31) {
		for (size_t d = 1; d < PL_PAIR_PROBE; d++) {
			struct pl_pair *other = &shm->rate[(mine + d) % count];

			*other = (struct pl_pair){ 42, NOW_NS + 1 };
			ck_assert_ptr_eq(shm_pair_twin(shm->rate, count, &shm->rate[mine], 42, NOW_NS), other);
			ck_assert_ptr_eq(shm_pair_twin(shm->rate, count, other, 42, NOW_NS), NULL);
			other->value = NOW_NS;
			ck_assert_ptr_eq(shm_pair_twin(shm->rate, count, &shm->rate[mine], 42, NOW_NS), NULL);
			*other = (struct pl_pair){ 0, 0 };
		}
	}
}
END_TEST

static void hammer(struct shm *shm)
{
	for (int round = 0; round < 300; round++) {
		for (uint64_t tag = 1; tag <= 20; tag++)
			shm_count(shm, SHM_M_sent, shm_rate_take(shm, tag * 7919, &hundred, NOW_NS).allowed);
	}
}

START_TEST(test_exact_over_processes)
{
	pid_t pid[4];

	for (int i = 0; i < 4; i++)
		pid[i] = fixture_fork(i, hammer);
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(waitpid(pid[i], NULL, 0), pid[i]);
	ck_assert_int_eq(shm_sum(fixture_shm, SHM_M_sent), 20 * 100);
}
END_TEST

static void hammer_forever(struct shm *shm)
{
	for (;;)
		hammer(shm);
}

START_TEST(test_killed_processes_admit_no_more)
{
	struct shm *shm;
	int64_t sum;

	for (int i = 0; i < 10; i++) {
		pid_t a = fixture_fork(0, hammer_forever), b = fixture_fork(1, hammer_forever);

		while (atomic_load(&fixture_shm->counters[0].metric[SHM_M_sent]) == 0 &&
		    atomic_load(&fixture_shm->counters[1].metric[SHM_M_sent]) == 0)
			sched_yield();
		fixture_kill(a);
		fixture_kill(b);
		shm_slot_died(fixture_shm, 0);
		shm_slot_died(fixture_shm, 1);
	}
	shm = fixture_take(2);
	hammer(shm);
	sum = shm_sum(fixture_shm, SHM_M_sent);
	/* each kill may lose one admission between the exchange and the counter */
	ck_assert_int_le(sum, 20 * 100);
	ck_assert_int_ge(sum, 20 * 100 - 20);
	ck_assert(!shm_rate_take(shm, 7919, &hundred, NOW_NS).allowed);
}
END_TEST

START_TEST(test_slots_and_sums)
{
	struct shm *a = fixture_take(0), *b;
	uint32_t generation = atomic_load(&a->scores[0].generation);

	ck_assert_uint_ne(generation, 0);
	ck_assert(shm_slot_live(a, 0) && !shm_slot_live(a, 1));
	shm_count(a, SHM_M_sent, 3);
	shm_count(a, SHM_M_ws_conns, 5);
	shm_slot_died(fixture_shm, 0);
	ck_assert(!shm_slot_live(fixture_shm, 0));
	ck_assert_int_eq(shm_sum(fixture_shm, SHM_M_sent), 3);
	ck_assert_int_eq(shm_sum(fixture_shm, SHM_M_ws_conns), 0);
	a = fixture_take(0);
	ck_assert_uint_eq(atomic_load(&a->scores[0].generation), generation + 1);
	shm_count(a, SHM_M_sent, 1);
	ck_assert_int_eq(shm_sum(fixture_shm, SHM_M_sent), 4);
	ck_assert_int_eq(shm_sum(fixture_shm, SHM_M_ws_conns), 0);
	b = fixture_take(3);
	ck_assert_int_eq(atomic_load(&b->scores[3].is_aside), 1);
	ck_assert_int_eq(atomic_load(&a->scores[0].is_aside), 0);
	/* counted by a master before the fork: not counted again */
	shm_slot_died(fixture_shm, 0);
	atomic_fetch_add(&fixture_shm->scores[0].generation, 1);
	a = fixture_take(0);
	ck_assert_uint_eq(atomic_load(&a->scores[0].generation), generation + 2);
}
END_TEST

/* What another binary reads before it decides which parts it can share. */
START_TEST(test_parts_are_listed)
{
	const struct shm_header *head = fixture_shm->head;
	uint64_t end = SHM_PAGE;

	ck_assert_uint_eq(head->parts_count, SHM_PART_END - 1);
	for (uint32_t i = 0; i < head->parts_count; i++) {
		const struct shm_part *part = &head->parts[i];

		ck_assert_ptr_eq(shm_part_find(head, (enum shm_part_id)part->id), part);	/* once */
		ck_assert_uint_ge(part->version, 1);
		ck_assert_uint_eq(part->offset, end);
		ck_assert_uint_eq(part->bytes % SHM_PAGE, 0);
		ck_assert_uint_ge(part->bytes, part->count * part->stride);
		end += part->bytes;
	}
	ck_assert_uint_eq(head->bytes, end);
	ck_assert_ptr_eq(fixture_shm->rate, (char *)fixture_shm->head + shm_part_find(head, SHM_PART_RATES)->offset);
	/* one more metric changes the stride of the counters, and of no part that has to be shared */
	ck_assert_uint_eq(shm_part_find(head, SHM_PART_SCORES)->stride, 64);
	ck_assert_uint_ge(shm_part_find(head, SHM_PART_COUNTERS)->stride, SHM_M_COUNT * sizeof(int64_t));
}
END_TEST

Suite *suite_shm_rate(void)
{
	const TTest *const tests[] = {
		test_sizes_are_checked, test_largest_sizes, test_look_and_clear,
		test_burst_then_refused_then_one_more,
		test_refund_gives_one_back,
		test_off_and_full_table_allow, test_twin_is_found, test_exact_over_processes,
		test_killed_processes_admit_no_more, test_slots_and_sums,
		test_parts_are_listed,
	};

	return fixture_suite("shm_rate", tests, PL_COUNT(tests));
}
