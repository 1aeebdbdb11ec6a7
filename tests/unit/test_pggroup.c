/* SPDX-License-Identifier: ISC */
/*
 * Starts and ends of answers in groups, on fake connections: the order of locks, failures in a group, unknown outcomes.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "fake_pgconn.h"

Suite *suite_pggroup(void);

enum { PLAIN = 3 };		/* plain connections besides the one for answers */

static char text[4096];		/* completions, in order: a name, with its error */
static size_t used;
static struct pgconn *conn;
static const char *again;	/* the next completion starts this one */

static void start(enum stmt_id stmt, enum pgquery_rank rank, int64_t a, int64_t b, const char *name, int64_t ms);

static void on_done(struct pgquery *query, const PGresult *res, const struct pl_err *err)
{
	const char *name = query->arg, *next = again;

	used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s", used > 0 ? " " : "", name);
	if (err != NULL)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "!%s", pl_err_info(err->code)->code);
	again = NULL;
	if (next != NULL)
		start(S_PURGE, PGQUERY_GENERATION, 1, 1, next, 0);
}

/* Statements with numbers as parameters replace the real ones: only class, rank, and place matter. */
static void start(enum stmt_id stmt, enum pgquery_rank rank, int64_t a, int64_t b, const char *name, int64_t ms)
{
	struct pl_task *task = pl_task_new(ms == 0 ? INT64_MAX : pl_now_ns() + ms * PL_NS_PER_MS);
	struct pgquery *query = pgquery_new(fake_db, task, stmt, on_done, NULL, (void *)(uintptr_t)name);

	for (const char *arg = stmts[stmt].args; *arg != '\0'; arg++) {
		if (*arg == 'i')
			pgquery_i32(query, 1);
		else
			pgquery_i64(query, 1);
	}
	pgquery_group(query, rank, a, b);
	pgquery_start(query);
	pl_task_release(&task);
}

/* An end of an answer, which may be repeated; a start, which must not be; an answer in a session. */
static void end(int64_t room, const char *name)
{
	start(S_PURGE, PGQUERY_GENERATION, room, 1, name, 0);
}

static void begin(int64_t room, const char *name)
{
	start(S_KNOWLEDGE_DELETE, PGQUERY_GENERATION, room, 1, name, 0);
}

static void session(int64_t id, const char *name)
{
	start(S_SESSIONS_EXPIRE, PGQUERY_SESSION, id, 0, name, 0);
}

static void heard(const char *want)
{
	ck_assert_str_eq(text, want);
	used = 0;
	text[0] = '\0';
}

static void setup(void)
{
	fake_db_setup(PLAIN + 1);
	used = 0;
	text[0] = '\0';
	again = NULL;
	conn = fake_conn("answers", 0);
	fake_conn_open(conn);
	fake_conn_open(fake_conn("read", 0));
	fake_conn_open(fake_conn("write", 0));
	fake_db_turn();
}

static struct pgconn *open_plain(int nth)
{
	struct pgconn *plain = fake_conn("plain", nth);

	ck_assert_ptr_nonnull(plain);
	fake_conn_open(plain);
	return plain;
}

static void answer(int count)
{
	for (int i = 0; i < count; i++)
		fake_conn_answer(conn, fake_number(1));
}

static void answer_plain(struct pgconn *plain)
{
	fake_conn_answer(plain, fake_number(1));
	fake_conn_synced(plain);
}

START_TEST(one_transaction_a_turn)
{
	end(1, "a");
	begin(2, "b");
	fake_conn_sent(conn, "");	/* only at the end of the turn */
	fake_db_turn();
	fake_conn_sent(conn, "PURGE KNOWLEDGE_DELETE |");
	end(3, "c");
	end(4, "d");
	fake_db_turn();
	fake_conn_sent(conn, "");	/* the next group waits for this one */
	answer(2);
	heard("");			/* nothing is reported before the commit */
	again = "e";			/* a completion may start another call */
	fake_conn_synced(conn);
	heard("a b");
	fake_conn_sent(conn, "PURGE PURGE PURGE |");
	answer(3);
	fake_conn_synced(conn);
	heard("e c d");
	ck_assert_ptr_null(fake_conn("plain", 0));
	ck_assert(db_idle(fake_db));
}
END_TEST

/* Generations by room and role, then sessions; calls for the same row in their order. */
START_TEST(every_group_locks_in_the_same_order)
{
	session(-5, "s2");
	session(-9, "s1");
	end(7, "g7");
	start(S_PURGE, PGQUERY_GENERATION, 3, 2, "g3.2", 0);
	begin(3, "g3.1");
	begin(7, "g7 again");
	fake_db_turn();
	fake_conn_sent(conn, "KNOWLEDGE_DELETE PURGE PURGE KNOWLEDGE_DELETE SESSIONS_EXPIRE SESSIONS_EXPIRE |");
	answer(6);
	fake_conn_synced(conn);
	heard("g3.1 g3.2 g7 g7 again s1 s2");
}
END_TEST

START_TEST(many_are_cut_into_groups)
{
	for (int i = 0; i < 100; i++)
		end(i, "x");
	fake_db_turn();
	answer(64);
	fake_conn_synced(conn);
	answer(36);
	fake_conn_synced(conn);
	ck_assert_uint_eq(used, 100 * 2 - 1);
	ck_assert(db_idle(fake_db));
}
END_TEST

/* A failure in a group affects only its own query. */
START_TEST(the_one_at_fault_leaves)
{
	static const char *const states[] = { "23505", "40P01", "55P03" };

	for (size_t i = 0; i < PL_COUNT(states); i++) {
		struct pgconn *plain;

		end(1, "a");
		begin(2, "b");
		session(3, "c");
		fake_db_turn();
		fake_conn_sent(conn, "PURGE KNOWLEDGE_DELETE SESSIONS_EXPIRE |");
		answer(1);
		fake_conn_answer(conn, fake_error(states[i]));
		fake_conn_answer(conn, fake_aborted());
		fake_conn_synced(conn);
		heard("");
		fake_conn_sent(conn, "PURGE SESSIONS_EXPIRE |");
		answer(2);
		fake_conn_synced(conn);
		heard("a c");
		plain = i == 0 ? open_plain(0) : fake_conn("plain", 0);
		fake_conn_sent(plain, "KNOWLEDGE_DELETE |");
		fake_conn_answer(plain, i == 0 ? fake_error(states[0]) : fake_number(1));
		fake_conn_synced(plain);
		heard(i == 0 ? "b!database_error" : "b");
		ck_assert(db_idle(fake_db));
	}
}
END_TEST

START_TEST(failed_commit_sends_all_alone)
{
	struct pgconn *plain;

	end(1, "a");
	end(2, "b");
	fake_db_turn();
	answer(2);
	fake_conn_commit_fails(conn, "40001");
	fake_conn_synced(conn);
	heard("");
	plain = open_plain(0);
	fake_conn_sent(plain, "PURGE |");
	answer_plain(plain);
	answer_plain(plain);
	heard("a b");
}
END_TEST

/*
 * The connection breaks: queries that may be repeated are, others have an unknown outcome, and queries that were not
 * sent use another connection.
 */
START_TEST(lost_in_flight)
{
	struct pgconn *plain;

	end(1, "a");
	begin(2, "b");
	fake_db_turn();
	answer(1);
	end(3, "c");
	fake_conn_lose(conn);
	heard("b!write_unknown");
	plain = open_plain(0);
	answer_plain(plain);
	heard("a");
	answer_plain(plain);
	heard("c");
	begin(4, "d");		/* while it is not connected */
	answer_plain(plain);
	heard("d");
	fake_conn_open(conn);
	fake_conn_sent(conn, "PURGE KNOWLEDGE_DELETE |");
	begin(5, "e");
	fake_db_turn();
	fake_conn_sent(conn, "KNOWLEDGE_DELETE |");
	answer(1);
	fake_conn_synced(conn);
	heard("e");
}
END_TEST

/* A send breaks the connection: queries that were not sent are not unknown. */
START_TEST(broken_while_sending)
{
	struct pgconn *plain;

	begin(1, "a");
	begin(2, "b");
	fake_conn_break_send(conn);
	fake_db_turn();
	heard("");
	plain = open_plain(0);
	fake_conn_sent(plain, "KNOWLEDGE_DELETE |");
	answer_plain(plain);
	answer_plain(plain);
	heard("a b");
}
END_TEST

/* Another transaction locks a row: after 50 ms the query leaves the group, and later queries pass it. */
START_TEST(waiting_for_a_lock)
{
	struct pgconn *read = fake_conn("read", 0), *plain;

	end(1, "a");
	end(2, "b");
	fake_db_turn();
	fake_conn_sent(conn, "PURGE PURGE |");
	end(3, "c");
	fake_conn_silent(conn, DB_STUCK_MS);
	fake_db_sweep();
	fake_db_turn();
	fake_conn_sent(read, "BACKEND_CANCEL |");
	end(4, "d");
	plain = open_plain(0);
	answer_plain(plain);
	answer_plain(plain);
	heard("c d");
	fake_conn_answer(conn, fake_error("57014"));
	fake_conn_answer(conn, fake_aborted());
	fake_conn_synced(conn);
	fake_conn_sent(conn, "");	/* the next statement could be the one that is canceled */
	fake_conn_sent(plain, "PURGE | PURGE | PURGE |");
	fake_conn_answer(read, fake_number(1));
	fake_conn_synced(read);
	fake_conn_sent(conn, "PURGE |");
	answer(1);
	fake_conn_synced(conn);
	heard("b");
	answer_plain(plain);
	heard("a");
	ck_assert(db_idle(fake_db));
}
END_TEST

/* Deadlines: a waiting query is not done; a sent one is unknown and stays part of its group. */
START_TEST(deadlines)
{
	end(1, "a");
	fake_db_turn();
	start(S_KNOWLEDGE_DELETE, PGQUERY_GENERATION, 2, 1, "b", 100);
	fake_db_skip_ms(100);
	fake_db_sweep();
	heard("b!deadline");
	answer(1);
	fake_conn_synced(conn);
	heard("a");
	start(S_KNOWLEDGE_DELETE, PGQUERY_GENERATION, 3, 1, "c", 100);
	end(4, "d");
	fake_db_turn();
	fake_db_skip_ms(100);
	fake_db_sweep();
	heard("c!write_unknown");
	answer(2);
	fake_conn_synced(conn);
	heard("d");
	ck_assert(db_idle(fake_db));
}
END_TEST

START_TEST(stopping)
{
	begin(1, "a");
	end(2, "b");
	fake_db_turn();
	answer(1);
	begin(3, "c");
	fake_db_teardown();
	heard("a!write_unknown b!write_unknown c!stopping");
	fake_db_setup(PLAIN + 1);
}
END_TEST

/* A worker with few connections has none for answers. */
START_TEST(few_connections)
{
	fake_db_teardown();
	fake_db_setup(PLAIN);
	ck_assert_ptr_null(fake_conn("answers", 0));
	end(1, "a");
	answer_plain(open_plain(0));
	heard("a");
}
END_TEST

Suite *suite_pggroup(void)
{
	const TTest *tests[] = { one_transaction_a_turn, every_group_locks_in_the_same_order, many_are_cut_into_groups,
		the_one_at_fault_leaves, failed_commit_sends_all_alone, lost_in_flight, broken_while_sending,
		waiting_for_a_lock, deadlines, stopping, few_connections };
	Suite *suite = suite_create("pggroup");
	TCase *tcase = tcase_create("pggroup");

	tcase_add_checked_fixture(tcase, setup, fake_db_teardown);
	for (size_t i = 0; i < PL_COUNT(tests); i++)
		tcase_add_test(tcase, tests[i]);
	suite_add_tcase(suite, tcase);
	return suite;
}
