/* SPDX-License-Identifier: ISC */
/* The reader with the tables of test_json_cases.h, its limits, and `raw` slices; the writer and numbers. */
#include <check.h>
#include <locale.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>

#include "json.h"
#include "leaf.h"
#include "test_json_cases.h"

static struct pl_pool *pool;
static struct pl_buf buf;

static void setup(void)
{
	pool = pl_pool_new(0);
	buf = PL_BUF(NULL);
}

static void teardown(void)
{
	pl_buf_fini(&buf);
	pl_pool_free(&pool);
}

static const struct pl_jval *parse(struct pl_str text)
{
	return pl_json_parse(pool, text, NULL);
}

START_TEST(test_good)
{
	for (size_t i = 0; i < PL_COUNT(json_good); i++) {
		/* A copy of the exact size, so that a sanitizer detects a read beyond the end. */
		char *text = pl_new(json_good[i].text.len);
		struct pl_err err = { .code = PL_E_OK };
		const struct pl_jval *value;

		memcpy(text, json_good[i].text.ptr, json_good[i].text.len);
		value = pl_json_parse(pool, pl_strn(text, json_good[i].text.len), &err);
		ck_assert_msg(value != NULL, "%s: %s", json_good[i].text.ptr, pl_err_text(&err));
		ck_assert_msg(value->type == json_good[i].type, "%s", json_good[i].text.ptr);
		pl_free(text);
	}
}
END_TEST

START_TEST(test_bad)
{
	for (size_t i = 0; i < PL_COUNT(json_bad); i++) {
		char *text = pl_new(json_bad[i].len);
		struct pl_err err = { .code = PL_E_OK };

		memcpy(text, json_bad[i].ptr, json_bad[i].len);
		ck_assert_msg(pl_json_parse(pool, pl_strn(text, json_bad[i].len), &err) == NULL, "%s", json_bad[i].ptr);
		ck_assert_msg(err.code == PL_E_BAD_REQUEST && err.detail[0] != '\0', "%s", json_bad[i].ptr);
		pl_free(text);
	}
	ck_assert_ptr_null(parse(PL_STR_NONE));
}
END_TEST

/* The same inside an object and an array, and the content of `raw` then. */
START_TEST(test_good_nested)
{
	for (size_t i = 0; i < PL_COUNT(json_good); i++) {
		const struct pl_jval *outer, *inner;
		struct pl_str trimmed = json_good[i].text;

		pl_buf_reset(&buf);
		pl_buf_addf(&buf, "{\"k\":[0,%.*s , 1]}", PL_FMT(trimmed));
		outer = parse(pl_buf_str(&buf));
		ck_assert_msg(outer != NULL, "%s", buf.ptr);
		inner = pl_json_get(outer, "k")->first->next;
		ck_assert_int_eq(inner->type, json_good[i].type);
		/* raw is the text without the blanks around it, and parses to the same. */
		while (trimmed.len > 0 && strchr(" \t\r\n", trimmed.ptr[0]) != NULL)
			trimmed = pl_strn(trimmed.ptr + 1, trimmed.len - 1);
		while (trimmed.len > 0 && strchr(" \t\r\n", trimmed.ptr[trimmed.len - 1]) != NULL)
			trimmed.len--;
		ck_assert_msg(pl_str_eq(inner->raw, trimmed), "%s: raw %.*s", buf.ptr, PL_FMT(inner->raw));
		ck_assert(pl_str_eq(parse(json_good[i].text)->raw, trimmed));
	}
}
END_TEST

static const struct { const char *json; struct pl_str text; } string_cases[] = {
	{ "\"\"", T("") },
	{ "\"abc\"", T("abc") },
	{ "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", T("\"\\/\b\f\n\r\t") },
	{ "\"\\u0041\\u00e9\\u20AC\\ud83d\\uDE00\"", T("A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80") },
	{ "\"\\ud800\\udc00\\udbff\\udfff\"", T("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf") },
	{ "\"\\\\u0041\"", T("\\u0041") },
	{ "\"\\\\\\u0041\"", T("\\A") },
	{ "\"\\u005cu0041\"", T("\\u0041") },
	{ "\"\\ud7ff\\ue000\\uffff\"", T("\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf") },
	{ "\"\\u007f\\u0080\\u07ff\\u0800\"", T("\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80") },
	{ "\"\xc3\xa9\\n\xe2\x82\xac\"", T("\xc3\xa9\n\xe2\x82\xac") },
};

START_TEST(test_strings)
{
	for (size_t i = 0; i < PL_COUNT(string_cases); i++) {
		const struct pl_jval *value = parse(pl_str(string_cases[i].json));

		ck_assert_msg(value != NULL, "%s", string_cases[i].json);
		ck_assert_msg(pl_str_eq(pl_json_str(value), string_cases[i].text), "%s", string_cases[i].json);
	}
	ck_assert_ptr_null(pl_json_str(parse(PL_STR("1"))).ptr);
	ck_assert_ptr_null(pl_json_str(NULL).ptr);
	ck_assert_ptr_nonnull(pl_json_str(parse(PL_STR("\"\""))).ptr);
}
END_TEST

START_TEST(test_tree)
{
	struct pl_str text = PL_STR(" {\"a\" : [ 1,{\"x\":\"\\u0041\" } ] ,"
	    "\"\\u0062\":true,\"c\":null , \"d\":-1.5e3\n}\t");
	const struct pl_jval *root = parse(text), *a = pl_json_get(root, "a"), *x;

	ck_assert_ptr_nonnull(root);
	ck_assert_int_eq(root->count, 4);
	ck_assert_ptr_eq(root->raw.ptr, text.ptr + 1);
	ck_assert_uint_eq(root->raw.len, text.len - 2);
	ck_assert_int_eq(a->count, 2);
	ck_assert(pl_str_is(a->key, "a"));
	ck_assert(pl_str_is(a->raw, "[ 1,{\"x\":\"\\u0041\" } ]"));
	ck_assert(pl_str_is(a->first->raw, "1"));
	ck_assert_ptr_null(a->first->key.ptr);
	ck_assert(pl_str_is(a->first->next->raw, "{\"x\":\"\\u0041\" }"));
	ck_assert_ptr_null(a->first->next->next);
	x = pl_json_get(a->first->next, "x");
	ck_assert(pl_str_is(x->text, "A"));
	ck_assert(pl_str_is(x->raw, "\"\\u0041\""));
	ck_assert(pl_json_get(root, "b")->truth);
	ck_assert(pl_str_is(pl_json_get(root, "b")->raw, "true"));
	ck_assert_int_eq(pl_json_get(root, "c")->type, PL_J_NULL);
	ck_assert(pl_str_is(pl_json_get(root, "d")->raw, "-1.5e3"));
	ck_assert_ptr_null(pl_json_get(root, "e"));
	ck_assert_ptr_null(pl_json_get(a, "x"));
	ck_assert_ptr_null(pl_json_get(NULL, "x"));
}
END_TEST

static const struct pl_jval *parse_repeated(const char *head, const char *part, int count, const char *tail)
{
	pl_buf_reset(&buf);
	pl_buf_adds(&buf, head);
	for (int i = 0; i < count; i++)
		pl_buf_adds(&buf, part);
	pl_buf_adds(&buf, tail);
	return parse(pl_buf_str(&buf));
}

START_TEST(test_depth)
{
	static const char closers[] = "]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]";	/* 33 */

	ck_assert_ptr_nonnull(parse_repeated("", "[", 32, closers + 1));
	ck_assert_ptr_null(parse_repeated("", "[", 33, closers));
	ck_assert_ptr_null(parse_repeated("", "[", 100000, ""));
	ck_assert_ptr_null(parse_repeated("", "{\"a\":", 100000, ""));
	/* Width is not depth. */
	ck_assert_ptr_nonnull(parse_repeated("[", "[],", 100, "0]"));
}
END_TEST

START_TEST(test_values)
{
	const struct pl_jval *root = parse_repeated("[", "1,", 4094, "1]");

	ck_assert_ptr_nonnull(root);
	ck_assert_int_eq(root->count, 4095);
	ck_assert_ptr_null(parse_repeated("[", "1,", 4095, "1]"));
	ck_assert_ptr_null(parse_repeated("[", "[],", 4095, "[]]"));
}
END_TEST

/* Through the change from linear comparison to the table of keys, and each growth of the table. */
START_TEST(test_many_keys)
{
	for (int count = 1; count <= 300; count++) {
		for (int twice = -1; twice < count; twice += 1 + count / 7) {
			pl_buf_reset(&buf);
			pl_buf_adds(&buf, "{\"o\":{");
			for (int i = 0; i < count; i++)
				pl_buf_addf(&buf, "\"key%d\":%d,", i, i);
			pl_buf_addf(&buf, "\"key%d\":0}}", twice < 0 ? count : twice);
			ck_assert_msg((parse(pl_buf_str(&buf)) != NULL) == (twice < 0), "%d keys, %d twice", count,
			    twice);
		}
	}
}
END_TEST

static const struct { const char *json; bool is_i64, is_f64; int64_t i64; double f64; } number_cases[] = {
	{ "0", true, true, 0, 0 },
	{ "-1", true, true, -1, -1 },
	{ "9223372036854775807", true, true, INT64_MAX, 9223372036854775807.0 },
	{ "9223372036854775808", false, true, 0, 9223372036854775808.0 },
	{ "-9223372036854775808", true, true, INT64_MIN, -9223372036854775808.0 },
	{ "1.0", false, true, 0, 1 },
	{ "1e3", false, true, 0, 1000 },
	{ "0.1", false, true, 0, 0.1 },
	{ "1e308", false, true, 0, 1e308 },
	{ "1e309", false, false, 0, 0 },
	{ "-1e999", false, false, 0, 0 },
	{ "1e-999", false, true, 0, 0 },
	{ "5e-324", false, true, 0, 5e-324 },
	{ "0.1000000000000000055511151231257827021181583404541015625000000000000000000000001", false, true, 0, 0.1 },
	{ "\"1\"", false, false, 0, 0 },
	{ "true", false, false, 0, 0 },
	{ "[1]", false, false, 0, 0 },
};

START_TEST(test_numbers)
{
	for (size_t i = 0; i < PL_COUNT(number_cases); i++) {
		const struct pl_jval *value = parse(pl_str(number_cases[i].json));
		int64_t i64 = 0;
		double f64 = 0;

		ck_assert_msg(pl_json_i64(value, INT64_MIN, INT64_MAX, &i64) == number_cases[i].is_i64, "case %zu", i);
		ck_assert_msg(i64 == number_cases[i].i64, "case %zu", i);
		ck_assert_msg(pl_json_f64(value, &f64) == number_cases[i].is_f64, "case %zu", i);
		ck_assert_msg(f64 == number_cases[i].f64, "case %zu", i);
	}
	ck_assert(!pl_json_i64(parse(PL_STR("11")), 0, 10, &(int64_t){ 0 }));
	ck_assert(!pl_json_i64(NULL, 0, 10, &(int64_t){ 0 }));
	ck_assert(!pl_json_f64(NULL, &(double){ 0 }));
}
END_TEST

START_TEST(test_write)
{
	struct pl_jw w = PL_JW(&buf);

	pl_jw_object(&w);
	pl_jw_ki64(&w, "i", INT64_MIN);
	pl_jw_kstr(&w, "s", PL_STR("a\"b"));
	pl_jw_kstr(&w, "none", PL_STR_NONE);
	pl_jw_kcstr(&w, "c", NULL);
	pl_jw_kbool(&w, "t", true);
	pl_jw_kbool(&w, "f", false);
	pl_jw_ktime(&w, "at", 1700000000123456);
	pl_jw_kraw(&w, "raw", PL_STR("{\"x\":[1]}"));
	pl_jw_key(&w, "list");
	pl_jw_array(&w);
	pl_jw_array(&w);
	pl_jw_end_array(&w);
	pl_jw_object(&w);
	pl_jw_end_object(&w);
	pl_jw_null(&w);
	pl_jw_cstr(&w, "");
	pl_jw_i64(&w, 0);
	pl_jw_end_array(&w);
	pl_jw_kcstr(&w, "last", "z");
	pl_jw_end_object(&w);
	ck_assert_str_eq(buf.ptr, "{\"i\":-9223372036854775808,\"s\":\"a\\\"b\",\"none\":null,\"c\":null,\"t\":true,"
	    "\"f\":false,\"at\":\"2023-11-14T22:13:20.123456Z\",\"raw\":{\"x\":[1]},\"list\":[[],{},null,\"\",0],"
	    "\"last\":\"z\"}");
	ck_assert_ptr_nonnull(parse(pl_buf_str(&buf)));
}
END_TEST

/* What the reader accepts can be written, also inside other values. */
START_TEST(test_write_deep)
{
	struct pl_jw w = PL_JW(&buf);

	for (int i = 0; i < 63; i++)
		pl_jw_array(&w);
	for (int i = 0; i < 63; i++)
		pl_jw_end_array(&w);
	ck_assert_uint_eq(buf.len, 126);
}
END_TEST

/* Each ASCII character at each place of a text longer than two vectors, written and read back. */
START_TEST(test_escapes)
{
	char text[40];

	for (int c = 1; c < 128; c++) {
		for (size_t at = 0; at < sizeof(text); at++) {
			struct pl_pool *one = pl_pool_new(0);
			struct pl_jw w = PL_JW(&buf);
			const struct pl_jval *back;

			memset(text, 'x', sizeof(text));
			text[at] = (char)c;
			pl_buf_reset(&buf);
			pl_jw_str(&w, pl_strn(text, sizeof(text)));
			back = pl_json_parse(one, pl_buf_str(&buf), NULL);
			ck_assert_msg(back != NULL, "%d at %zu: %s", c, at, buf.ptr);
			ck_assert_msg(pl_str_eq(back->text, pl_strn(text, sizeof(text))), "%d at %zu", c, at);
			pl_pool_free(&one);
		}
	}
	pl_buf_reset(&buf);
	pl_jw_cstr(&PL_JW(&buf), "\b\t\n\f\r\x01\x1f\"\\/\x7f\xc3\xa9");
	ck_assert_str_eq(buf.ptr, "\"\\b\\t\\n\\f\\r\\u0001\\u001f\\\"\\\\/\x7f\xc3\xa9\"");
}
END_TEST

static const struct { double value; const char *text; } f64_cases[] = {
	{ 0, "0" }, { -0.0, "-0" }, { 1, "1" }, { -1.5, "-1.5" }, { 0.1, "0.1" }, { 1.0 / 3, "0.3333333333333333" },
	{ 0.1 + 0.2, "0.30000000000000004" }, { 1e21, "1e+21" }, { 123456789012345, "123456789012345" },
	{ 5e-324, "4.94065645841247e-324" }, { 1.7976931348623157e308, "1.7976931348623157e+308" },
	{ NAN, "null" }, { INFINITY, "null" }, { -INFINITY, "null" },
};

static void check_f64(double value, const char *want)
{
	struct pl_jw w = PL_JW(&buf);
	double back = 0;

	pl_buf_reset(&buf);
	pl_jw_f64(&w, value);
	if (want != NULL)
		ck_assert_str_eq(buf.ptr, want);
	if (isfinite(value)) {
		ck_assert(pl_json_f64(parse(pl_buf_str(&buf)), &back));
		ck_assert(back == value);
	}
}

START_TEST(test_f64)
{
	for (size_t i = 0; i < PL_COUNT(f64_cases); i++)
		check_f64(f64_cases[i].value, f64_cases[i].text);
	for (int i = 0; i < 2000; i++) {
		uint64_t bits = pl_random_u64();
		double value;

		memcpy(&value, &bits, sizeof(value));
		check_f64(value, NULL);
	}
}
END_TEST

/* A locale with a decimal comma changes nothing; skipped if none is installed. */
START_TEST(test_locale)
{
	static const char *const names[] = { "de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "fr_FR.utf8" };

	for (size_t i = 0; i < PL_COUNT(names); i++) {
		if (setlocale(LC_ALL, names[i]) != NULL)
			break;
	}
	check_f64(1.5, "1.5");
	setlocale(LC_ALL, "C");
}
END_TEST

/* Each breaks one rule of nesting. */
static void misnest(int rule)
{
	struct pl_jw w = PL_JW(&buf);

	switch (rule) {
	case 0: pl_jw_end_object(&w); break;
	case 1: pl_jw_array(&w); pl_jw_end_object(&w); break;
	case 2: pl_jw_object(&w); pl_jw_end_array(&w); break;
	case 3: pl_jw_object(&w); pl_jw_i64(&w, 1); break;
	case 4: pl_jw_array(&w); pl_jw_key(&w, "k"); break;
	case 5: pl_jw_key(&w, "k"); break;
	case 6: pl_jw_object(&w); pl_jw_key(&w, "k"); pl_jw_key(&w, "k"); break;
	case 7: pl_jw_object(&w); pl_jw_key(&w, "k"); pl_jw_end_object(&w); break;
	case 8: pl_jw_i64(&w, 1); pl_jw_i64(&w, 2); break;
	case 9: pl_jw_raw(&w, PL_STR("")); break;
	case 10:
		for (int i = 0; i < 64; i++)
			pl_jw_array(&w);
		break;
	default: break;
	}
}

enum { MISNEST_RULES = 11 };

START_TEST(test_misnesting_is_bug)
{
	misnest(_i);
}
END_TEST

Suite *suite_json(void);
Suite *suite_json(void)
{
	Suite *suite = suite_create("json");
	TCase *tc = tcase_create("json");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_good);
	tcase_add_test(tc, test_bad);
	tcase_add_test(tc, test_good_nested);
	tcase_add_test(tc, test_strings);
	tcase_add_test(tc, test_tree);
	tcase_add_test(tc, test_depth);
	tcase_add_test(tc, test_values);
	tcase_add_test(tc, test_many_keys);
	tcase_add_test(tc, test_numbers);
	tcase_add_test(tc, test_write);
	tcase_add_test(tc, test_write_deep);
	tcase_add_test(tc, test_escapes);
	tcase_add_test(tc, test_f64);
	tcase_add_test(tc, test_locale);
	tcase_add_loop_test_raise_signal(tc, test_misnesting_is_bug, SIGABRT, 0, MISNEST_RULES);
	suite_add_tcase(suite, tc);
	return suite;
}
