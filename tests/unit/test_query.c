/* SPDX-License-Identifier: ISC */
/*
 * Answers to questions: the sentence, the card, the intent as JSON; and a question completes exactly once, and not at
 * once.
 */
#include <event2/event.h>

#include "shm_fixture.h"

#include "clock.h"
#include "core/settings.h"
#include "json.h"
#include "log.h"
#include "svc/usage/query_answer.h"

#define NOW "2026-11-20T12:34:56Z"

Suite *suite_query(void);

#define ROWS_MAX 5

static const struct {
	const char *question;
	struct { const char *key[QUERY_KEYS]; double value; } rows[ROWS_MAX];
	int count;
	double total;
	bool more;
	const char *summary, *card, *title, *columns, *json;
} cases[] = {
	{ "messages today", { { .value = 12 } }, 1, 12, false,
	    "Messages, today (2026-11-20, not over yet): 12 messages.", "number", "messages, today",
	    "messages number messages", "[[12]]" },
	{ "cost", { { .value = 0.125 } }, 1, 0.125, false, "Cost, last 30 days (2026-10-22 to 2026-11-20): 0.125 USD.",
	    "number", "cost, last 30 days",
	    "cost number USD", "[[0.125]]" },
	{ "messages per user today", { { .value = 0 } }, 0, 0, false,
	    "Messages per user, today (2026-11-20, not over yet): no messages.", "bar",
	    "messages per user, today", "user text -, messages number messages", "[]" },
	{ "messages per user today", { { { "ann" }, 3 }, { { "ben" }, 1 } }, 2, 4, false,
	    "Messages per user, today (2026-11-20, not over yet): the most is 3 (ann); 4 in all.", "bar",
	    "messages per user, today",
	    "user text -, messages number messages", "[[\"ann\",3],[\"ben\",1]]" },
	{ "messages per day this week", { { { "2026-11-16" }, 3 }, { { "2026-11-17" }, 7 },
	    { { "2026-11-18" }, 7 } }, 3, 17, false,
	    "Messages per day, this week (2026-11-16 to 2026-11-20, not over yet): the most is 7 "
	    "(2026-11-17); 17 in all.", "line", "messages per day, this week",
	    "day date -, messages number messages", "[[\"2026-11-16\",3],[\"2026-11-17\",7],[\"2026-11-18\",7]]" },
	{ "top 2 days by messages this week", { { { "2026-11-17" }, 7 }, { { "2026-11-16" }, 3 } }, 2, 17,
	    false,
	    "Messages per day, top 2, this week (2026-11-16 to 2026-11-20, not over yet): 7 "
	    "(2026-11-17), 3 (2026-11-16); 17 in all.", "bar",
	    "messages per day, top 2, this week", "day date -, messages number messages",
	    "[[\"2026-11-17\",7],[\"2026-11-16\",3]]" },
	{ "lowest 5 models by cost today", { { { "a" }, 0.5 }, { { "b" }, 1 }, { { "c" }, 2 },
	    { { "d" }, 3 }, { { "e" }, 4 } }, 5, 30.5, false,
	    "Cost per model, lowest 5, today (2026-11-20, not over yet): 0.5 (a), 1 (b), 2 (c) ...; 30.5 in all.",
	    "bar",
	    "cost per model, lowest 5, today", "model text -, cost number USD",
	    "[[\"a\",0.5],[\"b\",1],[\"c\",2],[\"d\",3],[\"e\",4]]" },
	{ "tokens per role", { { { NULL }, 8 } }, 1, 8, false,
	    "Tokens per role, last 30 days (2026-10-22 to 2026-11-20): 8 (unknown); 8 in all.", "bar",
	    "tokens per role, last 30 days",
	    "role text -, tokens number tokens", "[[null,8]]" },
	{ "cost by model and week", { { { "a", "2026-11-09" }, 1 },
	    { { "b", "2026-11-16" }, 2 } }, 2, 3, true,
	    "Cost per model and week, last 30 days (2026-10-22 to 2026-11-20): the most is 2 (b, "
	    "2026-11-16); 3 in all; there "
	    "are more rows than are shown; not whole: 2026-11-16.",
	    "table", "cost per model and week, last 30 days", "model text -, week date -, cost number USD",
	    "[[\"a\",\"2026-11-09\",1],[\"b\",\"2026-11-16\",2]]" },
	{ "top 1 users per day by messages today", { { { "ann", "2026-11-20" }, 9 } }, 1, 20, false,
	    "Messages per user and day, top 1, today (2026-11-20, not over yet): 9 (ann, "
	    "2026-11-20); 20 in all; not whole: 2026-11-20.", "table",
	    "messages per user and day, top 1, today", "user text -, day date -, messages number messages",
	    "[[\"ann\",\"2026-11-20\",9]]" },
	{ "users per day today", { { { "2026-11-20" }, 2 } }, 1, 2, false,
	    "Active users per day, today (2026-11-20, not over yet): 2 (2026-11-20); not whole: 2026-11-20.", "line",
	    "users per day, today",
	    "day date -, users number users", "[[\"2026-11-20\",2]]" },
};

static const char *text_of(struct pl_pool *pool, const struct pl_jval *object, const char *name)
{
	struct pl_str text = pl_json_str(pl_json_get(object, name));

	return text.ptr != NULL ? pl_str_c(pool, text) : "-";
}

static void check_columns(struct pl_pool *pool, struct pl_str json, const char *expected)
{
	struct pl_err err = { 0 };
	const struct pl_jval *list = pl_json_parse(pool, json, &err);
	struct pl_buf got = PL_BUF(pool);

	ck_assert(list != NULL && list->type == PL_J_ARRAY);
	for (const struct pl_jval *c = list->first; c != NULL; c = c->next)
		pl_buf_addf(&got, "%s%s %s %s", got.len > 0 ? ", " : "", text_of(pool, c, "name"),
		    text_of(pool, c, "type"), text_of(pool, c, "unit"));
	ck_assert_str_eq(got.ptr, expected);
}

START_TEST(test_answers)
{
	struct pl_pool *pool = pl_pool_new(0);
	int64_t now;

	ck_assert(pl_time_parse(NOW, strlen(NOW), &now));
	for (size_t i = 0; i < PL_COUNT(cases); i++) {
		struct query_row list[ROWS_MAX];
		struct query_rows rows = { .rows = list, .count = cases[i].count, .total = cases[i].total,
			.more = cases[i].more };
		struct query_answer answer = { .query = pl_str(cases[i].question) };
		struct pl_err err = { 0 };
		const struct pl_jval *card;
		struct intent in;

		for (int n = 0; n < ROWS_MAX; n++) {
			list[n].value = cases[i].rows[n].value;
			for (int k = 0; k < QUERY_KEYS; k++)
				list[n].key[k] = cases[i].rows[n].key[k] != NULL ? pl_str(cases[i].rows[n].key[k]) :
				    PL_STR_NONE;
		}
		ck_assert(intent_read(pool, answer.query, (struct intent_now){ now, now / PL_US_PER_S }, &in, &err));
		query_compose(pool, &in, &rows, 0, &answer);
		ck_assert_str_eq(pl_str_c(pool, answer.summary), cases[i].summary);
		ck_assert_str_eq(pl_str_c(pool, answer.rows), cases[i].json);
		ck_assert_int_eq(answer.truncated, cases[i].more);
		check_columns(pool, answer.columns, cases[i].columns);
		card = pl_json_parse(pool, answer.card, &err);
		ck_assert_str_eq(text_of(pool, card, "type"), cases[i].card);
		ck_assert_str_eq(text_of(pool, card, "title"), cases[i].title);
		ck_assert_str_eq(text_of(pool, card, "query"), cases[i].question);
	}
	pl_pool_free(&pool);
}
END_TEST

/* The members for order and number of rows; test_intent.c covers the rest of an intent. */
START_TEST(test_intents_as_json)
{
	static const struct { const char *question, *sort; } intents[] = {
		{ "messages", "\"sort\":{\"by\":\"messages\",\"order\":\"desc\"}}" },
		{ "messages per day", "\"sort\":{\"by\":\"day\",\"order\":\"asc\"}}" },
		{ "cost by model and week", "\"sort\":{\"by\":\"week\",\"order\":\"asc\"}}" },
		{ "cost by model", "\"sort\":{\"by\":\"cost\",\"order\":\"desc\"}}" },
		{ "lowest cost by model", "\"sort\":{\"by\":\"cost\",\"order\":\"asc\"}}" },
		{ "top 3 days by cost", "\"sort\":{\"by\":\"cost\",\"order\":\"desc\"},\"limit\":3}" },
		{ "bottom 3 models per week by cost",
		    "\"sort\":{\"by\":\"cost\",\"order\":\"asc\"},\"limit\":3,\"limit_per\":\"week\"}" },
	};
	struct pl_pool *pool = pl_pool_new(0);

	for (size_t i = 0; i < PL_COUNT(intents); i++) {
		struct pl_err err = { 0 };
		struct intent in;
		const char *json;

		ck_assert(intent_read(pool, pl_str(intents[i].question),
		    (struct intent_now){ pl_wall_us(), pl_wall_us() / PL_US_PER_S }, &in, &err));
		json = pl_str_c(pool, query_intent_json(pool, &in));
		ck_assert_msg(strlen(json) > strlen(intents[i].sort) &&
		    strcmp(json + strlen(json) - strlen(intents[i].sort), intents[i].sort) == 0, "%s", json);
	}
	pl_pool_free(&pool);
}
END_TEST

/* ---- completions, without a database ---- */

struct asked { struct event_base *base; int stages, completions; enum pl_code code; bool in_call, early; };

static void on_stage(void *arg, enum query_stage stage)
{
	struct asked *a = arg;

	ck_assert_int_eq(stage, a->stages++);
	ck_assert_int_eq(a->completions, 0);
}

static void on_done(void *arg, const struct query_answer *answer, const struct pl_err *err)
{
	struct asked *a = arg;

	ck_assert((answer != NULL) == (err->code == PL_E_INVALID || err->code == PL_E_UNAUTHORIZED));
	a->early = a->in_call;
	a->completions++;
	a->code = err->code;
	event_base_loopbreak(a->base);
}

static void ask(struct svc *svc, const struct config *config, int64_t user_id, const char *question, enum pl_code code,
    int stages)
{
	struct pl_task *task = pl_task_new(pl_now_ns() + PL_NS_PER_S);
	struct asked a = { .base = svc->worker->base, .in_call = true };

	task->who.user_id = user_id;

	query_ask(svc, config, task, pl_str(question), PL_STR_NONE, on_stage, on_done, &a);
	a.in_call = false;
	ck_assert_msg(a.completions == 0, "%s: completed before the call returned", question);
	event_base_dispatch(a.base);
	ck_assert_int_eq(a.completions, 1);
	ck_assert(!a.early);
	ck_assert_int_eq(a.code, code);
	ck_assert_int_eq(a.stages, stages);
	pl_task_release(&task);
}

START_TEST(test_questions_complete_once_and_later)
{
	static const char *const overrides[] = { "db=host=/nonexistent dbname=none" };
	struct worker worker = { .base = event_base_new() };
	struct svc svc = { .worker = &worker, .shm = fixture_take(0) };
	char why[512] = "";
	struct config *config = config_read(NULL, overrides, 1, why);

	ck_assert_msg(config != NULL, "%s", why);
	pl_log_level_set(PL_LOG_ERROR);		/* known before that the database is away */
	svc.db = db_new(worker.base, NULL, config, 0);
	for (int64_t user = 1; user >= 0; user--) {	/* requests with a token detect that the database is away */
		ask(&svc, config, user, "what is the meaning of life", PL_E_INVALID, 1);
		ask(&svc, config, user, "", PL_E_INVALID, 1);
		ask(&svc, config, user, "messages per day", PL_E_DB_AWAY, 2);
	}
	ask(&svc, config, 0, "messages per user", PL_E_UNAUTHORIZED, 1);
	db_free(&svc.db);
	config_release(&config);
	event_base_free(worker.base);
	pl_log_level_set(PL_LOG_INFO);
}
END_TEST

Suite *suite_query(void)
{
	const TTest *const tests[] = { test_answers, test_intents_as_json, test_questions_complete_once_and_later };

	return fixture_suite("query", tests, PL_COUNT(tests));
}
