/* SPDX-License-Identifier: ISC */
/*
 * Sending: which sends join the room, how often, and the order of one user's messages in one room.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "fake_svc.h"
#include "svc/room/chat.h"
#include "svc/room/room.h"

Suite *suite_chat(void);

#define ROOM 7

static struct fake_room *room;
static char text[32768];	/* completed calls in order */
static size_t used;

static void say(const char *what, const char *name, const struct pl_err *err)
{
	used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s%s", used > 0 ? " " : "", what, name);
	if (err != NULL)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "=%d", pl_err_info(err->code)->http_status);
}

static void setup(void)
{
	fake_svc_setup();
	room = fake_room(ROOM, 0);
	used = 0;
	text[0] = '\0';
}

static void on_sent(void *arg, const struct chat_sent *sent, const struct pl_err *err)
{
	say(sent != NULL && sent->duplicate ? "again:" : "", arg, err);
}

static void send_as(int64_t user_id, int64_t room_id, const char *content, const char *client_id)
{
	struct pl_task *task = fake_task(user_id);
	const struct chat_send in = { .room_id = room_id, .client_id = pl_str(client_id), .content = pl_str(content) };

	chat_send(&fake_svc, svc_config(&fake_svc), task, &in, on_sent, (void *)(uintptr_t)content);
	pl_task_release(&task);
}

static void on_joined(void *arg, const struct room_result *result, const struct pl_err *err)
{
	say(result != NULL && result->change.seq != 0 ? "joined:" : "member:", arg, err);
}

static void join_as(int64_t user_id, const char *name)
{
	struct pl_task *task = fake_task(user_id);

	room_join(&fake_svc, task, ROOM, on_joined, (void *)(uintptr_t)name);
	pl_task_release(&task);
}

START_TEST(members_just_send)
{
	send_as(1, ROOM, "a", NULL);
	send_as(1, ROOM, "b", NULL);
	ck_assert_str_eq(text, "");
	fake_repo_run_all();
	ck_assert_str_eq(text, "a b");
	ck_assert_str_eq(fake_repo_said(ROOM), "1:a 1:b");
	ck_assert_int_eq(fake_repo_calls(FAKE_JOIN), 0);
}
END_TEST

/* The sender is informed first; a repeated message is not announced. */
START_TEST(told_to_listeners)
{
	static struct ear ear;

	ear_open(&ear, ROOM, -1);
	send_as(1, ROOM, "a", "id-1");
	fake_repo_run_all();
	send_as(1, ROOM, "a", "id-1");
	fake_repo_run_all();
	ck_assert_str_eq(text, "a again:a");
	ear_heard(&ear, "head=0 1");
	ear_close(&ear);
}
END_TEST

/* Two sends were in flight, and two came while the user was joining: one join, and the order of the calls. */
START_TEST(strangers_join_once)
{
	send_as(2, ROOM, "a", NULL);
	send_as(2, ROOM, "b", NULL);
	ck_assert(fake_repo_run(FAKE_APPEND));
	send_as(2, ROOM, "c", NULL);
	ck_assert_int_eq(fake_repo_waiting(FAKE_JOIN), 0);	/* b is still in flight */
	ck_assert(fake_repo_run(FAKE_APPEND));
	ck_assert_int_eq(fake_repo_waiting(FAKE_JOIN), 1);
	send_as(2, ROOM, "d", NULL);
	fake_repo_run_all();
	ck_assert_str_eq(fake_repo_said(ROOM), "2:a 2:b 2:c 2:d");
	ck_assert_str_eq(text, "a b c d");
	ck_assert_int_eq(fake_repo_calls(FAKE_JOIN), 1);
}
END_TEST

/* The first send is refused, and the second succeeds because another call joined: it still waits for the join. */
START_TEST(added_meanwhile)
{
	send_as(2, ROOM, "a", NULL);
	ck_assert(fake_repo_run(FAKE_APPEND));
	send_as(2, ROOM, "b", NULL);
	room->members[room->members_count++] = 2;
	ck_assert_int_eq(fake_repo_waiting(FAKE_APPEND), 0);
	fake_repo_run_all();
	ck_assert_str_eq(fake_repo_said(ROOM), "2:a 2:b");
}
END_TEST

START_TEST(others_do_not_wait)
{
	fake_room(8, 0)->members[0] = 2;
	send_as(2, ROOM, "a", NULL);
	ck_assert(fake_repo_run(FAKE_APPEND));
	send_as(1, ROOM, "b", NULL);
	send_as(2, 8, "c", NULL);
	ck_assert(fake_repo_run(FAKE_APPEND));
	ck_assert(fake_repo_run(FAKE_APPEND));
	ck_assert_str_eq(text, "b c");
	fake_repo_run_all();
	ck_assert_str_eq(text, "b c a");
}
END_TEST

START_TEST(asked_to_join_twice)
{
	join_as(2, "x");
	join_as(2, "y");
	join_as(2, "z");
	fake_repo_run_all();
	ck_assert_str_eq(text, "joined:x joined:y joined:z");	/* announced to all, once, by room_join() */
	ck_assert_int_eq(fake_repo_calls(FAKE_JOIN), 1);
	join_as(2, "x");
	fake_repo_run_all();
	ck_assert_int_eq(fake_repo_calls(FAKE_JOIN), 2);
}
END_TEST

/* A join starts when all earlier sends have completed. */
START_TEST(join_behind_sends)
{
	send_as(2, ROOM, "a", NULL);
	join_as(2, "x");
	ck_assert_int_eq(fake_repo_waiting(FAKE_JOIN), 0);
	send_as(2, ROOM, "b", NULL);
	ck_assert(fake_repo_run(FAKE_APPEND));
	ck_assert_int_eq(fake_repo_waiting(FAKE_JOIN), 1);
	fake_repo_run_all();
	ck_assert_str_eq(text, "joined:x a b");
	ck_assert_str_eq(fake_repo_said(ROOM), "2:a 2:b");
	ck_assert_int_eq(fake_repo_calls(FAKE_JOIN), 1);
}
END_TEST

/* Listeners are informed of a join once, whatever caused it. */
START_TEST(join_is_published_once)
{
	static struct ear ear;

	ear_open(&ear, ROOM, -1);
	send_as(2, ROOM, "a", NULL);
	fake_repo_run_all();
	ear_heard(&ear, "head=0 1 2");
	ear_close(&ear);
}
END_TEST

START_TEST(hidden_room)
{
	room->closed = true;
	send_as(2, ROOM, "a", NULL);
	ck_assert(fake_repo_run(FAKE_APPEND));
	send_as(2, ROOM, "b", NULL);
	join_as(2, "x");
	fake_repo_run_all();
	ck_assert_str_eq(text, "a=404 b=404 member:x=404");
	ck_assert_str_eq(fake_repo_said(ROOM), "");
	send_as(1, ROOM, "c", NULL);
	fake_repo_run_all();
	ck_assert_str_eq(fake_repo_said(ROOM), "1:c");
}
END_TEST

/* The user joined and was removed before the message: the error is that of an unknown room, and nobody joins again. */
START_TEST(removed_after_the_join)
{
	send_as(2, ROOM, "a", NULL);
	ck_assert(fake_repo_run(FAKE_APPEND));
	ck_assert(fake_repo_run(FAKE_JOIN));
	room->members_count = 1;
	fake_repo_run_all();
	ck_assert_str_eq(text, "a=404");
	ck_assert_int_eq(fake_repo_calls(FAKE_JOIN), 1);
}
END_TEST

START_TEST(failed_join)
{
	fake_repo_fail(FAKE_JOIN, PL_E_DB_AWAY, 1);
	send_as(2, ROOM, "a", NULL);
	ck_assert(fake_repo_run(FAKE_APPEND));
	send_as(2, ROOM, "b", NULL);
	fake_repo_run_all();
	ck_assert_str_eq(text, "a=503 b=503");
	send_as(2, ROOM, "c", NULL);
	fake_repo_run_all();
	ck_assert_str_eq(fake_repo_said(ROOM), "2:c");
}
END_TEST

/* A failed append does not cause a join. */
START_TEST(failed_append)
{
	fake_repo_fail(FAKE_APPEND, PL_E_BUSY, 1);
	send_as(2, ROOM, "a", NULL);
	fake_repo_run_all();
	ck_assert_str_eq(text, "a=503");
	ck_assert_int_eq(fake_repo_calls(FAKE_JOIN), 0);
}
END_TEST

START_TEST(at_most_256_wait)
{
	send_as(2, ROOM, "a", NULL);
	ck_assert(fake_repo_run(FAKE_APPEND));
	for (int i = 0; i < 255; i++)
		send_as(2, ROOM, "b", NULL);
	send_as(2, ROOM, "late", NULL);
	ck_assert_str_eq(text, "");		/* never before the call returned */
	event_base_loop(fake_svc.worker->base, EVLOOP_NONBLOCK);
	ck_assert_str_eq(text, "late=503");
	fake_repo_run_all();
	ck_assert_int_eq(room->last_seq, 257);
}
END_TEST

Suite *suite_chat(void)
{
	const TTest *tests[] = { members_just_send, told_to_listeners, strangers_join_once, added_meanwhile,
		others_do_not_wait, asked_to_join_twice, join_behind_sends, join_is_published_once, hidden_room,
		removed_after_the_join, failed_join, failed_append, at_most_256_wait };
	Suite *suite = suite_create("chat");
	TCase *tcase = tcase_create("chat");

	tcase_add_checked_fixture(tcase, setup, fake_svc_teardown);
	for (size_t i = 0; i < PL_COUNT(tests); i++)
		tcase_add_test(tcase, tests[i]);
	suite_add_tcase(suite, tcase);
	return suite;
}
