/* SPDX-License-Identifier: ISC */
/*
 * Passages of a text: where it is cut, and what the passages contain.
 */
#include <check.h>

#include "pool.h"
#include "svc/knowledge/chunk.h"

Suite *suite_chunk(void);

static struct pl_pool *pool;

static void setup(void)
{
	pool = pl_pool_new(0);
}

static void teardown(void)
{
	pl_pool_free(&pool);
}

static struct pl_str repeat(const char *piece, int times)
{
	struct pl_buf buf = PL_BUF(pool);

	for (int i = 0; i < times; i++)
		pl_buf_adds(&buf, piece);
	return pl_buf_str(&buf);
}

static const struct { const char *piece; int times, count; const char *end; } texts[] = {
	{ "", 0, 0, NULL },
	{ " \n\t", 10, 0, NULL },
	{ "  One.\n", 1, 1, "One." },
	{ "Ten chars.", 100, 1, "chars." },
	{ "A sentence of some words. ", 200, 6, "words." },		/* ends of sentences */
	{ "words without any end ", 200, 6, NULL },
	{ "x", 5000, 6, NULL },					/* no boundary */
	{ "\xc3\xa4", 2500, 3, NULL },				/* two bytes each, counted as one */
};

START_TEST(cuts)
{
	const struct chunk *chunks;
	struct pl_str text = repeat(texts[_i].piece, texts[_i].times);
	int count = chunk_text(pool, text, &chunks);

	if (texts[_i].count < 2)
		ck_assert_int_eq(count, texts[_i].count);
	else
		ck_assert_int_ge(count, texts[_i].count - 1);
	for (int i = 0; i < count; i++) {
		struct pl_str got = chunks[i].text;

		ck_assert(pl_utf8_ok(got.ptr, got.len));
		ck_assert_int_eq((int64_t)pl_utf8_count(got.ptr, got.len), chunks[i].to - chunks[i].from);
		ck_assert_int_eq((int64_t)pl_utf8_count(text.ptr, (size_t)(got.ptr - text.ptr)), chunks[i].from);
		ck_assert_int_le(chunks[i].to - chunks[i].from, CHUNK_CHARS);
		if (i > 0) {
			ck_assert_int_gt(chunks[i].from, chunks[i - 1].from);
			ck_assert_int_gt(chunks[i].to, chunks[i - 1].to);
			/* at most the blank between them is lost */
			ck_assert_int_le(chunks[i].from, chunks[i - 1].to + 1);
		}
		if (texts[_i].end != NULL)
			ck_assert(got.len >= strlen(texts[_i].end) &&
			    memcmp(got.ptr + got.len - strlen(texts[_i].end), texts[_i].end,
			    strlen(texts[_i].end)) == 0);
	}
}
END_TEST

START_TEST(paragraph_first)
{
	struct pl_buf buf = PL_BUF(pool);
	const struct chunk *chunks;

	pl_buf_addstr(&buf, repeat("A sentence of some words. ", 27));
	pl_buf_adds(&buf, "The end.\n\nThe next paragraph. ");
	pl_buf_addstr(&buf, repeat("Again a sentence. ", 60));
	ck_assert_int_ge(chunk_text(pool, pl_buf_str(&buf), &chunks), 2);
	ck_assert(memcmp(chunks[0].text.ptr + chunks[0].text.len - 8, "The end.", 8) == 0);
}
END_TEST

START_TEST(as_json)
{
	ck_assert_str_eq(pl_str_c(pool, chunk_json(pool, PL_STR(" a \"b\"\n"))),
	    "[{\"from\":1,\"to\":6,\"text\":\"a \\\"b\\\"\"}]");
	ck_assert_str_eq(pl_str_c(pool, chunk_json(pool, PL_STR(" "))), "[]");
}
END_TEST

Suite *suite_chunk(void)
{
	Suite *suite = suite_create("chunk");
	TCase *tc = tcase_create("chunk");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, cuts, 0, (int)PL_COUNT(texts));
	tcase_add_test(tc, paragraph_first);
	tcase_add_test(tc, as_json);
	suite_add_tcase(suite, tc);
	return suite;
}
