/* SPDX-License-Identifier: ISC */
/*
 * Memory is returned to the system although blocks in between stay in use.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "pool.h"

Suite *suite_memory(void);

#define PIECES 16384
#define PIECE_BYTES 4000
#define KEPT_EACH 64
#define MIB (1 << 20)

static int64_t anonymous_bytes(void)
{
	FILE *file = fopen("/proc/self/status", "r");
	char line[128];
	long kb = 0;

	ck_assert_ptr_nonnull(file);
	while (fgets(line, sizeof(line), file) != NULL)
		if (sscanf(line, "RssAnon: %ld kB", &kb) == 1)
			break;
	fclose(file);
	return kb * 1024;
}

START_TEST(test_freed_pages_go_back)
{
	static char *pieces[PIECES];
	int64_t live = pl_memory_live(), before, full;

	if (live == 0)
		return;		/* the allocator of a sanitizer */
	before = anonymous_bytes();
	for (int i = 0; i < PIECES; i++)
		pieces[i] = memset(pl_new(PIECE_BYTES), 1, PIECE_BYTES);
	ck_assert_int_ge(pl_memory_live() - live, (int64_t)PIECES * PIECE_BYTES);
	full = anonymous_bytes();
	ck_assert_int_ge(full - before, (int64_t)PIECES * PIECE_BYTES);
	ck_assert(!pl_memory_tend(pl_now_ns()));	/* nothing was freed */
	for (int i = 0; i < PIECES; i++)
		if (i % KEPT_EACH != 0)
			pl_free(pieces[i]);
	/* the C library keeps them */
	ck_assert_int_ge(anonymous_bytes() - before, (int64_t)PIECES * PIECE_BYTES / 2);
	ck_assert(pl_memory_tend(pl_now_ns()));
	ck_assert_int_le(anonymous_bytes() - before, 8 * MIB);
	ck_assert(!pl_memory_tend(pl_now_ns()));	/* not twice for the same memory */
	for (int i = 0; i < PIECES; i += KEPT_EACH)
		pl_free(pieces[i]);
	ck_assert_int_lt(pl_memory_live() - live, MIB);
}
END_TEST

START_TEST(test_live_counts_both_ways)
{
	int64_t live = pl_memory_live();
	void *piece;

	if (live == 0)
		return;		/* the allocator of a sanitizer */
	piece = pl_new(1000);
	ck_assert_int_ge(pl_memory_live() - live, 1000);
	piece = pl_realloc(piece, 100000);
	ck_assert_int_ge(pl_memory_live() - live, 100000);
	piece = pl_realloc(piece, 10);
	ck_assert_int_lt(pl_memory_live() - live, 1000);
	pl_free(piece);
	ck_assert_int_eq(pl_memory_live(), live);
}
END_TEST

Suite *suite_memory(void)
{
	Suite *suite = suite_create("memory");
	TCase *tcase = tcase_create("memory");

	tcase_add_test(tcase, test_freed_pages_go_back);
	tcase_add_test(tcase, test_live_counts_both_ways);
	suite_add_tcase(suite, tcase);
	return suite;
}
