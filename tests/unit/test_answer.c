/* SPDX-License-Identifier: ISC */
/*
 * svc/answer: the engine with a simulated user, model, knowledge base, and store.
 *
 * The test records every step as a word and compares the whole order, so that it detects a step that is missing, early,
 * or repeated.
 */
#include <event2/event.h>
#include <stdio.h>

#include "log.h"
#include "shm_fixture.h"
#include "svc/answer/answer_int.h"

Suite *suite_answer(void);

/* ---- the environment of the engine ---- */

static struct worker worker;
static struct svc svc;
static struct config *config;
static struct pl_buf diary;			/* the steps, one word each */
static struct answer *subject;
static int store_errors, end_errors;		/* how many times the database is away */
static enum pl_code store_code, context_code;
static bool freed, abandoned, store_waits;
static llm_delta_fn *model_delta;
static llm_done_fn *model_done;
static bool model_cancelled, no_documents;
static char call_place;

static void note(const char *word)
{
	pl_buf_addf(&diary, "%s%s", diary.len > 0 ? " " : "", word);
}

static void note_str(const char *word, struct pl_str text)
{
	pl_buf_addf(&diary, "%s%s:%.*s", diary.len > 0 ? " " : "", word, PL_FMT(text));
}

static const char *noted(void)
{
	pl_buf_add(&diary, "", 1);
	diary.len--;
	return diary.ptr;
}

static struct pl_err *error_of(enum pl_code code)
{
	static struct pl_err err;

	err = (struct pl_err){ 0 };
	pl_err_set(&err, code, NULL);
	return &err;
}

static struct llm_generation *fake_ask(struct llm *llm, struct pl_task *task, const struct llm_request *request,
    llm_delta_fn *delta, llm_done_fn *done, void *arg)
{
	ck_assert_ptr_eq(arg, subject);
	note_str("ask", request->system);
	model_delta = delta;
	model_done = done;
	return (struct llm_generation *)(void *)&call_place;
}

static void fake_cancel(struct llm_generation *generation)
{
	ck_assert_ptr_eq(generation, &call_place);
	note("cancel");
	model_cancelled = true;
}

static bool fake_empty(const struct svc *s)
{
	return no_documents;
}

static void fake_search(struct svc *s, const struct config *c, struct pl_task *task, struct pl_str question,
    knowledge_fn *done, void *arg)
{
	struct knowledge_found found = { .outcome = KNOWLEDGE_FOUND, .prompt = PL_STR("+passages") };

	note_str("search", question);
	done(arg, &found);
}

static const struct answer_env fake_env = { .ask = fake_ask, .cancel = fake_cancel, .empty = fake_empty,
	.search = fake_search, .retry_ms = 1 };

static void model_says(const char *text)
{
	model_delta(subject, pl_str(text));
}

static void model_ends(enum pl_code code)
{
	struct llm_result result = { .model = PL_STR("fake"), .prompt_tokens = 3, .completion_tokens = 4 };

	model_done(subject, &result, code == PL_E_OK ? NULL : error_of(code));
}

static void on_context(struct answer *a)
{
	note("context");
	if (context_code != PL_E_OK) {
		answer_fail(a, error_of(context_code));
		return;
	}
	a->ask.system = PL_STR("you");
	a->search = PL_STR("q");
	answer_ready(a);
}

static void on_asked(struct answer *a)
{
	note("asked");
}

static void on_delta(struct answer *a, struct pl_str text)
{
	if (text.len > 20)
		note("delta:long");
	else
		note_str("delta", text);
}

static void on_answered(struct answer *a, const struct llm_result *result, const struct pl_err *err)
{
	static const char *const words[] = { [ANSWER_WHOLE] = "whole", [ANSWER_FAILED] = "failed",
		[ANSWER_STOPPED] = "stopped", [ANSWER_CUT] = "cut" };

	ck_assert(a->outcome != ANSWER_FAILED || err != NULL);
	note_str("answered", pl_str(words[a->outcome]));
	if (a->ops->gathers)
		answer_flush(a);
}

static void on_store(struct answer *a)
{
	note_str("store", a->text.len > 20 ? PL_STR("long") : pl_buf_str(&a->text));
	if (store_waits)
		return;
	if (store_errors-- > 0) {
		if (!answer_again(a, error_of(store_code)))
			answer_refused(a);
		return;
	}
	answer_stored(a);
}

static void on_end(struct answer *a)
{
	note("end");
	if (end_errors-- > 0)
		ck_assert(answer_again(a, error_of(PL_E_DB_AWAY)));
	else
		answer_ended(a);
}

static void on_over(struct answer *a)
{
	note("over");
}

static void on_adopt(struct answer *a)
{
	note("adopt");
	answer_settle(a, ANSWER_CUT);
}

static void on_waits(struct answer *a, const struct pl_err *err)
{
	note_str("waits", pl_str(pl_err_info(err->code)->code));
}

static void on_abandoned(struct answer *a)
{
	abandoned = true;
}

static void on_free(struct answer *a)
{
	freed = true;
}

static const struct answer_ops ops = { .context = on_context, .asked = on_asked, .delta = on_delta,
	.answered = on_answered, .store = on_store, .end = on_end, .over = on_over, .adopt = on_adopt,
	.waits = on_waits, .abandoned = on_abandoned, .free = on_free };

static void setup(void)
{
	static const char *const overrides[] = { "db=host=/nonexistent dbname=none", "llm_delta=10ms" };
	char why[512] = "";

	fixture_setup();
	config = config_read(NULL, overrides, 2, why);
	ck_assert_msg(config != NULL, "%s", why);
	worker = (struct worker){ .base = event_base_new(), .config = config };
	svc = (struct svc){ .worker = &worker, .shm = fixture_take(0) };
	svc.answers = answers_new(&svc);
	svc.answers->env = &fake_env;
	diary = PL_BUF(NULL);
	freed = abandoned = model_cancelled = store_waits = no_documents = false;
	store_errors = end_errors = 0;
	store_code = PL_E_DB_AWAY;
	context_code = PL_E_OK;
}

static void teardown(void)
{
	answers_free(&svc.answers);
	event_base_free(worker.base);
	config_release(&config);
	pl_buf_fini(&diary);
	fixture_teardown();
}

/* An answer that has started, up to the query of the model. */
static void begin(const struct answer_ops *with)
{
	struct shm_gen_info info = { .room_id = 1 };

	subject = answer_new(svc.answers, config, with, NULL);
	ck_assert(answer_place(subject, &info));
	answer_begin(subject);
}

static void run_until_freed(void)
{
	struct timeval limit = { 5, 0 };

	event_base_loopexit(worker.base, &limit);
	while (!freed && event_base_loop(worker.base, EVLOOP_ONCE) == 0 && !event_base_got_exit(worker.base))
		;
	ck_assert(freed);
	ck_assert_int_eq(answers_running(svc.answers), 0);
}

/* Its place in shared memory is free again: all four can be taken. */
static void check_places(int expected)
{
	struct shm_gen_info info = { .room_id = 9 };
	int n = 0;

	while (shm_gen_take(svc.shm, &info) >= 0)
		n++;
	ck_assert_int_eq(n, expected);
}

START_TEST(test_normal)
{
	struct shm_gen_info info;

	begin(&ops);
	ck_assert_int_eq(answers_running(svc.answers), 1);
	ck_assert_int_ge(shm_gen_find(svc.shm, pl_str(subject->id), &info), 0);
	ck_assert_int_eq(info.state, SHM_GEN_RUNNING);
	model_says("Hel");
	model_says("lo");
	ck_assert_int_ge(shm_gen_find(fixture_take(1), pl_str(subject->id), &info), 0);
	ck_assert_int_eq(info.length, 5);
	model_ends(PL_E_OK);
	ck_assert_str_eq(noted(), "context search:q asked ask:you+passages delta:Hel delta:lo answered:whole "
	    "store:Hello end over");
	ck_assert(freed);
	check_places(4);
}
END_TEST

START_TEST(test_empty_knowledge_base_is_not_searched)
{
	no_documents = true;
	begin(&ops);
	model_ends(PL_E_OK);
	ck_assert_str_eq(noted(), "context asked ask:you answered:whole end over");
}
END_TEST

START_TEST(test_deltas_are_gathered)
{
	struct answer_ops gathering = ops;
	struct timeval limit = { 0, 100000 };

	gathering.gathers = true;
	begin(&gathering);
	model_says("a");
	model_says("b");
	model_says("c");
	event_base_loopexit(worker.base, &limit);
	event_base_dispatch(worker.base);
	model_says("d");
	model_says("e");
	model_ends(PL_E_OK);
	ck_assert_str_eq(noted(), "context search:q asked ask:you+passages delta:a delta:bc delta:d answered:whole "
	    "delta:e store:abcde end over");
}
END_TEST

/* The timer that collects deltas is a different one from the timer that retries. */
START_TEST(test_slow_store_is_not_repeated)
{
	struct answer_ops gathering = ops;
	struct timeval limit = { 0, 100000 };

	gathering.gathers = true;
	store_waits = true;
	begin(&gathering);
	model_says("a");
	model_ends(PL_E_OK);
	event_base_loopexit(worker.base, &limit);
	event_base_dispatch(worker.base);
	ck_assert_str_eq(noted(), "context search:q asked ask:you+passages delta:a answered:whole delta: store:a");
	answer_stored(subject);
	ck_assert(freed);
}
END_TEST

START_TEST(test_stopped_while_asking)
{
	begin(&ops);
	model_says("Hel");
	ck_assert(shm_gen_cancel(svc.shm, subject->index, subject->id));
	answers_turn(svc.answers);
	answers_turn(svc.answers);
	ck_assert(model_cancelled);
	model_ends(PL_E_CANCELLED);
	ck_assert_str_eq(noted(), "context search:q asked ask:you+passages delta:Hel cancel answered:stopped "
	    "store:Hel end over");
}
END_TEST

static void context_stopped(struct answer *a)
{
	note("context");
	answer_move(a, ANSWER_EV_STOP);
	answer_ready(a);
}

START_TEST(test_stopped_before_asking)
{
	struct answer_ops stopped = ops;

	stopped.context = context_stopped;
	begin(&stopped);
	/* the model is not asked, and there is no text to store */
	ck_assert_str_eq(noted(), "context answered:stopped end over");
	ck_assert(freed);
}
END_TEST

START_TEST(test_cut_at_shutdown)
{
	begin(&ops);
	model_says("Hel");
	answers_cut(svc.answers);
	ck_assert(answers_stopping(svc.answers));
	model_ends(PL_E_CANCELLED);
	ck_assert_str_eq(noted(), "context search:q asked ask:you+passages delta:Hel cancel answered:cut store:Hel "
	    "end over");
	/* an answer that starts now does not query the model */
	diary.len = 0;
	begin(&ops);
	ck_assert_str_eq(noted(), "context search:q answered:cut end over");
}
END_TEST

START_TEST(test_store_fails_for_a_while)
{
	store_errors = 3;
	end_errors = 2;
	begin(&ops);
	model_says("Hello");
	model_ends(PL_E_OK);
	ck_assert(!freed);
	answers_cut(svc.answers); /* recorded without effect */
	run_until_freed();
	ck_assert_str_eq(noted(), "context search:q asked ask:you+passages delta:Hello answered:whole store:Hello "
	    "waits:database_unavailable store:Hello store:Hello store:Hello end end end over");
	check_places(4);
}
END_TEST

START_TEST(test_store_is_refused)
{
	store_errors = 1;
	store_code = PL_E_NOT_FOUND;
	begin(&ops);
	model_says("Hello");
	model_ends(PL_E_OK);
	ck_assert_str_eq(noted(), "context search:q asked ask:you+passages delta:Hello answered:whole store:Hello end "
	    "over");
	ck_assert(freed);
}
END_TEST

static void adopt_orphan(struct svc *s, const struct shm_gen_info *info, struct pl_str text)
{
	note_str("orphan", text);
	subject = answer_new(s->answers, config, &ops, NULL);
	answer_adopt(subject, info, text);
}

static void place_orphan(int64_t room, enum shm_gen_state state)
{
	struct shm *dead = fixture_take(2);
	struct shm_gen_info info = { .room_id = room };
	int index;

	pl_uuid_make(info.id);
	index = shm_gen_take(dead, &info);
	shm_gen_append(dead, index, "Hel", 3);
	shm_gen_state(dead, index, state);
	fixture_respawn(2);
}

START_TEST(test_adopted)
{
	answers_on_orphan(svc.answers, _i == 0 ? ANSWER_IN_SESSION : ANSWER_IN_ROOM, adopt_orphan);
	place_orphan(_i, SHM_GEN_RUNNING);
	answers_adopt(svc.answers);
	ck_assert_str_eq(noted(), "orphan:Hel adopt store:Hel end over");
	ck_assert(freed);
	answers_adopt(svc.answers);		/* once */
	place_orphan(_i, SHM_GEN_ENDED);	/* it was stored; the remaining time was only for its readers */
	answers_adopt(svc.answers);
	ck_assert_str_eq(noted(), "orphan:Hel adopt store:Hel end over");
	check_places(4);
}
END_TEST

/* The adopter also dies while it waits for the database: the next one finds the whole text. */
START_TEST(test_adopted_twice)
{
	answers_on_orphan(svc.answers, ANSWER_IN_ROOM, adopt_orphan);
	place_orphan(1, SHM_GEN_RUNNING);
	store_errors = 1;
	answers_adopt(svc.answers);
	ck_assert_str_eq(noted(), "orphan:Hel adopt store:Hel waits:database_unavailable");
	ck_assert_int_eq(answers_running(svc.answers), 1);
	answers_close(svc.answers);
	answers_free(&svc.answers);
	ck_assert(freed);
	ck_assert(abandoned);
	fixture_respawn(0);
	svc.shm = fixture_take(1);
	svc.answers = answers_new(&svc);
	answers_on_orphan(svc.answers, ANSWER_IN_ROOM, adopt_orphan);
	diary.len = 0;
	answers_adopt(svc.answers);
	ck_assert_str_eq(noted(), "orphan:Hel adopt store:Hel end over");
}
END_TEST

#define LONGEST 5000

START_TEST(test_full)
{
	static char text[LONGEST];

	memset(text, 'x', sizeof(text) - 1);
	begin(&ops);
	subject->text_max = LONGEST;
	model_says(text);
	model_says("\xc3\xa9");			/* no incomplete characters */
	ck_assert_uint_eq(subject->text.len, LONGEST - 1);
	ck_assert(model_cancelled);
	model_says("late");
	ck_assert_uint_eq(subject->text.len, LONGEST - 1);
	ck_assert_int_eq(shm_sum(svc.shm, SHM_M_answers_cut_long), 1);
	model_ends(PL_E_CANCELLED);
	ck_assert_str_eq(noted(), "context search:q asked ask:you+passages delta:long cancel answered:whole "
	    "store:long end over");
}
END_TEST

/*
 * Shared memory has no free pages: the answer ends there, as if it were too long. Text that is not from the model is
 * kept.
 */
START_TEST(test_no_memory_left)
{
	static char text[(FIXTURE_PAGES - 3) * SHM_TEXT_PAGE];
	struct shm_gen_info info;

	memset(text, 'x', sizeof(text) - 1);
	begin(&ops);
	model_says(text);
	ck_assert(!model_cancelled);
	model_says("\xc3\xa9");
	ck_assert_uint_eq(subject->text.len, sizeof(text) - 1);
	ck_assert_int_eq(shm_sum(svc.shm, SHM_M_answers_cut_memory), 1);
	answer_say(subject, PL_STR("\xc3\xa9!"));
	ck_assert_uint_eq(subject->text.len, sizeof(text) + 2);
	answer_say(subject, PL_STR("!"));	/* not after the gap */
	ck_assert(shm_gen_find(svc.shm, pl_str(subject->id), &info) >= 0 && info.length == sizeof(text) - 1);
	model_ends(PL_E_CANCELLED);
	ck_assert_int_eq(shm_text_use(svc.shm).used_bytes, 0);
}
END_TEST

START_TEST(test_error_before_text)
{
	struct answer_ops keeps = ops;

	keeps.stores_empty = _i == 1;
	begin(&keeps);
	model_ends(PL_E_UPSTREAM);
	ck_assert_str_eq(noted(), _i == 1 ? "context search:q asked ask:you+passages answered:failed store: end over" :
	    "context search:q asked ask:you+passages answered:failed end over");
}
END_TEST

START_TEST(test_context_fails)
{
	context_code = PL_E_DB_AWAY;
	begin(&ops);
	ck_assert_str_eq(noted(), "context answered:failed end over");
}
END_TEST

START_TEST(test_settled_and_dropped)
{
	subject = answer_new(svc.answers, config, &ops, NULL);
	answer_say(subject, PL_STR("form"));
	answer_settle(subject, ANSWER_WHOLE);
	ck_assert_str_eq(noted(), "delta:form store:form end over");
	diary.len = 0;
	freed = false;
	subject = answer_new(svc.answers, config, &ops, NULL);
	answer_drop(subject);
	ck_assert(freed);
	ck_assert_str_eq(noted(), "");
	ck_assert_int_eq(answers_running(svc.answers), 0);
}
END_TEST

/* The text stays for readers of other processes, but nothing waits for it. */
START_TEST(test_lingers)
{
	struct answer_ops lingering = ops;
	struct shm_gen_info info;

	lingering.linger_s = 60;
	begin(&lingering);
	model_says("Hello");
	model_ends(PL_E_OK);
	ck_assert(!freed);
	ck_assert_int_eq(answers_running(svc.answers), 0);
	ck_assert_int_ge(shm_gen_find(fixture_take(1), pl_str(subject->id), &info), 0);
	ck_assert_int_eq(info.state, SHM_GEN_ENDED);
	answers_cut(svc.answers);
	answers_free(&svc.answers);
	ck_assert(!abandoned);
	check_places(4);
}
END_TEST

/* The process ends first: nothing more is stored, and other processes take over the text. */
START_TEST(test_closed_while_asking)
{
	begin(&ops);
	model_says("Hello");
	answers_close(svc.answers);
	model_ends(PL_E_STOPPING);
	ck_assert_str_eq(noted(), "context search:q asked ask:you+passages delta:Hello");
	answers_free(&svc.answers);
	ck_assert(abandoned);
	check_places(3);
}
END_TEST

START_TEST(test_fit)
{
	struct llm_message m[4] = { { .text = PL_STR("aaaa") }, { .text = PL_STR("") }, { .text = PL_STR("bb") },
		{ .text = PL_STR("cccc") } };
	struct llm_message one[1] = { { .text = PL_STR("longer than the budget") } };

	ck_assert_int_eq(answer_fit(NULL, m, 0, 100), 0);
	ck_assert_int_eq(answer_fit(NULL, one, 1, 3), 1);
	ck_assert_int_eq(answer_fit(NULL, m, 4, 7), 2);	/* the empty one costs nothing and is left out */
	ck_assert(pl_str_is(m[0].text, "bb"));
	ck_assert(pl_str_is(m[1].text, "cccc"));
}
END_TEST

/* If a message exceeds the rest of the budget, its end is kept, which is the latest text. */
START_TEST(test_fit_cuts_a_long_message)
{
	static char text[9001];
	struct pl_pool *pool = pl_pool_new(0);

	for (size_t i = 0; i + 2 < sizeof(text); i += 2)
		memcpy(text + i, "\xc3\xa9", 2);
	for (int budget = 1024; budget < 9010; budget++) {
		struct llm_message m[3] = { { .text = PL_STR("old") }, { .text = pl_str(text) },
			{ .text = PL_STR("why?") } };
		int count;

		count = answer_fit(pool, m, 3, budget + 5);
		ck_assert_int_eq(count, budget > 9002 ? 3 : 2);
		ck_assert_int_le((int)m[count - 2].text.len, budget);
		ck_assert_int_ge((int)m[count - 2].text.len, budget >= 9000 ? 9000 : budget - 2);
		ck_assert(pl_utf8_ok(m[count - 2].text.ptr, m[count - 2].text.len));
		if (m[count - 2].text.len < 9000)
			ck_assert_int_eq(memcmp(m[count - 2].text.ptr, "[...] ", 6), 0);
	}
	pl_pool_free(&pool);
}
END_TEST

/* A text of which only the end was read is also marked, whatever the budget. */
START_TEST(test_fit_marks_what_was_read_in_part)
{
	static const struct { const char *character; size_t bytes, count; bool marked; } cases[] = {
		{ "x", 1, ANSWER_CONTEXT_PART, false }, { "x", 1, ANSWER_CONTEXT_READ, true },
		{ "\xc3\xa9", 2, ANSWER_CONTEXT_PART, false }, { "\xc3\xa9", 2, ANSWER_CONTEXT_READ, true },
		{ "\xf0\x9f\x8d\xb5", 4, ANSWER_CONTEXT_PART, false },
		{ "\xf0\x9f\x8d\xb5", 4, ANSWER_CONTEXT_READ, true },
	};

	for (size_t i = 0; i < PL_COUNT(cases); i++) {
		struct pl_pool *pool = pl_pool_new(0);
		size_t len = cases[i].bytes * cases[i].count;
		char *text = pl_alloc(pool, len);
		struct llm_message m[2] = { { .text = pl_strn(text, len) }, { .text = PL_STR("why?") } };

		for (size_t k = 0; k < len; k += cases[i].bytes)
			memcpy(text + k, cases[i].character, cases[i].bytes);
		ck_assert_int_eq(answer_fit(pool, m, 2, 4 << 20), 2);
		ck_assert_int_eq(pl_str_starts(m[0].text, "[...] "), cases[i].marked);
		ck_assert(pl_utf8_ok(m[0].text.ptr, m[0].text.len));
		ck_assert_uint_le(m[0].text.len, len);
		ck_assert_uint_ge(m[0].text.len, cases[i].marked ? len - 3 : len);
		ck_assert(pl_str_is(m[1].text, "why?"));
		pl_pool_free(&pool);
	}
}
END_TEST

Suite *suite_answer(void)
{
	const TTest *const tests[] = { test_normal, test_empty_knowledge_base_is_not_searched,
		test_deltas_are_gathered, test_slow_store_is_not_repeated, test_stopped_while_asking,
		test_stopped_before_asking, test_cut_at_shutdown,
		test_store_fails_for_a_while, test_store_is_refused, test_adopted_twice, test_full,
		test_no_memory_left, test_context_fails, test_settled_and_dropped, test_lingers,
		test_closed_while_asking, test_fit, test_fit_cuts_a_long_message,
		test_fit_marks_what_was_read_in_part };
	Suite *suite = suite_create("answer");
	TCase *engine = tcase_create("answer");

	tcase_add_checked_fixture(engine, setup, teardown);
	for (size_t i = 0; i < PL_COUNT(tests); i++)
		tcase_add_test(engine, tests[i]);
	tcase_add_loop_test(engine, test_adopted, 0, 2);
	tcase_add_loop_test(engine, test_error_before_text, 0, 2);
	suite_add_tcase(suite, engine);
	return suite;
}
