/* SPDX-License-Identifier: ISC */
/*
 * The worker's side of password hashing: exactly one completion per job, never before the call returned.
 *
 * The hasher is this test itself, at the other end of a socketpair; the costs are the smallest that Argon2 takes.
 */
#include <check.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "core/channel.h"
#include "core/hasher_wire.h"

Suite *suite_hasher(void);

#define JOBS 4

static struct {
	struct event_base *base;
	struct hasher_client *client;
	struct pl_task *tasks[JOBS];
	int ends[2], calls[JOBS];
	bool good[JOBS];
	enum pl_code codes[JOBS];
	char encoded[PL_PASSWD_HASH_MAX];
	struct config *config;
} t;

static void on_done(void *arg, const struct hash_result *result, const struct pl_err *err)
{
	size_t i = (size_t)((int *)arg - t.calls);

	t.calls[i]++;
	t.good[i] = result != NULL && result->good;
	t.codes[i] = err != NULL ? err->code : PL_E_OK;
	if (result != NULL && result->encoded[0] != '\0')
		memcpy(t.encoded, result->encoded, sizeof(t.encoded));
}

static void make(int hashers, const char *queue)
{
	const char *overrides[] = { "argon2_memory=8M", "argon2_passes=1", queue };
	char why[512];

	memset(&t, 0, sizeof(t));
	t.base = event_base_new();
	t.config = config_read(NULL, overrides, 3, why);
	ck_assert_msg(t.config != NULL, "%s", why);
	ck_assert(channel_pair(t.ends));
	t.client = hasher_client_new(t.base, t.ends, hashers, 5);
	hasher_client_config(t.client, t.config);
	for (int i = 0; i < JOBS; i++)
		t.tasks[i] = pl_task_new(INT64_MAX);
}

static void clear(void)
{
	hasher_client_free(&t.client);
	for (int i = 0; i < JOBS; i++)
		pl_task_release(&t.tasks[i]);
	event_base_free(t.base);
	config_release(&t.config);
	close(t.ends[0]);
	close(t.ends[1]);
}

static void turn(void)
{
	for (int i = 0; i < 4; i++)
		event_base_loop(t.base, EVLOOP_NONBLOCK);
}

static bool take_job(struct hash_job *job)
{
	ssize_t got = recv(t.ends[1], job, sizeof(*job), MSG_DONTWAIT);

	return got > 0 && (size_t)got == HASH_JOB_BYTES(job);
}

static void give_answer(struct hash_job *job, uint32_t generation)
{
	struct hash_answer answer;

	hash_compute(job, &answer);
	ck_assert_int_eq(job->password[0], '\0');	/* wiped */
	answer.generation = generation;
	ck_assert_int_eq(send(t.ends[1], &answer, sizeof(answer), 0), (ssize_t)sizeof(answer));
}

static void start(int i)
{
	hasher_hash(t.client, t.tasks[i], PL_STR("correct horse"), on_done, &t.calls[i]);
	ck_assert_int_eq(t.calls[i], 0);
}

START_TEST(test_inline)
{
	make(0, "hasher_queue=4");
	start(0);
	turn();
	ck_assert_int_eq(t.calls[0], 1);
	ck_assert(t.good[0]);
	hasher_verify(t.client, t.tasks[1], PL_STR("correct horse"), pl_str(t.encoded), on_done, &t.calls[1]);
	hasher_verify(t.client, t.tasks[2], PL_STR("wrong horse"), pl_str(t.encoded), on_done, &t.calls[2]);
	hasher_verify(t.client, t.tasks[3], PL_STR("correct horse"), PL_STR_NONE, on_done, &t.calls[3]);
	ck_assert_int_eq(t.calls[1], 0);
	turn();
	for (int i = 1; i < JOBS; i++)
		ck_assert_int_eq(t.calls[i], 1);
	ck_assert(t.good[1] && !t.good[2] && !t.good[3]);
	clear();
}
END_TEST

START_TEST(test_over_the_socket)
{
	struct hash_job job;

	make(1, "hasher_queue=4");
	start(0);
	turn();
	ck_assert(take_job(&job));
	ck_assert_uint_eq(job.generation, 5);
	ck_assert_uint_eq(job.cost.memory_kib, 8192);
	ck_assert_int_eq(memcmp(job.password, "correct horse", 13), 0);
	give_answer(&job, 4);		/* for a predecessor in this slot */
	turn();
	ck_assert_int_eq(t.calls[0], 0);
	give_answer(&job, 5);
	give_answer(&job, 5);		/* twice */
	turn();
	ck_assert_int_eq(t.calls[0], 1);
	ck_assert(t.good[0]);
	clear();
	ck_assert_int_eq(t.calls[0], 1);
}
END_TEST

START_TEST(test_queue_is_bounded)
{
	make(1, "hasher_queue=2");
	for (int i = 0; i < JOBS; i++)
		start(i);
	turn();
	ck_assert_int_eq(t.calls[0] + t.calls[1], 0);
	ck_assert_int_eq(t.codes[2], PL_E_BUSY);
	ck_assert_int_eq(t.codes[3], PL_E_BUSY);
	clear();
	for (int i = 0; i < JOBS; i++)
		ck_assert_int_eq(t.calls[i], 1);
	ck_assert_int_eq(t.codes[0], PL_E_CANCELLED);
}
END_TEST

START_TEST(test_death_fails_what_waits)
{
	make(1, "hasher_queue=4");
	start(0);
	turn();
	start(1);
	hasher_client_died(t.client, 0);
	ck_assert_int_eq(t.calls[0] + t.calls[1], 0);
	turn();
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(t.calls[i], 1);
		ck_assert_int_eq(t.codes[i], PL_E_UNAVAILABLE);
	}
	clear();
}
END_TEST

START_TEST(test_cancel_and_deadline)
{
	struct hash_job job;

	make(1, "hasher_queue=4");
	start(0);
	turn();
	pl_task_cancel(t.tasks[0]);
	ck_assert_int_eq(t.calls[0], 0);
	pl_task_cancel(t.tasks[1]);
	start(1);
	t.tasks[2]->deadline_ns = pl_now_ns() - 1;
	start(2);
	turn();
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(t.calls[i], 1);
	ck_assert_int_eq(t.codes[0], PL_E_CANCELLED);
	ck_assert_int_eq(t.codes[1], PL_E_CANCELLED);
	ck_assert_int_eq(t.codes[2], PL_E_DEADLINE);
	ck_assert(take_job(&job));	/* it was in progress: nobody receives its answer */
	give_answer(&job, 5);
	turn();
	ck_assert_int_eq(t.calls[0], 1);
	clear();
}
END_TEST

Suite *suite_hasher(void)
{
	Suite *suite = suite_create("hasher");
	TCase *tcase = tcase_create("hasher");

	tcase_set_timeout(tcase, 20);
	tcase_add_test(tcase, test_inline);
	tcase_add_test(tcase, test_over_the_socket);
	tcase_add_test(tcase, test_queue_is_bounded);
	tcase_add_test(tcase, test_death_fails_what_waits);
	tcase_add_test(tcase, test_cancel_and_deadline);
	suite_add_tcase(suite, tcase);
	return suite;
}
