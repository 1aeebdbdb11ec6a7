/* SPDX-License-Identifier: ISC */
/*
 * svc/job/contact.c: when a courier may treat expired leases of others as expired.
 */
#include <check.h>

#include "clock.h"
#include "svc/job/contact.h"

Suite *suite_contact(void);

#define AT(s) ((int64_t)(s) * PL_NS_PER_S)

/* Extensions at these seconds after the start; may it decide at `now`? */
static const struct { const char *what; int made[12], now; bool want; } cases[] = {
	{ "right after the start", { 0 }, 1, false },
	{ "after a minute", { 1, 15, 30, 45, 60 }, 61, true },
	{ "not at a minute sharp", { 1, 15, 30, 45, 60 }, 60, false },
	{ "nothing for long before the question", { 1, 15, 30, 45, 60, 75 }, 116, false },
	{ "one that was late, but not too late", { 1, 15, 30, 45, 85 }, 86, true },
	{ "the first one after an absence", { 1, 15, 30, 45, 60, 75, 150 }, 150, false },
	{ "soon after an absence", { 1, 15, 30, 45, 60, 75, 150, 165, 180, 195, 210 }, 210, false },
	{ "long after an absence", { 1, 15, 30, 45, 60, 75, 150, 165, 180, 195, 210 }, 211, true },
	{ "never reached it at all", { 0 }, 3600, false },
};

START_TEST(test_contact)
{
	struct contact contact;

	contact_init(&contact, AT(1000));
	for (int i = 0; i < 12 && cases[_i].made[i] != 0; i++)
		contact_made(&contact, AT(1000 + cases[_i].made[i]));
	ck_assert_msg(contact_steady(&contact, AT(1000 + cases[_i].now)) == cases[_i].want, "%s", cases[_i].what);
}
END_TEST

START_TEST(test_clock)
{
	int64_t before = contact_now_ns();

	ck_assert_int_ge(before, pl_now_ns() - PL_NS_PER_S);
	ck_assert_int_ge(contact_now_ns(), before);
}
END_TEST

Suite *suite_contact(void)
{
	Suite *suite = suite_create("contact");
	TCase *tests = tcase_create("all");

	tcase_add_loop_test(tests, test_contact, 0, (int)(sizeof(cases) / sizeof(cases[0])));
	tcase_add_test(tests, test_clock);
	suite_add_tcase(suite, tests);
	return suite;
}
