/* SPDX-License-Identifier: ISC */
/*
 * svc/job/job_report.c: complete and incomplete reports of a porter, without secrets.
 */
#include <check.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pool.h"
#include "shm_fixture.h"
#include "svc/job/job_report.h"

Suite *suite_job_report(void);

static char report[3 * sizeof(struct job_word)];
static int ends[2];

static struct job_out out_open(void)
{
	ck_assert_int_eq(pipe(ends), 0);
	return (struct job_out){ .fd = ends[1] };
}

static size_t out_close(void)
{
	ssize_t got;

	close(ends[1]);
	got = read(ends[0], report, sizeof(report));
	close(ends[0]);
	return (size_t)got;
}

static const struct { const char *why, *secrets[3], *want; } hidden[] = {
	{ "550 no", { "password" }, "550 no" },
	{ "550 password wrong: password", { "password" }, "550 (secret) wrong: (secret)" },
	{ "longpassword", { "password", "longpassword" }, "long(secret)" },
	{ "abc", { "abc" }, "abc" },			/* too short to be searched */
	{ "abcdabcd", { "abcd" }, "(secret)(secret)" },
	{ "a (secret)", { "secret" }, "a ((secret))" },	/* ends */
};

START_TEST(test_secrets)
{
	struct job_end end = { .result = JOB_DEAD, .delay_us = 7 }, got;
	struct job_out out = out_open();

	snprintf(end.why, sizeof(end.why), "%s", hidden[_i].why);
	for (int i = 0; i < 3 && hidden[_i].secrets[i] != NULL; i++)
		job_secret(&out, pl_str(hidden[_i].secrets[i]));
	job_ended(&out, &end);
	job_report_read(&(struct job_report){ .words = report, .bytes = out_close(), .died = "x" }, &got);
	ck_assert_str_eq(got.why, hidden[_i].want);
	ck_assert_int_eq(got.result, JOB_DEAD);
	ck_assert_int_eq(got.delay_us, 7);
}
END_TEST

/* "(secret)" is longer than the text that it replaces: a text that reaches the limit is cut and stays valid. */
START_TEST(test_a_full_text)
{
	struct job_end end = { .result = JOB_RETRY }, got;
	struct job_out out = out_open();

	memset(end.why, 'x', sizeof(end.why) - 1);
	memcpy(end.why, "abcd", 4);
	memcpy(end.why + sizeof(end.why) - 5, "abcd", 5);
	job_secret(&out, PL_STR("abcd"));
	job_ended(&out, &end);
	job_report_read(&(struct job_report){ .words = report, .bytes = out_close(), .died = "x" }, &got);
	ck_assert_uint_eq(strlen(got.why), sizeof(got.why) - 1);
	ck_assert_ptr_null(strstr(got.why, "abcd"));
	ck_assert_int_eq(strncmp(got.why, "(secret)xxx", 11), 0);
}
END_TEST

static const struct { const char *why, *want; } texts[] = {
	{ "\xc3\xbc", "\xc3\xbc" }, { "cut \xc3", "cut " }, { "cut \xe2\x9c", "cut " }, { "\xff in it", "? in it" },
	{ "\xff and cut \xc3", "? and cut ?" },
};

START_TEST(test_what_is_no_text)
{
	struct job_word word = { .say = JOB_SAYS_END, .end = { .result = (enum job_result)77, .peer = (enum job_peer)88,
		.delay_us = -1 } };
	struct job_end got;

	snprintf(word.end.why, sizeof(word.end.why), "%s", texts[_i].why);
	job_report_read(&(struct job_report){ .words = (const char *)&word, .bytes = sizeof(word), .died = "x" }, &got);
	ck_assert_int_eq(got.result, JOB_RETRY);
	ck_assert_int_eq(got.peer, JOB_PEER_UNSEEN);
	ck_assert_int_eq(got.delay_us, 0);
	ck_assert_str_eq(got.why, texts[_i].want);
}
END_TEST

/* Any part of its words may have arrived. */
START_TEST(test_broken_off)
{
	static const char doubt[] = "The attempt failed (signal 9) after the end of the message: it may have arrived.";
	struct job_end end = { .result = JOB_DONE }, got;
	struct job_out out = out_open();
	size_t bytes, word = sizeof(struct job_word);

	job_in_doubt(&out);
	job_ended(&out, &end);
	bytes = out_close();
	ck_assert_uint_eq(bytes, 2 * word);
	for (size_t i = 0; i <= bytes; i++) {
		job_report_read(&(struct job_report){ .words = report, .bytes = i, .died = "signal 9" }, &got);
		ck_assert_int_eq(got.result, i < 2 * word ? JOB_RETRY : JOB_DONE);
		ck_assert_str_eq(got.why, i < word ? "The attempt failed (signal 9)." : i < 2 * word ? doubt : "");
	}
}
END_TEST

static const struct { enum job_result said; const char *why; enum job_result want; } kept[] = {
	{ JOB_DONE, "", JOB_DONE }, { JOB_DEAD, "550 no", JOB_DEAD }, { JOB_RETRY, "451 later", JOB_RETRY },
};

/* Killed between storing its outcome and reporting it: a final outcome does not cause a retry. */
START_TEST(test_killed_before_its_report)
{
	struct shm *shm = fixture_take(0), *own = shm;
	struct job_end end = { .result = kept[_i].said }, got;
	struct job_report read = { .words = report, .died = "signal 9", .shm = shm, .place = 5 };
	struct job_out out = { .fd = -1 };	/* porter_report() ends the process */
	pid_t pid;

	snprintf(end.why, sizeof(end.why), "%s", kept[_i].why);
	shm_outcome_begin(shm, 5, "0190d1a2-3b4c-4d5e-8f60-718293a4b5c6");
	pid = fork();
	if (pid == 0) {
		out.outcome = shm_outcome_keep(&own, 5);
		job_ended(&out, &end);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	job_report_read(&read, &got);
	ck_assert_int_eq(got.result, kept[_i].want);
	ck_assert_str_eq(got.why, kept[_i].said == JOB_RETRY ? "The attempt failed (signal 9)." : kept[_i].why);
	read.place = 4;
	job_report_read(&read, &got);
	ck_assert_int_eq(got.result, JOB_RETRY);
}
END_TEST

Suite *suite_job_report(void)
{
	Suite *suite = suite_create("job_report");
	TCase *tests = tcase_create("all");

	tcase_add_checked_fixture(tests, fixture_setup, fixture_teardown);
	tcase_add_loop_test(tests, test_secrets, 0, PL_COUNT(hidden));
	tcase_add_test(tests, test_a_full_text);
	tcase_add_loop_test(tests, test_what_is_no_text, 0, PL_COUNT(texts));
	tcase_add_test(tests, test_broken_off);
	tcase_add_loop_test(tests, test_killed_before_its_report, 0, PL_COUNT(kept));
	suite_add_tcase(suite, tests);
	return suite;
}
