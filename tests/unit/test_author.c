/* SPDX-License-Identifier: ISC */
/*
 * Names of authors on fake connections: messages that wait for a name, and names that change.
 */
#include <check.h>
#include <stdio.h>

#include "clock.h"
#include "db/repo/author.h"
#include "db/repo/names.h"
#include "fake_pgconn.h"

Suite *suite_author(void);

static char text[4096];		/* messages: "a=Ann", "a=-" without a display name, "a!stopping" */
static size_t used;
static struct pgconn *reads, *writes;

static void on_appended(void *arg, const struct appended *result, const struct pl_err *err)
{
	const char *what = err != NULL ? pl_err_info(err->code)->code : "-";

	used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s%c", used > 0 ? " " : "", (const char *)arg,
	    err != NULL ? '!' : '=');
	if (err == NULL && result->display.ptr != NULL)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%.*s", PL_FMT(result->display));
	else
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s", what);
}

static void heard(const char *want)
{
	ck_assert_str_eq(text, want);
	used = 0;
	text[0] = '\0';
}

/* Like repo_message_append(), which unit tests replace. */
static void say(int64_t user_id, const char *content)
{
	struct pl_task *task = pl_task_new(pl_now_ns() + 10 * PL_NS_PER_S);
	const struct message_new in = { .room_id = 1, .author_kind = user_id > 0 ? AUTHOR_USER : AUTHOR_ROLE,
		.author_id = user_id > 0 ? user_id : -user_id, .content = pl_str(content) };

	if (!author_wait(fake_db, task, &in, on_appended, (void *)(uintptr_t)content))
		wgroup_add(fake_db->wgroup, task, &in, on_appended, (void *)(uintptr_t)content);
	pl_task_release(&task);
}

static void asked(const char *want)
{
	fake_db_turn();
	fake_conn_sent(reads, want);
}

static void answered(const char *names)
{
	fake_conn_answer(reads, fake_names(names));
	fake_conn_synced(reads);
	fake_db_turn();
}

/* The group in flight is stored. */
static void stored(const char *sent, const char *statuses)
{
	fake_db_turn();
	fake_conn_sent(writes, sent);
	fake_conn_answer(writes, fake_appended(statuses, 1));
	fake_conn_synced(writes);
	fake_db_turn();
}

static void knows(int64_t user_id, const char *names)
{
	char want[64];

	snprintf(want, sizeof(want), "USER_NAMES %lld |", (long long)user_id);
	author_want(fake_db, user_id);
	asked(want);
	answered(names);
}

static void setup(void)
{
	fake_db_setup(2);
	used = 0;
	text[0] = '\0';
	reads = fake_conn("read", 0);
	writes = fake_conn("write", 0);
	fake_conn_open(reads);
	fake_conn_open(writes);
	fake_db_turn();
}

START_TEST(a_known_name_is_used_at_once)
{
	knows(7, "7:ann:Ann");
	say(7, "a");
	say(-3, "role");		/* roles and the system have no name here */
	asked("");
	stored("APPEND 1: a role |", "ok ok");
	heard("a=Ann role=-");
}
END_TEST

START_TEST(an_unknown_name_is_looked_up_first)
{
	say(7, "a");
	say(8, "b");
	say(7, "c");			/* not before a */
	say(-3, "role");
	stored("APPEND 1: role |", "ok");
	heard("role=-");
	asked("USER_NAMES 7 8 |");
	say(7, "d");
	asked("");
	answered("8:bob: 7:ann:Ann");
	stored("APPEND 1: a b c d |", "ok ok ok ok");
	heard("a=Ann b=- c=Ann d=Ann");
	say(8, "e");
	asked("");
	stored("APPEND 1: e |", "ok");
	heard("e=-");
}
END_TEST

START_TEST(a_later_message_does_not_overtake)
{
	say(7, "a");
	asked("USER_NAMES 7 |");
	db_name_put(fake_db, 7, pl_str("ann"), pl_str("Ann"), true);	/* another query read it */
	say(7, "b");
	fake_db_turn();
	fake_conn_sent(writes, "");
	answered("7:ann:Ann");
	stored("APPEND 1: a b |", "ok ok");
	heard("a=Ann b=Ann");
}
END_TEST

START_TEST(without_an_answer_messages_go_on)
{
	say(7, "a");
	asked("USER_NAMES 7 |");
	fake_db_skip_ms(1100);
	fake_db_sweep();
	stored("APPEND 1: a |", "ok");
	heard("a=-");
	db_slow_set(fake_db, &stmts[S_USER_NAMES], true);
	say(7, "b");			/* such lookups are stuck */
	asked("");
	stored("APPEND 1: b |", "ok");
	heard("b=-");
	fake_db_skip_ms(DB_SLOW_MS + 1);
	say(7, "c");
	asked("USER_NAMES 7 |");
}
END_TEST

START_TEST(a_change_is_read_behind)
{
	knows(7, "7:ann:Ann");
	fake_conn_notice(reads, "9");	/* unknown here */
	asked("");
	fake_conn_notice(reads, "7");
	fake_conn_notice(reads, "7");
	say(7, "a");			/* does not wait */
	stored("APPEND 1: a |", "ok");
	heard("a=Ann");
	fake_conn_sent(reads, "USER_NAMES 7 |");
	answered("7:ann:Anna");
	say(7, "b");
	asked("");
	stored("APPEND 1: b |", "ok");
	heard("b=Anna");
}
END_TEST

START_TEST(a_change_during_the_lookup_is_read_again)
{
	knows(7, "7:ann:Ann");
	fake_conn_notice(reads, "7");
	asked("USER_NAMES 7 |");
	fake_conn_notice(reads, "7");	/* the server may already have read the row */
	answered("7:ann:Older");
	fake_conn_sent(reads, "USER_NAMES 7 |");
	answered("7:ann:Newer");
	say(7, "a");
	asked("");
	stored("APPEND 1: a |", "ok");
	heard("a=Newer");
}
END_TEST

START_TEST(a_failed_lookup_is_made_up_for)
{
	knows(7, "7:ann:Ann");
	fake_conn_notice(reads, "7");
	asked("USER_NAMES 7 |");
	fake_db_skip_ms(1100);
	fake_db_sweep();
	ck_assert_int_eq(db_name_state(fake_db, 7), DB_NAME_UNSURE);
	say(7, "a");
	asked("USER_NAMES 7 |");
	stored("APPEND 1: a |", "ok");
	heard("a=Ann");
}
END_TEST

START_TEST(a_new_connection_reads_all_names_again)
{
	for (int64_t id = 1; id <= 300; id++)
		db_name_put(fake_db, id, pl_str("name"), pl_str("Old"), true);
	fake_conn_lose(reads);
	fake_conn_open(reads);
	fake_db_turn();
	ck_assert_int_eq(pgconn_in_flight(reads), 1);	/* in steps */
	for (int step = 0; step < 2; step++) {
		PGresult *res = fake_names(step == 0 ? "1:ann:Ann" : "");

		fake_conn_answer(reads, res);
		fake_conn_synced(reads);
		fake_db_turn();
	}
	ck_assert_int_eq(pgconn_in_flight(reads), 0);
	for (int64_t id = 2; id <= 300; id++)		/* deleted users are removed */
		ck_assert_int_eq(db_name_state(fake_db, id), DB_NAME_UNKNOWN);
	say(1, "a");
	stored("APPEND 1: a |", "ok");
	heard("a=Ann");
}
END_TEST

START_TEST(stopping_lets_go_of_what_waits)
{
	say(7, "a");
	asked("USER_NAMES 7 |");
	say(8, "b");			/* its lookup has not started */
	fake_db_teardown();
	heard("b!stopping a!stopping");
	fake_db_setup(2);
}
END_TEST

/* A set of the table has four places. */
START_TEST(five_users_of_one_set)
{
	struct pl_str display;

	for (int i = 0; i < 5; i++)
		db_name_put(fake_db, 5 + i * 4096, pl_str("name"), pl_str("Shown"), true);
	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(db_name_find(fake_db, 5 + i * 4096, &display) != NULL, i > 0);
	db_name_put(fake_db, 5 + 4096, pl_str("name"), PL_STR_NONE, true);
	ck_assert_ptr_nonnull(db_name_find(fake_db, 5 + 4096, &display));
	ck_assert_ptr_null(display.ptr);
	ck_assert_ptr_null(db_name_find(fake_db, 0, &display));
	db_name_put(fake_db, 5 + 4096, pl_str("other"), pl_str("Unsure"), false);
	ck_assert_str_eq(db_name_find(fake_db, 5 + 4096, &display), "name");
}
END_TEST

Suite *suite_author(void)
{
	Suite *suite = suite_create("author");
	TCase *tests = tcase_create("author");

	tcase_add_checked_fixture(tests, setup, fake_db_teardown);
	tcase_add_test(tests, a_known_name_is_used_at_once);
	tcase_add_test(tests, an_unknown_name_is_looked_up_first);
	tcase_add_test(tests, a_later_message_does_not_overtake);
	tcase_add_test(tests, without_an_answer_messages_go_on);
	tcase_add_test(tests, a_change_is_read_behind);
	tcase_add_test(tests, a_change_during_the_lookup_is_read_again);
	tcase_add_test(tests, a_failed_lookup_is_made_up_for);
	tcase_add_test(tests, a_new_connection_reads_all_names_again);
	tcase_add_test(tests, stopping_lets_go_of_what_waits);
	tcase_add_test(tests, five_users_of_one_set);
	suite_add_tcase(suite, tests);
	return suite;
}
