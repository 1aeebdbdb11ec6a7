/* SPDX-License-Identifier: ISC */
/* Borrowed texts, numbers, UTF-8 and the growing buffer. */
#include <check.h>
#include <limits.h>

#include "str.h"

#define ABSENT PL_STR_NONE

static const struct { struct pl_str a, b; bool eq, ieq; } eq_cases[] = {
	{ ABSENT, ABSENT, true, true },
	{ ABSENT, { "", 0 }, false, false },
	{ { "", 0 }, { "", 0 }, true, true },
	{ { "abc", 3 }, { "abc", 3 }, true, true },
	{ { "abc", 3 }, { "abd", 3 }, false, false },
	{ { "abc", 3 }, { "ab", 2 }, false, false },
	{ { "aBc", 3 }, { "AbC", 3 }, false, true },
	{ { "a@", 2 }, { "a`", 2 }, false, false },	/* 0x40 and 0x60 differ only in the case bit */
	{ { "[", 1 }, { "{", 1 }, false, false },
	{ { "\xc3\x84", 2 }, { "\xc3\xa4", 2 }, false, false },
	{ { "a\0b", 3 }, { "a\0c", 3 }, false, false },
};

START_TEST(test_eq)
{
	for (size_t i = 0; i < PL_COUNT(eq_cases); i++) {
		ck_assert_msg(pl_str_eq(eq_cases[i].a, eq_cases[i].b) == eq_cases[i].eq, "case %zu", i);
		ck_assert_msg(pl_str_eq(eq_cases[i].b, eq_cases[i].a) == eq_cases[i].eq, "case %zu turned", i);
		ck_assert_msg(pl_str_ieq(eq_cases[i].a, eq_cases[i].b) == eq_cases[i].ieq, "case %zu folded", i);
	}
	ck_assert(pl_str_is(PL_STR("abc"), "abc"));
	ck_assert(!pl_str_is(PL_STR("abc"), "abcd"));
	ck_assert(!pl_str_is(ABSENT, ""));
	ck_assert(pl_str_starts(PL_STR("Bearer x"), "Bearer "));
	ck_assert(!pl_str_starts(PL_STR("bearer x"), "Bearer "));
	ck_assert(pl_str_istarts(PL_STR("bEARER x"), "Bearer "));
	ck_assert(!pl_str_istarts(PL_STR("Bear"), "Bearer "));
	ck_assert(!pl_str_starts(ABSENT, ""));
}
END_TEST

START_TEST(test_trim_dup)
{
	struct pl_pool *pool = pl_pool_new(0);
	struct pl_str copy;

	ck_assert(pl_str_is(pl_str_trim(PL_STR(" \t a b\t ")), "a b"));
	ck_assert(pl_str_is(pl_str_trim(PL_STR("\n")), "\n"));
	ck_assert_uint_eq(pl_str_trim(PL_STR(" \t ")).len, 0);
	ck_assert_ptr_null(pl_str_trim(ABSENT).ptr);
	copy = pl_str_dup(pool, pl_strn("abcdef", 3));
	ck_assert_str_eq(copy.ptr, "abc");
	ck_assert_uint_eq(copy.len, 3);
	ck_assert_ptr_null(pl_str_dup(pool, ABSENT).ptr);
	ck_assert_ptr_null(pl_str_c(pool, ABSENT));
	ck_assert_str_eq(pl_str_c(pool, PL_STR("")), "");
	ck_assert_ptr_null(pl_str(NULL).ptr);
	pl_pool_free(&pool);
}
END_TEST

START_TEST(test_cut)
{
	static const char *const parts[] = { "a", "", "bc", "" };
	struct pl_str rest = PL_STR("a,,bc,"), part;
	size_t n = 0;

	while (pl_str_cut(&rest, ',', &part)) {
		ck_assert_uint_lt(n, PL_COUNT(parts));
		ck_assert_msg(pl_str_is(part, parts[n]), "part %zu", n);
		n++;
	}
	ck_assert_uint_eq(n, PL_COUNT(parts));
	rest = PL_STR("");
	ck_assert(pl_str_cut(&rest, ',', &part));
	ck_assert(pl_str_is(part, ""));
	ck_assert(!pl_str_cut(&rest, ',', &part));
}
END_TEST

static const struct { const char *text; int64_t min, max; bool ok; int64_t value; } i64_cases[] = {
	{ "0", 0, 10, true, 0 },
	{ "10", 0, 10, true, 10 },
	{ "11", 0, 10, false, 0 },
	{ "007", 0, 10, true, 7 },
	{ "", 0, 10, false, 0 },
	{ "-", -10, 10, false, 0 },
	{ "-1", 0, 10, false, 0 },
	{ "-0", 0, 10, false, 0 },
	{ "-0", -1, 10, true, 0 },
	{ "-1", -1, 10, true, -1 },
	{ "-2", -1, 10, false, 0 },
	{ "+1", -1, 10, false, 0 },
	{ " 1", 0, 10, false, 0 },
	{ "1 ", 0, 10, false, 0 },
	{ "1.0", 0, 10, false, 0 },
	{ "1e1", 0, 10, false, 0 },
	{ "0x1", 0, 10, false, 0 },
	{ "--1", -10, 10, false, 0 },
	{ "9223372036854775807", 0, INT64_MAX, true, INT64_MAX },
	{ "9223372036854775808", 0, INT64_MAX, false, 0 },
	{ "-9223372036854775808", INT64_MIN, INT64_MAX, true, INT64_MIN },
	{ "-9223372036854775809", INT64_MIN, INT64_MAX, false, 0 },
	{ "18446744073709551616", 0, INT64_MAX, false, 0 },
	{ "99999999999999999999999999", 0, INT64_MAX, false, 0 },
	{ "\xd9\xa1", 0, 10, false, 0 },	/* a digit one, but an Arabic one */
};

START_TEST(test_i64)
{
	for (size_t i = 0; i < PL_COUNT(i64_cases); i++) {
		int64_t value = 77;
		bool ok = pl_str_i64(pl_str(i64_cases[i].text), i64_cases[i].min, i64_cases[i].max, &value);

		ck_assert_msg(ok == i64_cases[i].ok, "\"%s\"", i64_cases[i].text);
		ck_assert_msg(value == (ok ? i64_cases[i].value : 77), "\"%s\"", i64_cases[i].text);
	}
	ck_assert(!pl_str_i64(ABSENT, 0, 1, &(int64_t){ 0 }));
}
END_TEST

static const struct { const char *text; size_t len; bool ok; } utf8_cases[] = {
	{ "", 0, true },
	{ "plain ascii that is longer than sixteen bytes", 45, true },
	{ "a\0b", 3, false },
	{ "12345678\0", 9, false },
	{ "1234567\0", 8, false },
	{ "\xc2\x80", 2, true },			/* U+0080 */
	{ "\xdf\xbf", 2, true },
	{ "\xe0\xa0\x80", 3, true },			/* U+0800 */
	{ "\xed\x9f\xbf", 3, true },			/* U+D7FF */
	{ "\xee\x80\x80", 3, true },			/* U+E000 */
	{ "\xef\xbf\xbf", 3, true },			/* U+FFFF */
	{ "\xf0\x90\x80\x80", 4, true },		/* U+10000 */
	{ "\xf4\x8f\xbf\xbf", 4, true },		/* U+10FFFF */
	{ "\xf0\x9f\x98\x80 and more text", 18, true },
	{ "\x80", 1, false },
	{ "\xbf", 1, false },
	{ "\xc0\x80", 2, false },			/* overlong U+0000 */
	{ "\xc1\xbf", 2, false },
	{ "\xe0\x80\x80", 3, false },
	{ "\xe0\x9f\xbf", 3, false },
	{ "\xf0\x80\x80\x80", 4, false },
	{ "\xf0\x8f\xbf\xbf", 4, false },
	{ "\xed\xa0\x80", 3, false },			/* U+D800 */
	{ "\xed\xbf\xbf", 3, false },			/* U+DFFF */
	{ "\xf4\x90\x80\x80", 4, false },		/* U+110000 */
	{ "\xf5\x80\x80\x80", 4, false },
	{ "\xff", 1, false },
	{ "\xfe", 1, false },
	{ "\xc2", 1, false },
	{ "\xe2\x82", 2, false },
	{ "\xf0\x9f\x98", 3, false },
	{ "\xc2" "a", 2, false },
	{ "\xe2\x82" "a", 3, false },
	{ "a\xe2\x28\xa1", 4, false },
	{ "\xc2\xc2\x80", 3, false },
	{ "1234567\x80", 8, false },
};

START_TEST(test_utf8)
{
	for (size_t i = 0; i < PL_COUNT(utf8_cases); i++) {
		const char *text = utf8_cases[i].text;
		size_t len = utf8_cases[i].len;

		ck_assert_msg(pl_utf8_ok(text, len) == utf8_cases[i].ok, "case %zu", i);
		/* A stream that is cut anywhere gets the same result. */
		for (size_t cut = 0; cut <= len; cut++) {
			uint32_t state = 0;
			bool ok = pl_utf8_feed(&state, text, cut) && pl_utf8_feed(&state, text + cut, len - cut) &&
			    state == 0;

			ck_assert_msg(ok == utf8_cases[i].ok, "case %zu cut at %zu", i, cut);
		}
	}
}
END_TEST

START_TEST(test_utf8_fails_at_first_bad_byte)
{
	uint32_t state = 0;

	ck_assert(pl_utf8_feed(&state, "\xf4", 1));
	ck_assert_uint_ne(state, 0);
	ck_assert(!pl_utf8_feed(&state, "\x90", 1));
}
END_TEST

/* All code points are valid; surrogates and values above the maximum are not. */
START_TEST(test_utf8_all_points)
{
	for (uint32_t point = 1; point < 0x120000; point++) {
		char text[4];
		size_t len = 0;
		bool good = point <= 0x10ffff && (point < 0xd800 || point > 0xdfff);

		if (point < 0x80) {
			text[len++] = (char)point;
		} else if (point < 0x800) {
			text[len++] = (char)(0xc0 | point >> 6);
		} else if (point < 0x10000) {
			text[len++] = (char)(0xe0 | point >> 12);
			text[len++] = (char)(0x80 | (point >> 6 & 0x3f));
		} else {
			text[len++] = (char)(0xf0 | point >> 18);
			text[len++] = (char)(0x80 | (point >> 12 & 0x3f));
			text[len++] = (char)(0x80 | (point >> 6 & 0x3f));
		}
		if (point >= 0x80)
			text[len++] = (char)(0x80 | (point & 0x3f));
		if (pl_utf8_ok(text, len) != good || pl_utf8_count(text, len) != 1)
			ck_abort_msg("U+%04X", point);
	}
}
END_TEST

START_TEST(test_utf8_cut_count)
{
	static const char text[] = "a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80z";
	static const size_t cuts[] = { 0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11, 11 };

	for (size_t max = 0; max < PL_COUNT(cuts); max++)
		ck_assert_msg(pl_utf8_cut(text, 11, max) == cuts[max], "max %zu", max);
	ck_assert_uint_eq(pl_utf8_count(text, 11), 5);
	ck_assert_uint_eq(pl_utf8_count("", 0), 0);
}
END_TEST

static void fill(struct pl_buf *buf)
{
	struct pl_buf want = PL_BUF(NULL);

	for (int i = 0; i < 500; i++) {
		pl_buf_addf(buf, "%d,", i);
		pl_buf_addi(&want, i);
		pl_buf_addc(&want, ',');
	}
	ck_assert(pl_str_eq(pl_buf_str(buf), pl_buf_str(&want)));
	ck_assert_int_eq(buf->ptr[buf->len], '\0');
	pl_buf_fini(&want);
	ck_assert_ptr_null(want.ptr);
}

START_TEST(test_buf)
{
	struct pl_pool *pool = pl_pool_new(0);
	struct pl_buf heap = PL_BUF(NULL), pooled = PL_BUF(pool);
	char *room;

	ck_assert(pl_str_is(pl_buf_str(&heap), ""));
	fill(&heap);
	fill(&pooled);
	pl_buf_reset(&heap);
	ck_assert_str_eq(heap.ptr, "");
	pl_buf_adds(&heap, "ab");
	pl_buf_addstr(&heap, ABSENT);
	pl_buf_add(&heap, "\0c", 2);
	pl_buf_addi(&heap, INT64_MIN);
	pl_buf_addi(&heap, INT64_MAX);
	pl_buf_addi(&heap, 0);
	ck_assert(pl_str_eq(pl_buf_str(&heap), PL_STR("ab\0c-922337203685477580892233720368547758070")));
	room = pl_buf_room(&heap, 100000);
	memset(room, 'x', 100000);
	ck_assert_uint_eq(heap.len, 44);
	pl_buf_fini(&heap);
	pl_buf_fini(&pooled);
	pl_buf_reset(&pooled);
	pl_pool_free(&pool);
}
END_TEST

Suite *suite_str(void);
Suite *suite_str(void)
{
	Suite *suite = suite_create("str");
	TCase *tc = tcase_create("str");

	tcase_add_test(tc, test_eq);
	tcase_add_test(tc, test_trim_dup);
	tcase_add_test(tc, test_cut);
	tcase_add_test(tc, test_i64);
	tcase_add_test(tc, test_utf8);
	tcase_add_test(tc, test_utf8_fails_at_first_bad_byte);
	tcase_add_test(tc, test_utf8_all_points);
	tcase_add_test(tc, test_utf8_cut_count);
	tcase_add_test(tc, test_buf);
	suite_add_tcase(suite, tc);
	return suite;
}
