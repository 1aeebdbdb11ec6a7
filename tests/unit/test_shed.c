/* SPDX-License-Identifier: ISC */
/*
 * Overload, with a simulated clock and models of a database: how much is served, how long it waits, and what is
 * refused.
 */
#include <check.h>
#include <stdlib.h>

#include "clock.h"
#include "db/conn/shed.h"
#include "leaf.h"

Suite *suite_shed(void);

#define MS PL_NS_PER_MS

enum { AGE_MS = 50, INTERVAL_MS = 100, ITEMS = 1 << 17, GROUP = 256 };

/* Serves in order, `most` at once, which takes group_us plus each_us for each. */
static struct model {
	struct shed shed;
	int64_t now_ns, done_ns, next_ns;
	enum shed_way way;
	int group_us, each_us, most;
	int head, tail, in_group;
	struct shed_work items[ITEMS];
} m;

/* The result of a phase. */
struct figures { int offered, refused, served, longest_refusing_ms; double slowest_ms; };

static void model_init(int group_us, int each_us, int most)
{
	m = (struct model){ .now_ns = 1000 * MS, .way = most > 1 ? SHED_SEND : SHED_READ, .group_us = group_us,
		.each_us = each_us, .most = most };
	m.next_ns = m.now_ns;
	shed_init(&m.shed, AGE_MS * MS, INTERVAL_MS * MS, m.now_ns);
}

static void serve(struct figures *f)
{
	shed_turn(&m.shed);
	for (; m.in_group > 0; m.in_group--) {
		struct shed_work work = m.items[m.head++ % ITEMS];
		double waited_ms = (double)(m.now_ns - work.began_ns) / MS;

		shed_end(&m.shed, m.way, work, true, m.now_ns);
		f->served++;
		if (waited_ms > f->slowest_ms)
			f->slowest_ms = waited_ms;
	}
}

static void start_group(void)
{
	if (m.in_group > 0 || m.head == m.tail)
		return;
	m.in_group = m.tail - m.head < m.most ? m.tail - m.head : m.most;
	m.done_ns = m.now_ns + (m.group_us + (int64_t)m.in_group * m.each_us) * 1000;
}

/* Offers `rate` per second for `ms`, evenly. */
static struct figures offer(double rate, int ms)
{
	struct figures f = { 0 };
	int64_t end_ns = m.now_ns + ms * MS, accepted_ns = m.now_ns;

	while (m.now_ns < end_ns) {
		if (m.in_group > 0 && m.done_ns <= m.next_ns) {
			m.now_ns = m.done_ns;
			serve(&f);
		} else {
			m.now_ns = m.next_ns;
			m.next_ns += (int64_t)(1e9 / rate);
			f.offered++;
			if (shed_admit(&m.shed, m.way, m.now_ns)) {
				m.items[m.tail++ % ITEMS] = shed_begin(&m.shed, m.way, m.now_ns);
				shed_turn(&m.shed);
				accepted_ns = m.now_ns;
			} else {
				f.refused++;
			}
			if ((m.now_ns - accepted_ns) / MS > f.longest_refusing_ms)
				f.longest_refusing_ms = (int)((m.now_ns - accepted_ns) / MS);
		}
		start_group();
	}
	return f;
}

/* Kinds of databases: group_us, each_us, most at once, what that gives per second. */
static const struct { int group_us, each_us, most; double peak; } kinds[] = {
	{ 0, 143, 1, 7000 },		/* reads in a pipeline */
	{ 0, 500, 1, 2000 },
	{ 4000, 60, GROUP, 13200 },	/* messages in groups: a commit and its share for each */
	{ 30000, 60, GROUP, 5600 },	/* the same on a slow disk */
};

START_TEST(usual_load_is_never_refused)
{
	struct figures f;

	model_init(kinds[_i].group_us, kinds[_i].each_us, kinds[_i].most);
	f = offer(0.7 * kinds[_i].peak, 5000);
	ck_assert_int_eq(f.refused, 0);
	f = offer(0.95 * kinds[_i].peak, 5000);
	ck_assert_int_eq(f.refused, 0);
}
END_TEST

START_TEST(overload)
{
	struct figures f;
	double peak = kinds[_i].peak;
	double group_ms = (kinds[_i].group_us + kinds[_i].each_us * kinds[_i].most) / 1000.0;

	model_init(kinds[_i].group_us, kinds[_i].each_us, kinds[_i].most);
	(void)offer(0.7 * peak, 3000);
	f = offer(5 * peak, 500);
	ck_assert_msg(f.slowest_ms < 2 * AGE_MS + 3 * group_ms, "%.1f ms", f.slowest_ms);
	f = offer(5 * peak, 10000);
	ck_assert_msg(f.served > 0.94 * 10 * peak, "served %d", f.served);
	ck_assert_msg(f.slowest_ms < AGE_MS + 2 * group_ms, "waited for %.1f ms", f.slowest_ms);
	ck_assert_msg(f.longest_refusing_ms < INTERVAL_MS, "nothing accepted for %d ms", f.longest_refusing_ms);
	(void)offer(0.7 * peak, 200);
	f = offer(0.7 * peak, 3000);
	ck_assert_int_eq(f.refused, 0);
	ck_assert(!m.shed.lines[m.way].strict);
}
END_TEST

START_TEST(slight_overload)
{
	struct figures f;

	model_init(0, 143, 1);
	(void)offer(1.2 * 7000, 2000);
	f = offer(1.2 * 7000, 5000);
	ck_assert_int_gt(f.refused, f.offered / 10);
	ck_assert_int_lt(f.refused, f.offered / 4);
	ck_assert(f.slowest_ms < 2 * AGE_MS);
}
END_TEST

START_TEST(burst_passes)
{
	model_init(0, 143, 1);
	ck_assert_int_eq(offer(1000, 1000).refused, 0);
	ck_assert_int_eq(offer(400000, 1).refused, 0);
	ck_assert_int_eq(offer(1000, 1000).refused, 0);
}
END_TEST

START_TEST(one_turn_of_many)
{
	int accepted = 0;

	model_init(0, 143, 1);
	for (; accepted < 5000 && shed_admit(&m.shed, SHED_READ, m.now_ns); accepted++)
		(void)shed_begin(&m.shed, SHED_READ, m.now_ns);
	ck_assert_int_eq(accepted, SHED_BURST);
}
END_TEST

/* A locked table: 400 wait, and all others pass them. */
START_TEST(held_up_work_counts_for_itself)
{
	struct figures f;

	model_init(0, 143, 1);
	for (int i = 0; i < 400; i++)
		(void)shed_begin(&m.shed, m.way, m.now_ns);
	f = offer(0.7 * 7000, 3000);
	ck_assert_int_eq(f.refused, 0);
	ck_assert_int_gt(f.served, 13000);
}
END_TEST

/* One way is full: the others are not affected. */
START_TEST(ways_are_apart)
{
	model_init(0, 143, 1);
	ck_assert_int_gt(offer(5 * 7000, 1000).refused, 0);
	ck_assert(shed_admit(&m.shed, SHED_SEND, m.now_ns));
	ck_assert(shed_admit(&m.shed, SHED_OTHER, m.now_ns));
}
END_TEST

/* Everything takes 60 ms, 200 at once: a distant database, but no overload. */
START_TEST(distant_database)
{
	struct shed_work work[200];
	int refused = 0;

	model_init(0, 0, 1);
	for (int round = 0; round < 200; round++) {
		for (int i = 0; i < 200; i++) {
			m.now_ns += MS * 3 / 10;
			if (round > 0)
				shed_end(&m.shed, SHED_READ, work[i], true, m.now_ns);
			shed_turn(&m.shed);
			refused += !shed_admit(&m.shed, SHED_READ, m.now_ns);
			work[i] = shed_begin(&m.shed, SHED_READ, m.now_ns);
			shed_turn(&m.shed);
		}
	}
	ck_assert_int_eq(refused, 0);
}
END_TEST

/* Work that ends unserved (no database, canceled) leaves no queue. */
START_TEST(given_up)
{
	struct shed_work work[2 * SHED_BURST];

	model_init(0, 143, 1);
	for (size_t i = 0; i < PL_COUNT(work); i++)
		work[i] = shed_begin(&m.shed, SHED_READ, m.now_ns);
	ck_assert(!shed_admit(&m.shed, SHED_READ, m.now_ns));
	for (size_t i = 0; i < PL_COUNT(work); i++)
		shed_end(&m.shed, SHED_READ, work[i], false, m.now_ns);
	ck_assert(shed_admit(&m.shed, SHED_READ, m.now_ns));
}
END_TEST

/* Nothing is served at all: a few may still start, because they may not be blocked. */
START_TEST(standstill)
{
	int accepted = 0;

	model_init(0, 143, 1);
	(void)offer(5 * 7000, 1000);
	while (shed_admit(&m.shed, m.way, m.now_ns))
		(void)shed_begin(&m.shed, m.way, m.now_ns);
	m.now_ns += INTERVAL_MS * MS;
	(void)shed_admit(&m.shed, m.way, m.now_ns);
	m.now_ns += INTERVAL_MS * MS;
	while (accepted < 1000 && shed_admit(&m.shed, m.way, m.now_ns)) {
		(void)shed_begin(&m.shed, m.way, m.now_ns);
		accepted++;
	}
	ck_assert_int_ge(accepted, SHED_EXTRA);
	ck_assert_int_le(accepted, SHED_EXTRA + 64);	/* the queue may have grown by one sixteenth */
}
END_TEST

/* A long loop turn is waiting time too, also if PostgreSQL is fast. */
START_TEST(long_turns)
{
	struct shed_work work[400];
	int refused = 0;

	model_init(0, 143, 1);
	for (int round = 0; round < 30; round++) {
		for (size_t i = 0; i < PL_COUNT(work); i++) {
			m.now_ns += MS / 4;
			refused += !shed_admit(&m.shed, SHED_READ, m.now_ns);
			work[i] = shed_begin(&m.shed, SHED_READ, m.now_ns);
		}
		shed_turn(&m.shed);
		for (size_t i = 0; i < PL_COUNT(work); i++)
			shed_end(&m.shed, SHED_READ, work[i], true, m.now_ns);
		shed_turn(&m.shed);
	}
	ck_assert_int_gt(refused, 0);
}
END_TEST

START_TEST(off_and_on)
{
	model_init(0, 143, 1);
	shed_set(&m.shed, 0, INTERVAL_MS * MS);
	ck_assert_int_eq(offer(5 * 7000, 500).refused, 0);
	shed_set(&m.shed, AGE_MS * MS, INTERVAL_MS * MS);
	ck_assert_int_gt(offer(5 * 7000, 500).refused, 0);
}
END_TEST

Suite *suite_shed(void)
{
	Suite *suite = suite_create("shed");
	TCase *tc = tcase_create("shed");

	tcase_add_loop_test(tc, usual_load_is_never_refused, 0, PL_COUNT(kinds));
	tcase_add_loop_test(tc, overload, 0, PL_COUNT(kinds));
	tcase_add_test(tc, slight_overload);
	tcase_add_test(tc, burst_passes);
	tcase_add_test(tc, one_turn_of_many);
	tcase_add_test(tc, held_up_work_counts_for_itself);
	tcase_add_test(tc, ways_are_apart);
	tcase_add_test(tc, distant_database);
	tcase_add_test(tc, given_up);
	tcase_add_test(tc, standstill);
	tcase_add_test(tc, long_turns);
	tcase_add_test(tc, off_and_on);
	suite_add_tcase(suite, tc);
	return suite;
}
