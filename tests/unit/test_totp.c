/* SPDX-License-Identifier: ISC */
/*
 * One-time codes: the vectors of RFC 6238 and RFC 4648, the window, and invalid codes.
 */
#include <check.h>

#include "totp.h"

Suite *suite_totp(void);

static const unsigned char secret[PL_TOTP_SECRET] = { '1', '2', '3', '4', '5', '6', '7', '8', '9', '0', '1', '2', '3',
	'4', '5', '6', '7', '8', '9', '0' };

START_TEST(test_base32)
{
	static const struct { const char *in, *out; } cases[] = {
		{ "", "" }, { "f", "MY" }, { "fo", "MZXQ" }, { "foo", "MZXW6" }, { "foob", "MZXW6YQ" },
		{ "fooba", "MZXW6YTB" }, { "foobar", "MZXW6YTBOI" },
	};
	char out[40];

	for (size_t i = 0; i < PL_COUNT(cases); i++) {
		ck_assert_uint_eq(pl_base32_encode(cases[i].in, strlen(cases[i].in), out), strlen(cases[i].out));
		ck_assert_str_eq(out, cases[i].out);
	}
	ck_assert_uint_eq(pl_base32_encode(secret, sizeof(secret), out), 32);
	ck_assert_str_eq(out, "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
}
END_TEST

/* RFC 6238, appendix B: the last six of its eight digits. */
START_TEST(test_codes)
{
	static const struct { int64_t at_s; const char *code; } cases[] = {
		{ 59, "287082" }, { 1111111109, "081804" }, { 1111111111, "050471" }, { 1234567890, "005924" },
		{ 2000000000, "279037" }, { 20000000000, "353130" },
	};
	char out[PL_TOTP_DIGITS + 1];

	for (size_t i = 0; i < PL_COUNT(cases); i++) {
		pl_totp_code(secret, cases[i].at_s / PL_TOTP_STEP_S, out);
		ck_assert_str_eq(out, cases[i].code);
		ck_assert_int_eq(pl_totp_find(secret, pl_str(cases[i].code), cases[i].at_s),
		    cases[i].at_s / PL_TOTP_STEP_S);
	}
}
END_TEST

START_TEST(test_window)
{
	static const struct { int64_t now_s; bool good; } cases[] = {
		{ 1234567890 - 31, false }, { 1234567890 - 30, true }, { 1234567890 - 1, true }, { 1234567890, true },
		{ 1234567890 + 29, true }, { 1234567890 + 30, true }, { 1234567890 + 59, true },
		{ 1234567890 + 60, false },
	};

	for (size_t i = 0; i < PL_COUNT(cases); i++)
		ck_assert_msg(pl_totp_find(secret, PL_STR("005924"), cases[i].now_s) ==
		    (cases[i].good ? 1234567890 / PL_TOTP_STEP_S : 0), "at %lld", (long long)cases[i].now_s);
}
END_TEST

START_TEST(test_not_codes)
{
	static const struct { const char *code; bool good; } cases[] = {
		{ "005924", true }, { "005 924", true }, { " 005924 ", true }, { "005925", false }, { "", false },
		{ "5924", false }, { "0059240", false }, { "00592", false }, { "00592a", false }, { "-05924", false },
		{ "005\t924", false },
	};

	for (size_t i = 0; i < PL_COUNT(cases); i++)
		ck_assert_msg((pl_totp_find(secret, pl_str(cases[i].code), 1234567890) != 0) == cases[i].good, "%s",
		    cases[i].code);
	ck_assert_int_eq(pl_totp_find(secret, PL_STR_NONE, 1234567890), 0);
}
END_TEST

Suite *suite_totp(void)
{
	Suite *suite = suite_create("totp");
	TCase *tcase = tcase_create("totp");

	tcase_add_test(tcase, test_base32);
	tcase_add_test(tcase, test_codes);
	tcase_add_test(tcase, test_window);
	tcase_add_test(tcase, test_not_codes);
	suite_add_tcase(suite, tcase);
	return suite;
}
