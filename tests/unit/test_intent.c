/* SPDX-License-Identifier: ISC */
/*
 * Questions in words: tables of questions with the expected intents, and questions that must be refused.
 */
#include <check.h>
#include <stdarg.h>
#include <stdio.h>

#include "clock.h"
#include "json.h"
#include "pool.h"
#include "svc/usage/intent.h"

#define NOW "2026-11-20T12:34:56Z"	/* a Friday */

Suite *suite_intent(void);

#define UNDERSTOOD(question, intent) { question, intent },
#define REFUSED(question)
#define EDGE(now, question, period)
static const struct { const char *question, *intent; } understood[] = {
#include "intent_cases.def"
};
#define UNDERSTOOD(question, intent)
#define REFUSED(question) question,
#define EDGE(now, question, period)
static const char *const refused[] = {
#include "intent_cases.def"
};
#define UNDERSTOOD(question, intent)
#define REFUSED(question)
#define EDGE(now, question, period) { now, question, period },
static const struct { const char *now, *question, *period; } edges[] = {
#include "intent_cases.def"
};

static void add(char *out, size_t size, const char *fmt, ...) PL_PRINTF(3, 4);

static void add(char *out, size_t size, const char *fmt, ...)
{
	size_t len = strlen(out);
	va_list args;

	va_start(args, fmt);
	vsnprintf(out + len, size - len, fmt, args);
	va_end(args);
}

static void add_dates(char *out, size_t size, const struct intent_period *p)
{
	char from[PL_TIME_LEN], last[PL_TIME_LEN];

	pl_time_format(p->from_s * PL_US_PER_S, from);
	pl_time_format((p->to_s - 1) * PL_US_PER_S, last);
	add(out, size, "%s|%.10s..%.10s", p->text, from, last);
}

/* The intent in the notation of the table. */
static void spell(const struct intent *in, char *out, size_t size)
{
	static const char *const bounds[LIMIT_COUNT] = { "", ">", "<", ">=", "<=", "=" };

	out[0] = '\0';
	add(out, size, "%s|", intent_metrics[in->metric]);
	for (int i = 0; i < in->dim_count; i++)
		add(out, size, "%s%s", i > 0 ? " " : "", intent_dims[in->dims[i]]);
	if (in->order != ORDER_NONE)
		add(out, size, " %s", intent_orders[in->order]);
	if (in->top != 0)
		add(out, size, " %d", in->top);
	if (in->each != 0)
		add(out, size, "/%s", intent_dims[in->dims[in->each - 1]]);
	if (in->agg != AGG_SUM)
		add(out, size, " %s%s%s", intent_aggs[in->agg], in->unit != DIM_NONE ? "/" : "", intent_dims[in->unit]);
	if (in->limit != LIMIT_NONE)
		add(out, size, " %s%.10g", bounds[in->limit], in->bound);
	add(out, size, "|%s", in->mine ? "mine" : "");
	for (int i = 0; i < in->run_count; i++) {
		const struct intent_run *run = &in->runs[i];

		add(out, size, "%s%s%s=", in->mine || i > 0 ? " " : "", run->kind == KIND_ANY ? "?" : "",
		    intent_kinds[run->kind != KIND_ANY ? run->kind : run->hint]);
		for (int k = 0; k < run->count; k++)
			add(out, size, "%s%.*s", k > 0 ? "+" : "", PL_FMT(run->words[k]));
	}
	add(out, size, "|");
	add_dates(out, size, &in->period);
	if (in->compares) {
		add(out, size, "|vs ");
		add_dates(out, size, &in->before);
	}
}

/* Words of a translated question that may be names are last. */
static int without_mentions(const struct intent *in)
{
	int n = 0;

	while (n < in->run_count && !in->runs[n].mention)
		n++;
	return n;
}

static struct intent_now time_of(const char *text)
{
	int64_t us;

	ck_assert(pl_time_parse(text, strlen(text), &us));
	return (struct intent_now){ us, us / PL_US_PER_S };
}

static bool read_at(struct pl_pool *pool, const char *question, const char *now_text, struct intent *in,
    struct pl_err *err)
{
	return intent_read(pool, pl_str(question), time_of(now_text), in, err);
}

/* The intent says whose rows are meant, or names users, rooms, or roles. */
static bool names_somebody(const struct intent *in)
{
	bool named = in->mine;

	for (int i = 0; i < in->dim_count; i++)
		named = named || in->dims[i] == DIM_USER || in->dims[i] == DIM_ROOM || in->dims[i] == DIM_ROLE;
	for (int i = 0; i < in->run_count; i++)
		named = named || (in->runs[i].kind != KIND_ANY && in->runs[i].kind != KIND_MODEL);
	return named || in->unit == DIM_USER || in->unit == DIM_ROOM || in->unit == DIM_ROLE;
}

START_TEST(test_questions)
{
	struct pl_pool *pool = pl_pool_new(0);
	int wrong = 0, answered = 0;

	for (size_t i = 0; i < PL_COUNT(understood); i++) {
		struct pl_err err = { 0 };
		struct intent in;
		char got[512] = "";

		if (read_at(pool, understood[i].question, NOW, &in, &err)) {
			spell(&in, got, sizeof(got));
			ck_assert_msg((intent_private(&in) != NULL) == names_somebody(&in), "%s",
			    understood[i].question);
			ck_assert(intent_understood(pool, &in) != NULL);
			answered++;
		}
		if (strcmp(got, understood[i].intent) != 0) {
			printf("%s: %s, not %s\n", understood[i].question, got, understood[i].intent);
			wrong++;
		}
	}
	for (size_t i = 0; i < PL_COUNT(refused); i++) {
		struct pl_err err = { 0 };
		struct intent in;

		if (read_at(pool, refused[i], NOW, &in, &err)) {
			printf("%s: understood\n", refused[i]);
			wrong++;
		} else {
			ck_assert_int_eq(err.code, PL_E_INVALID);
			ck_assert(err.fields != NULL && strstr(err.fields->msg, "Ask for messages") != NULL);
		}
	}
	printf("questions: %zu, understood: %d, refused: %zu, wrong: %d\n", PL_COUNT(understood) + PL_COUNT(refused),
	    answered,
	    PL_COUNT(refused), wrong);
	ck_assert_int_eq(wrong, 0);
	ck_assert_int_ge(answered, 180);
	pl_pool_free(&pool);
}
END_TEST

START_TEST(test_edges)
{
	struct pl_pool *pool = pl_pool_new(0);

	for (size_t i = 0; i < PL_COUNT(edges); i++) {
		struct pl_err err = { 0 };
		struct intent in;
		char got[256] = "";

		if (read_at(pool, edges[i].question, edges[i].now, &in, &err)) {
			add_dates(got, sizeof(got), &in.period);
			if (in.compares) {
				add(got, sizeof(got), "|vs ");
				add_dates(got, sizeof(got), &in.before);
			}
		}
		ck_assert_msg(strcmp(got, edges[i].period) == 0, "%s, %s: %s", edges[i].now, edges[i].question, got);
	}
	pl_pool_free(&pool);
}
END_TEST

/* ---- names ---- */

#define NAME(name, kind) { PL_STR_NONE, { name, sizeof(name) - 1 }, kind }
#define FULL_NAME(full, name) { { full, sizeof(full) - 1 }, { name, sizeof(name) - 1 }, KIND_USER }
static const struct intent_known data[] = {
	NAME("Ann", KIND_USER), NAME("bob", KIND_USER), NAME("carol", KIND_USER), NAME("jo", KIND_USER),
	NAME("Tea room", KIND_ROOM), NAME("Kitchen", KIND_ROOM), NAME("jo", KIND_ROOM), NAME("last week", KIND_ROOM),
	NAME("The “Tea” room", KIND_ROOM), NAME("The \"Tea\" room", KIND_ROOM), NAME("lee", KIND_ROOM),
	NAME("gpt-4o", KIND_MODEL), NAME("claude", KIND_MODEL), NAME("helper", KIND_ROLE),
	FULL_NAME("Sam Poe", "sam1"), FULL_NAME("Sam Poe", "sam2"), FULL_NAME("Kim Oh", "aa"),
	FULL_NAME("Kim Oh", "kim oh"), FULL_NAME("Kim Oh", "zz"), FULL_NAME("Max Ray", "max"),
	FULL_NAME("Lee", "lee1"), FULL_NAME("Lee", "lee2"),
};

/* Like the database. */
static int look_up(struct pl_pool *pool, const struct intent *in, struct intent_known out[256])
{
	int asked, count = 0;
	const struct pl_str *list = intent_name_candidates(pool, in, &asked);

	for (int i = 0; i < asked; i++)
		for (size_t k = 0; k < PL_COUNT(data); k++)
			if (pl_str_ieq(list[i], data[k].asked.ptr != NULL ? data[k].asked : data[k].name))
				out[count++] = (struct intent_known){ list[i], data[k].name, data[k].kind };
	return count;
}

/* expected: dimensions|kind=name,...; "" refused; a text after "!" is in the refusal. */
static const struct { const char *question, *expected; } names[] = {
	{ "gpt-4o cost last month", "|model=gpt-4o" },
	{ "messages of bob and carol", "user|user=bob,user=carol" },
	{ "bob and carol messages this week", "user|user=bob,user=carol" },
	{ "messages of user ann’s", "|user=Ann" },
	{ "messages of user ann:", "|user=Ann" },
	{ "ann's messages in the tea room", "|user=Ann,room=Tea room" },
	{ "messages in tea room today", "|room=Tea room" },
	{ "messages in room “Kitchen”", "|room=Kitchen" },
	{ "messages in room ‘Kitchen’", "|room=Kitchen" },
	{ "messages in room 'Kitchen'", "|room=Kitchen" },
	{ "messages in the kitchen room", "|room=Kitchen" },
	{ "messages in room \"The “Tea” room\"", "|room=The “Tea” room" },
	{ "messages in “The \"Tea\" room” today", "|room=The \"Tea\" room" },
	{ "messages in \"Kitchen” today", "|room=Kitchen" },
	{ "messages in \"last week\"", "|room=last week" },
	{ "messages of „ann“", "|user=Ann" },
	{ "messages in jo", "|room=jo" },
	{ "messages by jo", "|user=jo" },
	{ "jo messages", "!more than one thing" },
	{ "messages of user jo", "|user=jo" },
	{ "messages of max ray", "|user=max" },
	{ "messages of sam poe", "!more than one user" },
	{ "messages of user sam poe", "!more than one user" },
	{ "sam poe messages", "!more than one user" },
	{ "messages of \"sam poe\" and bob", "!more than one user" },
	{ "messages of kim oh", "|user=kim oh" },
	{ "messages of user kim oh", "|user=kim oh" },
	{ "messages in lee", "|room=lee" },
	{ "messages of lee", "!more than one user" },
	{ "lee messages", "!more than one thing" },
	{ "gpt-4o vs claude cost", "model|model=gpt-4o,model=claude" },
	{ "tokens of claude vs gpt-4o by user", "user model|model=claude,model=gpt-4o" },
	{ "cost of bob and gpt-4o", "|user=bob,model=gpt-4o" },
	{ "bob's share of cost", "user|user=bob" },
	{ "what percentage of tokens did gpt-4o use", "model|model=gpt-4o" },
	{ "tokens by role helper", "|role=helper" },
	{ "cost of the gpt-4o model by user", "user|model=gpt-4o" },
	{ "messages in \"Tea room\" and \"Kitchen\"", "room|room=Tea room,room=Kitchen" },
	{ "how many people used gpt-4o last week", "|model=gpt-4o" },
	{ "gpt-4o vs bob cost", "!two names of one kind" },
	{ "messages of dave", "!\"dave\"" },
	{ "messages of user kitchen", "!no user \"kitchen\"" },
	{ "cost of gpt-5", "!\"gpt-5\"" },
	{ "messages in \"today\"", "!\"today\"" },
	{ "cost by country", "!\"country\"" },
	{ "messages with gpt-4o", "!have a model" },
	{ "sessions in kitchen", "!have no room" },
	{ "frobnicated messages", "!\"frobnicated\"" },
	{ "my cost and bob's cost", "!two questions" },
	{ "i and bob messages", "!two questions" },
};

START_TEST(test_names)
{
	struct pl_pool *pool = pl_pool_new(0);

	for (size_t i = 0; i < PL_COUNT(names); i++) {
		struct intent_known known[256];
		struct pl_err err = { 0 };
		struct intent in;
		char got[256] = "";
		bool first = true;

		ck_assert_msg(read_at(pool, names[i].question, NOW, &in, &err), "%s", names[i].question);
		if (!intent_settle(pool, &in, known, look_up(pool, &in, known), &err)) {
			ck_assert_msg(names[i].expected[0] == '!' && strstr(err.fields->msg,
			    names[i].expected + 1) != NULL,
			    "%s: %s", names[i].question, err.fields->msg);
			continue;
		}
		for (int k = 0; k < in.dim_count; k++)
			add(got, sizeof(got), "%s%s", k > 0 ? " " : "", intent_dims[in.dims[k]]);
		add(got, sizeof(got), "|");
		for (int kind = KIND_USER; kind < KIND_COUNT; kind++)
			for (int k = 0; k < in.name_count[kind]; k++, first = false)
				add(got, sizeof(got), "%s%s=%.*s", first ? "" : ",", intent_kinds[kind],
				    PL_FMT(in.names[kind][k]));
		ck_assert_msg(strcmp(got, names[i].expected) == 0, "%s: %s", names[i].question, got);
	}
	pl_pool_free(&pool);
}
END_TEST

/* Every example in the vocabulary is understood. */
START_TEST(test_samples)
{
	struct pl_pool *pool = pl_pool_new(0);
	struct intent in;

	for (size_t i = 0; intent_samples[i] != NULL; i++) {
		struct pl_err err = { 0 };

		ck_assert_msg(read_at(pool, intent_samples[i], NOW, &in, &err), "%s", intent_samples[i]);
	}
	for (size_t i = 0; intent_periods[i] != NULL; i++) {
		struct pl_err err = { 0 };

		ck_assert_msg(read_at(pool, pl_sprintf(pool, "cost %s", intent_periods[i]), NOW, &in, &err) &&
		    !in.assumed,
		    "%s", intent_periods[i]);
	}
	pl_pool_free(&pool);
}
END_TEST

/* ---- translations of a model ---- */

/* expected as in intent_cases.def; a text after "!" is in the reason of the refusal. ' replaces ". */
static const struct { const char *question, *reply, *expected; } translations[] = {
	/* questions that only a model understands */
	{ "Wie viele Nachrichten gab es im Oktober?", "{'metric':'messages','period':'in October'}",
	    "messages|||October 2026|2026-10-01..2026-10-31" },
	{ "how chatty was everyone last month", "{'metric':'messages','dimensions':['user'],'period':'last month'}",
	    "messages|user||last month|2026-10-01..2026-10-31" },
	{ "burn rate of gpt-4o", "{'metric':'cost','dimensions':['day'],'models':['gpt-4o']}",
	    "cost|day|model=gpt-4o|last 30 days|2026-10-22..2026-11-20" },
	{ "los 5 modelos que mas gastan", "```json\n{'metric':'cost','dimensions':['model'],'limit':5,"
	    "'order':'most'}\n```", "cost|model most 5||last 30 days|2026-10-22..2026-11-20" },
	{ "wer war am sparsamsten", "{'metric':'cost','dimensions':['user'],'limit':1,'order':'least'}",
	    "cost|user least 1||last 30 days|2026-10-22..2026-11-20" },
	{ "die 3 teuersten je Woche", "{'metric':'cost','dimensions':['user','week'],'limit':3,'limit_per':'week',"
	    "'order':'most'}", "cost|user week most 3/week||last 30 days|2026-10-22..2026-11-20" },
	{ "moyenne par session en octobre", "{'metric':'tokens','aggregate':'average','per':'session',"
	    "'period':'October 2026'}", "tokens| average/session||October 2026|2026-10-01..2026-10-31" },
	{ "Nutzer mit mehr als 10,50 Dollar", "{'metric':'cost','dimensions':['user'],'threshold':{'is':'over',"
	    "'value':10.5}}", "!number" },
	{ "Nutzer mit mehr als 10.50 Dollar", "{'metric':'cost','dimensions':['user'],'threshold':{'is':'over',"
	    "'value':10.5}}", "cost|user >10.5||last 30 days|2026-10-22..2026-11-20" },
	{ "Kosten diese Woche gegen letzte", "{'metric':'cost','period':'this week','compared_with':'last week'}",
	    "cost|||this week|2026-11-16..2026-11-20|vs last week|2026-11-09..2026-11-15" },
	{ "stiegen die Kosten diese Woche", "{'metric':'cost','period':'this week','compared_with':'previous'}",
	    "cost|||this week|2026-11-16..2026-11-20|vs the week before, up to the same moment|"
	    "2026-11-09..2026-11-13" },
	{ "was habe ich ausgegeben", "{'metric':'cost','mine':true,'users':null,'aggregate':'sum'}",
	    "cost||mine|last 30 days|2026-10-22..2026-11-20" },
	/* not a translation */
	{ "x", "", "!not a JSON object" },
	{ "x", "Sure! You spent 12 dollars.", "!not a JSON object" },
	{ "x", "[]", "!not a JSON object" },
	{ "x", "{'metric':'cost'} {'metric':'cost'}", "!not a JSON object" },
	{ "x", "{'metric':'cost','metric':'tokens'}", "!not a JSON object" },
	{ "x", "{'metric':'cost'", "!not a JSON object" },
	{ "x", "{'unsupported':true}", "!something else" },
	{ "x", "{'metric':'cost','unsupported':true}", "!something else" },
	{ "x", "{}", "!what is counted" },
	/* outside the vocabulary */
	{ "x", "{'metric':'revenue'}", "!unknown value" },
	{ "x", "{'metric':5}", "!unknown value" },
	{ "x", "{'metric':''}", "!unknown value" },
	{ "x", "{'metric':'cost','answer':42}", "!unknown field" },
	{ "x", "{'metric':'cost','sql':'DROP TABLE users'}", "!unknown field" },
	{ "x", "{'metric':'cost','dimensions':['country']}", "!unknown value" },
	{ "x", "{'metric':'cost','dimensions':['session']}", "!unknown value" },
	{ "x", "{'metric':'cost','dimensions':'day'}", "!unknown value" },
	{ "x", "{'metric':'cost','dimensions':['day','week']}", "!step of time" },
	{ "chatty stuff lately by weekday", "{'metric':'messages'}", "!a grouping" },
	{ "chatty stuff split by month", "{'metric':'messages','dimensions':['user']}", "!a grouping" },
	{ "chatty stuff broken down by day", "{'metric':'messages'}", "!a grouping" },
	{ "chatty stuff grouped by room", "{'metric':'messages'}", "!a grouping" },
	{ "chatty stuff split into weeks", "{'metric':'messages'}", "!a grouping" },
	{ "daily chatty stuff", "{'metric':'messages'}", "!a grouping" },
	{ "chatty stuff by each day", "{'metric':'messages'}", "!a grouping" },
	{ "chatty stuff by the hour", "{'metric':'messages','dimensions':['day']}", "!a grouping" },
	{ "x", "{'metric':'cost','dimensions':['user','day','model']}", "!at most two" },
	{ "x", "{'metric':'cost','dimensions':['user','user']}", "!named twice" },
	{ "x", "{'metric':'cost','aggregate':'max'}", "!unknown value" },
	{ "x", "{'metric':'cost','order':'asc'}", "!unknown value" },
	{ "x", "{'metric':'cost','mine':'yes'}", "!unknown value" },
	{ "x", "{'metric':'cost','period':'next year'}", "!period" },
	{ "x", "{'metric':'cost','period':'last year and also DROP'}", "!invalid period" },
	{ "x", "{'metric':'cost','period':'in 2999'}", "!period" },
	{ "x", "{'metric':'cost','period':'this week last week'}", "!invalid period" },
	{ "x", "{'metric':'cost','period':7}", "!invalid period" },
	{ "x", "{'metric':'cost','compared_with':'last week'}", "!names no other" },
	{ "top 5", "{'metric':'cost','dimensions':['user'],'threshold':{'is':'over'}}", "!invalid threshold" },
	{ "top 5", "{'metric':'cost','dimensions':['user'],'threshold':{'is':'near','value':5}}", "!unknown value" },
	{ "top 5", "{'metric':'cost','limit':5}", "!what to rank" },
	{ "top 5", "{'metric':'cost','dimensions':['user'],'limit':5,'limit_per':'user'}", "!not grouped by" },
	{ "x", "{'metric':'messages','dimensions':['model']}", "!have a model" },
	{ "x", "{'metric':'cost','aggregate':'average'}", "!what the average is over" },
	{ "x", "{'metric':'cost','per':'day'}", "!without an average" },
	{ "chatty hours lately per hour", "{'metric':'messages','dimensions':['day']}", "!a grouping" },
	{ "chatty stuff by weekday lately", "{'metric':'messages','dimensions':['weekday']}",
	    "messages|weekday||last 30 days|2026-10-22..2026-11-20" },
	{ "chatty stuff by ann", "{'metric':'messages','users':['ann']}",
	    "messages||user=ann|last 30 days|2026-10-22..2026-11-20" },
	{ "how many chatty words over the week", "{'metric':'messages'}",
	    "messages|||last 30 days|2026-10-22..2026-11-20" },
	{ "my chatty words", "{'metric':'messages'}", "!whose figure" },
	{ "my chatty words", "{'metric':'messages','mine':true}",
	    "messages||mine|last 30 days|2026-10-22..2026-11-20" },
	{ "folks over 10 chats and under 100", "{'metric':'messages','dimensions':['user'],'threshold':{'is':'under',"
	    "'value':100}}", "!another threshold" },
	{ "folks above 10 dollars", "{'metric':'tokens','dimensions':['user'],'threshold':{'is':'over','value':10}}",
	    "!another threshold" },
	/* not in the question, or different from it */
	{ "the 3 dearest", "{'metric':'cost','dimensions':['user'],'limit':5}", "!number" },
	{ "the dearest", "{'metric':'cost','dimensions':['user'],'limit':0}", "!number" },
	{ "dear people", "{'metric':'cost','dimensions':['user'],'threshold':{'is':'over','value':9}}", "!number" },
	{ "what did we burn", "{'metric':'cost','users':['ann']}", "!name" },
	{ "what did we burn", "{'metric':'cost','users':['we']}", "cost||user=we|last 30 days|2026-10-22..2026-11-20" },
	{ "what did annabel burn", "{'metric':'cost','users':['ann']}", "!name" },
	{ "what did ANN burn", "{'metric':'cost','users':['ann']}",
	    "cost||user=ANN|last 30 days|2026-10-22..2026-11-20" },
	{ "what did ann burn", "{'metric':'cost','users':'ann'}", "!list of names" },
	{ "what did ann burn", "{'metric':'cost','users':[7]}", "!name" },
	{ "what did 'ann' burn", "{'metric':'cost'}", "!quotation marks" },
	{ "what did we burn last week", "{'metric':'cost','period':'last month'}", "!another period" },
	{ "what did we burn last week", "{'metric':'cost'}", "!another period" },
	{ "what did we burn next to 2026-10-01", "{'metric':'cost','period':'this year'}", "!another period" },
	{ "people burning more than 7 tokens", "{'metric':'tokens','dimensions':['user'],'threshold':{'is':'under',"
	    "'value':7}}", "!another threshold" },
	{ "people burning more than 7 tokens", "{'metric':'tokens','dimensions':['user']}", "!another threshold" },
	{ "how many tokens got burned", "{'metric':'cost'}", "!counts something else" },
	{ "how flaky: errors", "{'metric':'error_rate'}", "error_rate|||last 30 days|2026-10-22..2026-11-20" },
};

static char *with_quotes(struct pl_pool *pool, const char *text)
{
	char *copy = pl_alloc(pool, strlen(text) + 1);

	memcpy(copy, text, strlen(text) + 1);
	for (char *c = copy; *c != '\0'; c++)
		*c = *c == '\'' ? '"' : *c;
	return copy;
}

START_TEST(test_translations)
{
	struct pl_pool *pool = pl_pool_new(0);
	int wrong = 0;

	for (size_t i = 0; i < PL_COUNT(translations); i++) {
		const char *expected = translations[i].expected, *why;
		struct intent in;
		char got[512] = "";

		why = intent_take(pool, pl_str(translations[i].question),
		    pl_str(with_quotes(pool, translations[i].reply)), time_of(NOW), &in);
		if (why == NULL) {
			in.run_count = without_mentions(&in);
			spell(&in, got, sizeof(got));
			ck_assert(in.translated);
		}
		if (why == NULL ? strcmp(got, expected) != 0 : expected[0] != '!' ||
		    strstr(why, expected + 1) == NULL) {
			printf("%s, %s: %s%s\n", translations[i].question, translations[i].reply, got,
			    why != NULL ? why : "");
			wrong++;
		}
	}
	ck_assert_int_eq(wrong, 0);
	pl_pool_free(&pool);
}
END_TEST

/* The translation omits a name of the question: the figure would include too much. */
START_TEST(test_translations_keep_names)
{
	static const struct { const char *question, *reply, *left_out; } cases[] = {
		{ "wieviel schrieb bob", "{'metric':'messages'}", "\"bob\"" },
		{ "wieviel schrieb bob", "{'metric':'messages','users':['bob']}", NULL },
		{ "wieviel schrieb bob im tea room", "{'metric':'messages','users':['bob']}", "\"tea room\"" },
		{ "wieviel schrieb bob im tea room", "{'metric':'messages','users':['bob'],'rooms':['tea room']}",
		    NULL },
		{ "wieviel schrieb dora", "{'metric':'messages'}", NULL },
		{ "wieviel schrieb dora", "{'metric':'messages','users':['dora']}", "no user \"dora\"" },
	};
	struct pl_pool *pool = pl_pool_new(0);

	for (size_t i = 0; i < PL_COUNT(cases); i++) {
		struct intent_known known[256];
		struct pl_err err = { 0 };
		struct intent in;

		ck_assert(intent_take(pool, pl_str(cases[i].question), pl_str(with_quotes(pool, cases[i].reply)),
		    time_of(NOW), &in) == NULL);
		if (cases[i].left_out == NULL)
			ck_assert_msg(intent_settle(pool, &in, known, look_up(pool, &in, known), &err), "%s",
			    cases[i].question);
		else
			ck_assert_msg(!intent_settle(pool, &in, known, look_up(pool, &in, known), &err) &&
			    strstr(err.fields->msg, cases[i].left_out) != NULL, "%s", cases[i].question);
	}
	pl_pool_free(&pool);
}
END_TEST

START_TEST(test_what_is_left_to_a_model)
{
	static const char *const asked[] = { "how chatty were we", "Wie viele Nachrichten im Oktober" },
	    *const kept[] = { "", "\"", "messages not from bob", "who never wrote", "Kosten ohne gpt-4o",
	    "don't know" };
	struct pl_pool *pool = pl_pool_new(0);
	struct pl_err err = { 0 };

	for (size_t i = 0; i < PL_COUNT(asked); i++)
		ck_assert(intent_translatable(pool, pl_str(asked[i])));
	for (size_t i = 0; i < PL_COUNT(kept); i++)
		ck_assert_msg(!intent_translatable(pool, pl_str(kept[i])), "%s", kept[i]);
	ck_assert(pl_json_parse(pool, intent_schema(pool), &err) != NULL);
	ck_assert(memmem(intent_prompt(pool).ptr, intent_prompt(pool).len, "error_rate", 10) != NULL);
	pl_pool_free(&pool);
}
END_TEST

START_TEST(test_partial_steps)
{
	static const struct { const char *question; enum intent_dim step; const char *start; bool partial; } steps[] = {
		{ "cost last 3 months by month", DIM_MONTH, "2026-08-01T00:00:00Z", true },
		{ "cost last 3 months by month", DIM_MONTH, "2026-09-01T00:00:00Z", false },
		{ "cost last 3 months by month", DIM_MONTH, "2026-11-01T00:00:00Z", true },
		{ "cost this week by day", DIM_DAY, "2026-11-19T00:00:00Z", false },
		{ "cost this week by day", DIM_DAY, "2026-11-20T00:00:00Z", true },
		{ "cost last month by week", DIM_WEEK, "2026-09-28T00:00:00Z", true },
		{ "cost last month by week", DIM_WEEK, "2026-10-05T00:00:00Z", false },
		{ "cost in Q3 by month", DIM_MONTH, "2026-09-01T00:00:00Z", false },
		{ "cost last year by quarter", DIM_QUARTER, "2025-10-01T00:00:00Z", false },
		{ "cost this year by year", DIM_YEAR, "2026-01-01T00:00:00Z", true },
	};
	struct pl_pool *pool = pl_pool_new(0);

	for (size_t i = 0; i < PL_COUNT(steps); i++) {
		struct pl_err err = { 0 };
		struct intent in;
		int64_t start;

		ck_assert(read_at(pool, steps[i].question, NOW, &in, &err) && pl_time_parse(steps[i].start, 20,
		    &start));
		ck_assert_msg(intent_is_partial(&in.period, steps[i].step, start / PL_US_PER_S) == steps[i].partial,
		    "%s, %s",
		    steps[i].question, steps[i].start);
	}
	pl_pool_free(&pool);
}
END_TEST

Suite *suite_intent(void)
{
	Suite *suite = suite_create("intent");
	TCase *tc = tcase_create("intent");

	tcase_add_test(tc, test_questions);
	tcase_add_test(tc, test_edges);
	tcase_add_test(tc, test_names);
	tcase_add_test(tc, test_samples);
	tcase_add_test(tc, test_translations);
	tcase_add_test(tc, test_translations_keep_names);
	tcase_add_test(tc, test_what_is_left_to_a_model);
	tcase_add_test(tc, test_partial_steps);
	suite_add_tcase(suite, tc);
	return suite;
}
