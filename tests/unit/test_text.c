/* SPDX-License-Identifier: ISC */
/*
 * Unicode forms of text: tables of cases.
 */
#include <check.h>

#include "text.h"

Suite *suite_text(void);

static const struct { const char *text, *nfc; } forms[] = {
	{ "", "" }, { "plain", "plain" }, { "caf\xc3\xa9", "caf\xc3\xa9" }, { "cafe\xcc\x81", "caf\xc3\xa9" },
	{ "\xe2\x84\xab", "\xc3\x85" },					/* Angstrom sign */
	{ "\xe1\x84\x92\xe1\x85\xa1\xe1\x86\xab", "\xed\x95\x9c" },	/* Hangul */
	{ "\xef\xac\x81", "\xef\xac\x81" },				/* a ligature stays: C, not KC */
	{ "a\xcc\xa3\xcc\x81", "\xe1\xba\xa1\xcc\x81" }, { "a\xcc\x81\xcc\xa3", "\xe1\xba\xa1\xcc\x81" },
};

START_TEST(test_nfc)
{
	struct pl_pool *pool = pl_pool_new(0);

	for (size_t i = 0; i < PL_COUNT(forms); i++)
		ck_assert_msg(pl_str_is(pl_text_nfc(pool, pl_str(forms[i].text)), forms[i].nfc), "form %zu", i);
	ck_assert_ptr_null(pl_text_nfc(pool, PL_STR_NONE).ptr);
	pl_pool_free(&pool);
}
END_TEST

static const struct { const char *text; bool visible; } texts[] = {
	{ "a", true }, { "", false }, { " ", false }, { "\t\r\n", false }, { "\x01\x7f", false }, { " . ", true },
	{ "\xc2\xa0", false }, { "\xe3\x80\x80", false }, { "\xe2\x80\x8b", false }, { "\xe2\x80\xae", false },
	{ "\xef\xbb\xbf", false }, { "\xe2\xa0\x80", false }, { "\xe3\x85\xa4", false }, { "\xc2\xad", false },
	{ "\xf3\xa0\x81\xa1", false }, { "\xe2\x80\x8d\xef\xb8\x8f", false }, { "\xe2\x80\xa8", false },
	{ "\xc3\xa9", true }, { "\xf0\x9f\x98\x80", true }, { "\xe2\x80\x8b" "x", true }, { "\xe6\xbc\xa2", true },
};

START_TEST(test_visible)
{
	for (size_t i = 0; i < PL_COUNT(texts); i++)
		ck_assert_msg(pl_text_visible(pl_str(texts[i].text)) == texts[i].visible, "text %zu", i);
}
END_TEST

static const struct { const char *text, *trimmed; } edges[] = {
	{ "ann", "ann" }, { " ann ", "ann" }, { "ann\xc2\xa0", "ann" }, { "\xe3\x80\x80\tann\r\n", "ann" },
	{ " a b ", "a b" }, { "   ", "" }, { "", "" }, { "\xe2\x80\x8b" "ann", "\xe2\x80\x8b" "ann" },
	{ "ann\xe2\x80\xa9", "ann" },
};

START_TEST(test_trim)
{
	for (size_t i = 0; i < PL_COUNT(edges); i++)
		ck_assert_msg(pl_str_is(pl_text_trim(pl_str(edges[i].text)), edges[i].trimmed), "edge %zu", i);
}
END_TEST

#define VISIBLE "must have a visible character"
#define WITHOUT(point) "must not contain the invisible character " point

static const struct { const char *text, *fault; } labels[] = {
	{ "Ann \xc3\x84", NULL }, { "\xe6\xbc\xa2\xe5\xad\x97", NULL }, { "\xf0\x9f\x98\x80", NULL }, { " ", VISIBLE },
	{ "\xc2\xa0", VISIBLE }, { "", VISIBLE },
	{ "ann\xe2\x80\x8b", WITHOUT("U+200B") }, { "\xe2\x80\xae" "nna", WITHOUT("U+202E") },
	{ "ann\xf3\xa0\x81\xa1", WITHOUT("U+E0061") }, { "a\tb", WITHOUT("U+0009") }, { "a\nb", WITHOUT("U+000A") },
	{ "\xef\xbb\xbf" "ann", WITHOUT("U+FEFF") }, { "a\xc2\xad" "b", WITHOUT("U+00AD") },
	{ "\xe3\x85\xa4", WITHOUT("U+3164") }, { "\xe2\xa0\x80", WITHOUT("U+2800") },
	{ "a\xe2\x81\xa6" "b", WITHOUT("U+2066") },
	/* joiners and selectors, where scripts and emojis have them: Persian, a family, a heart */
	{ "\xd9\x85\xdb\x8c\xe2\x80\x8c\xd8\xae", NULL },
	{ "\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x91\xa7", NULL }, { "\xe2\x9d\xa4\xef\xb8\x8f", NULL },
	{ "\xe2\x9d\xa4\xef\xb8\x8f\xe2\x80\x8d\xf0\x9f\x94\xa5", NULL },
	{ "\xe2\x80\x8d" "a", WITHOUT("U+200D") }, { "a\xe2\x80\x8d\xe2\x80\x8d" "b", WITHOUT("U+200D") },
	{ "a \xe2\x80\x8c" "b", WITHOUT("U+200C") },
};

START_TEST(test_labels)
{
	struct pl_pool *pool = pl_pool_new(0);

	for (size_t i = 0; i < PL_COUNT(labels); i++) {
		const char *lines = pl_text_lines_fault(pool, pl_str(pl_sprintf(pool, "%s\r\n\t%s", labels[i].text,
		    labels[i].text)));
		bool line_end = strpbrk(labels[i].text, "\t\n") != NULL;
		const char *fault = pl_text_label_fault(pool, pl_str(labels[i].text));

		ck_assert_msg((lines == NULL) == (labels[i].fault == NULL || line_end), "lines %zu: %s", i, lines);

		ck_assert_msg((fault == NULL) == (labels[i].fault == NULL) &&
		    (fault == NULL || strcmp(fault, labels[i].fault) == 0), "label %zu: %s", i,
		    fault != NULL ? fault : "good");
	}
	ck_assert_uint_eq(pl_text_invisible(PL_STR("a@example.org\xe2\x80\x8b")), 0x200b);
	ck_assert_uint_eq(pl_text_invisible(PL_STR("m\xc3\xbcller@example.org")), 0);
	pl_pool_free(&pool);
}
END_TEST

Suite *suite_text(void)
{
	Suite *suite = suite_create("text");
	TCase *tc = tcase_create("text");

	tcase_add_test(tc, test_nfc);
	tcase_add_test(tc, test_visible);
	tcase_add_test(tc, test_trim);
	tcase_add_test(tc, test_labels);
	suite_add_tcase(suite, tc);
	return suite;
}
