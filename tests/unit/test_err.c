/* SPDX-License-Identifier: ISC */
/* The table of errors, and error values. */
#include <check.h>
#include <string.h>

#include "err.h"
#include "str.h"

START_TEST(test_table)
{
	for (int code = 0; code < PL_E_COUNT; code++) {
		const struct pl_err_info *info = pl_err_info((enum pl_code)code);

		ck_assert_msg(info->code != NULL && info->text != NULL, "row %d", code);
		ck_assert_msg(info->http_status >= 200 && info->http_status < 600, "%s", info->code);
		ck_assert_msg(info->ws_close == 0 || (info->ws_close >= 1000 && info->ws_close < 5000), "%s",
		    info->code);
		for (int other = 0; other < code; other++)
			ck_assert_str_ne(info->code, pl_err_info((enum pl_code)other)->code);
	}
	ck_assert_ptr_eq(pl_err_info((enum pl_code)9999), pl_err_info(PL_E_INTERNAL));
	ck_assert_ptr_eq(pl_err_info((enum pl_code)-1), pl_err_info(PL_E_INTERNAL));
	ck_assert_int_eq(pl_err_info(PL_E_RATE)->http_status, 429);
	ck_assert(pl_err_info(PL_E_RATE)->temporary);
}
END_TEST

START_TEST(test_set)
{
	struct pl_err err = { .retry_after_s = 5, .sqlstate = "57014" };

	ck_assert(!pl_err_set(&err, PL_E_BUSY, NULL));
	ck_assert_int_eq(err.code, PL_E_BUSY);
	ck_assert_int_eq(err.retry_after_s, 0);
	ck_assert_str_eq(err.sqlstate, "");
	ck_assert_str_eq(pl_err_text(&err), pl_err_info(PL_E_BUSY)->text);
	pl_err_set(&err, PL_E_CONFLICT, "room %d", 7);
	ck_assert_str_eq(pl_err_text(&err), "room 7");
	pl_err_set(&err, PL_E_CONFLICT, "again: %s", err.detail);
	ck_assert_str_eq(pl_err_text(&err), "again: room 7");
	ck_assert(!pl_err_set(NULL, PL_E_CONFLICT, "nobody listens"));
}
END_TEST

/* A detail that is too long ends at a character boundary, wherever that is. */
START_TEST(test_long_detail)
{
	char text[600];

	for (int lead = 0; lead < 4; lead++) {
		struct pl_err err;
		size_t len = (size_t)lead;

		memset(text, 'a', (size_t)lead);
		for (; len + 4 < sizeof(text); len += 4)
			memcpy(text + len, "\xf0\x9f\x98\x80", 4);
		text[len] = '\0';
		pl_err_set(&err, PL_E_INVALID, "%s", text);
		ck_assert(pl_utf8_ok(err.detail, strlen(err.detail)));
		ck_assert_uint_ge(strlen(err.detail), sizeof(err.detail) - 4);
	}
}
END_TEST

START_TEST(test_fields)
{
	struct pl_pool *pool = pl_pool_new(0);
	struct pl_err err = { .code = PL_E_OK };
	char loc[] = "body.email";

	ck_assert(!pl_err_field(&err, pool, loc, "value_error", "%s is no address", "x"));
	loc[0] = 'X';
	ck_assert(!pl_err_field(&err, pool, "body.name", "string_too_short", "at least %d", 3));
	ck_assert_int_eq(err.code, PL_E_INVALID);
	ck_assert_str_eq(err.fields->loc, "body.email");
	ck_assert_str_eq(err.fields->type, "value_error");
	ck_assert_str_eq(err.fields->msg, "x is no address");
	ck_assert_str_eq(err.fields->next->loc, "body.name");
	ck_assert_str_eq(err.fields->next->msg, "at least 3");
	ck_assert_ptr_null(err.fields->next->next);
	ck_assert(!pl_err_field(NULL, pool, "a", "b", "c"));
	pl_err_set(&err, PL_E_BUSY, NULL);
	ck_assert_ptr_null(err.fields);
	pl_pool_free(&pool);
}
END_TEST

Suite *suite_err(void);
Suite *suite_err(void)
{
	Suite *suite = suite_create("err");
	TCase *tc = tcase_create("err");

	tcase_add_test(tc, test_table);
	tcase_add_test(tc, test_set);
	tcase_add_test(tc, test_long_detail);
	tcase_add_test(tc, test_fields);
	suite_add_tcase(suite, tc);
	return suite;
}
