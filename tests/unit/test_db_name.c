/* SPDX-License-Identifier: ISC */
/*
 * The rule for names; tests/e2e/test_sql.py has the same table for SQL function name_ok().
 */
#include <check.h>

#include "db/repo/name.h"

Suite *suite_db_name(void);

static const struct { const char *name; bool good; } cases[] = {
	{ "a", true },
	{ "Ann", true },
	{ "a.b-c_d", true },
	{ "1a", true },
	{ "-", true },
	{ "abcdefghijklmnopqrstuvwxyz012345", true },
	{ "", false },
	{ "abcdefghijklmnopqrstuvwxyz0123456", false },
	{ "123", false },
	{ "a b", false },
	{ "a@b", false },
	{ "a\n", false },
	{ "\xc3\xa4", false },
	{ "chat", false },
	{ "Me", false },
	{ "ECHO", false },
	{ "local", false },
	{ "chatty", true },
	{ "11111111-2222-4333-8444-555555555555", false },
};

START_TEST(table)
{
	for (size_t i = 0; i < PL_COUNT(cases); i++) {
		bool good = name_fault(pl_str(cases[i].name)) == NULL;

		ck_assert_msg(good == cases[i].good, "%s", cases[i].name);
	}
}
END_TEST

START_TEST(absent_and_nul)
{
	ck_assert_ptr_nonnull(name_fault(PL_STR_NONE));
	ck_assert_ptr_nonnull(name_fault(pl_strn("a\0b", 3)));
}
END_TEST

Suite *suite_db_name(void)
{
	Suite *suite = suite_create("db_name");
	TCase *tcase = tcase_create("db_name");

	tcase_add_test(tcase, table);
	tcase_add_test(tcase, absent_and_nul);
	suite_add_tcase(suite, tcase);
	return suite;
}
