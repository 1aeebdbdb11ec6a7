/* SPDX-License-Identifier: ISC */
/*
 * Shared segments and pairs; limits are exact over several processes.
 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gcra.h"
#include "shmseg.h"

Suite *suite_shmseg(void);

enum { PROCESSES = 8, KEYS = 200, BURST = 100, TRIES = 40, PAIRS = 1024 };

#define FROZEN_NS 1000000000000LL

START_TEST(make_and_map)
{
	int fd = -1;
	char *a = pl_shm_make("test", 8192, &fd), *b;

	ck_assert_ptr_nonnull(a);
	ck_assert_int_eq(a[0] | a[8191], 0);
	b = pl_shm_map(fd, 8192);
	ck_assert_ptr_nonnull(b);
	a[5000] = 'x';
	ck_assert_int_eq(b[5000], 'x');
	ck_assert_ptr_null(pl_shm_map(fd, 4096));
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_int_ne(ftruncate(fd, 0), 0);	/* sealed */
	munmap(a, 8192);
	munmap(b, 8192);
	close(fd);
	ck_assert_ptr_null(pl_shm_map(fd, 8192));
}
END_TEST

START_TEST(cas)
{
	struct pl_pair pair = { 0 }, one = { 1, 10 }, two = { 2, 20 }, zero = { 0 }, seen;

	ck_assert(pl_pair_cas(&pair, zero, one));
	ck_assert(!pl_pair_cas(&pair, zero, two));
	ck_assert(pl_pair_cas(&pair, one, two));
	seen = pl_pair_load(&pair);
	ck_assert_uint_eq(seen.tag, 2);
	ck_assert_uint_eq(seen.value, 20);
	/* The same tag with another value must not match. */
	ck_assert(!pl_pair_cas(&pair, (struct pl_pair){ 2, 19 }, one));
	seen = pl_pair_load(&pair);
	ck_assert_uint_eq(seen.value, 20);
}
END_TEST

START_TEST(find)
{
	_Alignas(64) struct pl_pair table[64] = { 0 };
	struct pl_pair seen, *at;
	bool found;

	at = pl_pair_find(table, 64, 70, 100, &seen, &found);
	ck_assert_ptr_eq(at, &table[4]);	/* 70 & 63 = 6, its line begins at 4 */
	ck_assert(!found);
	ck_assert(pl_pair_cas(at, seen, (struct pl_pair){ 70, 200 }));
	ck_assert_ptr_eq(pl_pair_find(table, 64, 70, 100, &seen, &found), at);
	ck_assert(found);
	ck_assert_uint_eq(seen.value, 200);
	/* Its own expired pair is used before an earlier free one. */
	table[9] = (struct pl_pair){ 71, 50 };
	ck_assert_ptr_eq(pl_pair_find(table, 64, 71, 100, &seen, &found), &table[9]);
	ck_assert(!found);
	/* An expired pair of another tag is free. */
	table[4].value = 100;
	ck_assert_ptr_eq(pl_pair_find(table, 64, 72, 100, &seen, &found), &table[8]);
	ck_assert_ptr_eq(pl_pair_find(table, 64, 69, 100, &seen, &found), &table[4]);
	ck_assert_uint_eq(seen.tag, 70);
	ck_assert(!found);
}
END_TEST

START_TEST(full_and_wrap)
{
	_Alignas(64) struct pl_pair table[32] = { 0 };
	struct pl_pair seen, *at;
	bool found;

	for (uint64_t i = 0; i < PL_PAIR_PROBE; i++) {
		at = pl_pair_find(table, 32, 31 + 32 * (i + 1), 5, &seen, &found);
		ck_assert_ptr_nonnull(at);
		ck_assert(pl_pair_cas(at, seen, (struct pl_pair){ 31 + 32 * (i + 1), 9 }));
	}
	ck_assert_uint_ne(table[0].tag, 0);
	ck_assert_ptr_null(pl_pair_find(table, 32, 31, 5, &seen, &found));
	ck_assert(!found);
	ck_assert_ptr_nonnull(pl_pair_find(table, 32, 31 + 32, 5, &seen, &found));
	ck_assert(found);
	ck_assert_ptr_nonnull(pl_pair_find(table, 32, 31, 9, &seen, &found));	/* expired meanwhile */
}
END_TEST

/* One check, as in the daemon. */
static bool admit(struct pl_pair *table, const struct pl_rate *rate, uint64_t tag, int64_t now_ns)
{
	for (;;) {
		struct pl_pair seen, *at;
		struct pl_gcra step;
		bool found;

		at = pl_pair_find(table, PAIRS, tag, (uint64_t)now_ns, &seen, &found);
		ck_assert_ptr_nonnull(at);
		step = pl_gcra_step(rate, found ? (int64_t)seen.value : 0, now_ns);
		if (!step.allowed)
			return false;
		if (pl_pair_cas(at, seen, (struct pl_pair){ tag, (uint64_t)step.tat_ns }))
			return true;
	}
}

static uint64_t tag_of(int key)
{
	return ((uint64_t)key + 1) * 0x9e3779b97f4a7c15u;
}

static int hammer(struct pl_pair *table, const struct pl_rate *rate, int process)
{
	int admitted = 0;

	for (int t = 0; t < TRIES; t++) {
		for (int k = 0; k < KEYS; k++)
			admitted += admit(table, rate, tag_of((k + process * 25) % KEYS), FROZEN_NS);
	}
	return admitted;
}

/* Eight processes with a frozen clock: each key admits exactly its burst. */
START_TEST(exact_over_processes)
{
	struct pl_rate rate = { .interval_ns = 1000000, .burst = BURST, .window_s = 1, .count = 1000 };
	size_t table_bytes = PAIRS * sizeof(struct pl_pair);
	char *base;
	struct pl_pair *table;
	int *admitted, fd, status, sum = 0;
	pid_t pids[PROCESSES];

	base = pl_shm_make("exact", table_bytes + PROCESSES * sizeof(int), &fd);
	ck_assert_ptr_nonnull(base);
	table = (struct pl_pair *)(void *)base;
	admitted = (int *)(void *)(base + table_bytes);
	for (int p = 0; p < PROCESSES; p++) {
		pids[p] = fork();
		ck_assert_int_ge(pids[p], 0);
		if (pids[p] == 0) {
			admitted[p] = hammer(table, &rate, p);
			_exit(0);
		}
	}
	for (int p = 0; p < PROCESSES; p++) {
		ck_assert_int_eq(waitpid(pids[p], &status, 0), pids[p]);
		ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
		sum += admitted[p];
	}
	if (PL_PAIR_EXACT)
		ck_assert_int_eq(sum, KEYS * BURST);
	else
		ck_assert_int_ge(sum, KEYS * BURST - KEYS);
	close(fd);
}
END_TEST

Suite *suite_shmseg(void)
{
	Suite *suite = suite_create("shmseg");
	TCase *tc = tcase_create("shmseg");

	tcase_add_test(tc, make_and_map);
	tcase_add_test(tc, cas);
	tcase_add_test(tc, find);
	tcase_add_test(tc, full_and_wrap);
	tcase_add_test(tc, exact_over_processes);
	suite_add_tcase(suite, tc);
	return suite;
}
