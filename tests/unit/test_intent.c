/* SPDX-License-Identifier: ISC */
/*
 * Questions in words: a table of them with what must be understood.
 */
#include <check.h>
#include <stdio.h>

#include "clock.h"
#include "pool.h"
#include "svc/intent.h"

#define NOW "2026-11-20T12:34:56Z"	/* a Friday */

Suite *suite_intent(void);

/* expected: metric|dimension|mine user room model|period|first day, or "" for refused */
static const struct { const char *question, *expected; } cases[] = {
	{ "messages", "messages|||last 30 days|2026-10-22" },
	{ "How many messages?", "messages|||last 30 days|2026-10-22" },
	{ "how many messages did we send today?", "messages|||today|2026-11-20" },
	{ "messages yesterday", "messages|||yesterday|2026-11-19" },
	{ "messages last 7 days", "messages|||last 7 days|2026-11-14" },
	{ "messages in the past 7 days", "messages|||last 7 days|2026-11-14" },
	{ "messages last 1 day", "messages|||last 1 day|2026-11-20" },
	{ "messages last 2 weeks", "messages|||last 2 weeks|2026-11-07" },
	{ "messages last 3 months", "messages|||last 3 months|2026-08-20" },
	{ "messages this week", "messages|||this week|2026-11-16" },
	{ "messages last week", "messages|||last week|2026-11-09" },
	{ "messages this month", "messages|||this month|2026-11-01" },
	{ "messages last month", "messages|||last month|2026-10-01" },
	{ "messages previous month", "messages|||last month|2026-10-01" },
	{ "messages since 2026-02-28", "messages|||since 2026-02-28|2026-02-28" },
	{ "MESSAGES SINCE 2026-01-31.", "messages|||since 2026-01-31|2026-01-31" },
	{ "messages per day", "messages|day||last 30 days|2026-10-22" },
	{ "messages by week", "messages|week||last 30 days|2026-10-22" },
	{ "monthly messages", "messages|month||last 30 days|2026-10-22" },
	{ "daily cost last 7 days", "cost|day||last 7 days|2026-11-14" },
	{ "messages each month", "messages|month||last 30 days|2026-10-22" },
	{ "messages per user last week", "messages|user||last week|2026-11-09" },
	{ "messages by user today", "messages|user||today|2026-11-20" },
	{ "messages per room", "messages|room||last 30 days|2026-10-22" },
	{ "messages in room lobby", "messages||room=lobby|last 30 days|2026-10-22" },
	{ "messages in room \"Tea room\" today", "messages||room=Tea room|today|2026-11-20" },
	{ "messages in room \"today\"", "messages||room=today|last 30 days|2026-10-22" },
	{ "messages of user ann", "messages||user=ann|last 30 days|2026-10-22" },
	{ "messages by user ann yesterday", "messages||user=ann|yesterday|2026-11-19" },
	{ "messages from user ann in room lobby per day", "messages|day|user=ann room=lobby|last 30 days|2026-10-22" },
	{ "my messages", "messages||mine|last 30 days|2026-10-22" },
	{ "how many messages have I written?", "messages||mine|last 30 days|2026-10-22" },
	{ "my messages per day, last 7 days", "messages|day|mine|last 7 days|2026-11-14" },
	{ "who wrote the most messages this week?", "messages|user||this week|2026-11-16" },
	{ "which user wrote the most messages", "messages|user||last 30 days|2026-10-22" },
	{ "which room has the most messages", "messages|room||last 30 days|2026-10-22" },
	{ "top 5 rooms by messages", "messages|room||last 30 days|2026-10-22" },
	{ "top users by tokens", "tokens|user||last 30 days|2026-10-22" },
	{ "tokens", "tokens|||last 30 days|2026-10-22" },
	{ "tokens per model", "tokens|model||last 30 days|2026-10-22" },
	{ "tokens per role this month", "tokens|role||this month|2026-11-01" },
	{ "tokens with model gpt-4o", "tokens||model=gpt-4o|last 30 days|2026-10-22" },
	{ "how many tokens were used per day", "tokens|day||last 30 days|2026-10-22" },
	{ "cost", "cost|||last 30 days|2026-10-22" },
	{ "what did we spend last month?", "cost|||last month|2026-10-01" },
	{ "cost by model", "cost|model||last 30 days|2026-10-22" },
	{ "who spent the most", "cost|user||last 30 days|2026-10-22" },
	{ "cost of model llama3:8b today", "cost||model=llama3:8b|today|2026-11-20" },
	{ "sessions", "sessions|||last 30 days|2026-10-22" },
	{ "sessions per model", "sessions|model||last 30 days|2026-10-22" },
	{ "how many conversations were there yesterday", "sessions|||yesterday|2026-11-19" },
	{ "feedback", "feedback|||last 30 days|2026-10-22" },
	{ "votes per user", "feedback|user||last 30 days|2026-10-22" },
	{ "show me feedback per week", "feedback|week||last 30 days|2026-10-22" },
	{ "users", "users|||last 30 days|2026-10-22" },
	{ "active users today", "users|||today|2026-11-20" },
	{ "how many people wrote messages today", "users|||today|2026-11-20" },
	{ "users per day", "users|day||last 30 days|2026-10-22" },
	{ "rooms", "rooms|||last 30 days|2026-10-22" },
	{ "active rooms per week", "rooms|week||last 30 days|2026-10-22" },
	{ "", "" }, { "today", "" }, { "hello", "" }, { "messages last year", "" }, { "messages per year", "" },
	{ "messages per model", "" }, { "sessions per room", "" }, { "users per user", "" }, { "messages since yesterday", "" },
	{ "messages since 2026-13-01", "" }, { "messages since 2027-01-01", "" }, { "messages last 0 days", "" },
	{ "messages last 1001 days", "" }, { "messages today yesterday", "" }, { "tokens messages", "" },
	{ "messages; DROP TABLE users", "" }, { "messages in room", "" }, { "messages \"x\"", "" }, { ".", "" }, { "\"", "" },
};

static void add(char *out, size_t size, const char *name, struct pl_str value)
{
	size_t len = strlen(out);

	if (value.ptr != NULL)
		snprintf(out + len, size - len, "%s%s=%.*s", len > 0 ? " " : "", name, PL_FMT(value));
}

static void spell(const struct intent *in, char *out, size_t size)
{
	char filters[128] = "", from[PL_TIME_LEN];

	if (in->mine)
		strcpy(filters, "mine");
	add(filters, sizeof(filters), "user", in->user);
	add(filters, sizeof(filters), "room", in->room);
	add(filters, sizeof(filters), "model", in->model);
	pl_time_format(in->from_us, from);
	snprintf(out, size, "%s|%s|%s|%s|%.10s", intent_metrics[in->metric], intent_dims[in->dim], filters, in->period, from);
}

START_TEST(test_questions)
{
	struct pl_pool *pool = pl_pool_new(0);
	int64_t now;

	ck_assert(pl_time_parse(NOW, strlen(NOW), &now));
	for (size_t i = 0; i < PL_COUNT(cases); i++) {
		struct pl_err err = { 0 };
		struct intent in;
		char got[256] = "";

		if (intent_read(pool, pl_str(cases[i].question), now, &in, &err))
			spell(&in, got, sizeof(got));
		else
			ck_assert_int_eq(err.code, PL_E_INVALID);
		ck_assert_msg(strcmp(got, cases[i].expected) == 0, "%s: %s", cases[i].question, got);
	}
	pl_pool_free(&pool);
}
END_TEST

Suite *suite_intent(void)
{
	Suite *suite = suite_create("intent");
	TCase *tc = tcase_create("intent");

	tcase_add_test(tc, test_questions);
	suite_add_tcase(suite, tc);
	return suite;
}
