/* SPDX-License-Identifier: ISC */
/* Emojis: one form for each, and no plain text. Sequences from emoji-test.txt of Unicode. */
#include <check.h>

#include "emoji.h"
#include "pool.h"

#define VS16 "\xef\xb8\x8f"
#define VS15 "\xef\xb8\x8e"
#define ZWJ "\xe2\x80\x8d"
#define HEART "\xe2\x9d\xa4"
#define WOMAN "\xf0\x9f\x91\xa9"
#define THUMB "\xf0\x9f\x91\x8d"
#define DARK "\xf0\x9f\x8f\xbf"
#define DETECTIVE "\xf0\x9f\x95\xb5"
#define MALE "\xe2\x99\x82"
#define KEYCAP "\xe2\x83\xa3"
#define FLAG_D "\xf0\x9f\x87\xa9"
#define FLAG_E "\xf0\x9f\x87\xaa"
#define TAG(c) "\xf3\xa0\x81" c
#define ENGLAND "\xf0\x9f\x8f\xb4" TAG("\xa7") TAG("\xa2") TAG("\xa5") TAG("\xae") TAG("\xa7") TAG("\xbf")

static const struct { const char *text, *form; } cases[] = {
	{ THUMB, THUMB }, { THUMB DARK, THUMB DARK }, { THUMB VS16, THUMB }, { THUMB VS15, THUMB },
	{ HEART, HEART VS16 }, { HEART VS16, HEART VS16 }, { HEART VS15, HEART VS16 },
	{ WOMAN ZWJ HEART ZWJ WOMAN, WOMAN ZWJ HEART VS16 ZWJ WOMAN },
	{ WOMAN ZWJ HEART VS16 ZWJ WOMAN, WOMAN ZWJ HEART VS16 ZWJ WOMAN },
	{ DETECTIVE ZWJ MALE, DETECTIVE VS16 ZWJ MALE VS16 },
	{ DETECTIVE DARK ZWJ MALE VS16, DETECTIVE DARK ZWJ MALE VS16 },
	{ "1" KEYCAP, "1" VS16 KEYCAP }, { "#" VS16 KEYCAP, "#" VS16 KEYCAP }, { FLAG_D FLAG_E, FLAG_D FLAG_E },
	{ ENGLAND, ENGLAND }, { "\xc2\xa9", "\xc2\xa9" VS16 },
	{ WOMAN DARK ZWJ HEART VS16 ZWJ "\xf0\x9f\x92\x8b" ZWJ WOMAN DARK,
	    WOMAN DARK ZWJ HEART VS16 ZWJ "\xf0\x9f\x92\x8b" ZWJ WOMAN DARK },
	{ "", NULL }, { "a", NULL }, { "1", NULL }, { "#" VS16, NULL }, { "ok", NULL }, { ":)", NULL },
	{ " " THUMB, NULL },
	{ THUMB " ", NULL }, { THUMB THUMB, NULL }, { THUMB "a", NULL }, { VS16, NULL }, { ZWJ, NULL },
	{ THUMB ZWJ, NULL }, { ZWJ THUMB, NULL }, { THUMB ZWJ ZWJ THUMB, NULL }, { THUMB DARK DARK, NULL },
	{ HEART VS16 VS16, NULL }, { HEART DARK, NULL }, { FLAG_D, NULL }, { FLAG_D FLAG_E FLAG_D, NULL },
	{ KEYCAP, NULL },
	{ "a" KEYCAP, NULL }, { "\xf0\x9f\x8f\xb4" TAG("\xa7"), NULL }, { THUMB TAG("\xa7") TAG("\xbf"), NULL },
	{ "\xc3\xa9", NULL }, { "\xe2\x80\x8b", NULL }, { "\xe4\xb8\xad", NULL }, { THUMB "\xcc\x81", NULL },
	{ WOMAN ZWJ WOMAN ZWJ WOMAN ZWJ WOMAN ZWJ WOMAN ZWJ WOMAN ZWJ WOMAN ZWJ WOMAN ZWJ WOMAN ZWJ WOMAN, NULL }
};

START_TEST(test_forms)
{
	struct pl_pool *pool = pl_pool_new(0);

	for (size_t i = 0; i < PL_COUNT(cases); i++) {
		struct pl_str got = pl_emoji(pool, pl_str(cases[i].text));

		if (cases[i].form == NULL) {
			ck_assert_msg(got.ptr == NULL, "%zu: %s", i, cases[i].text);
			continue;
		}
		ck_assert_msg(got.ptr != NULL && pl_str_is(got, cases[i].form), "%zu: %s", i, cases[i].text);
		ck_assert_msg(pl_str_is(pl_emoji(pool, got), cases[i].form), "%zu: the form of the form", i);
	}
	ck_assert_ptr_null(pl_emoji(pool, PL_STR_NONE).ptr);
	pl_pool_free(&pool);
}
END_TEST

Suite *suite_emoji(void);
Suite *suite_emoji(void)
{
	Suite *suite = suite_create("emoji");
	TCase *tc = tcase_create("emoji");

	tcase_add_test(tc, test_forms);
	suite_add_tcase(suite, tc);
	return suite;
}
