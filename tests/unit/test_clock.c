/* SPDX-License-Identifier: ISC */
/* Clocks, RFC 3339 and the Date header. */
#include <check.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "pool.h"

START_TEST(test_clocks)
{
	int64_t first = pl_now_ns();

	ck_assert_int_ge(pl_now_ns(), first);
	ck_assert_int_gt(pl_wall_us(), 1700000000 * PL_US_PER_S);
	pl_clock_fake(5, 6);
	ck_assert_int_eq(pl_now_ns(), 5);
	ck_assert_int_eq(pl_wall_us(), 6);
	pl_clock_fake(0, 0);
	ck_assert_int_ge(pl_now_ns(), first);
}
END_TEST

static const struct { int64_t us; const char *text, *http; } format_cases[] = {
	{ 0, "1970-01-01T00:00:00.000000Z", "Thu, 01 Jan 1970 00:00:00 GMT" },
	{ -1, "1969-12-31T23:59:59.999999Z", "Wed, 31 Dec 1969 23:59:59 GMT" },
	{ 784111777000000, "1994-11-06T08:49:37.000000Z", "Sun, 06 Nov 1994 08:49:37 GMT" },
	{ 951782400123456, "2000-02-29T00:00:00.123456Z", "Tue, 29 Feb 2000 00:00:00 GMT" },
	{ 1709251199999999, "2024-02-29T23:59:59.999999Z", "Thu, 29 Feb 2024 23:59:59 GMT" },
	{ 4107542400000001, "2100-03-01T00:00:00.000001Z", "Mon, 01 Mar 2100 00:00:00 GMT" },
	{ 253402300799999999, "9999-12-31T23:59:59.999999Z", "Fri, 31 Dec 9999 23:59:59 GMT" },
	{ -62167219200000000, "0000-01-01T00:00:00.000000Z", "Sat, 01 Jan 0000 00:00:00 GMT" },
};

START_TEST(test_format)
{
	for (size_t i = 0; i < PL_COUNT(format_cases); i++) {
		char text[PL_TIME_LEN + 1] = "", http[30];
		int64_t back = 0;

		pl_time_format(format_cases[i].us, text);
		ck_assert_str_eq(text, format_cases[i].text);
		ck_assert(pl_time_parse(text, PL_TIME_LEN, &back));
		ck_assert_int_eq(back, format_cases[i].us);
		pl_time_http(format_cases[i].us, http);
		ck_assert_str_eq(http, format_cases[i].http);
	}
}
END_TEST

START_TEST(test_format_out_of_range)
{
	char text[PL_TIME_LEN + 1] = "";

	pl_time_format(INT64_MAX, text);
	ck_assert_mem_eq(text, "9999-12-31T23:59:59", 19);
	pl_time_format(INT64_MIN, text);
	ck_assert_mem_eq(text, "0000-01-01T00:00:00", 19);
}
END_TEST

/* Our calendar and the C library's agree on a time in every week of six hundred years. */
START_TEST(test_calendar)
{
	for (int64_t seconds = -8000000000; seconds < 11000000000; seconds += 604800 + 86399) {
		char text[PL_TIME_LEN + 1] = "", want[64];
		time_t at = (time_t)seconds;
		int64_t back = 0;
		struct tm tm;

		gmtime_r(&at, &tm);
		strftime(want, sizeof(want), "%Y-%m-%dT%H:%M:%S.000000Z", &tm);
		pl_time_format(seconds * PL_US_PER_S, text);
		ck_assert_str_eq(text, want);
		ck_assert(pl_time_parse(text, PL_TIME_LEN, &back));
		ck_assert_int_eq(back, seconds * PL_US_PER_S);
	}
}
END_TEST

START_TEST(test_parse_lax)
{
	static const struct { const char *text; bool ok; int64_t us; } cases[] = {
		{ "1970-01-01T00:00:01Z", true, 1000000 }, { "1970-01-01T00:00:01", true, 1000000 },
		{ "1970-01-01 00:00:01.25", true, 1250000 }, { "1970-01-02", true, 86400000000 },
		{ "1970-01-01T01:00:00+01:00", true, 0 }, { "1970-01-01T01:00:00 01:00", true, 0 },
		{ "1970-01-01T00:01", true, 60000000 }, { "1970-01-01 00:00", true, 0 }, { "1970-01", false, 0 },
		/* psql's own */
		{ "1970-01-01 00:00:01+00", true, 1000000 }, { "1970-01-01 00:00:01.5+00", true, 1500000 },
		{ "1970-01-01 01:00:00+01", true, 0 }, { "1970-01-01 05:30:00+05:30", true, 0 },
		{ "1969-12-31 16:00:00-08", true, 0 }, { "1969-12-31 23:15:30-00:44:30", true, 0 },
		/* date(1), git, Python, browsers */
		{ "1970-01-01T00:00:00+0000", true, 0 }, { "1970-01-01T05:30:00+0530", true, 0 },
		{ "1970-01-01T00:00Z", true, 0 }, { "1970-01-01T01:00+01:00", true, 0 },
		{ "1970-01-01 00:00:01 +0000", true, 1000000 }, { "1970-01-01 00:00:01 UTC", true, 1000000 },
		{ "1970-01-01 00:00:01 gmt", true, 1000000 }, { "1970-01-01 00:00:01 Z", true, 1000000 },
		{ "1970-01-01 00:00:01,250", true, 1250000 }, { "1970-01-01T00:00:01,5Z", true, 1500000 },
		/* a query's + is a blank */
		{ "1970-01-01T01:00:00 0100", true, 0 }, { "1970-01-01T01:00:00 01", true, 0 },
		{ "1970-01-01T00:00:00  0000", true, 0 },
		{ "1970-01-01T00:00:00+1", false, 0 }, { "1970-01-01T00:00:00+010", false, 0 },
		{ "1970-01-01T00:00:00+24", false, 0 }, { "1970-01-01T00:00:00+01:60", false, 0 },
		{ "1970-01-01T00:00:00+01:", false, 0 }, { "1970-01-01T00:00:00+01:00:00:00", false, 0 },
		{ "1970-01-01T00:00:00 CET", false, 0 }, { "1970-01-01T00:00:00 ", false, 0 },
		{ "1970-01-01T00", false, 0 }, { "1970-01-01T00:", false, 0 }, { "1970-01-01T00:00.5", false, 0 },
		{ "1970-01-01T00:00:00ZZ", false, 0 }, { "1970-01-01T00:00:00x", false, 0 },
		{ "1970-01-01T24:00Z", false, 0 }, { "1970-01-01T00:00:00+-1", false, 0 },
		{ "infinity", false, 0 }, { "-infinity", false, 0 },
		{ "1970-01-32", false, 0 }, { "yesterday..", false, 0 }, { "", false, 0 }, { "1970-01-01T", false, 0 },
	};
	int64_t us;

	for (size_t i = 0; i < PL_COUNT(cases); i++) {
		us = -1;
		ck_assert_msg(pl_time_parse_lax(cases[i].text, strlen(cases[i].text), &us) == cases[i].ok, "%s",
		    cases[i].text);
		ck_assert_msg(!cases[i].ok || us == cases[i].us, "%s", cases[i].text);
	}
	ck_assert(!pl_time_parse_lax("1970-01-01T00:00:00\0", 20, &us) && !pl_time_parse_lax(NULL, 0, &us));
}
END_TEST

static const struct { const char *text; bool ok; int64_t us; } parse_cases[] = {
	{ "1970-01-01T00:00:00Z", true, 0 },
	{ "1970-01-01t00:00:00z", true, 0 },
	{ "1970-01-01 00:00:00Z", true, 0 },
	{ "1970-01-01T01:00:00+01:00", true, 0 },
	{ "1969-12-31T23:30:00-00:30", true, 0 },
	{ "1970-01-01T00:00:00-00:00", true, 0 },
	{ "1970-01-01T00:00:00.5Z", true, 500000 },
	{ "1970-01-01T00:00:00.000001Z", true, 1 },
	{ "1970-01-01T00:00:00.123456789Z", true, 123456 },
	{ "1970-01-01T23:59:60Z", true, 86400000000 },
	{ "2000-02-29T00:00:00Z", true, 951782400000000 },
	{ "1970-01-01T00:00:00.Z", false, 0 },
	{ "1970-01-01T00:00:00.1234567890Z", false, 0 },
	{ "1970-01-01T00:00:00", false, 0 },
	{ "1970-01-01T00:00Z", false, 0 },
	{ "1970-01-01", false, 0 },
	{ "1970-01-01T00:00:00Zx", false, 0 },
	{ " 1970-01-01T00:00:00Z", false, 0 },
	{ "1970-1-01T00:00:00Z", false, 0 },
	{ "1900-02-29T00:00:00Z", false, 0 },
	{ "2023-02-29T00:00:00Z", false, 0 },
	{ "2023-00-10T00:00:00Z", false, 0 },
	{ "2023-13-10T00:00:00Z", false, 0 },
	{ "2023-04-31T00:00:00Z", false, 0 },
	{ "2023-04-00T00:00:00Z", false, 0 },
	{ "2023-04-01T24:00:00Z", false, 0 },
	{ "2023-04-01T00:60:00Z", false, 0 },
	{ "2023-04-01T00:00:61Z", false, 0 },
	{ "2023-04-01T00:00:00+24:00", false, 0 },
	{ "2023-04-01T00:00:00+01:60", false, 0 },
	{ "2023-04-01T00:00:00+0100", false, 0 },
	{ "2023-04-01T00:00:00+01", false, 0 },
	{ "2023/04/01T00:00:00Z", false, 0 },
	{ "-023-04-01T00:00:00Z", false, 0 },
	{ "", false, 0 },
};

START_TEST(test_parse)
{
	for (size_t i = 0; i < PL_COUNT(parse_cases); i++) {
		int64_t us = 7;
		bool ok = pl_time_parse(parse_cases[i].text, strlen(parse_cases[i].text), &us);

		ck_assert_msg(ok == parse_cases[i].ok, "%s", parse_cases[i].text);
		ck_assert_msg(us == (ok ? parse_cases[i].us : 7), "%s", parse_cases[i].text);
	}
	ck_assert(!pl_time_parse("1970-01-01T00:00:00\0", 20, &(int64_t){ 0 }));
}
END_TEST

Suite *suite_clock(void);
Suite *suite_clock(void)
{
	Suite *suite = suite_create("clock");
	TCase *tc = tcase_create("clock");

	tcase_add_test(tc, test_clocks);
	tcase_add_test(tc, test_format);
	tcase_add_test(tc, test_format_out_of_range);
	tcase_add_test(tc, test_calendar);
	tcase_add_test(tc, test_parse);
	tcase_add_test(tc, test_parse_lax);
	suite_add_tcase(suite, tc);
	return suite;
}
