/* SPDX-License-Identifier: ISC */
/*
 * The functions of pgconn.h on lists that the test processes.
 */
#include <check.h>
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "fake_pgconn.h"
#include "str.h"

struct pgconn {
	struct db *db;
	const struct pgconn_ops *ops;
	void *arg;
	const char *label;
	bool ready, away, break_send, broken;
	struct pgquery_list calls;
	pgconn_notice_fn *on_notice;
	void *notice_arg;
	int calls_count, syncs, silent_ms, pid, renewed;
	size_t used;
	char sent[FAKE_SENT];
};

struct db *fake_db;

static struct pgconn *conns[FAKE_CONNS];
static struct event_base *base;
static struct config *config;
static int64_t now_ns;

#define WALL_US 1795000000000000LL

void fake_db_setup(int plain)
{
	char why[512] = "";

	config = config_read(NULL, NULL, 0, why);
	ck_assert_msg(config != NULL, "%s", why);
	config->s.workers = 1;
	config->s.db_connections = plain + 4;
	now_ns = 1000 * PL_NS_PER_S;
	pl_clock_fake(now_ns, WALL_US);
	base = event_base_new();
	fake_db = db_new(base, NULL, config, 0);
}

void fake_db_teardown(void)
{
	db_free(&fake_db);
	config_release(&config);
	event_base_free(base);
	pl_clock_fake(0, 0);
	for (int i = 0; i < FAKE_CONNS; i++)
		ck_assert_ptr_null(conns[i]);
}

void fake_db_skip_ms(int64_t ms)
{
	now_ns += ms * PL_NS_PER_MS;
	pl_clock_fake(now_ns, WALL_US);
}

void fake_db_turn(void)
{
	db_turn(fake_db);
	for (int i = 0; i < FAKE_CONNS; i++)
		if (conns[i] != NULL && conns[i]->broken)
			fake_conn_lose(conns[i]);
	event_base_loop(base, EVLOOP_NONBLOCK);
	db_turn(fake_db);
}

void fake_db_sweep(void)
{
	event_active(fake_db->ev_sweep, EV_TIMEOUT, 0);
	event_base_loop(base, EVLOOP_NONBLOCK);
}

struct pgconn *fake_conn(const char *label, int nth)
{
	for (int i = 0; i < FAKE_CONNS; i++)
		if (conns[i] != NULL && strcmp(conns[i]->label, label) == 0 && nth-- == 0)
			return conns[i];
	return NULL;
}

static void note(struct pgconn *conn, const char *text)
{
	conn->used += (size_t)snprintf(conn->sent + conn->used, FAKE_SENT - conn->used, "%s%s",
	    conn->used > 0 ? " " : "", text);
	ck_assert_uint_lt(conn->used, FAKE_SENT);
}

void fake_conn_sent(struct pgconn *conn, const char *text)
{
	ck_assert_ptr_nonnull(conn);
	ck_assert_str_eq(conn->sent, text);
	conn->used = 0;
	conn->sent[0] = '\0';
}

void fake_conn_open(struct pgconn *conn)
{
	ck_assert(conn != NULL && !conn->ready);
	conn->ready = true;
	conn->away = false;
	conn->ops->ready(conn->arg);
	if (conn->on_notice != NULL)
		conn->on_notice(conn->notice_arg, NULL);
}

void fake_conn_notice(struct pgconn *conn, const char *payload)
{
	conn->on_notice(conn->notice_arg, payload);
}

static void lose(struct pgconn *conn, bool away)
{
	struct pgquery_list in_flight = TAILQ_HEAD_INITIALIZER(in_flight);
	bool was_ready = conn->ready;

	TAILQ_CONCAT(&in_flight, &conn->calls, link);
	conn->ready = conn->broken = conn->break_send = false;
	conn->away = away;
	conn->calls_count = conn->syncs = conn->silent_ms = 0;
	conn->ops->lost(conn->arg, was_ready, &in_flight);
}

void fake_conn_refuse(struct pgconn *conn)
{
	ck_assert(conn != NULL && !conn->ready);
	lose(conn, true);
}

void fake_conn_lose(struct pgconn *conn)
{
	ck_assert(conn != NULL && conn->ready);
	lose(conn, false);
}

void fake_conn_break_send(struct pgconn *conn)
{
	conn->break_send = true;
}

void fake_conn_answer(struct pgconn *conn, PGresult *res)
{
	struct pgquery *query = TAILQ_FIRST(&conn->calls);

	ck_assert_ptr_nonnull(query);
	TAILQ_REMOVE(&conn->calls, query, link);
	conn->calls_count--;
	conn->silent_ms = 0;
	if (!conn->ops->result(conn->arg, query, res))
		PQclear(res);
}

void fake_conn_commit_fails(struct pgconn *conn, const char *sqlstate)
{
	PGresult *res = fake_error(sqlstate);

	if (!conn->ops->result(conn->arg, NULL, res))
		PQclear(res);
}

void fake_conn_synced(struct pgconn *conn)
{
	ck_assert_int_gt(conn->syncs, 0);
	conn->syncs--;
	conn->ops->synced(conn->arg);
}

void fake_conn_silent(struct pgconn *conn, int ms)
{
	conn->silent_ms = ms;
}

int fake_conn_renewed(const struct pgconn *conn)
{
	return conn->renewed;
}

/* ---- results ---- */

PGresult *fake_done(void)
{
	return PQmakeEmptyPGresult(NULL, PGRES_COMMAND_OK);
}

PGresult *fake_aborted(void)
{
	return PQmakeEmptyPGresult(NULL, PGRES_PIPELINE_ABORTED);
}

static PGresult *rows_of(int columns)
{
	static PGresAttDesc columns_of[8];
	PGresult *res = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);

	for (int i = 0; i < columns; i++)
		columns_of[i] = (PGresAttDesc){ .name = (char *)(uintptr_t)"column", .format = 1 };
	ck_assert_int_eq(PQsetResultAttrs(res, columns, columns_of), 1);
	return res;
}

static void put(PGresult *res, int row, int column, const void *value, size_t bytes)
{
	char copy[64];

	memcpy(copy, value, bytes);
	ck_assert_int_eq(PQsetvalue(res, row, column, copy, (int)bytes), 1);
}

static void put_i64(PGresult *res, int row, int column, int64_t value)
{
	uint64_t net = htobe64((uint64_t)value);

	put(res, row, column, &net, sizeof(net));
}

PGresult *fake_number(int64_t value)
{
	PGresult *res = rows_of(1);

	put_i64(res, 0, 0, value);
	return res;
}

PGresult *fake_appended(const char *statuses, int64_t first_seq)
{
	PGresult *res = rows_of(6);

	for (int row = 0; *statuses != '\0'; row++) {
		size_t len = strcspn(statuses, " ");

		put(res, row, 0, statuses, len);
		put_i64(res, row, 1, first_seq + row);
		put_i64(res, row, 2, 1);
		put(res, row, 3, "\0", 1);
		put(res, row, 4, "\0", 1);
		put_i64(res, row, 5, 0);
		statuses += len + (statuses[len] == ' ');
	}
	return res;
}

PGresult *fake_names(const char *names)
{
	PGresult *res = rows_of(3);

	for (int row = 0; *names != '\0'; row++) {
		size_t len = strcspn(names, " "), name = strcspn(names, ":") + 1, display = name;

		display += strcspn(names + name, ":") + 1;
		put_i64(res, row, 0, strtoll(names, NULL, 10));
		put(res, row, 1, names + name, display - name - 1);
		if (display < len)
			put(res, row, 2, names + display, len - display);
		names += len + (names[len] == ' ');
	}
	return res;
}

/*
 * libpq has no setter for an SQLSTATE: the name of the only column contains it, and the linker replaces the function
 * that reads it.
 */
PGresult *fake_error(const char *sqlstate)
{
	PGresult *res = PQmakeEmptyPGresult(NULL, PGRES_FATAL_ERROR);
	PGresAttDesc column = { .name = (char *)(uintptr_t)sqlstate };

	ck_assert_int_eq(PQsetResultAttrs(res, 1, &column), 1);
	return res;
}

char *__wrap_PQresultErrorField(const PGresult *res, int field);
char *__wrap_PQresultErrorField(const PGresult *res, int field)
{
	return field == PG_DIAG_SQLSTATE ? PQfname(res, 0) : NULL;
}

/* ---- pgconn.h ---- */

struct pgconn *pgconn_new(struct db *db, const char *label, const struct pgconn_ops *ops, void *arg)
{
	static int pids = 100;
	struct pgconn *conn = pl_new(sizeof(*conn));
	int i = 0;

	while (i < FAKE_CONNS && conns[i] != NULL)
		i++;
	ck_assert_int_lt(i, FAKE_CONNS);
	*conn = (struct pgconn){ .db = db, .label = label, .ops = ops, .arg = arg, .pid = ++pids };
	TAILQ_INIT(&conn->calls);
	conns[i] = conn;
	return conn;
}

void pgconn_free(struct pgconn **connp, struct pgquery_list *in_flight)
{
	TAILQ_CONCAT(in_flight, &(*connp)->calls, link);
	for (int i = 0; i < FAKE_CONNS; i++)
		if (conns[i] == *connp)
			conns[i] = NULL;
	pl_free(*connp);
	*connp = NULL;
}

void pgconn_listen(struct pgconn *conn, const char *channel, pgconn_notice_fn *fn, void *arg)
{
	PL_UNUSED(channel);
	conn->on_notice = fn;
	conn->notice_arg = arg;
}

bool pgconn_ready(const struct pgconn *conn)
{
	return conn->ready && !conn->broken;
}

bool pgconn_away(const struct pgconn *conn)
{
	return conn->away;
}

static int64_t read_i64(const char *bytes)
{
	uint64_t net;

	memcpy(&net, bytes, sizeof(net));
	return (int64_t)be64toh(net);
}

/* The texts of a text[] parameter: after the header of 20 bytes each with its length. */
static size_t texts_of(const char *array, int bytes, char *out, size_t cap)
{
	size_t used = 0;
	uint32_t len;

	for (int at = 20; at < bytes; at += (int)len) {
		memcpy(&len, array + at, sizeof(len));
		len = be32toh(len);
		at += 4;
		used += (size_t)snprintf(out + used, cap - used, " %.*s", (int)len, array + at);
	}
	return used;
}

/* The numbers of a bigint[] parameter without NULLs. */
static void ids_of(const char *array, int bytes, char *out, size_t cap)
{
	for (int at = 24; at < bytes; at += 12) {
		size_t len = (size_t)snprintf(out, cap, " %lld", (long long)read_i64(array + at));

		out += len;
		cap -= len;
	}
}

bool pgconn_send(struct pgconn *conn, struct pgquery *query)
{
	char text[FAKE_SENT];
	size_t used = (size_t)snprintf(text, sizeof(text), "%s", query->stmt->name);

	ck_assert(conn->ready);
	if (conn->break_send || conn->broken) {
		conn->broken = true;
		return false;
	}
	if (query->stmt == &stmts[S_APPEND]) {
		used += (size_t)snprintf(text + used, sizeof(text) - used, " %lld:",
		    (long long)read_i64(query->values[0]));
		texts_of(query->values[4], query->lengths[4], text + used, sizeof(text) - used);
	}
	if (query->stmt == &stmts[S_USER_NAMES])
		ids_of(query->values[0], query->lengths[0], text + used, sizeof(text) - used);
	note(conn, text);
	query->sent = true;
	query->queue = NULL;
	TAILQ_INSERT_TAIL(&conn->calls, query, link);
	conn->calls_count++;
	return true;
}

void pgconn_sync(struct pgconn *conn)
{
	if (!pgconn_ready(conn))
		return;
	note(conn, "|");
	conn->syncs++;
}

int pgconn_in_flight(const struct pgconn *conn)
{
	return conn->calls_count;
}

void pgconn_tick(struct pgconn *conn)
{
}

int pgconn_silent_ms(const struct pgconn *conn)
{
	return conn->silent_ms;
}

int pgconn_pid(const struct pgconn *conn)
{
	return conn->ready ? conn->pid : 0;
}

void pgconn_take(struct pgconn *conn, struct pgquery_list *calls)
{
	struct pgquery *query = TAILQ_FIRST(&conn->calls), *next, *ghost;

	for (; query != NULL; query = next) {
		next = TAILQ_NEXT(query, link);
		if (query->finished)
			continue;
		ghost = pgquery_ghost(query);
		TAILQ_INSERT_BEFORE(query, ghost, link);
		TAILQ_REMOVE(&conn->calls, query, link);
		query->sent = false;
		TAILQ_INSERT_TAIL(calls, query, link);
	}
}

void pgconn_renew(struct pgconn *conn, const char *why)
{
	ck_assert(conn->ready);
	conn->renewed++;
	fake_conn_lose(conn);
}
