/* SPDX-License-Identifier: ISC */
/*
 * Splitting and checking of imported usage sessions and figures.
 */
#include <check.h>
#include <stdlib.h>

#include "svc/usage/usage_read.h"

Suite *suite_usage_read(void);

#define BOM "\xef\xbb\xbf"
#define CUTS 24
#define SESSIONS 28

/* Records as "line:text" joined by '|'. */
static const char *cut(struct pl_pool *pool, const char *all)
{
	struct pl_buf out = PL_BUF(pool);
	struct usage_text text;
	struct pl_str record;
	int64_t line;

	usage_text_init(&text, pl_str(all), USAGE_SESSIONS);
	for (int i = 0; i < 100 && usage_text_next(&text, pool, &record, &line); i++)
		pl_buf_addf(&out, "%s%lld:%.*s", i > 0 ? "|" : "", (long long)line, PL_FMT(record));
	pl_buf_addc(&out, '\0');
	return out.ptr;
}

START_TEST(cuts)
{
	static const struct { const char *all, *want; } rows[] = {
		{ "", "" }, { " \n\r\n", "" }, { "{\"a\":1}", "1:{\"a\":1}" }, { "{}\n\n {} \r\n{}", "1:{}|3:{}|4:{}" },
		{ "[]", "" }, { " [ ] ", "" }, { "[{}]", "1:{}" }, { "[ {\"a\":[1,2]} , {\"b\":\"x,]\\\"}\"}\n]\n",
		    "1:{\"a\":[1,2]}|2:{\"b\":\"x,]\\\"}\"}" },
		{ "[{},]", "1:{}|2:" }, { "[{}] x", "1:{}|2:x" }, { "[{},{}", "1:{}|2:{}|3:" }, { "[{},", "1:{}|2:" },
		    { "[", "1:" },
		{ "[{\"a\":\"", "1:{\"a\":\"|2:" },
		/* a byte order mark */
		{ BOM, "" }, { BOM "{\"a\":1}\n{}", "1:{\"a\":1}|2:{}" }, { BOM " [{},{}]", "1:{}|2:{}" },
		/* tables */
		{ "session_id,model\na,b\n", "2:{\"session_id\":\"a\",\"model\":\"b\"}" },
		{ BOM "Session ID;Model\r\na;b\r\n", "2:{\"session_id\":\"a\",\"model\":\"b\"}" },
		{ "model\tother\tsession-id\nb\tx\t\\N\n", "2:{\"model\":\"b\"}" },
		{ "\"session_id\",\"session_id\"\n\"a\",\"b\"", "2:{\"session_id\":\"a\"}" },
		{ "session_id\n\"x\"\"y\"", "2:{\"session_id\":\"x\\\"y\"}" },
		{ "session_id\n,,\n", "2:{}" }, { "id,name\n1,2", "1:id,name|2:1,2" },
	};
	struct pl_pool *pool = pl_pool_new(0);

	ck_assert_uint_eq(PL_COUNT(rows), CUTS);
	ck_assert_str_eq(cut(pool, rows[_i].all), rows[_i].want);
	pl_pool_free(&pool);
}
END_TEST

#define GOOD "\"session_id\":\"s\",\"developer_id\":\"d\",\"timestamp\":\"2024-10-28T11:30:00\""

START_TEST(sessions)
{
	static const struct { const char *record, *error; } rows[] = {
		{ "{" GOOD "}", NULL },
		    { "{" GOOD ",\"model\":null,\"accepted_flag\":null,\"total_tokens\":5,\"cost_usd\":0.45}", NULL },
		{ "{" GOOD ",\"ended_at\":\"2024-10-28T11:30:00+01:00\"}", "ended_at" },
		    { "{" GOOD ",\"accepted_flag\":1}", NULL }, { "{" GOOD ",\"accepted_flag\":0.0}", NULL },
		{ "{" GOOD ",\"accepted_flag\":2}", "accepted_flag" },
		    { "{" GOOD ",\"accepted_flag\":\"true\"}", "accepted_flag" },
		{ "{" GOOD ",\"prompt_tokens\":2500.0,\"errors\":1e1}", NULL },
		    { "{" GOOD ",\"prompt_tokens\":\"5\"}", "prompt_tokens" },
		{ "{" GOOD ",\"prompt_tokens\":1e300}", "prompt_tokens" },
		{ "{\"session_id\":\"s\",\"developer_id\":\"d\",\"timestamp\":\"2026-11-20 09:00:00+00\"}", NULL },
		{ "{" GOOD ",\"prompt_tokens\":-1}", "prompt_tokens" },
		    { "{" GOOD ",\"prompt_tokens\":1.5}", "prompt_tokens" },
		{ "{" GOOD ",\"prompt_tokens\":3,\"completion_tokens\":3,\"total_tokens\":5}", "total_tokens" },
		{ "{" GOOD ",\"cost_usd\":-0.1}", "cost_usd" }, { "{" GOOD ",\"cost_usd\":\"1\"}", "cost_usd" },
		{ "{" GOOD ",\"feedback_score\":6}", "feedback_score" }, { "{" GOOD ",\"source\":\"\"}", "source" },
		{ "{" GOOD ",\"model\":5}", "model" }, { "{\"session_id\":\"s\",\"developer_id\":\"d\"}", "timestamp" },
		{ "{\"session_id\":\"s\",\"timestamp\":\"2024-10-28T11:30:00Z\"}", "developer_id" },
		{ "{\"session_id\":\"\",\"developer_id\":\"d\",\"timestamp\":\"2024-10-28T11:30:00Z\"}", "session_id" },
		{ "{\"session_id\":\"s\",\"developer_id\":\"d\",\"timestamp\":\"yesterday\"}", "timestamp" },
		{ "{\"session_id\":\"s\",\"developer_id\":\"d\",\"timestamp\":1730115000}", "timestamp" },
		    { "[]", "object" }, { "5", "object" },
		{ "{", "" }, { "x", "" },
	};
	struct pl_pool *pool = pl_pool_new(0);
	struct usage_batch batch;
	struct usage_text text;

	ck_assert_uint_eq(PL_COUNT(rows), SESSIONS);
	usage_batch_init(&batch, pool);
	usage_text_init(&text, pl_str(rows[_i].record[0] == '[' || rows[_i].record[0] == '5' ?
	    pl_sprintf(pool, "[%s]", rows[_i].record) : rows[_i].record), USAGE_SESSIONS);
	while (usage_batch_next(&batch, &text, USAGE_SESSIONS, PL_STR("import")))
		;
	if (rows[_i].error == NULL) {
		ck_assert_msg(batch.good == 1 && batch.refused == 0, "%s: %s", rows[_i].record,
		    batch.refused > 0 ? batch.refusals[0].error : "");
	} else {
		ck_assert_msg(batch.good == 0 && batch.refused == 1, "%s", rows[_i].record);
		ck_assert_int_eq(batch.refusals[0].line, 1);
		ck_assert_msg(strstr(batch.refusals[0].error, rows[_i].error) != NULL, "%s", batch.refusals[0].error);
	}
	pl_pool_free(&pool);
}
END_TEST

#define FIGURE(value) \
	"[{\"day\":\"2026-11-01\",\"developer\":\"ann\",\"name\":\"commits\",\"value\":" value "}]"

static const struct { const char *text, *want; } figure_cases[] = {
	{ "2026-11-01,ann,commits,5", FIGURE("5") }, { "2026-11-01,ann,commits,5\r\n", FIGURE("5") },
	{ "{\"day\":\"2026-11-01\",\"developer\":\"ann\",\"name\":\"commits\",\"value\":0.5}", FIGURE("0.5") },
	{ BOM "2026-11-01,ann,commits,5", FIGURE("5") }, { "2026-11-01;ann;commits;0,5", FIGURE("0.5") },
	{ "day,developer,name,value\n2026-11-01,ann,commits,5", FIGURE("5") },
	{ "Value;Name;Developer;Day\n5,0;commits;ann;2026-11-01;", FIGURE("5") },
	{ "2026-11-01,\"ann\",commits,5.0", FIGURE("5") }, { "2026-11-01\tann\tcommits\t5", FIGURE("5") },
	{ "2026-11-31,ann,commits,5", "[]" }, { "2026-11-01,ann,Commits,5", "[]" }, { "2026-11-01,,commits,5", "[]" },
	{ "2026-11-01,ann,commits,", "[]" }, { "2026-11-01,ann,commits, ", "[]" },
	{ "2026-11-01,ann,commits,\"\"", "[]" },
	{ "2026-11-01,ann,commits", "[]" }, { "2026-11-01,ann,commits,x", "[]" },
	{ "2026-11-01,ann,commits,nan", "[]" },
	{ "2026-11-01,ann,commits,0x5", "[]" }, { "2026-11-01,ann,commits,inf", "[]" },
	{ "2026-11-01,ann,commits,5,6", "[]" }, { "2026-11-01;ann;commits;1,000,5", "[]" },
	{ "2026-11-01,ann,commits,5,\"day\":1", "[]" }, { "x", "[]" }, { "2026-11-01,\xff,commits,5", "[]" },
	{ "2026-11-01T00:00:00Z,ann,commits,5", "[]" }, { "\xff\xfe" "2;0;", "[]" },
	{ "2026-11-01,ann,commits,\"5", "[]" },
	{ ",,,5", "[]" },
};

START_TEST(figures)
{
	struct pl_pool *pool = pl_pool_new(0);
	struct usage_batch batch;
	struct usage_text text;

	usage_batch_init(&batch, pool);
	usage_text_init(&text, pl_str(figure_cases[_i].text), USAGE_FIGURES);
	while (usage_batch_next(&batch, &text, USAGE_FIGURES, PL_STR_NONE))
		;
	ck_assert_int_eq(batch.good + batch.refused, 1);
	ck_assert_str_eq(pl_str_c(pool, usage_batch_json(&batch)), figure_cases[_i].want);
	pl_pool_free(&pool);
}
END_TEST

#define HEAD "session_id,developer_id,timestamp,"

/* Rows of tables, and a part of the stored record or of the broken rule. */
static const struct { const char *text; bool good; const char *want; } row_cases[] = {
	{ HEAD "total_tokens\ns,d,2026-11-20 09:00:00+00,2500.0", true, "\"total\":2500," },
	{ HEAD "total_tokens\ns,d,2026-11-20 09:00:00+0000,2500", true, "\"at\":\"2026-11-20T09:00:00.000000Z\"" },
	{ HEAD "accepted_flag\ns,d,2026-11-20T09:00Z,1", true, "\"accepted\":true" },
	{ HEAD "accepted_flag\ns,d,2026-11-20T09:00Z,0", true, "\"accepted\":false" },
	{ HEAD "accepted_flag\ns,d,2026-11-20T09:00Z,f", true, "\"accepted\":false" },
	{ HEAD "accepted_flag\ns,d,2026-11-20T09:00Z,True", true, "\"accepted\":true" },
	{ HEAD "accepted_flag\ns,d,2026-11-20T09:00Z,", true, "\"score\":null}" },
	{ HEAD "accepted_flag\ns,d,2026-11-20T09:00Z,maybe", false, "accepted_flag" },
	{ HEAD "cost_usd\ns,d,2026-11-20T09:00Z,NaN", true, "\"cost_micros\":0" },
	{ HEAD "cost_usd\ns,d,2026-11-20T09:00Z,0.45", true, "\"cost_micros\":450000" },
	{ HEAD "cost_usd\ns,d,2026-11-20T09:00Z,\"0,45\"", false, "cost_usd" },
	{ "session_id;developer_id;timestamp;cost_usd\ns;d;2026-11-20T09:00Z;0,45", true, "\"cost_micros\":450000" },
	{ HEAD "model,source\ns,d,2026-11-20T09:00Z,,old", true, "\"source\":\"old\"" },
	{ HEAD "ended_at\ns,d,2026-11-20T09:00Z,NULL", true, "\"source\":\"import\"" },
	{ "session_id,model\ns,m", false, "developer_id" },
	{ HEAD "x\ns,d,20.11.2026", false, "timestamp" },
};

START_TEST(rows)
{
	struct pl_pool *pool = pl_pool_new(0);
	struct usage_batch batch;
	struct usage_text text;
	const char *got;

	usage_batch_init(&batch, pool);
	usage_text_init(&text, pl_str(row_cases[_i].text), USAGE_SESSIONS);
	while (usage_batch_next(&batch, &text, USAGE_SESSIONS, PL_STR("import")))
		;
	ck_assert_msg(batch.good == row_cases[_i].good && batch.good + batch.refused == 1, "%s: %d, %d, %s",
	    row_cases[_i].text, batch.good, batch.refused, batch.refused > 0 ? batch.refusals[0].error : "");
	got = batch.good > 0 ? pl_str_c(pool, usage_batch_json(&batch)) : batch.refusals[0].error;
	ck_assert_msg(strstr(got, row_cases[_i].want) != NULL, "%s", got);
	ck_assert(batch.good > 0 || batch.refusals[0].line == 2);
	pl_pool_free(&pool);
}
END_TEST

Suite *suite_usage_read(void)
{
	Suite *suite = suite_create("usage_read");
	TCase *tc = tcase_create("usage_read");

	tcase_add_loop_test(tc, cuts, 0, CUTS);
	tcase_add_loop_test(tc, sessions, 0, SESSIONS);
	tcase_add_loop_test(tc, figures, 0, PL_COUNT(figure_cases));
	tcase_add_loop_test(tc, rows, 0, PL_COUNT(row_cases));
	suite_add_tcase(suite, tc);
	return suite;
}
