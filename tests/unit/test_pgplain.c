/* SPDX-License-Identifier: ISC */
/*
 * Plain connections and the read pipeline on fake connections: which queries use which connection, what is repeated,
 * and which ones yield.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "fake_pgconn.h"

Suite *suite_pgplain(void);

static char text[4096];		/* completions, in order: a name, with its error */
static size_t used;
static struct pgconn *read_conn;

static void on_done(struct pgquery *query, const PGresult *res, const struct pl_err *err)
{
	const char *name = query->arg;

	used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s", used > 0 ? " " : "", name);
	if (err != NULL)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "!%s", pl_err_info(err->code)->code);
}

static void start(enum stmt_id stmt, const char *name, struct pl_task *task)
{
	struct pgquery *query = pgquery_new(fake_db, task, stmt, on_done, NULL, (void *)(uintptr_t)name);

	for (const char *arg = stmts[stmt].args; *arg != '\0'; arg++) {
		if (*arg == 'i')
			pgquery_i32(query, 1);
		else
			pgquery_i64(query, 1);
	}
	pgquery_start(query);
}

/* A read; two kinds of a write that may be repeated; a write that must not be. */
static void read_as(const char *name)
{
	start(S_LOGIN_CHECK, name, NULL);
}

static void safe_as(const char *name)
{
	start(S_PURGE, name, NULL);
}

static void other_as(const char *name)
{
	start(S_SESSIONS_EXPIRE, name, NULL);
}

static void write_as(const char *name)
{
	start(S_KNOWLEDGE_DELETE, name, NULL);
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
	read_conn = fake_conn("read", 0);
	fake_conn_open(read_conn);
	fake_db_turn();
}

static struct pgconn *open_slot(int nth)
{
	struct pgconn *conn = fake_conn("plain", nth);

	ck_assert_ptr_nonnull(conn);
	fake_conn_open(conn);
	return conn;
}

static void finishes(struct pgconn *conn, PGresult *res)
{
	fake_conn_answer(conn, res);
	fake_conn_synced(conn);
}

/* ---- plain connections ---- */

START_TEST(slots_open_on_demand)
{
	struct pgconn *first, *second;

	ck_assert_ptr_null(fake_conn("plain", 0));
	safe_as("a");
	ck_assert_ptr_nonnull(fake_conn("plain", 0));
	ck_assert_ptr_null(fake_conn("plain", 1));
	safe_as("b");
	safe_as("c");
	first = open_slot(0);
	second = open_slot(1);
	ck_assert_ptr_null(fake_conn("plain", 2));
	fake_conn_sent(first, "PURGE |");
	fake_conn_sent(second, "PURGE |");
	finishes(second, fake_number(1));
	heard("b");
	fake_conn_sent(second, "PURGE |");	/* c */
	finishes(first, fake_number(1));
	fake_conn_sent(first, "");
	finishes(second, fake_number(1));
	heard("a c");
	fake_db_skip_ms(61000);
	pgplain_trim(fake_db->plain);
	ck_assert_ptr_eq(fake_conn("plain", 0), second);
	ck_assert_ptr_null(fake_conn("plain", 1));	/* half of them stay */
}
END_TEST

START_TEST(half_is_opened_ahead)
{
	ck_assert_ptr_null(fake_conn("plain", 0));
	pgplain_trim(fake_db->plain);
	ck_assert_ptr_nonnull(fake_conn("plain", 0));
	pgplain_trim(fake_db->plain);
	ck_assert_ptr_null(fake_conn("plain", 1));
	safe_as("a");		/* a connection that is opening is waited for */
	ck_assert_ptr_null(fake_conn("plain", 1));
	fake_conn_sent(open_slot(0), "PURGE |");
}
END_TEST

START_TEST(told_after_the_commit)
{
	struct pgconn *conn;

	write_as("a");
	conn = open_slot(0);
	fake_conn_answer(conn, fake_number(1));
	heard("");
	fake_conn_commit_fails(conn, "23505");
	fake_conn_synced(conn);
	heard("a!database_error");
}
END_TEST

START_TEST(deadlock_is_repeated)
{
	struct pgconn *conn;

	write_as("a");
	conn = open_slot(0);
	for (int i = 0; i < 3; i++) {
		heard("");
		fake_conn_sent(conn, "KNOWLEDGE_DELETE |");
		finishes(conn, fake_error("40P01"));
	}
	heard("a!busy");
}
END_TEST

/* A repeatable statement is run up to three times in all; the outcome of another is unknown. */
START_TEST(lost_in_flight)
{
	struct pgconn *first, *second;

	write_as("a");
	safe_as("b");
	first = open_slot(0);
	second = open_slot(1);
	fake_conn_lose(first);
	heard("a!write_unknown");
	for (int i = 0; i < 3; i++) {
		fake_conn_sent(second, "PURGE |");
		heard("");
		fake_conn_lose(second);
		if (i < 2)
			fake_conn_open(second);
	}
	heard("b!database_unavailable");
}
END_TEST

START_TEST(away)
{
	safe_as("a");
	safe_as("b");
	fake_conn_refuse(fake_conn("plain", 0));
	heard("a!database_unavailable b!database_unavailable");
	ck_assert(!pgplain_up(fake_db->plain));
	safe_as("c");
	heard("");
	fake_db_turn();
	heard("c!database_unavailable");
	fake_db_skip_ms(201);
	safe_as("d");
	open_slot(0);
	finishes(fake_conn("plain", 0), fake_number(1));
	heard("d");
}
END_TEST

/* A statement that was stuck leaves the last connection to others. */
START_TEST(slow_ones_leave_room)
{
	struct pgconn *first, *second;

	safe_as("a");
	safe_as("b");
	first = open_slot(0);
	second = open_slot(1);
	finishes(second, fake_number(1));
	fake_conn_sent(second, "PURGE |");
	fake_conn_sent(first, "PURGE |");
	fake_conn_silent(first, 75);
	fake_db_sweep();
	safe_as("c");			/* the statement is slow now: it waits */
	fake_conn_sent(second, "");
	other_as("d");
	fake_conn_sent(second, "SESSIONS_EXPIRE |");
	finishes(second, fake_number(1));
	fake_conn_sent(second, "");
	heard("b d");
	fake_conn_silent(first, 75);
	fake_conn_answer(first, fake_number(1));
	fake_conn_synced(first);	/* answered at once this time: quick again */
	fake_conn_sent(first, "PURGE |");
	finishes(first, fake_number(1));
	heard("a c");
}
END_TEST

/*
 * All are stuck and a quick call waits: over the read connection, the statement that waits longest for a lock is
 * canceled.
 */
START_TEST(stuck_ones_make_room)
{
	struct pgconn *first, *second;

	safe_as("a");
	write_as("b");
	first = open_slot(0);
	second = open_slot(1);
	fake_conn_sent(first, "PURGE |");
	fake_conn_sent(second, "KNOWLEDGE_DELETE |");
	other_as("c");
	fake_conn_silent(first, 75);
	fake_db_sweep();
	fake_db_turn();
	fake_conn_sent(read_conn, "");			/* one of them still responds */
	fake_conn_silent(second, 50);
	fake_db_sweep();
	fake_db_turn();
	fake_conn_sent(read_conn, "BACKEND_CANCEL |");
	fake_db_sweep();
	fake_db_turn();
	fake_conn_sent(read_conn, "");			/* once */
	finishes(first, fake_error("57014"));
	heard("a!busy");
	fake_conn_sent(first, "");			/* it could be the one that is canceled */
	fake_conn_answer(read_conn, fake_number(1));
	fake_conn_synced(read_conn);
	fake_conn_sent(first, "SESSIONS_EXPIRE |");
	finishes(first, fake_number(1));
	finishes(second, fake_number(1));
	heard("c b");
}
END_TEST

/* The Idempotency-Key is sent before the write, in its transaction. */
START_TEST(once)
{
	const struct pl_once key = { .user_id = 1, .claim = 1, .route = PL_STR("r"), .key = PL_STR("k") };
	struct pl_task *task = pl_task_new(INT64_MAX);
	struct pgconn *conn;

	task->once = &key;
	start(S_KNOWLEDGE_DELETE, "a", task);
	conn = open_slot(0);
	fake_conn_sent(conn, "IDEM_WORK KNOWLEDGE_DELETE |");
	fake_conn_answer(conn, fake_error("PL001"));
	fake_conn_answer(conn, fake_aborted());
	fake_conn_synced(conn);
	heard("a!in_progress");
	pl_task_release(&task);
}
END_TEST

/* The actor is sent before a query that is audited, in its transaction, also when it is repeated. */
START_TEST(audited)
{
	struct pl_task *task = pl_task_new(INT64_MAX);
	const struct pl_once key = { .user_id = 1, .claim = 1, .route = PL_STR("r"), .key = PL_STR("k") };
	struct pgquery *query;
	struct pgconn *conn;

	task->once = &key;
	query = pgquery_new(fake_db, task, S_KNOWLEDGE_DELETE, on_done, NULL, (void *)(uintptr_t) "a");
	pgquery_i64(query, 1);
	pgquery_audited(query);
	pgquery_start(query);
	conn = open_slot(0);
	fake_conn_sent(conn, "AUDIT_CALLER IDEM_WORK KNOWLEDGE_DELETE |");
	fake_conn_answer(conn, fake_number(1));
	fake_conn_answer(conn, fake_number(1));
	finishes(conn, fake_error("40P01"));
	heard("");
	fake_conn_sent(conn, "AUDIT_CALLER IDEM_WORK KNOWLEDGE_DELETE |");
	fake_conn_answer(conn, fake_error("57014"));
	fake_conn_answer(conn, fake_aborted());
	finishes(conn, fake_aborted());
	heard("a!busy");
	query = pgquery_new(fake_db, task, S_KNOWLEDGE_DELETE, on_done, NULL, (void *)(uintptr_t) "b");
	pgquery_i64(query, 1);
	pgquery_audited(query);
	pgquery_start(query);
	fake_conn_lose(conn);
	heard("b!write_unknown");
	pl_task_release(&task);
}
END_TEST

START_TEST(deadlines)
{
	struct pl_task *task = pl_task_new(pl_now_ns() + 100 * PL_NS_PER_MS);
	struct pgconn *conn;

	start(S_KNOWLEDGE_DELETE, "a", task);
	start(S_PURGE, "b", task);
	start(S_KNOWLEDGE_DELETE, "c", task);
	conn = open_slot(0);
	open_slot(1);
	fake_conn_open(fake_conn("write", 0));
	fake_db_skip_ms(101);
	fake_db_sweep();
	heard("a!write_unknown b!deadline c!deadline");
	finishes(conn, fake_number(1));		/* dropped */
	finishes(fake_conn("plain", 1), fake_number(1));
	heard("");
	ck_assert(pgplain_idle(fake_db->plain));
	pl_task_release(&task);
}
END_TEST

/* ---- the read pipeline ---- */

START_TEST(one_sync_a_turn)
{
	read_as("a");
	read_as("b");
	fake_conn_sent(read_conn, "LOGIN_CHECK LOGIN_CHECK");
	fake_db_turn();
	fake_conn_sent(read_conn, "|");
	fake_conn_answer(read_conn, fake_number(1));
	heard("a");
	fake_conn_answer(read_conn, fake_number(1));
	fake_conn_synced(read_conn);
	heard("b");
	for (int i = 0; i < 17; i++)
		read_as("c");
	fake_conn_sent(read_conn, "LOGIN_CHECK LOGIN_CHECK LOGIN_CHECK LOGIN_CHECK LOGIN_CHECK LOGIN_CHECK "
	    "LOGIN_CHECK LOGIN_CHECK LOGIN_CHECK LOGIN_CHECK LOGIN_CHECK LOGIN_CHECK "
	    "LOGIN_CHECK LOGIN_CHECK LOGIN_CHECK LOGIN_CHECK | LOGIN_CHECK");
}
END_TEST

/* One fails: its neighbors are repeated, each alone. */
START_TEST(neighbors_of_an_error)
{
	read_as("a");
	read_as("b");
	read_as("c");
	fake_db_turn();
	fake_conn_sent(read_conn, "LOGIN_CHECK LOGIN_CHECK LOGIN_CHECK |");
	fake_conn_answer(read_conn, fake_error("22000"));
	fake_conn_answer(read_conn, fake_aborted());
	fake_conn_answer(read_conn, fake_aborted());
	fake_conn_synced(read_conn);
	heard("a!database_error");
	fake_conn_sent(read_conn, "LOGIN_CHECK | LOGIN_CHECK |");
	finishes(read_conn, fake_number(1));
	finishes(read_conn, fake_number(1));
	heard("b c");
}
END_TEST

START_TEST(reads_survive_a_loss)
{
	read_as("a");
	read_as("b");
	fake_db_turn();
	fake_conn_sent(read_conn, "LOGIN_CHECK LOGIN_CHECK |");
	fake_conn_lose(read_conn);
	read_as("c");
	heard("");
	fake_conn_open(read_conn);
	fake_conn_sent(read_conn, "LOGIN_CHECK LOGIN_CHECK LOGIN_CHECK |");
	fake_conn_answer(read_conn, fake_number(1));
	fake_conn_lose(read_conn);
	fake_conn_open(read_conn);
	fake_conn_lose(read_conn);	/* b was sent three times */
	heard("a b!database_unavailable");
	fake_conn_refuse(read_conn);
	heard("c!database_unavailable");
	read_as("d");
	fake_db_turn();
	heard("d!database_unavailable");
}
END_TEST

/* Stuck: everything moves to the plain connections until the pipeline responds. */
START_TEST(diversion)
{
	struct pgconn *first, *second;

	read_as("a");
	read_as("b");
	fake_db_turn();
	fake_conn_sent(read_conn, "LOGIN_CHECK LOGIN_CHECK |");
	fake_conn_silent(read_conn, 25);
	fake_db_sweep();
	ck_assert_ptr_null(fake_conn("plain", 0));
	fake_conn_silent(read_conn, 50);
	fake_db_sweep();
	first = open_slot(0);
	second = open_slot(1);
	fake_conn_sent(first, "LOGIN_CHECK |");
	fake_conn_sent(second, "LOGIN_CHECK |");
	read_as("c");
	fake_conn_sent(read_conn, "");		/* new ones use plain connections, too */
	ck_assert(pgread_up(fake_db->read));
	finishes(second, fake_number(1));
	finishes(first, fake_number(1));
	finishes(second, fake_number(1));
	heard("b a c");
	fake_conn_answer(read_conn, fake_number(1));	/* late: dropped */
	fake_conn_answer(read_conn, fake_number(1));
	fake_conn_synced(read_conn);
	heard("");
	read_as("d");
	fake_db_turn();
	fake_conn_sent(read_conn, "LOGIN_CHECK |");
}
END_TEST

/* It stays stuck: reopened after 250 ms. */
START_TEST(diversion_ends_in_a_renewal)
{
	read_as("a");
	fake_db_turn();
	fake_conn_silent(read_conn, 50);
	fake_db_sweep();
	for (int i = 0; i < 9; i++)
		fake_db_sweep();
	ck_assert_int_eq(fake_conn_renewed(read_conn), 0);
	fake_db_sweep();
	ck_assert_int_eq(fake_conn_renewed(read_conn), 1);
	fake_conn_open(read_conn);
	fake_conn_sent(read_conn, "LOGIN_CHECK |");	/* sent before; the diverted one is not sent again */
	read_as("b");
	fake_db_turn();
	fake_conn_sent(read_conn, "LOGIN_CHECK |");
}
END_TEST

/* The process ends: reads and waiting calls are not done, and a write that was sent is unknown. */
START_TEST(stopping)
{
	read_as("a");
	write_as("b");
	open_slot(0);
	write_as("c");
	write_as("d");
	fake_db_teardown();
	heard("a!stopping b!write_unknown c!stopping d!stopping");
	fake_db_setup(2);
}
END_TEST

Suite *suite_pgplain(void)
{
	const TTest *tests[] = { slots_open_on_demand, half_is_opened_ahead, told_after_the_commit,
		deadlock_is_repeated, lost_in_flight, away, slow_ones_leave_room, stuck_ones_make_room,
		once, audited, deadlines, one_sync_a_turn,
		neighbors_of_an_error, reads_survive_a_loss, diversion, diversion_ends_in_a_renewal, stopping };
	Suite *suite = suite_create("pgplain");
	TCase *tcase = tcase_create("pgplain");

	tcase_add_checked_fixture(tcase, setup, fake_db_teardown);
	for (size_t i = 0; i < PL_COUNT(tests); i++)
		tcase_add_test(tcase, tests[i]);
	suite_add_tcase(suite, tcase);
	return suite;
}
