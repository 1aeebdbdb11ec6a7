/* SPDX-License-Identifier: ISC */
/*
 * Questions in words: a table of them with what must be understood.
 */
#include <check.h>
#include <stdio.h>

#include "clock.h"
#include "pool.h"
#include "svc/usage/intent.h"

#define NOW "2026-11-20T12:34:56Z"	/* a Friday */

Suite *suite_intent(void);

/*
 * expected: metric|dimensions|mine user room model|period|first day, or "" for refused. Dimensions are followed by
 * " most" or " least", a number of rows and "/" with what it counts for each of.
 */
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
	{ "who wrote the most messages this week?", "messages|user most||this week|2026-11-16" },
	{ "which user wrote the most messages", "messages|user most||last 30 days|2026-10-22" },
	{ "which room has the most messages", "messages|room most||last 30 days|2026-10-22" },
	{ "top 5 rooms by messages", "messages|room most 5||last 30 days|2026-10-22" },
	{ "top users by tokens", "tokens|user most||last 30 days|2026-10-22" },
	{ "tokens", "tokens|||last 30 days|2026-10-22" },
	{ "tokens per model", "tokens|model||last 30 days|2026-10-22" },
	{ "tokens per role this month", "tokens|role||this month|2026-11-01" },
	{ "tokens with model gpt-4o", "tokens||model=gpt-4o|last 30 days|2026-10-22" },
	{ "how many tokens were used per day", "tokens|day||last 30 days|2026-10-22" },
	{ "cost", "cost|||last 30 days|2026-10-22" },
	{ "what did we spend last month?", "cost|||last month|2026-10-01" },
	{ "cost by model", "cost|model||last 30 days|2026-10-22" },
	{ "who spent the most", "cost|user most||last 30 days|2026-10-22" },
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
	{ "messages per user per day", "messages|user day||last 30 days|2026-10-22" },
	{ "cost by model and week", "cost|model week||last 30 days|2026-10-22" },
	{ "daily messages per room, last 7 days", "messages|day room||last 7 days|2026-11-14" },
	{ "weekly cost by model", "cost|week model||last 30 days|2026-10-22" },
	{ "tokens per user and model this month", "tokens|user model||this month|2026-11-01" },
	{ "tokens by user and model gpt-4o", "tokens|user|model=gpt-4o|last 30 days|2026-10-22" },
	{ "messages per room and user ann today", "messages|room|user=ann|today|2026-11-20" },
	{ "messages per user and today", "messages|user||today|2026-11-20" },
	{ "messages of user ann by room and day", "messages|room day|user=ann|last 30 days|2026-10-22" },
	{ "my messages by room and week", "messages|room week|mine|last 30 days|2026-10-22" },
	{ "who wrote messages each day", "messages|user day||last 30 days|2026-10-22" },
	{ "users per room per week", "users|room week||last 30 days|2026-10-22" },
	{ "sessions by model by month", "sessions|model month||last 30 days|2026-10-22" },
	{ "top 3 users by cost last month", "cost|user most 3||last month|2026-10-01" },
	{ "top 1000 rooms by messages", "messages|room most 1000||last 30 days|2026-10-22" },
	{ "highest 2 days by messages", "messages|day most 2||last 30 days|2026-10-22" },
	{ "lowest 4 models by tokens", "tokens|model least 4||last 30 days|2026-10-22" },
	{ "bottom 2 rooms by messages today", "messages|room least 2||today|2026-11-20" },
	{ "bottom rooms by messages", "messages|room least||last 30 days|2026-10-22" },
	{ "highest cost per model", "cost|model most||last 30 days|2026-10-22" },
	{ "lowest cost per day this week", "cost|day least||this week|2026-11-16" },
	{ "who wrote the fewest messages?", "messages|user least||last 30 days|2026-10-22" },
	{ "which day had the most messages", "messages|day most||last 30 days|2026-10-22" },
	{ "which model cost the most last week", "cost|model most||last week|2026-11-09" },
	{ "which 3 users wrote the most messages", "messages|user most 3||last 30 days|2026-10-22" },
	{ "users with the most tokens", "tokens|user most||last 30 days|2026-10-22" },
	{ "the 5 users with the most tokens", "tokens|user most 5||last 30 days|2026-10-22" },
	{ "3 rooms with the fewest messages today", "messages|room least 3||today|2026-11-20" },
	{ "top 3 users per day by messages", "messages|user day most 3/day||last 30 days|2026-10-22" },
	{ "top 2 models per week by cost", "cost|model week most 2/week||last 30 days|2026-10-22" },
	{ "weekly top 2 models by cost", "cost|week model most 2/week||last 30 days|2026-10-22" },
	{ "top 5 users per room by messages", "messages|user room most 5/room||last 30 days|2026-10-22" },
	{ "top 10 users and rooms by messages", "messages|user room most 10||last 30 days|2026-10-22" },
	{ "most messages per user and day", "messages|user day most||last 30 days|2026-10-22" },
	{ "who wrote the most messages in room lobby", "messages|user most|room=lobby|last 30 days|2026-10-22" },
	{ "which are the top 5 rooms by messages?", "messages|room most 5||last 30 days|2026-10-22" },
	{ "most active users today", "messages|user most||today|2026-11-20" },
	{ "which rooms were the most active last week?", "messages|room most||last week|2026-11-09" },
	{ "top 5 most active rooms per week", "messages|room week most 5/week||last 30 days|2026-10-22" },
	{ "the least active users by room", "messages|user room least||last 30 days|2026-10-22" },
	{ "most active users by tokens", "tokens|user most||last 30 days|2026-10-22" },
	{ "which model is the most expensive?", "cost|model most||last 30 days|2026-10-22" },
	{ "show the top 5 most expensive models", "cost|model most 5||last 30 days|2026-10-22" },
	{ "3 most expensive models per week", "cost|model week most 3/week||last 30 days|2026-10-22" },
	{ "most expensive 3 rooms", "cost|room most 3||last 30 days|2026-10-22" },
	{ "least expensive day this month", "cost|day least||this month|2026-11-01" },
	{ "users by messages", "messages|user||last 30 days|2026-10-22" },
	{ "rooms by cost per week", "cost|room week||last 30 days|2026-10-22" },
	{ "users who wrote the most messages", "messages|user most||last 30 days|2026-10-22" },
	{ "top messages per user", "messages|user most||last 30 days|2026-10-22" },
	{ "tokens by developer and day", "tokens|user day||last 30 days|2026-10-22" },
	{ "sessions of developer dev-1 today", "sessions||user=dev-1|today|2026-11-20" },
	{ "compare cost by model and month", "cost|model month||last 30 days|2026-10-22" },
	{ "which cost", "" }, { "which each cost last month", "" }, { "cost by tokens", "" },
	    { "messages by rooms by cost", "" },
	{ "top users", "" }, { "expensive models", "" }, { "most active models", "" }, { "tokens per session", "" },
	{ "messages per user by most", "" }, { "average cost per session", "" }, { "per message", "" },
	{ "how many messages did each user post", "" }, { "which user posted the most messages", "" },
	{ "messages per", "" }, { "messages by", "" }, { "messages per today", "" }, { "messages per 5 days", "" },
	{ "messages per user per user", "" }, { "messages per day per week", "" },
	    { "weekly and monthly messages", "" },
	{ "tokens per user per model per day", "" }, { "tokens by user and model and role", "" },
	{ "top 0 users by tokens", "" }, { "top 1001 users by tokens", "" }, { "top -1 users by tokens", "" },
	{ "top 5 messages", "" }, { "most messages", "" }, { "the highest cost", "" },
	    { "top 5 top 3 users by cost", "" },
	{ "top 5 users with the lowest cost", "" }, { "5 users by tokens", "" }, { "messages 7 days", "" },
	{ "top 5 users by users", "" }, { "top models by messages", "" },
	    { "messages per user and", "messages|user||last 30 days|2026-10-22" },
	{ "", "" }, { "today", "" }, { "hello", "" }, { "messages last year", "" }, { "messages per year", "" },
	{ "messages per model", "" }, { "sessions per room", "" }, { "users per user", "" },
	    { "messages since yesterday", "" },
	{ "messages since 2026-13-01", "" }, { "messages since 2027-01-01", "" }, { "messages last 0 days", "" },
	{ "messages last 1001 days", "" }, { "messages today yesterday", "" }, { "tokens messages", "" },
	{ "messages; DROP TABLE users", "" }, { "messages in room", "" }, { "messages \"x\"", "" }, { ".", "" },
	    { "\"", "" },
};

static void add(char *out, size_t size, const char *name, struct pl_str value)
{
	size_t len = strlen(out);

	if (value.ptr != NULL)
		snprintf(out + len, size - len, "%s%s=%.*s", len > 0 ? " " : "", name, PL_FMT(value));
}

static void spell(const struct intent *in, char *out, size_t size)
{
	char filters[128] = "", from[PL_TIME_LEN], dims[64] = "";
	size_t len;

	if (in->mine)
		strcpy(filters, "mine");
	add(filters, sizeof(filters), "user", in->user);
	add(filters, sizeof(filters), "room", in->room);
	add(filters, sizeof(filters), "model", in->model);
	for (int i = 0; i < in->dim_count; i++) {
		len = strlen(dims);
		snprintf(dims + len, sizeof(dims) - len, "%s%s", i > 0 ? " " : "", intent_dims[in->dims[i]]);
	}
	len = strlen(dims);
	if (in->order != ORDER_NONE)
		len += (size_t)snprintf(dims + len, sizeof(dims) - len, " %s", intent_orders[in->order]);
	if (in->top != 0)
		len += (size_t)snprintf(dims + len, sizeof(dims) - len, " %d", in->top);
	if (in->each != 0)
		snprintf(dims + len, sizeof(dims) - len, "/%s", intent_dims[in->dims[in->each - 1]]);
	pl_time_format(in->from_us, from);
	snprintf(out, size, "%s|%s|%s|%s|%.10s", intent_metrics[in->metric], dims, filters, in->period, from);
}

/* It says whose rows, or names users, rooms, or roles. */
static bool names_somebody(const char *expected)
{
	static const char *const signs[] = { "mine", "user", "room", "role" };
	const char *rest = strchr(expected, '|');

	for (size_t i = 0; i < PL_COUNT(signs); i++)
		if (strstr(rest, signs[i]) != NULL)
			return true;
	return false;
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

		if (intent_read(pool, pl_str(cases[i].question), now, &in, &err)) {
			spell(&in, got, sizeof(got));
			ck_assert_msg((intent_private(&in) != NULL) == names_somebody(got), "%s", cases[i].question);
		} else {
			ck_assert_int_eq(err.code, PL_E_INVALID);
		}
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
