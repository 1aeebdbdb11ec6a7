/* SPDX-License-Identifier: ISC */
/*
 * svc/answer/answer_move.c: the table of moves.
 */
#include <check.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "log.h"
#include "svc/answer/answer_int.h"

Suite *suite_answer_move(void);

/* State x event -> next state, action. Any other combination is a bug of the caller. */
static const char table[] =
    "beginning begun -> context context\n"
    "beginning adopted -> adopting adopt\n"
    "beginning settled -> storing store\n"
    "beginning dropped -> over drop\n"
    "beginning failed -> storing finish\n"
    "beginning stop -> beginning stop\n"
    "beginning cut -> beginning cut\n"
    "adopting settled -> storing store\n"
    "adopting busy -> adopting pause\n"
    "adopting timer -> adopting adopt\n"
    "adopting stop -> adopting stop\n"
    "adopting cut -> adopting cut\n"
    "context ready -> searching search\n"
    "context failed -> storing finish\n"
    "context stop -> context stop\n"
    "context cut -> context cut\n"
    "searching found -> key key\n"
    "searching stop -> searching stop\n"
    "searching cut -> searching cut\n"
    "key key -> asking ask\n"
    "key failed -> storing finish\n"
    "key stop -> key stop\n"
    "key cut -> key cut\n"
    "asking text -> asking text\n"
    "asking answered -> storing finish\n"
    "asking timer -> asking gathered\n"
    "asking stop -> asking stop\n"
    "asking cut -> asking cut\n"
    "storing stored -> ending end\n"
    "storing refused -> ending end\n"
    "storing busy -> storing pause\n"
    "storing timer -> storing store\n"
    "storing stop -> storing stop\n"
    "storing cut -> storing cut\n"
    "ending ended -> over over\n"
    "ending busy -> ending pause\n"
    "ending timer -> ending end\n"
    "ending stop -> ending stop\n"
    "ending cut -> ending cut\n"
    "over timer -> over free\n"
    "over stop -> over nothing\n"
    "over cut -> over nothing\n";

START_TEST(test_table)
{
	struct pl_buf found = PL_BUF(NULL);

	for (int s = 0; s < ANSWER_STATES; s++)
		for (int e = 0; e < ANSWER_EVENTS; e++) {
			const struct answer_move *move = answer_move_of(s, e);

			if (move->fn != NULL)
				pl_buf_addf(&found, "%s %s -> %s %s\n", answer_state_name(s), answer_event_name(e),
				    answer_state_name(move->next), move->name);
		}
	pl_buf_add(&found, "", 1);
	ck_assert_str_eq(found.ptr, table);
	pl_buf_fini(&found);
}
END_TEST

/* Every state leads to the end, either by storing and ending, or because the answer never started. */
START_TEST(test_every_state_reaches_the_end)
{
	bool reaches[ANSWER_STATES] = { [ANSWER_OVER] = true };

	for (int round = 0; round < ANSWER_STATES; round++)
		for (int s = 0; s < ANSWER_STATES; s++)
			for (int e = 0; e < ANSWER_EVENTS; e++)
				if (answer_move_of(s, e)->fn != NULL && reaches[answer_move_of(s, e)->next])
					reaches[s] = true;
	for (int s = 0; s < ANSWER_STATES; s++) {
		ck_assert_msg(reaches[s], "%s is a dead end", answer_state_name(s));
		for (int e = 0; e < ANSWER_EVENTS; e++) {
			const struct answer_move *move = answer_move_of(s, e);

			if (move->fn != NULL && move->next == ANSWER_OVER && s != ANSWER_OVER)
				ck_assert_int_eq(e == ANSWER_EV_DROPPED ? ANSWER_BEGINNING : ANSWER_ENDING, s);
			if (move->fn != NULL && move->next == ANSWER_ENDING && s != ANSWER_ENDING)
				ck_assert_int_eq(s, ANSWER_STORING);
		}
	}
}
END_TEST

/* An unexpected event ends the process. */
START_TEST(test_unknown_event_is_a_bug)
{
	struct answers answers = { 0 };
	struct answer answer = { .answers = &answers, .state = _i / ANSWER_EVENTS };
	enum answer_event event = _i % ANSWER_EVENTS;
	pid_t pid;
	int status;

	if (answer_move_of(answer.state, event)->fn != NULL)
		return;
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		pl_log_level_set(PL_LOG_ERROR);
		if (freopen("/dev/null", "w", stderr) == NULL)
			_exit(0);
		answer_move(&answer, event);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(!WIFEXITED(status) || WEXITSTATUS(status) != 0, "%s %s is taken",
	    answer_state_name(answer.state), answer_event_name(event));
}
END_TEST

Suite *suite_answer_move(void)
{
	Suite *suite = suite_create("answer_move");
	TCase *tcase = tcase_create("answer_move");

	tcase_add_test(tcase, test_table);
	tcase_add_test(tcase, test_every_state_reaches_the_end);
	tcase_add_loop_test(tcase, test_unknown_event_is_a_bug, 0, ANSWER_STATES * ANSWER_EVENTS);
	suite_add_tcase(suite, tcase);
	return suite;
}
