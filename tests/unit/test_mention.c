/* SPDX-License-Identifier: ISC */
/*
 * Mentions: the cases of tests/mentions.json, with which tests/e2e/test_page.py tests the page as well.
 */
#include <check.h>
#include <stdio.h>

#include "json.h"
#include "svc/notify/mention.h"

Suite *suite_mention(void);

static const char *const names[] = {
	"bot", "Jos\xc3\xa9", "\xe5\x8a\xa9\xe6\x89\x8b", "Product Manager", "Product",
};

static struct pl_str read_cases(struct pl_pool *pool)
{
	static char text[1 << 16];
	FILE *file = fopen(UNIT_SRCDIR "/tests/mentions.json", "r");
	size_t len;

	ck_assert_msg(file != NULL, "tests/mentions.json is missing");
	len = fread(text, 1, sizeof(text), file);
	ck_assert_uint_lt(len, sizeof(text));
	fclose(file);
	return pl_strn(pl_strndup(pool, text, len), len);
}

/* [text, [name, ..]] */
static void check_case(struct pl_pool *pool, const struct pl_jval *one)
{
	struct role roles[PL_COUNT(names)] = { { 0 } };
	bool marks[PL_COUNT(names)] = { false };
	struct pl_str text = pl_json_str(one->first);
	int marked = 0;

	for (size_t i = 0; i < PL_COUNT(names); i++) {
		roles[i].name = pl_str(pl_sprintf(pool, "role%zu", i));
		roles[i].display = pl_str(names[i]);
	}
	mention_mark(pool, text, roles, PL_COUNT(names), marks);
	for (const struct pl_jval *want = one->first->next->first; want != NULL; want = want->next, marked++) {
		for (size_t i = 0; i < PL_COUNT(names); i++)
			ck_assert_msg(marks[i] || !pl_str_is(want->text, names[i]), "%.*s: not %s",
			    (int)one->raw.len, one->raw.ptr, names[i]);
	}
	for (size_t i = 0; i < PL_COUNT(names); i++)
		marked -= marks[i];
	ck_assert_msg(marked == 0, "too many: %.*s", (int)one->raw.len, one->raw.ptr);
}

START_TEST(test_cases)
{
	struct pl_pool *pool = pl_pool_new(0);
	struct pl_err err;
	const struct pl_jval *cases = pl_json_parse(pool, read_cases(pool), &err);

	ck_assert_msg(cases != NULL, "%s", err.detail);
	ck_assert_int_ge(cases->count, 160);
	for (const struct pl_jval *one = cases->first; one != NULL; one = one->next)
		check_case(pool, one);
	pl_pool_free(&pool);
}
END_TEST

/* Both the name for mentions and the display name count. */
START_TEST(test_both_names)
{
	struct pl_pool *pool = pl_pool_new(0);
	struct role role = { .name = PL_STR("Growth_Hacker"), .display = PL_STR("Growth Hacker") };
	bool mark = false;

	mention_mark(pool, PL_STR("@growth_hacker?"), &role, 1, &mark);
	ck_assert(mark);
	mark = false;
	mention_mark(pool, PL_STR("@growth hacker?"), &role, 1, &mark);
	ck_assert(mark);
	pl_pool_free(&pool);
}
END_TEST

/*
 * All texts up to a few bytes of these characters, in buffers that end with the text: nothing is read beyond the end.
 */
START_TEST(test_all_short_texts)
{
	static const char *const parts[] = {
		"@", "bot", "`", "```", "~~~", "\n", " ", "    ", ":", "://", "/", ".", "-", "> ", "1. ", "\r",
		"\xef\xbc\xa0", "\xe4\xbd\xa0",
	};
	struct role role = { .name = PL_STR("bot"), .display = PL_STR("bot") };

	for (size_t n = 0, k = PL_COUNT(parts); n < k * k * k * k; n++) {
		struct pl_pool *pool = pl_pool_new(0);
		struct pl_buf text = PL_BUF(pool);
		bool mark = false;

		for (size_t i = 0, rest = n; i < 4; i++, rest /= PL_COUNT(parts))
			pl_buf_adds(&text, parts[rest % PL_COUNT(parts)]);
		mention_mark(pool, pl_buf_str(&text), &role, 1, &mark);
		pl_pool_free(&pool);
	}
}
END_TEST

/* The names that may be meant, the longest first, and the text after them; each place once. */
START_TEST(test_places)
{
	static const struct { const char *text; const char *const want[4]; } cases[] = {
		{ "hello", { NULL } },
		{ "@", { NULL } },
		{ "@bot", { "bot\tbot" } },
		{ "@bot.", { "bot. bot\tbot." } },
		{ "@a.b-.", { "a.b-. a.b- a.b\ta.b-." } },
		{ "@bot @bot", { "bot\tbot @bot", "bot\tbot" } },
		{ "@bot\n@bot\nx", { "bot\tbot" } },
		{ "`@bot` x@bot @bot/x https://h/@bot", { NULL } },
		{ "\xef\xbc\xa0" "Ann Bot", { "Ann\tAnn Bot" } },
		{ "@Jos\xc3\xa9", { NULL } },
		{ "@abcdefghijklmnopqrstuvwxyz0123456", { NULL } },
		{ "@1 @2 @3 @4 @5", { "1\t1 @2 @3 @4 @5", "2\t2 @3 @4 @5", "3\t3 @4 @5" } },
	};

	for (size_t i = 0; i < PL_COUNT(cases); i++) {
		struct pl_pool *pool = pl_pool_new(0);
		struct pl_str places[3];
		int count = mention_places(pool, pl_str(cases[i].text), 3, places), n = 0;

		for (; cases[i].want[n] != NULL; n++) {
			ck_assert_int_lt(n, count);
			ck_assert_msg(pl_str_is(places[n], cases[i].want[n]), "%s: %.*s", cases[i].text,
			    PL_FMT(places[n]));
		}
		ck_assert_msg(n == count, "%s: %d", cases[i].text, count);
		pl_pool_free(&pool);
	}
}
END_TEST

Suite *suite_mention(void)
{
	Suite *suite = suite_create("mention");
	TCase *tests = tcase_create("all");

	tcase_add_test(tests, test_cases);
	tcase_add_test(tests, test_both_names);
	tcase_add_test(tests, test_places);
	tcase_add_test(tests, test_all_short_texts);
	suite_add_tcase(suite, tests);
	return suite;
}
