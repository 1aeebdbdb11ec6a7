/* SPDX-License-Identifier: ISC */
/*
 * Write groups and parked rooms on fake connections: order, a room whose statement fails, unknown outcomes.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "fake_pgconn.h"

Suite *suite_wgroup(void);

static char text[16384];	/* completions: "a=1" with its seq, "a=dup", "a!busy" */
static size_t used;
static struct pgconn *conn, *plain;
static const char *again;	/* the next completion sends this into its room */

static void send_to(int64_t room_id, const char *content);

static void on_appended(void *arg, const struct appended *result, const struct pl_err *err)
{
	const char *name = arg, *next = again;

	used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s", used > 0 ? " " : "", name);
	if (err != NULL)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "!%s", pl_err_info(err->code)->code);
	else
		used += (size_t)snprintf(text + used, sizeof(text) - used, result->duplicate ? "=dup" : "=%lld",
		    (long long)result->seq);
	again = NULL;
	if (next != NULL)
		send_to(1, next);
}

static struct pl_task *send_task(int64_t room_id, const char *content, int64_t ms)
{
	struct pl_task *task = pl_task_new(ms == 0 ? INT64_MAX : pl_now_ns() + ms * PL_NS_PER_MS);
	const struct message_new in = { .room_id = room_id, .author_kind = AUTHOR_USER, .author_id = 1,
		.content = pl_str(content) };

	wgroup_add(fake_db->wgroup, task, &in, on_appended, (void *)(uintptr_t)content);
	return task;
}

static void send_to(int64_t room_id, const char *content)
{
	struct pl_task *task = send_task(room_id, content, 0);

	pl_task_release(&task);
}

static void heard(const char *want)
{
	ck_assert_str_eq(text, want);
	used = 0;
	text[0] = '\0';
}

static void setup(void)
{
	fake_db_setup(2);
	used = 0;
	text[0] = '\0';
	again = NULL;
	conn = fake_conn("write", 0);
	fake_conn_open(conn);
	fake_db_turn();
}

/* A plain connection for parked rooms, opened when the first of them starts. */
static void open_plain(void)
{
	fake_db_turn();
	plain = fake_conn("plain", 0);
	ck_assert_ptr_nonnull(plain);
	fake_conn_open(plain);
}

/* Answers the oldest statement of the plain connection and its Sync. */
static void plain_answers(PGresult *res)
{
	fake_conn_answer(plain, res);
	fake_conn_synced(plain);
	fake_db_turn();
}

START_TEST(one_group_a_turn)
{
	send_to(2, "a");
	send_to(1, "b");
	send_to(2, "c");
	fake_conn_sent(conn, "");
	fake_db_turn();
	fake_conn_sent(conn, "APPEND 1: b APPEND 2: a c |");
	send_to(2, "d");
	fake_db_turn();
	fake_conn_sent(conn, "");	/* one group in flight */
	fake_conn_answer(conn, fake_appended("ok", 5));
	fake_conn_answer(conn, fake_appended("ok ok", 8));
	heard("");			/* not before the commit */
	fake_conn_synced(conn);
	heard("b=5 a=8 c=9");
	fake_db_turn();
	fake_conn_sent(conn, "APPEND 2: d |");
}
END_TEST

START_TEST(each_learns_its_own)
{
	send_to(1, "a");
	send_to(1, "b");
	send_to(1, "c");
	fake_db_turn();
	fake_conn_answer(conn, fake_appended("ok conflict duplicate", 5));
	fake_conn_synced(conn);
	heard("a=5 b!conflict c=dup");
}
END_TEST

START_TEST(at_most_256_in_a_group)
{
	char rows[300 * 3 + 1] = "";

	for (int i = 0; i < 300; i++)
		send_to(1, "a");
	fake_db_turn();
	for (int i = 0; i < 256; i++)
		memcpy(rows + i * 3, i < 255 ? "ok " : "ok", i < 255 ? 4 : 3);
	fake_conn_answer(conn, fake_appended(rows, 1));		/* exactly 256 rows fit */
	fake_conn_synced(conn);
	fake_db_turn();
	rows[44 * 3 - 1] = '\0';
	fake_conn_answer(conn, fake_appended(rows, 257));
	fake_conn_synced(conn);
	ck_assert(wgroup_idle(fake_db->wgroup));
}
END_TEST

/* Room 2 makes the group fail: it is written alone, later sends to it wait, and the others are repeated. */
START_TEST(bad_room_is_parked)
{
	send_to(1, "a");
	send_to(2, "b");
	send_to(3, "c");
	fake_db_turn();
	fake_conn_sent(conn, "APPEND 1: a APPEND 2: b APPEND 3: c |");
	send_to(2, "d");
	send_to(1, "e");
	fake_conn_answer(conn, fake_appended("ok", 1));
	fake_conn_answer(conn, fake_error("55P03"));
	fake_conn_answer(conn, fake_aborted());
	fake_conn_synced(conn);
	heard("");
	fake_conn_sent(conn, "APPEND 1: a APPEND 3: c |");
	fake_conn_answer(conn, fake_appended("ok", 1));
	fake_conn_answer(conn, fake_appended("ok", 1));
	fake_conn_synced(conn);
	heard("a=1 c=1");
	open_plain();
	fake_conn_sent(plain, "APPEND 2: b |");
	send_to(2, "f");
	fake_db_turn();
	fake_conn_sent(conn, "APPEND 1: e |");		/* nothing of room 2 */
	plain_answers(fake_appended("ok", 7));
	heard("b=7");
	fake_conn_sent(plain, "APPEND 2: d f |");
	plain_answers(fake_appended("ok ok", 8));
	heard("d=8 f=9");
	send_to(2, "g");				/* not parked any more */
	fake_conn_answer(conn, fake_appended("ok", 2));
	fake_conn_synced(conn);
	fake_db_turn();
	fake_conn_sent(conn, "APPEND 2: g |");
}
END_TEST

/* After a deadlock the same group is repeated; at the third time, the room is parked. */
START_TEST(deadlocks)
{
	send_to(1, "a");
	send_to(2, "b");
	fake_db_turn();
	for (int i = 0; i < 3; i++) {
		fake_conn_sent(conn, "APPEND 1: a APPEND 2: b |");
		fake_conn_answer(conn, fake_error("40P01"));
		fake_conn_answer(conn, fake_aborted());
		fake_conn_synced(conn);
	}
	fake_conn_sent(conn, "APPEND 2: b |");
	open_plain();
	fake_conn_sent(plain, "APPEND 1: a |");
}
END_TEST

START_TEST(commit_fails)
{
	send_to(1, "a");
	fake_db_turn();
	fake_conn_sent(conn, "APPEND 1: a |");
	fake_conn_answer(conn, fake_appended("ok", 1));
	fake_conn_commit_fails(conn, "40001");
	fake_conn_synced(conn);
	heard("");
	fake_conn_sent(conn, "APPEND 1: a |");
	fake_conn_answer(conn, fake_appended("ok", 2));
	fake_conn_synced(conn);
	heard("a=2");
}
END_TEST

/* Lost in flight: the identical group is sent first, and `duplicate` then means that it was stored the first time. */
START_TEST(unknown_outcome)
{
	send_to(2, "a");
	send_to(1, "b");
	fake_db_turn();
	fake_conn_sent(conn, "APPEND 1: b APPEND 2: a |");
	send_to(1, "c");
	fake_conn_lose(conn);
	fake_db_turn();
	heard("");
	fake_conn_open(conn);
	fake_conn_sent(conn, "APPEND 1: b APPEND 2: a |");
	fake_conn_answer(conn, fake_appended("duplicate", 5));
	fake_conn_answer(conn, fake_appended("ok", 6));
	fake_conn_synced(conn);
	heard("b=5 a=6");
	fake_db_turn();
	fake_conn_sent(conn, "APPEND 1: c |");
}
END_TEST

/* Lost, and the retry finds the room locked: parked, still unknown, and repeated until an answer arrives. */
START_TEST(unknown_then_parked)
{
	send_to(1, "a");
	fake_db_turn();
	fake_conn_lose(conn);
	fake_conn_open(conn);
	send_to(1, "b");
	fake_conn_answer(conn, fake_error("55P03"));
	fake_conn_synced(conn);
	open_plain();
	fake_conn_sent(plain, "APPEND 1: a |");
	plain_answers(fake_error("55P03"));
	heard("b!busy");				/* never sent: it need not wait in order */
	fake_db_turn();
	fake_conn_sent(plain, "");
	fake_db_skip_ms(201);
	fake_db_turn();
	fake_conn_sent(plain, "APPEND 1: a |");
	fake_conn_lose(plain);				/* it is the same statement: sent again */
	fake_conn_open(plain);
	fake_db_skip_ms(201);
	fake_db_turn();
	fake_conn_sent(plain, "APPEND 1: a |");
	plain_answers(fake_appended("duplicate", 9));
	heard("a=9");
	ck_assert(wgroup_idle(fake_db->wgroup));
}
END_TEST

/* One invalid send among several: they are sent one by one, only that one fails, in order. */
START_TEST(bad_send_is_found)
{
	send_to(1, "a");
	send_to(1, "b");
	send_to(1, "c");
	fake_db_turn();
	fake_conn_answer(conn, fake_error("22000"));
	fake_conn_synced(conn);
	send_to(1, "d");
	open_plain();
	fake_conn_sent(plain, "APPEND 1: a b c |");
	plain_answers(fake_error("22000"));
	fake_conn_sent(plain, "APPEND 1: a |");
	plain_answers(fake_appended("ok", 1));
	fake_conn_sent(plain, "APPEND 1: b |");
	plain_answers(fake_error("22000"));
	fake_conn_sent(plain, "APPEND 1: c |");
	plain_answers(fake_appended("ok", 2));
	fake_conn_sent(plain, "APPEND 1: d |");
	plain_answers(fake_appended("ok", 3));
	heard("a=1 b!database_error c=2 d=3");
}
END_TEST

/* Lost, then one of two is invalid: for the other it is still unknown whether it was stored the first time. */
START_TEST(unknown_then_split)
{
	send_to(1, "a");
	send_to(1, "b");
	fake_db_turn();
	fake_conn_lose(conn);
	fake_conn_open(conn);
	fake_conn_answer(conn, fake_error("22000"));
	fake_conn_synced(conn);
	open_plain();
	plain_answers(fake_error("22000"));
	plain_answers(fake_appended("duplicate", 5));
	plain_answers(fake_error("22000"));
	heard("a=5 b!database_error");
}
END_TEST

/* A caller that sends again from its completion is queued after the waiting sends. */
START_TEST(sends_from_a_completion)
{
	again = "x";
	send_to(1, "a");
	fake_db_turn();
	fake_conn_sent(conn, "APPEND 1: a |");
	send_to(1, "b");
	fake_conn_answer(conn, fake_appended("ok", 1));
	fake_conn_synced(conn);
	fake_db_turn();
	fake_conn_sent(conn, "APPEND 1: b x |");
}
END_TEST

START_TEST(send_breaks_the_connection)
{
	fake_conn_break_send(conn);
	send_to(1, "a");
	fake_db_turn();
	heard("");
	fake_conn_open(conn);
	fake_conn_sent(conn, "APPEND 1: a |");
	fake_conn_answer(conn, fake_appended("ok", 1));
	fake_conn_synced(conn);
	heard("a=1");
}
END_TEST

START_TEST(database_is_away)
{
	send_to(1, "a");
	fake_db_turn();
	fake_conn_lose(conn);
	send_to(1, "b");
	fake_conn_refuse(conn);
	heard("b!database_unavailable");		/* never sent */
	send_to(1, "c");
	heard("");
	fake_db_turn();
	heard("c!database_unavailable");
	fake_conn_open(conn);
	fake_conn_answer(conn, fake_appended("duplicate", 1));
	fake_conn_synced(conn);
	heard("a=1");
}
END_TEST

/* At the deadline, the outcome is reported as unknown; the answer of the repeated statement is dropped. */
START_TEST(deadlines)
{
	struct pl_task *sent = send_task(1, "a", 100), *waiting, *cancelled;

	fake_db_turn();
	waiting = send_task(1, "b", 100);
	cancelled = send_task(1, "c", 0);
	pl_task_cancel(cancelled);
	fake_db_skip_ms(101);
	fake_db_sweep();
	heard("b!deadline c!cancelled a!write_unknown");
	fake_conn_answer(conn, fake_appended("ok", 1));
	fake_conn_synced(conn);
	heard("");
	ck_assert(wgroup_idle(fake_db->wgroup));
	pl_task_release(&sent);
	pl_task_release(&waiting);
	pl_task_release(&cancelled);
}
END_TEST

/* The process ends: what was sent is unknown, and what was not sent is not done. */
START_TEST(stopping)
{
	send_to(1, "a");
	send_to(2, "b");
	fake_db_turn();
	fake_conn_answer(conn, fake_error("55P03"));
	fake_conn_answer(conn, fake_aborted());
	fake_conn_synced(conn);
	send_to(1, "c");
	send_to(3, "d");
	fake_db_teardown();
	ck_assert_ptr_nonnull(strstr(text, "b!write_unknown"));
	ck_assert_ptr_nonnull(strstr(text, "d!stopping"));
	ck_assert_ptr_nonnull(strstr(text, "a!"));
	ck_assert_ptr_nonnull(strstr(text, "c!stopping"));
	fake_db_setup(1);
}
END_TEST

Suite *suite_wgroup(void)
{
	const TTest *tests[] = { one_group_a_turn, each_learns_its_own, at_most_256_in_a_group, bad_room_is_parked,
		deadlocks, commit_fails, unknown_outcome, unknown_then_parked, bad_send_is_found,
		unknown_then_split, sends_from_a_completion, send_breaks_the_connection, database_is_away, deadlines,
		stopping };
	Suite *suite = suite_create("wgroup");
	TCase *tcase = tcase_create("wgroup");

	tcase_add_checked_fixture(tcase, setup, fake_db_teardown);
	for (size_t i = 0; i < PL_COUNT(tests); i++)
		tcase_add_test(tcase, tests[i]);
	suite_add_tcase(suite, tcase);
	return suite;
}
