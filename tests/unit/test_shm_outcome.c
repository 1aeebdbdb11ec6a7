/* SPDX-License-Identifier: ISC */
/*
 * core/shm_outcome.c: the outcome that a porter stored survives the porter and the courier.
 */
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shm_fixture.h"

Suite *suite_shm_outcome(void);

#define ID "0190d1a2-3b4c-4d5e-8f60-718293a4b5c6"

static bool known(const struct shm *shm, int place, int result, const char *why)
{
	char id[PL_UUID_LEN + 1], text[SHM_OUTCOME_WHY];
	int got;

	return shm_outcome_get(shm, place, id, &got, text) && got == result && strcmp(id, ID) == 0 &&
	    strcmp(text, why) == 0;
}

static bool nobody_knows(const struct shm *shm, int place)
{
	char id[PL_UUID_LEN + 1], text[SHM_OUTCOME_WHY];
	int got;

	return !shm_outcome_get(shm, place, id, &got, text);
}

/* The porter dies by a signal directly after it stored the outcome, with only its part of the segment mapped. */
START_TEST(test_a_porter_that_dies)
{
	struct shm *shm = fixture_take(0);
	pid_t pid;
	int how;

	ck_assert(nobody_knows(shm, 3));
	shm_outcome_begin(shm, 3, ID);
	ck_assert(nobody_knows(shm, 3));
	pid = fork();
	if (pid == 0) {
		struct shm *own = shm;

		shm_outcome_set(shm_outcome_keep(&own, 3), 2, "no such mailbox");
		if (own == NULL)
			kill(getpid(), SIGKILL);
		_exit(1);
	}
	ck_assert_int_eq(waitpid(pid, &how, 0), pid);
	ck_assert(WIFSIGNALED(how) && WTERMSIG(how) == SIGKILL);
	ck_assert(known(shm, 3, 2, "no such mailbox"));
	ck_assert(nobody_knows(shm, 2) && nobody_knows(shm, 4));
	shm_outcome_clear(shm, 3);
	ck_assert(nobody_knows(shm, 3));
}
END_TEST

/* A text that does not fit is cut between characters. */
START_TEST(test_long_texts)
{
	struct shm *shm = fixture_take(0);
	char why[SHM_OUTCOME_WHY + 50], id[PL_UUID_LEN + 1], text[SHM_OUTCOME_WHY];
	struct shm_outcome *outcome;
	struct shm view = *shm, *own = &view;
	int result;
	pid_t pid;

	memset(why, 'x', sizeof(why));
	memcpy(why + SHM_OUTCOME_WHY - 2, "\xc3\xbc", 2);
	why[sizeof(why) - 1] = '\0';
	shm_outcome_begin(shm, 0, ID);
	pid = fork();
	if (pid == 0) {
		outcome = shm_outcome_keep(&own, 0);
		shm_outcome_set(outcome, 0, why);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	ck_assert(shm_outcome_get(shm, 0, id, &result, text));
	ck_assert_int_eq(result, 0);
	ck_assert_uint_eq(strlen(text), SHM_OUTCOME_WHY - 2);
}
END_TEST

Suite *suite_shm_outcome(void)
{
	const TTest *const tests[] = { test_a_porter_that_dies, test_long_texts };

	return fixture_suite("shm_outcome", tests, PL_COUNT(tests));
}
