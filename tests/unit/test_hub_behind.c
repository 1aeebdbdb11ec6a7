/* SPDX-License-Identifier: ISC */
/*
 * Listeners that are behind their room: chunks, listeners that share them, parking, failures, and changes meanwhile.
 */
#include <check.h>
#include <stdlib.h>

#include "fake_svc.h"

Suite *suite_hub_behind(void);

#define ROOM 7
#define EARS 80

static struct ear ears[EARS];
static struct fake_room *room;

static void setup(void)
{
	fake_svc_setup();
	room = fake_room(ROOM, 1200);
}

static void teardown(void)
{
	fake_repo_run_all();
	for (int i = 0; i < EARS; i++)
		ear_close(&ears[i]);
	fake_svc_teardown();
}

/* A subscribed listener that requests everything after `since`, with an empty text. */
static void open_behind(struct ear *ear, int64_t since)
{
	ear_open(ear, ROOM, since);
	ck_assert_int_eq(ear->sub->state, HUB_SUB_BEHIND);
	ear_clear(ear);
}

START_TEST(chunk_by_chunk)
{
	open_behind(&ears[0], 200);
	for (int i = 1; i <= 2; i++) {
		ck_assert_int_eq(fake_repo_waiting(FAKE_LOG), 1);
		ck_assert(fake_repo_run(FAKE_LOG));
		ear_heard_range(&ears[0], 201, 200 + i * 500);
	}
	ck_assert_int_eq(ears[0].sub->state, HUB_SUB_LIVE);
	ck_assert_int_eq(fake_repo_calls(FAKE_LOG), 2);
	fake_arrives(ROOM, 1201, 1);
	ear_heard_range(&ears[0], 201, 1201);
}
END_TEST

/* Live events that arrive meanwhile are delivered from the log, in order. */
START_TEST(live_events_meanwhile)
{
	open_behind(&ears[0], 1190);
	fake_arrives(ROOM, 1201, 1);
	fake_arrives(ROOM, 1202, 1);
	ear_heard(&ears[0], "");
	room->last_seq = 1202;
	fake_repo_run_all();
	ear_heard_range(&ears[0], 1191, 1202);
	ck_assert_int_eq(ears[0].sub->state, HUB_SUB_LIVE);
}
END_TEST

START_TEST(several_share_a_chunk)
{
	open_behind(&ears[0], 700);
	open_behind(&ears[1], 800);
	open_behind(&ears[2], 1199);
	ear_open(&ears[3], ROOM, 1200);
	ck_assert_int_eq(ears[3].sub->state, HUB_SUB_LIVE);
	fake_repo_run_all();
	ck_assert_int_eq(fake_repo_calls(FAKE_LOG), 1);
	ear_heard_range(&ears[0], 701, 1200);
	ear_heard_range(&ears[1], 801, 1200);
	ear_heard_range(&ears[2], 1200, 1200);
	ear_heard(&ears[3], "head=1200,recovered");
}
END_TEST

/* A listener that is further behind than the start of the chunk gets no part of it, because that would be a gap. */
START_TEST(chunk_begins_too_late)
{
	open_behind(&ears[0], 1100);
	open_behind(&ears[1], 1000);
	ck_assert(fake_repo_run(FAKE_LOG));
	ear_heard_range(&ears[0], 1101, 1200);
	ear_heard(&ears[1], "");
	ck_assert(fake_repo_run(FAKE_LOG));
	ear_heard_range(&ears[1], 1001, 1200);
}
END_TEST

START_TEST(at_most_64_share)
{
	for (int i = 0; i < 70; i++)
		open_behind(&ears[i], 1190);
	ck_assert(fake_repo_run(FAKE_LOG));
	ear_heard_range(&ears[63], 1191, 1200);
	ear_heard(&ears[64], "");
	fake_repo_run_all();
	ck_assert_int_eq(fake_repo_calls(FAKE_LOG), 2);
	for (int i = 0; i < 70; i++)
		ear_heard_range(&ears[i], 1191, 1200);
}
END_TEST

START_TEST(park_in_a_chunk_and_resume)
{
	open_behind(&ears[0], 1190);
	open_behind(&ears[1], 1190);
	ears[0].room = 4;
	fake_repo_run_all();
	ear_heard_range(&ears[0], 1191, 1194);
	ear_heard_range(&ears[1], 1191, 1200);
	ck_assert_int_eq(ears[0].sub->state, HUB_SUB_PARKED);
	fake_arrives(ROOM, 1201, 1);
	room->last_seq = 1201;
	ear_heard_range(&ears[0], 1191, 1194);
	ears[0].room = 100;
	hub_resume(fake_hub, ears[0].sub);
	ck_assert_int_eq(fake_repo_after(), 1194);
	fake_repo_run_all();
	ear_heard_range(&ears[0], 1191, 1201);
	ear_heard_range(&ears[1], 1191, 1201);
	hub_resume(fake_hub, ears[0].sub);	/* no effect in other states */
	ck_assert_int_eq(fake_repo_waiting(FAKE_LOG), 0);
}
END_TEST

START_TEST(live_listener_falls_behind)
{
	ear_open(&ears[0], ROOM, -1);
	ear_clear(&ears[0]);
	ears[0].room = 1;
	fake_arrives(ROOM, 1201, 1);
	fake_arrives(ROOM, 1202, 1);
	fake_arrives(ROOM, 1203, 1);
	ear_heard(&ears[0], "1201");
	ck_assert_int_eq(ears[0].sub->state, HUB_SUB_PARKED);
	ck_assert_int_eq(shm_sum(fake_svc.shm, SHM_M_fell_behind), 1);
	room->last_seq = 1203;
	ears[0].room = 100;
	hub_resume(fake_hub, ears[0].sub);
	fake_repo_run_all();
	ear_heard(&ears[0], "1201 1202 1203");
	fake_arrives(ROOM, 1204, 1);
	ear_heard(&ears[0], "1201 1202 1203 1204");
}
END_TEST

START_TEST(failure_and_retry)
{
	fake_repo_fail(FAKE_LOG, PL_E_DB_AWAY, 2);
	open_behind(&ears[0], 1198);
	fake_repo_run_all();
	ear_heard(&ears[0], "stalled");
	fake_skip_ms(400);
	fake_gap_timer();
	ck_assert_int_eq(fake_repo_waiting(FAKE_LOG), 0);
	fake_skip_ms(101);
	fake_gap_timer();
	fake_repo_run_all();
	ear_heard(&ears[0], "stalled");		/* once until something could be read */
	fake_skip_ms(501);
	fake_gap_timer();
	fake_repo_run_all();
	ear_heard(&ears[0], "stalled 1199 1200");
	ck_assert(!ears[0].sub->stalled);
	ck_assert_int_eq(fake_repo_calls(FAKE_LOG), 3);
}
END_TEST

START_TEST(room_is_gone)
{
	open_behind(&ears[0], 1000);
	open_behind(&ears[1], 1100);
	room->gone = true;
	fake_repo_run_all();
	ear_heard(&ears[0], "ended");
	ear_heard(&ears[1], "ended");
	ck_assert_ptr_null(hub_room_find(fake_hub, ROOM));
}
END_TEST

START_TEST(another_epoch_meanwhile)
{
	open_behind(&ears[0], 1000);
	room->epoch = 2;
	room->last_seq = 1100;
	fake_repo_run_all();
	ear_heard(&ears[0], "reset=1100");
	ck_assert_int_eq(ears[0].sub->state, HUB_SUB_LIVE);
	fake_arrives(ROOM, 1101, 1);
	ear_heard(&ears[0], "reset=1100 1101");
}
END_TEST

/* A parked listener is also informed, and continues after the new head. */
START_TEST(another_epoch_while_parked)
{
	open_behind(&ears[0], 1190);
	ears[0].room = 1;
	fake_repo_run_all();
	room->epoch = 2;
	room->last_seq = 20;
	hub_log_check_all(fake_hub);
	fake_repo_run_all();
	ear_heard(&ears[0], "1191 reset=20");
	ears[0].room = 100;
	room->last_seq = 21;
	fake_arrives(ROOM, 21, 1);
	hub_resume(fake_hub, ears[0].sub);
	fake_repo_run_all();
	ear_heard(&ears[0], "1191 reset=20 21");
}
END_TEST

/*
 * The database no longer has what the room has delivered: the listeners continue at the position of the room, and no
 * read is repeated.
 */
START_TEST(log_is_shorter_than_heard)
{
	open_behind(&ears[0], 1190);
	room->log_ends = 1190;
	fake_repo_run_all();
	ear_heard(&ears[0], "");
	ck_assert_int_eq(ears[0].sub->state, HUB_SUB_LIVE);
	ck_assert_int_eq(fake_repo_calls(FAKE_LOG), 1);
}
END_TEST

START_TEST(leaves_before_the_chunk)
{
	open_behind(&ears[0], 1190);
	open_behind(&ears[1], 1195);
	ear_close(&ears[0]);
	fake_repo_run_all();
	ear_heard(&ears[0], "");
	ear_heard_range(&ears[1], 1196, 1200);
	ear_open(&ears[2], ROOM, 1190);
	for (int i = 1; i <= 2; i++)
		ear_close(&ears[i]);
	ck_assert_ptr_null(hub_room_find(fake_hub, ROOM));
	ck_assert_int_eq(fake_repo_waiting(FAKE_LOG), 1);	/* comes into an empty hub */
}
END_TEST

/*
 * A chunk of another epoch resets all listeners; one of them then closes itself, the one before it, or the one after
 * it.
 */
START_TEST(leaves_during_the_chunk)
{
	for (int i = 0; i < 3; i++)
		open_behind(&ears[i], 1198);
	ears[1].silences = &ears[_i];
	room->epoch = 2;
	room->last_seq = 5;
	fake_repo_run_all();
	for (int i = 0; i < 3; i++)
		ear_heard(&ears[i], i == 0 && _i == 0 ? "" : "reset=5");
	ck_assert_ptr_null(ears[_i].sub);
	fake_arrives(ROOM, 6, 1);
	for (int i = 0; i < 3; i++)
		ck_assert(i == _i || strcmp(ears[i].text, "reset=5 6") == 0);
}
END_TEST

/* The room that waited longest reads next when the chunk of another one has arrived. */
START_TEST(at_most_8_chunks)
{
	static struct ear other[10];

	for (int i = 0; i < 10; i++) {
		fake_room(100 + i, 20);
		ear_open(&other[i], 100 + i, 10);
		ear_clear(&other[i]);
	}
	ck_assert_int_eq(fake_repo_waiting(FAKE_LOG), 8);
	for (int i = 0; i < 10; i++) {
		ck_assert_int_le(fake_repo_waiting(FAKE_LOG), 8);
		ck_assert(fake_repo_run(FAKE_LOG));
		ear_heard_range(&other[i], 11, 20);
	}
	for (int i = 0; i < 10; i++)
		ear_close(&other[i]);
}
END_TEST

/* Further back than recover_limit, or in the future: live events only. */
START_TEST(not_recovered)
{
	room->last_seq = 100000;
	ear_open(&ears[0], ROOM, 1);
	ear_open(&ears[1], ROOM, 100001);
	ear_heard(&ears[0], "head=100000");
	ear_heard(&ears[1], "head=100000");
	ck_assert_int_eq(fake_repo_waiting(FAKE_LOG), 0);
}
END_TEST

Suite *suite_hub_behind(void)
{
	const TTest *tests[] = { chunk_by_chunk, live_events_meanwhile, several_share_a_chunk, chunk_begins_too_late,
		at_most_64_share, park_in_a_chunk_and_resume, live_listener_falls_behind, failure_and_retry,
		room_is_gone, another_epoch_meanwhile, another_epoch_while_parked, log_is_shorter_than_heard,
		leaves_before_the_chunk, at_most_8_chunks, not_recovered };
	Suite *suite = suite_create("hub_behind");
	TCase *tcase = tcase_create("hub_behind");

	tcase_add_checked_fixture(tcase, setup, teardown);
	for (size_t i = 0; i < PL_COUNT(tests); i++)
		tcase_add_test(tcase, tests[i]);
	tcase_add_loop_test(tcase, leaves_during_the_chunk, 0, 3);
	suite_add_tcase(suite, tcase);
	return suite;
}
