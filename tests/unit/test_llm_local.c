/* SPDX-License-Identifier: ISC */
/*
 * The built-in responder: its rules, its pieces, its counting.
 */
#include <check.h>
#include <stdio.h>

#include "clock.h"
#include "llm/llm_local.h"

#define WHAT_IT_IS "offline responder"

static void answer_to(const struct llm_message *messages, int count, struct pl_buf *out)
{
	const struct llm_request request = { .messages = messages, .messages_count = count };

	pl_buf_reset(out);
	llm_local_answer(&request, out);
	ck_assert_uint_gt(out->len, 0);
	ck_assert_msg(pl_utf8_ok(out->ptr, out->len), "%s", out->ptr);
}

static const struct rule_case { const char *asked, *says, *not; } rules[] = {
	{ "Hello!", "Hello, alice. I am", "again" },
	{ "hi", "Hello, alice", NULL },
	{ "@guide: good morning", "Hello, alice", "guide" },
	{ "this is high", "I read \"this is high\" (3 words)", "Hello" },
	{ "thanks a lot", "welcome, alice", NULL },
	{ "bye", "Goodbye, alice", NULL },
	{ "Who are you?", WHAT_IT_IS, NULL },
	{ "which MODEL are you", "local-1", NULL },
	{ "what's your name?", "local-1", NULL },
	{ "help", "count to 100", NULL },
	{ "what can you do?", WHAT_IT_IS, NULL },
	{ "what time is it?", "2026-11-20, 23:59 UTC", NULL },
	{ "What is 12 * 7?", "12 * 7 = 84", NULL },
	{ "2+3*4", "2+3*4 = 14", NULL },
	{ "(2+3)*4 please", "(2+3)*4 = 20", NULL },
	{ "-3 - -4", "-3 - -4 = 1", NULL },
	{ "0.1+0.2", "0.1+0.2 = 0.3", NULL },
	{ "10/4 = ?", "10/4 = 2.5", NULL },
	{ "1/0", "1/0 has no value", NULL },
	{ "((((1+1)", "= 2", NULL },
	{ "call 5-what", "I read", " = " },
	{ "3 - the magic number", "I read", " = " },
	{ "v1.2-3", "I read", " = " },
	{ "count to 5", "1, 2, 3, 4, 5.", NULL },
	{ "please count to 1", "1.", NULL },
	{ "count to 0", "nothing to say", NULL },
	{ "count to 100000", "499, 500.", "501" },
	{ "count to ten", "I read", NULL },
	{ "summarise", "1 message with 1 words: 1 by alice", NULL },
	{ "What did I say?", "Nothing before this", NULL },
	{ "tell me a story", "On day 6", "On day 7 " },
	{ "Tell me a long story", "On day 48", NULL },
	{ "Why is the sky blue?", "You ask about \"sky blue\"", NULL },
	{ "is it?", "something that I cannot make out", NULL },
	{ "", WHAT_IT_IS, NULL },
	{ "   ", WHAT_IT_IS, NULL },
	{ "@guide", WHAT_IT_IS, NULL },
	{ "?", "You ask about something", NULL },
	{ "a\nb\tc", "\"a b c\" (3 words)", NULL },
	{ "\xe4\xbd\xa0\xe5\xa5\xbd", "\"\xe4\xbd\xa0\xe5\xa5\xbd\"", NULL },
	{ "\xe4\xbd\xa0\xe5\xa5\xbd?", "You ask about \"\xe4\xbd\xa0\xe5\xa5\xbd\"", NULL },
};

START_TEST(test_rule)
{
	const struct rule_case *c = &rules[_i];
	const struct llm_message message = { LLM_USER, PL_STR("alice"), pl_str(c->asked) };
	struct pl_buf first = PL_BUF(NULL), second = PL_BUF(NULL);

	pl_clock_fake(PL_NS_PER_S, 1795219140 * PL_US_PER_S);	/* 2026-11-20 23:59 UTC */
	answer_to(&message, 1, &first);
	ck_assert_msg(strstr(first.ptr, c->says) != NULL, "%s: %s", c->asked, first.ptr);
	ck_assert_msg(c->not == NULL || strstr(first.ptr, c->not) == NULL, "%s: %s", c->asked, first.ptr);
	answer_to(&message, 1, &second);
	ck_assert_str_eq(first.ptr, second.ptr);
	pl_clock_fake(0, 0);
	pl_buf_fini(&first);
	pl_buf_fini(&second);
}
END_TEST

START_TEST(test_conversation)
{
	struct llm_message messages[] = {
		{ LLM_USER, PL_STR("alice"), PL_STR("@guide I like tea") },
		{ LLM_ASSISTANT, PL_STR_NONE, PL_STR("I see.") },
		{ LLM_USER, PL_STR("bob"), PL_STR("coffee for me") },
		{ LLM_USER, PL_STR("alice"), PL_STR("what did I say?") },
	};
	struct pl_buf out = PL_BUF(NULL);

	answer_to(messages, 4, &out);
	ck_assert_msg(strstr(out.ptr, "\"I like tea\"") != NULL, "%s", out.ptr);
	messages[3].text = PL_STR("hello");
	answer_to(messages, 4, &out);
	ck_assert_str_eq(out.ptr, "Hello again, alice.");
	messages[3].text = PL_STR("please summarize");
	answer_to(messages, 4, &out);
	ck_assert_msg(strstr(out.ptr, "4 messages with 11 words: 2 by alice, 1 by me, 1 by bob.") != NULL, "%s",
	    out.ptr);
	ck_assert_msg(strstr(out.ptr, "\"coffee for me\"") != NULL, "%s", out.ptr);
	messages[3].text = PL_STR("why?");
	answer_to(messages, 4, &out);
	ck_assert_msg(strstr(out.ptr, "message 4 of our conversation") != NULL, "%s", out.ptr);
	answer_to(messages, 2, &out);
	ck_assert_msg(strstr(out.ptr, "I like tea") != NULL, "%s", out.ptr);
	answer_to(messages, 0, &out);
	ck_assert_msg(strstr(out.ptr, WHAT_IT_IS) != NULL, "%s", out.ptr);
	pl_buf_fini(&out);
}
END_TEST

static const struct passage_case { const char *asked, *passage; bool torn; const char *says; } passages[] = {
	{ "When is the refund for my parcel paid?",
	    "# Parcels\n\nWe ship on\nMondays. Refunds for parcels are paid within\n14 days. Refunds, again.", false,
	    "\"Refunds for parcels are paid within 14 days.\" [1]" },
	{ "refunds?", "Refunds\n\nThe office pays refunds on Friday. It is open.", false,
	    "\"The office pays refunds on Friday.\" [1]" },
	{ "what time does the office open?", "It opens at nine, e.g. in Lisbon. The office opens at ten.", false,
	    "\"The office opens at ten.\" [1]" },
	{ "what time is it?", "Time is money.", false, "My clock says" },
	{ "hello", "Hello is a word.", false, "Hello, alice" },
	{ "What is 12 * 7?", "12 times 7 is a sum.", false, "12 * 7 = 84" },
	{ "tell me about the company's story", "The story of the company began in 1912.", false,
	    "\"The story of the company began in 1912.\" [1]" },
	{ "Who is J. Doe of accounting?", "Nobody knows. Accounting belongs to J. Doe of Lisbon.", false,
	    "\"Accounting belongs to J. Doe of Lisbon.\" [1]" },
	{ "parcel refund", "parcel refunds are late. A refund of a parcel takes a day.", true,
	    "\"A refund of a parcel takes a day.\" [1]" },
	{ "parcel refund", "parcel refunds are late", true, "\"parcel refunds are late\" [1]" },
	{ "which fruit?", "- apples\n- fruit such as pears\n* plums", false, "\"fruit such as pears\" [1]" },
	{ "running", "He ran.", false, "\"He ran.\" [1]" },
	{ "\u9000\u6b3e?", "\u5929\u6c14\u597d\u3002\u9000\u6b3e\u3002", false, "\u3002\" [1]" },
	{ "how?", "#", false, "\"#\" [1]" },
	{ "how?", " \n ", false, "You ask about" },
};

/* What was found is quoted, with its mark; small talk stays small talk. */
START_TEST(test_passage)
{
	const struct passage_case *c = &passages[_i];
	const struct llm_message message = { LLM_USER, PL_STR("alice"), pl_str(c->asked) };
	const struct llm_passage found[] = { { 1, c->torn, pl_str(c->passage) },
		{ 2, false, PL_STR("Another one: refund.") } };
	const struct llm_request request = { .messages = &message, .messages_count = 1, .passages = found,
		.passages_count = 2 };
	struct pl_buf out = PL_BUF(NULL);

	pl_clock_fake(PL_NS_PER_S, 1795219140 * PL_US_PER_S);
	llm_local_answer(&request, &out);
	ck_assert_msg(strstr(out.ptr, c->says) != NULL, "%s: %s", c->asked, out.ptr);
	ck_assert(pl_utf8_ok(out.ptr, out.len));
	pl_clock_fake(0, 0);
	pl_buf_fini(&out);
}
END_TEST

/* Nothing is too long to be quoted, and no character is cut in two. */
START_TEST(test_long_passage)
{
	const struct llm_message message = { LLM_USER, PL_STR("alice"), PL_STR("how?") };
	struct pl_buf text = PL_BUF(NULL), out = PL_BUF(NULL);
	struct llm_passage found = { .number = 3 };
	struct llm_request request = { .messages = &message, .messages_count = 1, .passages = &found,
		.passages_count = 1 };

	for (int i = 0; i < 1000; i++)
		pl_buf_adds(&text, "\xe4\xbd\xa0");
	found.text = pl_buf_str(&text);
	llm_local_answer(&request, &out);
	ck_assert_uint_lt(out.len, 450);
	ck_assert(pl_utf8_ok(out.ptr, out.len));
	ck_assert_ptr_nonnull(strstr(out.ptr, " ...\" [3]"));
	pl_buf_fini(&text);
	pl_buf_fini(&out);
}
END_TEST

/* Long words and other scripts: pieces join to the text, none cuts a character, none is too long. */
START_TEST(test_pieces)
{
	static const char *const texts[] = { "one two  three\n\nfour", "  lead", "trail  ", "x", "" };
	struct pl_buf text = PL_BUF(NULL);
	struct pl_str rest;

	if (_i < (int)PL_COUNT(texts))
		pl_buf_adds(&text, texts[_i]);
	else
		for (int i = 0; i < 100; i++)
			pl_buf_adds(&text, "\xe4\xbd\xa0\xf0\x9f\x98\x80");
	rest = pl_buf_str(&text);
	while (rest.len > 0) {
		size_t n = llm_local_piece(rest);

		ck_assert_uint_gt(n, 0);
		ck_assert_uint_le(n, 64);
		ck_assert(pl_utf8_ok(rest.ptr, n));
		rest = pl_strn(rest.ptr + n, rest.len - n);
	}
	ck_assert_uint_eq(llm_local_piece(rest), 0);
	pl_buf_fini(&text);
}
END_TEST

START_TEST(test_words)
{
	ck_assert_int_eq(llm_local_words(PL_STR("")), 0);
	ck_assert_int_eq(llm_local_words(PL_STR_NONE), 0);
	ck_assert_int_eq(llm_local_words(PL_STR("  a\nbc\t d ")), 3);
}
END_TEST

/* Nothing that a user writes can make the sum reader recurse without bound or read past the end. */
START_TEST(test_sum_depth)
{
	struct pl_buf text = PL_BUF(NULL);
	struct pl_str sum;
	double value;

	for (int i = 0; i < 900; i++)
		pl_buf_addc(&text, _i == 0 ? '(' : '-');
	pl_buf_adds(&text, "1+1");
	ck_assert_int_eq(llm_local_sum(pl_buf_str(&text), &sum, &value), LLM_SUM_VALUE);
	ck_assert_double_eq(value, _i == 0 ? 2 : 0);	/* the last 31 signs count: -1 + 1 */
	for (int i = 0; i < 2000; i++)
		pl_buf_adds(&text, "+1");
	ck_assert_int_eq(llm_local_sum(pl_strn(text.ptr + 900, text.len - 900), &sum, &value), LLM_SUM_VALUE);
	ck_assert_double_eq(value, 512);	/* what fits into the first 1024 bytes */
	ck_assert_int_eq(llm_local_sum(PL_STR("1+"), &sum, &value), LLM_SUM_NONE);
	ck_assert_int_eq(llm_local_sum(pl_strn("1+12", 3), &sum, &value), LLM_SUM_VALUE);
	ck_assert_double_eq(value, 2);
	pl_buf_fini(&text);
}
END_TEST

Suite *suite_llm_local(void);

Suite *suite_llm_local(void)
{
	Suite *suite = suite_create("llm_local");
	TCase *tc = tcase_create("all");

	tcase_add_loop_test(tc, test_rule, 0, PL_COUNT(rules));
	tcase_add_test(tc, test_conversation);
	tcase_add_loop_test(tc, test_passage, 0, PL_COUNT(passages));
	tcase_add_test(tc, test_long_passage);
	tcase_add_loop_test(tc, test_pieces, 0, 6);
	tcase_add_test(tc, test_words);
	tcase_add_loop_test(tc, test_sum_depth, 0, 2);
	suite_add_tcase(suite, tc);
	return suite;
}
