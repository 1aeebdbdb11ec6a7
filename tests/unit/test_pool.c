/* SPDX-License-Identifier: ISC */
/* Pools: zeroed, aligned, separate pieces; growth; cleanups in reverse order; heap objects. */
#include <check.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>

#include "pool.h"

START_TEST(test_pieces_are_zeroed_and_apart)
{
	static const size_t sizes[] = { 0, 1, 15, 16, 17, 100, 1000, 5000, 70000, 3, 200000, 64 };
	struct pl_pool *pool = pl_pool_new(64);
	unsigned char *pieces[PL_COUNT(sizes)];

	for (size_t i = 0; i < PL_COUNT(sizes); i++) {
		pieces[i] = pl_alloc(pool, sizes[i]);
		ck_assert_uint_eq((uintptr_t)pieces[i] % 16, 0);
		for (size_t k = 0; k < sizes[i]; k++)
			ck_assert_uint_eq(pieces[i][k], 0);
		memset(pieces[i], (int)i + 1, sizes[i]);
	}
	for (size_t i = 0; i < PL_COUNT(sizes); i++) {
		for (size_t k = 0; k < sizes[i]; k++)
			ck_assert_uint_eq(pieces[i][k], i + 1);
	}
	ck_assert_uint_ge(pl_pool_used_bytes(pool), 276216);
	pl_pool_free(&pool);
	ck_assert_ptr_null(pool);
	pl_pool_free(&pool);
}
END_TEST

START_TEST(test_many_small_pieces)
{
	struct pl_pool *pool = pl_pool_new(0);
	uint32_t *numbers[5000];

	for (uint32_t i = 0; i < PL_COUNT(numbers); i++) {
		numbers[i] = pl_alloc(pool, sizeof(uint32_t) + i % 50);
		ck_assert_uint_eq(*numbers[i], 0);
		*numbers[i] = i;
	}
	for (uint32_t i = 0; i < PL_COUNT(numbers); i++)
		ck_assert_uint_eq(*numbers[i], i);
	pl_pool_free(&pool);
}
END_TEST

static char order[16];

static void note(void *arg)
{
	strcat(order, arg);
}

static void note_more(void *arg)
{
	static char n[] = "n";

	strcat(order, "m");
	pl_pool_cleanup(arg, note, n);
}

START_TEST(test_cleanups_run_last_first)
{
	static char a[] = "a", b[] = "b", c[] = "c";
	struct pl_pool *pool = pl_pool_new(0);

	order[0] = '\0';
	pl_pool_cleanup(pool, note, a);
	pl_pool_cleanup(pool, note, b);
	pl_pool_cleanup(pool, note, c);
	ck_assert_str_eq(order, "");
	pl_pool_free(&pool);
	ck_assert_str_eq(order, "cba");
}
END_TEST

START_TEST(test_cleanup_may_use_the_pool)
{
	static char a[] = "a";
	struct pl_pool *pool = pl_pool_new(0);

	order[0] = '\0';
	pl_pool_cleanup(pool, note, a);
	pl_pool_cleanup(pool, note, pl_strdup(pool, "x"));
	pl_pool_cleanup(pool, note_more, pool);
	pl_pool_free(&pool);
	ck_assert_str_eq(order, "mnxa");
}
END_TEST

START_TEST(test_texts)
{
	struct pl_pool *pool = pl_pool_new(32);
	char long_text[1000];
	char *made;

	memset(long_text, 'x', sizeof(long_text) - 1);
	long_text[sizeof(long_text) - 1] = '\0';
	ck_assert_str_eq(pl_strdup(pool, ""), "");
	ck_assert_str_eq(pl_strdup(pool, "abc"), "abc");
	ck_assert_str_eq(pl_strndup(pool, "abcdef", 3), "abc");
	ck_assert_str_eq(pl_strndup(pool, NULL, 0), "");
	ck_assert_str_eq(pl_sprintf(pool, "%d-%s", 5, "x"), "5-x");
	made = pl_sprintf(pool, "<%s>", long_text);
	ck_assert_uint_eq(strlen(made), sizeof(long_text) + 1);
	ck_assert_int_eq(made[1000], '>');
	/* Both sides of the stack buffer in pl_sprintf(). */
	for (int len = 250; len < 260; len++)
		ck_assert_uint_eq(strlen(pl_sprintf(pool, "%.*s", len, long_text)), (size_t)len);
	pl_pool_free(&pool);
}
END_TEST

START_TEST(test_heap)
{
	char *ptr = pl_new(10);

	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(ptr[i], 0);
	memcpy(ptr, "123456789", 10);
	ptr = pl_realloc(ptr, 10000);
	ck_assert_str_eq(ptr, "123456789");
	pl_free(ptr);
	pl_free(NULL);
	pl_free(pl_new(0));
}
END_TEST

START_TEST(test_bug_aborts)
{
	PL_BUG(1 + 1 == 2);
}
END_TEST

START_TEST(test_huge_size_aborts)
{
	struct pl_pool *pool = pl_pool_new(0);

	pl_alloc(pool, SIZE_MAX - 8);
}
END_TEST

Suite *suite_pool(void);
Suite *suite_pool(void)
{
	Suite *suite = suite_create("pool");
	TCase *tc = tcase_create("pool");

	tcase_add_test(tc, test_pieces_are_zeroed_and_apart);
	tcase_add_test(tc, test_many_small_pieces);
	tcase_add_test(tc, test_cleanups_run_last_first);
	tcase_add_test(tc, test_cleanup_may_use_the_pool);
	tcase_add_test(tc, test_texts);
	tcase_add_test(tc, test_heap);
	tcase_add_test_raise_signal(tc, test_bug_aborts, SIGABRT);
	tcase_add_test_raise_signal(tc, test_huge_size_aborts, SIGABRT);
	suite_add_tcase(suite, tc);
	return suite;
}
