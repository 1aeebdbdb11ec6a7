/* SPDX-License-Identifier: ISC */
/*
 * The order of the events of a room: early events are held, gaps are read from the log, and duplicates are dropped.
 */
#include <check.h>
#include <stdlib.h>

#include "fake_svc.h"
#include "leaf.h"

Suite *suite_hub_log(void);

#define ROOM 7

static struct ear ear;
static struct fake_room *room;

/* A room with a log of 10 and a listener who is live. */
static void setup(void)
{
	fake_svc_setup();
	room = fake_room(ROOM, 10);
	ear_open(&ear, ROOM, -1);
	ear_heard(&ear, "head=10");
	ear_clear(&ear);
}

static void teardown(void)
{
	fake_repo_run_all();
	ear_close(&ear);
	fake_svc_teardown();
}

/* The events that arrive (0 ends the list), and the events that are delivered without a read of the log. */
static const struct { int64_t seqs[8]; const char *heard; int fills; } orders[] = {
	{ { 11, 12, 13 }, "11 12 13", 0 },
	{ { 12, 11 }, "11 12", 0 },
	{ { 14, 12, 13, 11 }, "11 12 13 14", 0 },
	{ { 11, 11, 12, 11, 12 }, "11 12", 0 },
	{ { 12, 12, 12, 11 }, "11 12", 0 },
	{ { 9, 10, 11 }, "11", 0 },
	{ { 12, 14, 11 }, "11 12", 1 },
	{ { 12 }, "", 1 },
};

START_TEST(order)
{
	for (int i = 0; orders[_i].seqs[i] != 0; i++)
		fake_arrives(ROOM, orders[_i].seqs[i], 1);
	ear_heard(&ear, orders[_i].heard);
	ck_assert_int_eq(fake_repo_calls(FAKE_LOG), 0);
	fake_skip_ms(25);
	fake_gap_timer();
	ck_assert_int_eq(fake_repo_calls(FAKE_LOG), orders[_i].fills);
}
END_TEST

START_TEST(gap_is_read_after_a_wait)
{
	fake_arrives(ROOM, 13, 1);
	fake_skip_ms(10);
	fake_gap_timer();
	ck_assert_int_eq(fake_repo_calls(FAKE_LOG), 0);
	fake_skip_ms(10);
	fake_gap_timer();
	ck_assert_int_eq(fake_repo_waiting(FAKE_LOG), 1);
	ck_assert_int_eq(fake_repo_after(), 10);
	room->last_seq = 13;
	fake_repo_run_all();
	ear_heard(&ear, "11 12 13");
	fake_arrives(ROOM, 12, 1);
	ear_heard(&ear, "11 12 13");
	ck_assert_int_eq(fake_repo_waiting(FAKE_HEADS), 1);	/* late: checks whether the room has another epoch */
}
END_TEST

START_TEST(gap_closes_while_it_is_read)
{
	fake_arrives(ROOM, 12, 1);
	fake_skip_ms(25);
	fake_gap_timer();
	fake_arrives(ROOM, 11, 1);
	fake_arrives(ROOM, 13, 1);
	ear_heard(&ear, "11 12 13");
	room->last_seq = 13;
	fake_repo_run_all();
	ear_heard(&ear, "11 12 13");
}
END_TEST

START_TEST(gap_of_several_reads)
{
	room->last_seq = 1210;
	hub_log_hint(fake_hub, ROOM, 1210);
	fake_repo_run_all();
	ear_heard_range(&ear, 11, 1210);
	ck_assert_int_eq(fake_repo_calls(FAKE_LOG), 3);
}
END_TEST

/* No client receives `done` of an answer before its message, which may have to be read. */
START_TEST(end_of_an_answer_waits_for_its_message)
{
	struct hub_generation gen = { .role_id = 3, .state = HUB_GEN_DONE, .answer_seq = 12 };

	pl_uuid_make(gen.id);
	hub_generation(fake_hub, ROOM, &gen);
	ear_heard(&ear, "");
	fake_arrives(ROOM, 11, 1);
	ear_heard(&ear, "11");
	hub_generation(fake_hub, ROOM, &gen);	/* again, for instance after a lap */
	room->last_seq = 13;
	hub_log_hint(fake_hub, ROOM, 13);
	fake_repo_run_all();
	ear_heard(&ear, "11 12 done=12 13");
	pl_uuid_make(gen.id);
	gen.answer_seq = 13;
	hub_generation(fake_hub, ROOM, &gen);
	ear_heard(&ear, "11 12 done=12 13 done=13");
	pl_uuid_make(gen.id);
	gen.answer_seq = 20;
	hub_generation(fake_hub, ROOM, &gen);	/* the room ends first */
}
END_TEST

START_TEST(hint_reads_at_once)
{
	room->last_seq = 12;
	hub_log_hint(fake_hub, ROOM, 12);
	ck_assert_int_eq(fake_repo_waiting(FAKE_LOG), 1);
	hub_log_hint(fake_hub, ROOM, 12);
	ck_assert_int_eq(fake_repo_calls(FAKE_LOG), 1);
	fake_repo_run_all();
	ear_heard(&ear, "11 12");
	hub_log_hint(fake_hub, ROOM, 12);	/* known: it checks whether the room has another epoch */
	ck_assert_int_eq(fake_repo_calls(FAKE_LOG), 1);
	ck_assert_int_eq(fake_repo_waiting(FAKE_HEADS), 1);
}
END_TEST

/* The notice came first, then the event itself: the event counts. */
START_TEST(hint_becomes_an_event)
{
	hub_log_hint(fake_hub, ROOM, 12);
	fake_arrives(ROOM, 12, 1);
	fake_arrives(ROOM, 11, 1);
	ear_heard(&ear, "11 12");
	room->last_seq = 12;
	fake_repo_run_all();
	ear_heard(&ear, "11 12");
}
END_TEST

START_TEST(failed_read_is_repeated)
{
	fake_repo_fail(FAKE_LOG, PL_E_DB_AWAY, 2);
	room->last_seq = 12;
	fake_arrives(ROOM, 12, 1);
	for (int i = 1; i <= 3; i++) {
		fake_skip_ms(510);
		fake_gap_timer();
		ck_assert_int_eq(fake_repo_calls(FAKE_LOG), i);
		ear_heard(&ear, "");
		fake_repo_run_all();
	}
	ear_heard(&ear, "11 12");
}
END_TEST

START_TEST(another_epoch)
{
	fake_arrives(ROOM, 13, 1);	/* of the previous epoch */
	room->epoch = 2;
	room->last_seq = 5;
	hub_log_check_all(fake_hub);
	ck_assert(fake_repo_run(FAKE_HEADS));
	ear_heard(&ear, "reset=5");
	ck_assert_ptr_null(hub_room_find(fake_hub, ROOM)->held);
	ck_assert_int_eq(fake_repo_waiting(FAKE_HEADS), 1);	/* events committed meanwhile */
	room->last_seq = 6;
	fake_repo_run_all();
	ear_heard(&ear, "reset=5 6");
	fake_arrives(ROOM, 7, 1);
	ear_heard(&ear, "reset=5 6 7");
}
END_TEST

/* The read of a gap is the first to detect that the room has another epoch. */
START_TEST(another_epoch_in_a_gap)
{
	fake_arrives(ROOM, 13, 1);
	fake_skip_ms(25);
	fake_gap_timer();
	room->epoch = 2;
	room->last_seq = 12;
	fake_repo_run_all();
	ear_heard(&ear, "reset=12");
}
END_TEST

START_TEST(checked_rooms_catch_up)
{
	room->last_seq = 12;
	hub_log_check_all(fake_hub);
	fake_repo_run_all();
	ear_heard(&ear, "11 12");
}
END_TEST

/* Of many late events, one causes a read at once and one more at a later tick. */
START_TEST(late_events_ask_rarely)
{
	struct hub_room *r = hub_room_find(fake_hub, ROOM);

	for (int i = 0; i < 50; i++)
		fake_arrives(ROOM, 10, 1);
	fake_repo_run_all();
	ck_assert_int_eq(fake_repo_calls(FAKE_HEADS), 1);
	fake_skip_ms(250);
	hub_log_tick(fake_hub, r);
	hub_log_tick(fake_hub, r);
	fake_repo_run_all();
	ck_assert_int_eq(fake_repo_calls(FAKE_HEADS), 2);
}
END_TEST

/* Beyond 1 MiB only the numbers are held; the events are read. */
START_TEST(held_bytes_are_capped)
{
	struct hub_room *r = hub_room_find(fake_hub, ROOM);
	int kept = 0;

	for (int64_t seq = 12; seq <= 40; seq++)
		fake_arrives(ROOM, seq, 100 << 10);
	for (const struct hub_held *h = r->held; h != NULL; h = h->next)
		kept += h->event != NULL;
	ck_assert_int_eq(kept, 11);
	ck_assert_uint_eq(r->held_bytes, 11 * (100 << 10));
	fake_arrives(ROOM, 11, 1);
	ear_heard_range(&ear, 11, 22);
	ck_assert_uint_eq(r->held_bytes, 0);
	room->last_seq = 40;
	fake_skip_ms(25);
	fake_gap_timer();
	fake_repo_run_all();
	ear_heard_range(&ear, 11, 40);
	ck_assert_ptr_null(r->held);
	ck_assert_int_eq(r->held_count, 0);
}
END_TEST

START_TEST(who_left_hears_no_more)
{
	room->last_seq = 13;
	room->left_seq = 12;
	room->left_user = 1;
	hub_log_hint(fake_hub, ROOM, 13);
	fake_repo_run_all();
	ear_heard(&ear, "11 12 ended");
	ck_assert_ptr_null(hub_room_find(fake_hub, ROOM));
}
END_TEST

/* The last listener leaves while the gap is being read. */
START_TEST(nobody_listens_any_more)
{
	room->last_seq = 12;
	hub_log_hint(fake_hub, ROOM, 12);
	ear_close(&ear);
	ck_assert_ptr_null(hub_room_find(fake_hub, ROOM));
	fake_repo_run_all();
	fake_arrives(ROOM, 13, 1);
	ear_heard(&ear, "");
}
END_TEST

/* Events that come before the head is known are not lost. */
START_TEST(events_before_the_head)
{
	static struct ear late;

	struct fake_room *other = fake_room(8, 3);

	ear_ask(&late, 8, -1, 1);
	fake_arrives(8, 5, 1);
	fake_arrives(8, 4, 1);
	fake_arrives(8, 3, 1);
	ck_assert(fake_repo_run(FAKE_HEAD));
	other->last_seq = 5;
	fake_repo_run_all();
	ear_heard(&late, "head=3 4 5");
	ear_close(&late);
}
END_TEST

Suite *suite_hub_log(void)
{
	const TTest *tests[] = { gap_is_read_after_a_wait, gap_closes_while_it_is_read, gap_of_several_reads,
		hint_reads_at_once, hint_becomes_an_event, failed_read_is_repeated, another_epoch,
		another_epoch_in_a_gap, checked_rooms_catch_up, late_events_ask_rarely, held_bytes_are_capped,
		who_left_hears_no_more, nobody_listens_any_more, events_before_the_head,
		end_of_an_answer_waits_for_its_message };
	Suite *suite = suite_create("hub_log");
	TCase *tcase = tcase_create("hub_log");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, order, 0, PL_COUNT(orders));
	for (size_t i = 0; i < PL_COUNT(tests); i++)
		tcase_add_test(tcase, tests[i]);
	suite_add_tcase(suite, tcase);
	return suite;
}
