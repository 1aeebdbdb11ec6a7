/* SPDX-License-Identifier: ISC */
/*
 * Which passages an answer cites.
 */
#include <check.h>

#include "json.h"
#include "svc/knowledge/knowledge.h"

static const struct { const char *text; int count; uint64_t marks; } marks[] = {
	{ "", 4, 0 },
	{ "no mark", 4, 0 },
	{ "so it is [1].", 4, 1 },
	{ "[1][3]", 4, 5 },
	{ "[1, 3]", 4, 5 },
	{ "[ 2 ]", 4, 2 },
	{ "[2] and again [2]", 4, 2 },
	{ "[5] was not offered, [0] neither", 4, 0 },
	{ "[4]", 4, 8 },
	{ "[1", 4, 0 },
	{ "[", 4, 0 },
	{ "[]", 4, 0 },
	{ "[1,]", 4, 0 },
	{ "[1;2]", 4, 0 },
	{ "[one]", 4, 0 },
	{ "[[2]]", 4, 2 },
	{ "[99999999999999999999]", 4, 0 },
	{ "[-1]", 4, 0 },
	{ "[1](http://x)", 4, 1 },
	{ "[64]", 64, UINT64_C(1) << 63 },
};

START_TEST(test_marks)
{
	ck_assert_msg(knowledge_marks(pl_str(marks[_i].text), marks[_i].count) == marks[_i].marks, "%s",
	    marks[_i].text);
}
END_TEST

START_TEST(test_cite)
{
	struct pl_pool *pool = pl_pool_new(0);
	char text[1001];
	struct passage rows[] = { { .document_id = 7, .title = PL_STR("One \"quoted\""), .first = 0, .last = 4,
		.text = PL_STR("word") },
		{ .document_id = 8, .title = PL_STR("Two"), .first = 10, .last = 1010, .text = PL_STR_NONE } };
	struct knowledge_found found = { .outcome = KNOWLEDGE_FOUND, .rows = rows, .count = 2 };
	struct pl_err err = { 0 };
	const struct pl_jval *list;
	struct pl_str second;

	memset(text, 'x', sizeof(text) - 1);
	text[200] = ' ';
	text[1000] = '\0';
	rows[1].text = pl_str(text);
	ck_assert_ptr_null(knowledge_cite(pool, &found, PL_STR("nothing named")).ptr);
	ck_assert_str_eq(pl_str_c(pool, knowledge_cite(pool, &found, PL_STR("so [1]"))),
	    "[{\"mark\":1,\"document\":7,\"title\":\"One \\\"quoted\\\"\",\"from\":0,\"to\":4,\"text\":\"word\"}]");
	list = pl_json_parse(pool, knowledge_cite(pool, &found, PL_STR("[2, 1]")), &err);
	ck_assert_ptr_nonnull(list);
	ck_assert_uint_eq(list->count, 2);
	second = pl_json_str(pl_json_get(list->first->next, "text"));
	ck_assert_uint_eq(second.len, 204);
	ck_assert(pl_str_is(pl_strn(second.ptr + 200, 4), " ..."));
	found.count = 0;
	ck_assert_ptr_null(knowledge_cite(pool, &found, PL_STR("[1]")).ptr);
	pl_pool_free(&pool);
}
END_TEST

Suite *suite_knowledge(void);

Suite *suite_knowledge(void)
{
	Suite *suite = suite_create("knowledge");
	TCase *tc = tcase_create("all");

	tcase_add_loop_test(tc, test_marks, 0, PL_COUNT(marks));
	tcase_add_test(tc, test_cite);
	suite_add_tcase(suite, tc);
	return suite;
}
