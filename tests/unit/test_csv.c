/* SPDX-License-Identifier: ISC */
/*
 * Tables as text.
 */
#include <check.h>

#include "csv.h"

Suite *suite_csv(void);

/* Records as "line:[cell][cell]", joined by '|'; "line!error" for one that cannot be read. */
static const struct { const char *text, *want; } cases[] = {
	{ "", "" }, { "\n\r\n \n", "" }, { "a", "1:[a]" }, { "a,b\n", "1:[a][b]" },
	{ "a,b\r\nc,d", "1:[a][b]|2:[c][d]" },
	{ "a,b\rc,d\r", "1:[a][b]|2:[c][d]" }, { "a,,\n", "1:[a][][]" }, { ",\n", "1:[][]" },
	{ "a;b;c\n1;2,5;3", "1:[a][b][c]|2:[1][2,5][3]" }, { "a\tb\n1\t2", "1:[a][b]|2:[1][2]" },
	{ "a\t\tb\n", "1:[a][][b]" }, { "sep=;\na;b,c", "2:[a][b,c]" }, { "sep=|\na|b;c", "2:[a][b;c]" },
	{ " a , b \n", "1:[a][b]" }, { "\"a,b\",c", "1:[a,b][c]" }, { "\"a;b\",c", "1:[a;b][c]" },
	{ "\"a \"\"b\"\"\" , \" c\"\n", "1:[a \"b\"][ c]" }, { "\"two\nlines\",x\ny", "1:[two\nlines][x]|3:[y]" },
	{ "\"two\rlines\",x\ry", "1:[two\rlines][x]|3:[y]" },
	{ "\"two\r\nlines\",x\r\ny", "1:[two\r\nlines][x]|3:[y]" },
	{ "\"\r\n\r\r\n\n\"\ry", "1:[\r\n\r\r\n\n]|6:[y]" },
	{ "\"\",\"\"", "1:[][]" }, { "a\"b,c", "1:[a\"b][c]" },
	{ "\"a\nb,c\nd,e", "1!has a quote that is not closed|2:[b][c]|3:[d][e]" },
	{ "\"a\"b,c\nd,e", "1!has text after a closing quote|2:[d][e]" },
	{ "1,2,3,4,5\na,b", "1!has too many columns|2:[a][b]" }, { "\n\na\n\nb", "3:[a]|5:[b]" },
};

START_TEST(cuts)
{
	struct pl_pool *pool = pl_pool_new(0);
	struct pl_buf out = PL_BUF(pool);
	struct pl_str cells[4];
	struct pl_csv csv;
	const char *error;
	int64_t line;
	int count;

	pl_csv_init(&csv, pl_str(cases[_i].text));
	for (int n = 0; n < 100 && pl_csv_next(&csv, pool, cells, PL_COUNT(cells), &count, &line, &error); n++) {
		pl_buf_addf(&out, "%s%lld", n > 0 ? "|" : "", (long long)line);
		pl_buf_adds(&out, error != NULL ? "!" : ":");
		pl_buf_adds(&out, error != NULL ? error : "");
		for (int i = 0; i < count; i++)
			pl_buf_addf(&out, "[%.*s]", PL_FMT(cells[i]));
	}
	ck_assert_str_eq(pl_str_c(pool, pl_buf_str(&out)), cases[_i].want);
	pl_pool_free(&pool);
}
END_TEST

Suite *suite_csv(void)
{
	Suite *suite = suite_create("csv");
	TCase *tc = tcase_create("csv");

	tcase_add_loop_test(tc, cuts, 0, PL_COUNT(cases));
	suite_add_tcase(suite, tc);
	return suite;
}
