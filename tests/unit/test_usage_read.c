/* SPDX-License-Identifier: ISC */
/*
 * Cutting and checking of imported usage sessions and figures.
 */
#include <check.h>
#include <stdlib.h>

#include "svc/usage/usage_read.h"

Suite *suite_usage_read(void);

/* Records as "line:text" joined by '|'. */
static const char *cut(struct pl_pool *pool, const char *all)
{
	struct pl_buf out = PL_BUF(pool);
	struct usage_text text;
	struct pl_str record;
	int64_t line;

	usage_text_init(&text, pl_str(all));
	for (int i = 0; i < 100 && usage_text_next(&text, &record, &line); i++)
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
	};
	struct pl_pool *pool = pl_pool_new(0);

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
		    { "{" GOOD ",\"accepted_flag\":1}", "accepted_flag" },
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
		{ "{", "" }, { "", "" },
	};
	struct pl_pool *pool = pl_pool_new(0);
	struct usage_batch batch;

	usage_batch_init(&batch, pool);
	usage_batch_session(&batch, pl_str(rows[_i].record), 7, PL_STR("import"));
	if (rows[_i].error == NULL) {
		ck_assert_msg(batch.good == 1 && batch.refused == 0, "%s: %s", rows[_i].record,
		    batch.refused > 0 ? batch.refusals[0].error : "");
	} else {
		ck_assert_msg(batch.good == 0 && batch.refused == 1, "%s", rows[_i].record);
		ck_assert_int_eq(batch.refusals[0].line, 7);
		ck_assert_msg(strstr(batch.refusals[0].error, rows[_i].error) != NULL, "%s", batch.refusals[0].error);
	}
	pl_pool_free(&pool);
}
END_TEST

START_TEST(figures)
{
	static const struct { const char *record, *want; } rows[] = {
		{ "2026-11-01,ann,commits,5",
		    "[{\"day\":\"2026-11-01\",\"developer\":\"ann\",\"name\":\"commits\",\"value\":5}]" },
		{ "{\"day\":\"2026-11-01\",\"developer\":\"ann\",\"name\":\"commits\",\"value\":0.5}",
		    "[{\"day\":\"2026-11-01\",\"developer\":\"ann\",\"name\":\"commits\",\"value\":0.5}]" },
		{ "2026-11-31,ann,commits,5", "[]" }, { "2026-11-01,ann,Commits,5", "[]" },
		    { "2026-11-01,,commits,5", "[]" },
		{ "2026-11-01,ann,commits", "[]" }, { "2026-11-01,ann,commits,x", "[]" },
		    { "2026-11-01,ann,commits,5,6", "[]" },
		{ "2026-11-01,ann,commits,5,\"day\":1", "[]" }, { "x", "[]" }, { "2026-11-01,\xff,commits,5", "[]" },
		{ "2026-11-01T00:00:00Z,ann,commits,5", "[]" },
	};
	struct pl_pool *pool = pl_pool_new(0);
	struct usage_batch batch;

	usage_batch_init(&batch, pool);
	usage_batch_figure(&batch, pl_str(rows[_i].record), 1);
	ck_assert_str_eq(pl_str_c(pool, usage_batch_json(&batch)), rows[_i].want);
	pl_pool_free(&pool);
}
END_TEST

Suite *suite_usage_read(void)
{
	Suite *suite = suite_create("usage_read");
	TCase *tc = tcase_create("usage_read");

	tcase_add_loop_test(tc, cuts, 0, 14);
	tcase_add_loop_test(tc, sessions, 0, 21);
	tcase_add_loop_test(tc, figures, 0, 12);
	suite_add_tcase(suite, tc);
	return suite;
}
