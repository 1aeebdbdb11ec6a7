/* SPDX-License-Identifier: ISC */
/* Language tags: the examples of RFC 5646 appendix A, and what its grammar refuses. */
#include <check.h>

#include "lang.h"
#include "pool.h"

static const struct { const char *text, *tag; } cases[] = {
	{ "de", "de" }, { "DE", "de" }, { "de-at", "de-AT" }, { "DE_AT", NULL }, { "ja", "ja" }, { "yue", "yue" },
	{ "zh-hant", "zh-Hant" }, { "ZH-HANT-tw", "zh-Hant-TW" }, { "zh-cmn-Hans-CN", "zh-cmn-Hans-CN" },
	{ "zh-yue-HK", "zh-yue-HK" }, { "sr-Latn-RS", "sr-Latn-RS" }, { "sl-rozaj-biske", "sl-rozaj-biske" },
	{ "de-CH-1901", "de-CH-1901" }, { "sl-IT-nedis", "sl-IT-nedis" },
	{ "hy-Latn-IT-arevela", "hy-Latn-IT-arevela" }, { "es-419", "es-419" }, { "en-US-u-islamcal",
	    "en-US-u-islamcal" },
	{ "zh-CN-a-myext-x-private", "zh-CN-a-myext-x-private" }, { "de-CH-x-phonebk", "de-CH-x-phonebk" },
	{ "en-a-bbb-b-ccc", "en-a-bbb-b-ccc" }, { "EN-A-BBB-X-A-CCC", "en-a-bbb-x-a-ccc" },
	{ "qaa-Qaaa-QM-x-southern", "qaa-Qaaa-QM-x-southern" }, { "art-lojban", "art-lojban" },
	{ "language", "language" }, { "", NULL }, { "-", NULL }, { "d", NULL }, { "de-", NULL }, { "-de", NULL },
	{ "de--AT", NULL }, { "de-419-DE", NULL }, { "a-DE", NULL }, { "ar-a-aaa-b-bbb-a-ccc", NULL },
	{ "de-1901-1901", NULL }, { "de-a", NULL }, { "de-a-b", NULL }, { "de-x", NULL }, { "i-klingon", NULL },
	{ "x-mine", NULL }, { "de-AT ", NULL }, { "d\xc3\xa9", NULL }, { "12", NULL }, { "en-toolongpart", NULL },
	{ "en-abc-def-ghi-jkl", NULL }, { "C", NULL }, { "en-US.UTF-8", NULL }
};

START_TEST(test_tags)
{
	struct pl_pool *pool = pl_pool_new(0);

	for (size_t i = 0; i < PL_COUNT(cases); i++) {
		struct pl_str got = pl_lang_tag(pool, pl_str(cases[i].text));

		if (cases[i].tag == NULL)
			ck_assert_msg(got.ptr == NULL, "%s", cases[i].text);
		else
			ck_assert_msg(got.ptr != NULL && pl_str_is(got, cases[i].tag), "%s", cases[i].text);
	}
	ck_assert_ptr_null(pl_lang_tag(pool, PL_STR_NONE).ptr);
	pl_pool_free(&pool);
}
END_TEST

Suite *suite_lang(void);
Suite *suite_lang(void)
{
	Suite *suite = suite_create("lang");
	TCase *tc = tcase_create("lang");

	tcase_add_test(tc, test_tags);
	suite_add_tcase(suite, tc);
	return suite;
}
