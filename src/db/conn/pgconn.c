/* SPDX-License-Identifier: ISC */
/*
 * The states of a connection: WAITING (a timer until the next attempt) -> LOOKUP (of host names) -> CONNECTING -> SETUP
 * (settings are sent) -> READY -> (lost) WAITING.
 */
#include "db/conn/pgconn.h"

#include <unistd.h>

#include "clock.h"
#include "db/conn/backend.h"
#include "db/db_int.h"
#include "db/conn/pgerr.h"
#include "db/conn/pgopen.h"
#include "leaf.h"
#include "log.h"

enum {
	RETRY_FIRST_MS = 20,
	RETRY_MAX_MS = 1000,
	CONNECT_TIMEOUT_S = 5
};

enum state { WAITING, LOOKUP, CONNECTING, SETUP, READY };

struct pgconn {
	struct db *db;
	const struct pgconn_ops *ops;
	void *arg;
	const char *label, *channel;	/* channel: the one to listen on; NULL: none */
	pgconn_notice_fn *on_notice;
	void *notice_arg;
	enum state state;
	PGconn *pg;
	struct event *ev_read, *ev_write, *ev_timer;	/* timer: next attempt, or the attempt's time limit */
	struct event *ev_broken;	/* a send failed: close the connection from the loop */
	struct lookup_waiter lookup;
	int fd;				/* the socket of ev_read and ev_write */
	int failures;			/* failed attempts in a row */
	bool logged;			/* the failure was logged */
	bool broken;			/* ev_broken is active */
	bool lived;			/* was ready at least once */
	bool write_on, in_results;
	bool hurry;			/* connect without a pause, because we closed the connection */
	bool skip;			/* skip the next result: its query's preparation failed */
	struct pgquery_list sent;
	int sent_count, syncs;		/* queries and Syncs that were sent */
	unsigned heard, heard_before;	/* number of reads that got bytes; the number at the last tick */
	int quiet;			/* ticks since then */
	bool prepared[S_COUNT];		/* was sent, and has not failed as far as known */
};

static void on_readable(evutil_socket_t fd, short what, void *arg);

static void break_soon(struct pgconn *conn)
{
	conn->broken = true;
	event_active(conn->ev_broken, EV_TIMEOUT, 0);
}

static void timer(struct pgconn *conn, int64_t ms)
{
	struct timeval tv = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

	event_add(conn->ev_timer, &tv);
}

static void events_drop(struct pgconn *conn)
{
	if (conn->ev_read != NULL)
		event_free(conn->ev_read);
	if (conn->ev_write != NULL)
		event_free(conn->ev_write);
	conn->ev_read = conn->ev_write = NULL;
	conn->write_on = false;
}

/* Closes the socket. The events are removed first, because the changelist must not contain a closed socket. */
static void close_pg(struct pgconn *conn)
{
	events_drop(conn);
	lookup_cancel(&conn->lookup);
	event_del(conn->ev_broken);
	conn->broken = false;
	if (conn->pg != NULL)
		PQfinish(conn->pg);
	conn->pg = NULL;
}

static void lose(struct pgconn *conn, const char *why)
{
	struct pgquery_list in_flight = TAILQ_HEAD_INITIALIZER(in_flight);
	bool was_ready = conn->state == READY;
	int64_t wait_ms = RETRY_FIRST_MS;
	char text[256];

	pgerr_text(why, text);
	if (was_ready) {
		conn->failures = 0;
		db_count(conn->db, SHM_M_db_conns, -1);
	} else {
		conn->failures++;
		wait_ms = RETRY_FIRST_MS << (conn->failures < 6 ? conn->failures : 6);
	}
	if (wait_ms > RETRY_MAX_MS)
		wait_ms = RETRY_MAX_MS;
	wait_ms = conn->hurry ? 0 : wait_ms / 2 + pl_jitter((uint32_t)wait_ms);
	conn->hurry = false;
	if (!conn->logged && conn->failures > 0)
		pl_log(PL_LOG_WARN, NULL, "database away", "connection=%s text=%s", conn->label, text);
	else if (was_ready)
		pl_log(PL_LOG_INFO, NULL, "database connection lost", "connection=%s text=%s", conn->label, text);
	conn->logged = conn->failures > 0;
	close_pg(conn);
	conn->state = WAITING;
	timer(conn, wait_ms);
	TAILQ_CONCAT(&in_flight, &conn->sent, link);
	conn->sent_count = conn->syncs = conn->quiet = 0;
	conn->skip = false;
	memset(conn->prepared, 0, sizeof(conn->prepared));
	conn->ops->lost(conn->arg, was_ready, &in_flight);
}

static void flush(struct pgconn *conn)
{
	int left = PQflush(conn->pg);

	if (left < 0) {
		break_soon(conn);
	} else if (left > 0 && !conn->write_on) {
		event_add(conn->ev_write, NULL);
		conn->write_on = true;
	} else if (left == 0 && conn->write_on) {
		event_del(conn->ev_write);
		conn->write_on = false;
	}
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	flush(arg);
}

static void on_broken(evutil_socket_t fd, short what, void *arg)
{
	struct pgconn *conn = arg;

	if (conn->pg != NULL)
		lose(conn, PQerrorMessage(conn->pg));
}

static void setup_start(struct pgconn *conn)
{
	conn->state = SETUP;
	events_drop(conn);
	conn->fd = PQsocket(conn->pg);
	conn->ev_read = event_new(conn->db->base, conn->fd, EV_READ | EV_PERSIST, on_readable, conn);
	conn->ev_write = event_new(conn->db->base, conn->fd, EV_WRITE | EV_PERSIST, on_writable, conn);
	event_add(conn->ev_read, NULL);
	if (!pgopen_setup(&conn->db->config->s, conn->pg, conn->channel))
		lose(conn, PQerrorMessage(conn->pg));
	else
		flush(conn);
}

static void on_connecting(evutil_socket_t fd, short what, void *arg);

/* libpq may use another socket for each step (several hosts, TLS refused), so each step makes a new event. */
static void connect_wait(struct pgconn *conn, short what)
{
	events_drop(conn);
	conn->ev_read = event_new(conn->db->base, PQsocket(conn->pg), what, on_connecting, conn);
	event_add(conn->ev_read, NULL);
}

static void on_connecting(evutil_socket_t fd, short what, void *arg)
{
	struct pgconn *conn = arg;

	events_drop(conn);	/* before libpq closes that socket */
	switch (PQconnectPoll(conn->pg)) {
	case PGRES_POLLING_READING:
		connect_wait(conn, EV_READ);
		break;
	case PGRES_POLLING_WRITING:
		connect_wait(conn, EV_WRITE);
		break;
	case PGRES_POLLING_OK:
		setup_start(conn);
		break;
	default:
		lose(conn, PQerrorMessage(conn->pg));
	}
}

static void make_name(const struct pgconn *conn, char name[64])
{
	snprintf(name, 64, "parlourd/%s%d/%s", conn->db->who, conn->db->slot, conn->label);
}

static void on_found(void *arg, const struct lookup_found *found)
{
	struct pgconn *conn = arg;
	char name[64];

	if (found->why[0] != '\0') {
		lose(conn, found->why);
		return;
	}
	make_name(conn, name);
	conn->state = CONNECTING;
	conn->pg = pgopen_start(&conn->db->config->s, found, name);
	if (PQstatus(conn->pg) == CONNECTION_BAD)
		lose(conn, PQerrorMessage(conn->pg));
	else
		connect_wait(conn, EV_WRITE);
}

static void connect_start(struct pgconn *conn)
{
	const struct lookup_found *found;

	conn->state = LOOKUP;
	timer(conn, CONNECT_TIMEOUT_S * 1000);
	conn->lookup.done = on_found;
	conn->lookup.arg = conn;
	found = lookup_start(conn->db->lookup, conn->db->config->s.db, &conn->lookup);
	if (found != NULL)
		on_found(conn, found);
}

/* One address that does not answer must not keep us from trying the others. */
static void connect_late(struct pgconn *conn)
{
	conn->lookup.first++;
	lose(conn, "no answer in time");
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct pgconn *conn = arg;

	if (conn->state == WAITING)
		connect_start(conn);
	else if (conn->state == LOOKUP)
		lose(conn, "the lookup of the host name takes too long");
	else if (conn->state != READY)
		connect_late(conn);
}

static void setup_done(struct pgconn *conn)
{
	conn->state = READY;
	event_del(conn->ev_timer);
	db_count(conn->db, SHM_M_db_conns, 1);
	if (conn->lived)
		db_count(conn->db, SHM_M_db_reconnects, 1);
	conn->lived = true;
	conn->lookup.first = 0;
	if (conn->logged)
		pl_log(PL_LOG_INFO, NULL, "database back", "connection=%s", conn->label);
	conn->logged = false;
	conn->failures = 0;
	conn->ops->ready(conn->arg);
	if (conn->channel != NULL)
		conn->on_notice(conn->notice_arg, NULL);
}

/* Takes one result of the setup group. false: it failed, and the connection was closed. */
static bool setup_result(struct pgconn *conn, PGresult *res)
{
	ExecStatusType status = PQresultStatus(res);

	if (status == PGRES_PIPELINE_SYNC) {
		PQclear(res);
		setup_done(conn);
	} else if (status == PGRES_FATAL_ERROR) {
		lose(conn, PQresultErrorMessage(res));
		PQclear(res);
		return false;
	} else {
		PQclear(res);
	}
	return conn->state != WAITING;
}

static void one_result(struct pgconn *conn, PGresult *res)
{
	struct pgquery *query = NULL;

	if (PQresultStatus(res) == PGRES_PIPELINE_SYNC) {
		PQclear(res);
		conn->syncs--;
		conn->ops->synced(conn->arg);
		return;
	}
	if (conn->skip) {
		PQclear(res);
		conn->skip = false;
		return;
	}
	if (PQresultStatus(res) == PGRES_FATAL_ERROR) {
		const char *sqlstate = PQresultErrorField(res, PG_DIAG_SQLSTATE);

		if (pgerr_kind(sqlstate) == PGERR_LOST) {	/* the outcome is unknown: on_lost() reports it */
			PQclear(res);
			break_soon(conn);
			return;
		}
	}
	query = TAILQ_FIRST(&conn->sent);
	if (query != NULL && query->preparing) {
		query->preparing = false;
		if (PQresultStatus(res) == PGRES_COMMAND_OK) {
			PQclear(res);
			return;		/* the result of the query itself follows */
		}
		conn->prepared[STMT_ID(query->stmt)] = false;
		conn->skip = true;	/* and adds nothing to this one */
	}
	if (query != NULL) {
		TAILQ_REMOVE(&conn->sent, query, link);
		conn->sent_count--;
	}
	if (!conn->ops->result(conn->arg, query, res))
		PQclear(res);
}

/* NULL ends the results of one statement. Two in a row: there are no more for now. */
static void read_results(struct pgconn *conn)
{
	PGconn *pg = conn->pg;
	bool last_null = false;

	while (conn->pg == pg && conn->state >= SETUP && !conn->broken && !PQisBusy(pg)) {
		PGresult *res = PQgetResult(pg);

		if (res == NULL) {
			if (last_null)
				break;
			last_null = true;
			continue;
		}
		last_null = false;
		if (conn->state == SETUP) {
			if (!setup_result(conn, res))
				return;
		} else {
			one_result(conn, res);
		}
	}
}

static void read_notices(struct pgconn *conn)
{
	PGnotify *notice;

	while (conn->pg != NULL && (notice = PQnotifies(conn->pg)) != NULL) {
		if (conn->channel != NULL)
			conn->on_notice(conn->notice_arg, notice->extra);
		PQfreemem(notice);
	}
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct pgconn *conn = arg;
	bool good = PQconsumeInput(conn->pg) == 1;

	conn->heard++;
	conn->in_results = true;
	read_results(conn);	/* results that came before the loss are still valid */
	conn->in_results = false;
	if (conn->pg == NULL)
		return;
	read_notices(conn);
	if (!good || PQstatus(conn->pg) == CONNECTION_BAD)
		lose(conn, PQerrorMessage(conn->pg));
	else
		flush(conn);
}

struct pgconn *pgconn_new(struct db *db, const char *label, const struct pgconn_ops *ops, void *arg)
{
	struct pgconn *conn = pl_new(sizeof(*conn));

	*conn = (struct pgconn){ .db = db, .ops = ops, .arg = arg, .label = label, .fd = -1 };
	TAILQ_INIT(&conn->sent);
	conn->ev_timer = evtimer_new(db->base, on_timer, conn);
	conn->ev_broken = evtimer_new(db->base, on_broken, conn);
	conn->state = WAITING;
	timer(conn, 0);		/* not from here, because the owner is not complete yet */
	return conn;
}

void pgconn_free(struct pgconn **connp, struct pgquery_list *in_flight)
{
	struct pgconn *conn = *connp;

	*connp = NULL;
	PL_BUG(conn->in_results);
	if (conn->state == READY)
		db_count(conn->db, SHM_M_db_conns, -1);
	close_pg(conn);
	event_free(conn->ev_timer);
	event_free(conn->ev_broken);
	TAILQ_CONCAT(in_flight, &conn->sent, link);
	pl_free(conn);
}

void pgconn_listen(struct pgconn *conn, const char *channel, pgconn_notice_fn *fn, void *arg)
{
	conn->channel = channel;
	conn->on_notice = fn;
	conn->notice_arg = arg;
}

bool pgconn_ready(const struct pgconn *conn)
{
	return conn->state == READY && !conn->broken;
}

bool pgconn_away(const struct pgconn *conn)
{
	return conn->failures > 0;
}

static void silence_begins(struct pgconn *conn)
{
	conn->quiet = 0;
	conn->heard_before = conn->heard - 1;	/* so that an incomplete first tick does not count */
}

bool pgconn_send(struct pgconn *conn, struct pgquery *query)
{
	static const int formats[PGQUERY_ARGS_MAX] = { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
		1, 1, 1 };
	const struct stmt *stmt = query->stmt;
	bool *prepared = &conn->prepared[STMT_ID(stmt)];

	PL_BUG(conn->state != READY);
	query->preparing = !*prepared;
	if ((!*prepared && PQsendPrepare(conn->pg, stmt->name, stmt->sql, 0, NULL) != 1) ||
	    PQsendQueryPrepared(conn->pg, stmt->name, query->count, query->values, query->lengths, formats, 1) != 1) {
		break_soon(conn);
		return false;
	}
	*prepared = true;
	if (conn->sent_count == 0 && conn->syncs == 0)
		silence_begins(conn);
	db_count(conn->db, SHM_M_db_queries, 1);
	query->sent = true;
	query->queue = NULL;
	TAILQ_INSERT_TAIL(&conn->sent, query, link);
	conn->sent_count++;
	return true;
}

void pgconn_sync(struct pgconn *conn)
{
	if (!pgconn_ready(conn))
		return;
	if (PQpipelineSync(conn->pg) != 1) {
		break_soon(conn);
		return;
	}
	conn->syncs++;
	flush(conn);
}

int pgconn_in_flight(const struct pgconn *conn)
{
	return conn->sent_count;
}

/* The server process may be stopped and hold locks. It is asked to end as soon as it continues. */
static void give_up(struct pgconn *conn, const char *why)
{
	struct db *db = conn->db;
	int pid = pgconn_pid(conn);
	char name[64];

	make_name(conn, name);
	lose(conn, why);
	if (pid != 0)
		backend_end(db, pid, name);
}

void pgconn_tick(struct pgconn *conn)
{
	int64_t limit_ms = pgopen_answer_ms(&conn->db->config->s);

	if (!pgconn_ready(conn) || (conn->sent_count == 0 && conn->syncs == 0)) {
		conn->quiet = 0;
		return;
	}
	if (conn->heard != conn->heard_before) {
		conn->heard_before = conn->heard;
		conn->quiet = 0;
		return;
	}
	conn->quiet++;
	if ((int64_t)conn->quiet * DB_SWEEP_MS < limit_ms)
		return;
	pl_log(PL_LOG_WARN, NULL, "database does not answer", "connection=%s backend=%d after_ms=%lld", conn->label,
	    pgconn_pid(conn), (long long)limit_ms);
	give_up(conn, "no answer");
}

int pgconn_silent_ms(const struct pgconn *conn)
{
	return conn->quiet * DB_SWEEP_MS;
}

int pgconn_pid(const struct pgconn *conn)
{
	return conn->pg != NULL ? PQbackendPID(conn->pg) : 0;
}

void pgconn_take(struct pgconn *conn, struct pgquery_list *calls)
{
	struct pgquery *query = TAILQ_FIRST(&conn->sent), *next, *ghost;

	for (; query != NULL; query = next) {
		next = TAILQ_NEXT(query, link);
		if (query->finished)
			continue;
		ghost = pgquery_ghost(query);
		TAILQ_INSERT_BEFORE(query, ghost, link);
		TAILQ_REMOVE(&conn->sent, query, link);
		query->sent = query->preparing = false;
		TAILQ_INSERT_TAIL(calls, query, link);
	}
}

void pgconn_renew(struct pgconn *conn, const char *why)
{
	PL_BUG(conn->state != READY);
	conn->hurry = true;
	give_up(conn, why);
}
