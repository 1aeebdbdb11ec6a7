/* SPDX-License-Identifier: ISC */
/*
 * Mails and Slack messages as text.
 */
#include <check.h>
#include <stdlib.h>

#include "json.h"
#include "leaf.h"
#include "svc/feedback/mail_text.h"

Suite *suite_mail_text(void);

static struct pl_str mail_with(struct pl_pool *pool, const char *subject, const char *body)
{
	struct mail_text mail = { .from = PL_STR("bot@parlour.example"), .to = PL_STR("ann@example.org"),
		.id = PL_STR("id-1"), .subject = pl_str(subject), .body = pl_str(body), .wall_us = 1795219200000000 };

	return mail_text(pool, &mail);
}

static const struct { const char *subject, *line; } subjects[] = {
	{ "Hello", "\r\nSubject: Hello\r\n" },
	{ "", "\r\nSubject: \r\n" },
	{ "a\r\nBcc: x@y.z", "\r\nSubject: a  Bcc: x@y.z\r\n" },
	{ "\xc3\xbc", "\r\nSubject: =?UTF-8?B?w7w=?=\r\n" },
	{ "=?x", "\r\nSubject: =?UTF-8?B?PT94?=\r\n" },
};

START_TEST(test_subject)
{
	struct pl_pool *pool = pl_pool_new(0);
	struct pl_str text = mail_with(pool, subjects[_i].subject, "x");

	ck_assert_ptr_nonnull(memmem(text.ptr, text.len, subjects[_i].line, strlen(subjects[_i].line)));
	pl_pool_free(&pool);
}
END_TEST

START_TEST(test_head)
{
	struct pl_pool *pool = pl_pool_new(0);
	struct pl_str text = mail_with(pool, "s", "x");
	static const char want[] = "From: <bot@parlour.example>\r\nTo: <ann@example.org>\r\nSubject: s\r\n"
	    "Date: Sat, 21 Nov 2026 00:00:00 +0000\r\nMessage-ID: <id-1@parlour.example>\r\n";

	ck_assert_int_eq(strncmp(text.ptr, want, sizeof(want) - 1), 0);
	pl_pool_free(&pool);
}
END_TEST

static const struct { const char *address, *lines; } unsubscribes[] = {
	{ "https://x.org/unsubscribe/T", "\r\nList-Unsubscribe: <https://x.org/unsubscribe/T>\r\n"
	    "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\nAuto-Submitted:" },
	{ "http://x.org/unsubscribe/T", "\r\nList-Unsubscribe: <http://x.org/unsubscribe/T>\r\nAuto-Submitted:" },
	{ NULL, "@parlour.example>\r\nAuto-Submitted:" },
};

START_TEST(test_unsubscribe)
{
	struct pl_pool *pool = pl_pool_new(0);
	const char *address = unsubscribes[_i].address;
	struct mail_text mail = { .from = PL_STR("bot@parlour.example"), .to = PL_STR("ann@example.org"),
		.id = PL_STR("id-1"), .subject = PL_STR("s"), .body = PL_STR("x"),
		.unsubscribe = address != NULL ? pl_str(address) : PL_STR_NONE };
	struct pl_str text = mail_text(pool, &mail);

	ck_assert_ptr_nonnull(memmem(text.ptr, text.len, unsubscribes[_i].lines, strlen(unsubscribes[_i].lines)));
	pl_pool_free(&pool);
}
END_TEST

/* No line over 76 characters, none cut inside a character, whatever the subject and body. */
START_TEST(test_lines)
{
	struct pl_pool *pool = pl_pool_new(0);
	struct pl_buf long_text = PL_BUF(pool);
	struct pl_str text, line;

	for (int i = 0; i < _i; i++)
		pl_buf_adds(&long_text, i % 7 == 0 ? "\n" : "\xe2\x9c\x93x");
	text = mail_with(pool, pl_buf_str(&long_text).ptr, pl_buf_str(&long_text).ptr);
	while (pl_str_cut(&text, '\n', &line)) {
		ck_assert_uint_le(line.len, 86);	/* Subject: and one encoded word */
		ck_assert(line.len == 0 || line.ptr[line.len - 1] == '\r');
	}
	pl_pool_free(&pool);
}
END_TEST

START_TEST(test_body_lines_end_with_crlf)
{
	struct pl_pool *pool = pl_pool_new(0);
	struct pl_str text = mail_with(pool, "s", "a\nb\r\n");
	char want[32];

	pl_b64_encode("a\r\nb\r\n", 6, want);
	ck_assert_ptr_nonnull(memmem(text.ptr, text.len, want, strlen(want)));
	pl_pool_free(&pool);
}
END_TEST

START_TEST(test_account_mail)
{
	struct pl_pool *pool = pl_pool_new(0);
	struct pl_str link = PL_STR("https://chat.example.org/reset-password#0123abcd");
	const struct account_mail *mail = account_mail_find(PL_STR("reset"));
	struct pl_str body = account_mail_body(pool, mail, "Tea house", PL_STR("ann"), link);

	ck_assert(pl_str_is(account_mail_subject(pool, mail, "Tea house"), "Tea house: reset your password"));
	ck_assert_str_eq(mail->page, "reset-password");
	ck_assert(pl_str_starts(body, "Somebody requested a new password for the account ann at Tea house.\n"));
	ck_assert_ptr_nonnull(memmem(body.ptr, body.len, " https://chat.example.org/reset-password#0123abcd\n", 50));
	ck_assert_ptr_null(account_mail_find(PL_STR("rest")));
	mail = account_mail_find(PL_STR("moved"));
	body = account_mail_body(pool, mail, "Tea house", PL_STR("ann"), PL_STR_NONE);
	ck_assert(pl_str_is(body, "The account ann at Tea house has another e-mail address now.\n\n"
	    "If it was not you, tell the operator of the server.\n"));
	pl_pool_free(&pool);
}
END_TEST

START_TEST(test_slack_sections)
{
	struct pl_pool *pool = pl_pool_new(0);
	struct pl_buf question = PL_BUF(pool);
	struct job item = { .asker = PL_STR("ann"), .on_timeout = PL_STR("deny"),
		.options = PL_STR("[\"<a>\",\"b\"]"), .context = PL_STR("{\"x\":\"a&b\"}") };
	struct pl_err err = { 0 };
	const struct pl_jval *json, *block;
	struct pl_str text = PL_STR_NONE;

	for (int i = 0; i < 2000; i++)
		pl_buf_adds(&question, i % 3 == 0 ? "&" : "\xe2\x9c\x93");
	item.question = pl_buf_str(&question);
	json = pl_json_parse(pool, feedback_request_slack(pool, &item, PL_STR("https://x/r/T")), &err);
	ck_assert_ptr_nonnull(json);
	ck_assert_ptr_nonnull(pl_json_str(pl_json_get(json, "text")).ptr);
	ck_assert_int_le(pl_json_get(json, "blocks")->count, 50);
	for (block = pl_json_get(json, "blocks")->first; block != NULL; block = block->next) {
		text = pl_json_str(pl_json_get(pl_json_get(block, "text"), "text"));
		ck_assert_uint_le(pl_utf8_count(text.ptr, text.len), 3000);
		ck_assert_uint_ge(text.len, 1);
	}
	ck_assert(pl_str_starts(text, "<https://x/r/T|Answer>\n"));
	pl_pool_free(&pool);
}
END_TEST

Suite *suite_mail_text(void)
{
	Suite *suite = suite_create("mail_text");
	TCase *tests = tcase_create("all");

	tcase_add_loop_test(tests, test_subject, 0, PL_COUNT(subjects));
	tcase_add_test(tests, test_head);
	tcase_add_loop_test(tests, test_unsubscribe, 0, (int)PL_COUNT(unsubscribes));
	tcase_add_loop_test(tests, test_lines, 0, 200);
	tcase_add_test(tests, test_body_lines_end_with_crlf);
	tcase_add_test(tests, test_account_mail);
	tcase_add_test(tests, test_slack_sections);
	suite_add_tcase(suite, tests);
	return suite;
}
