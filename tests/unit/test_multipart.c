/* SPDX-License-Identifier: ISC */
/*
 * Forms in the format of browsers' FormData and of Python clients, and invalid forms.
 */
#include <check.h>

#include "multipart.h"

Suite *suite_multipart(void);

#define PART(name, value) "--b\r\nContent-Disposition: form-data; name=\"" name "\"\r\n\r\n" value "\r\n"
#define END "--b--\r\n"

START_TEST(test_boundary)
{
	static const struct { const char *type, *boundary; } cases[] = {
		{ "multipart/form-data; boundary=----WebKitFormBoundary7MA4YWxk", "----WebKitFormBoundary7MA4YWxk" },
		{ "multipart/form-data; charset=utf-8; BOUNDARY=\"a b\"", "a b" },
		{ "multipart/form-data", NULL }, { "multipart/form-data; boundary=", NULL },
		{ "multipart/form-data; "
		    "boundary=0123456789012345678901234567890123456789012345678901234567890123456789x", NULL },
	};

	for (size_t i = 0; i < PL_COUNT(cases); i++) {
		struct pl_str boundary = pl_multipart_boundary(pl_str(cases[i].type));

		ck_assert_int_eq(boundary.ptr != NULL, cases[i].boundary != NULL);
		ck_assert(cases[i].boundary == NULL || pl_str_is(boundary, cases[i].boundary));
	}
}
END_TEST

START_TEST(test_fields)
{
	static const struct { const char *body, *value; bool bad; } cases[] = {
		{ PART("x", "1") PART("a", "two words") END, "two words", false },
		{ PART("a", "first") PART("a", "second") END, "first", false },
		{ PART("a", "") END, "", false },
		{ PART("a", "lines\r\nof --b text\r\n--c") END, "lines\r\nof --b text\r\n--c", false },
		{ "preamble\r\n" PART("a", "v") END "epilogue", "v", false },
		{ "--b \t\r\ncontent-type: text/plain\r\ncontent-disposition:form-data;name=a\r\n\r\nv\r\n--b--", "v",
		    false },
		{ PART("x", "1") END, NULL, false },
		{ PART("aa", "1") PART("A", "2") END, NULL, false },
		{ PART("a", "\xff") END, NULL, true },
		{ "", NULL, true }, { "--b", NULL, true }, { "--bx\r\n", NULL, true }, { "a=b", NULL, true },
		{ "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nnot ended", NULL, true },
		{ "--b\nContent-Disposition: form-data; name=\"a\"\n\nv\n--b--\n", NULL, true },
		{ "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n--b--\r\n", NULL, true },
	};

	for (size_t i = 0; i < PL_COUNT(cases); i++) {
		bool bad;
		struct pl_str value = pl_multipart_get(pl_str(cases[i].body), PL_STR("b"), "a", &bad);

		ck_assert_msg(bad == cases[i].bad, "case %zu", i);
		ck_assert_msg((value.ptr != NULL) == (cases[i].value != NULL), "case %zu", i);
		ck_assert_msg(cases[i].value == NULL || pl_str_is(value, cases[i].value), "case %zu", i);
	}
}
END_TEST

Suite *suite_multipart(void)
{
	Suite *s = suite_create("multipart");
	TCase *t = tcase_create("multipart");

	tcase_add_test(t, test_boundary);
	tcase_add_test(t, test_fields);
	suite_add_tcase(s, t);
	return s;
}
