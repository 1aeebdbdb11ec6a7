/* SPDX-License-Identifier: ISC */
/*
 * Links of feedback requests: made, read, expired, changed.
 */
#include <check.h>
#include <stdlib.h>

#include "svc/feedback/answer_link.h"

Suite *suite_answer_link(void);

static const char id[] = "0d6f6c3e-8a55-4a0e-9a3c-5b7c4f1e2d90";

static void config_with_key(struct config *config, struct pl_pool *pool, const char *key)
{
	memset(config, 0, sizeof(*config));
	pl_keyring_add(pool, &config->keys, pl_str(key), 0);
}

START_TEST(test_round)
{
	struct pl_pool *pool = pl_pool_new(0);
	char got[PL_UUID_LEN + 1];
	struct config config;
	struct pl_str token;

	config_with_key(&config, pool, "0123456789abcdef0123456789abcdef");
	token = answer_link_make(&config, pool, pl_str(id), 1000);
	ck_assert_uint_eq(token.len, 55);
	ck_assert_int_eq(answer_link_read(&config, token, 999, got), ANSWER_LINK_GOOD);
	ck_assert_str_eq(got, id);
	ck_assert_int_eq(answer_link_read(&config, token, 1000, got), ANSWER_LINK_EXPIRED);
	pl_pool_free(&pool);
}
END_TEST

START_TEST(test_changed)
{
	struct pl_pool *pool = pl_pool_new(0);
	char got[PL_UUID_LEN + 1], *copy;
	struct config config, other;
	struct pl_str token;

	config_with_key(&config, pool, "0123456789abcdef0123456789abcdef");
	config_with_key(&other, pool, "1123456789abcdef0123456789abcdef");
	token = answer_link_make(&config, pool, pl_str(id), 1000);
	ck_assert_int_eq(answer_link_read(&other, token, 0, got), ANSWER_LINK_BAD);
	copy = pl_strndup(pool, token.ptr, token.len);
	for (size_t i = 0; i + 1 < token.len; i++) {	/* the last character has unused bits */
		copy[i] = copy[i] == 'x' ? 'y' : 'x';
		ck_assert_int_eq(answer_link_read(&config, pl_strn(copy, token.len), 0, got), ANSWER_LINK_BAD);
		copy[i] = token.ptr[i];
	}
	for (size_t n = 0; n < token.len; n++)
		ck_assert_int_eq(answer_link_read(&config, pl_strn(token.ptr, n), 0, got), ANSWER_LINK_BAD);
	pl_pool_free(&pool);
}
END_TEST

Suite *suite_answer_link(void)
{
	Suite *suite = suite_create("answer_link");
	TCase *tests = tcase_create("all");

	tcase_add_test(tests, test_round);
	tcase_add_test(tests, test_changed);
	suite_add_tcase(suite, tests);
	return suite;
}
