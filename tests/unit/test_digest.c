/* SPDX-License-Identifier: ISC */
/*
 * The daily mail with notifications: its text, and the token that ends it.
 */
#include <check.h>
#include <stdlib.h>

#include "svc/notify/digest_text.h"
#include "svc/notify/notify_link.h"

Suite *suite_digest(void);

static const struct pl_jval *parse(struct pl_pool *pool, const char *json)
{
	struct pl_err err = { 0 };
	const struct pl_jval *v = pl_json_parse(pool, pl_str(json), &err);

	ck_assert_ptr_nonnull(v);
	return v;
}

START_TEST(test_text)
{
	struct pl_pool *pool = pl_pool_new(0);
	const struct pl_jval *content = parse(pool, "{\"username\":\"ann\",\"total\":7,\"lines\":["
	    "{\"kind\":\"mention\",\"actor\":\"bob\",\"room\":\"Tea room\",\"count\":3},"
	    "{\"kind\":\"added\",\"count\":1},"
	    "{\"kind\":\"question\",\"actor\":\"eve\",\"count\":1}]}");
	struct pl_str body = digest_body(pool, content, "Tea house", PL_STR("https://x/"), PL_STR("https://x/u/T"));

	ck_assert(pl_str_is(digest_subject(pool, content, "Tea house"), "Tea house: 7 unread notifications"));
	ck_assert_str_eq(pl_str_c(pool, body), "ann, you have 7 unread notifications at Tea house.\n\n"
	    "- bob mentioned you: Tea room (3 times)\n- Somebody added you to a room\n- eve asks you a question\n"
	    "- and 2 more\n\nRead them here: https://x/\n\n"
	    "You receive this mail at most once a day, because you chose mail for these notifications.\n"
	    "Stop these mails: https://x/u/T\n");
	pl_pool_free(&pool);
}
END_TEST

START_TEST(test_text_without_links)
{
	struct pl_pool *pool = pl_pool_new(0);
	const struct pl_jval *content = parse(pool, "{\"username\":\"ann\",\"total\":1,\"lines\":["
	    "{\"kind\":\"later\",\"actor\":\"bob\",\"count\":1}]}");
	struct pl_str body = digest_body(pool, content, "X", PL_STR_NONE, PL_STR_NONE);

	ck_assert(pl_str_is(digest_subject(pool, content, "X"), "X: 1 unread notification"));
	ck_assert_ptr_nonnull(memmem(body.ptr, body.len, "- bob sent you a notification\n\nYou", 33));
	ck_assert_ptr_nonnull(memmem(body.ptr, body.len, "settings of your account.\n", 26));
	pl_pool_free(&pool);
}
END_TEST

static void config_with_key(struct config *config, struct pl_pool *pool, const char *key)
{
	memset(config, 0, sizeof(*config));
	pl_keyring_add(pool, &config->keys, pl_str(key), 0);
}

START_TEST(test_link)
{
	static const int64_t ids[] = { 1, 255, 256, 77777777777, INT64_MAX };
	struct pl_pool *pool = pl_pool_new(0);
	struct config config, other;
	struct pl_str token;
	char *copy;
	int64_t got;

	config_with_key(&config, pool, "0123456789abcdef0123456789abcdef");
	config_with_key(&other, pool, "1123456789abcdef0123456789abcdef");
	token = notify_link_make(&config, pool, ids[_i]);
	ck_assert_uint_eq(token.len, 34);
	ck_assert(notify_link_read(&config, token, &got));
	ck_assert_int_eq(got, ids[_i]);
	ck_assert(!notify_link_read(&other, token, &got));
	copy = pl_strndup(pool, token.ptr, token.len);
	for (size_t i = 0; i + 1 < token.len; i++) {	/* the last character has bits to spare */
		copy[i] = copy[i] == 'x' ? 'y' : 'x';
		ck_assert(!notify_link_read(&config, pl_strn(copy, token.len), &got));
		copy[i] = token.ptr[i];
	}
	for (size_t n = 0; n < token.len; n++)
		ck_assert(!notify_link_read(&config, pl_strn(token.ptr, n), &got));
	pl_pool_free(&pool);
}
END_TEST

Suite *suite_digest(void)
{
	Suite *suite = suite_create("digest");
	TCase *tests = tcase_create("digest");

	tcase_add_test(tests, test_text);
	tcase_add_test(tests, test_text_without_links);
	tcase_add_loop_test(tests, test_link, 0, 5);
	suite_add_tcase(suite, tests);
	return suite;
}
