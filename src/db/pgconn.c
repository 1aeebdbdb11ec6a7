/* SPDX-License-Identifier: ISC */
/*
 * The connection's states: WAITING (a timer until the next attempt) -> CONNECTING -> SETUP (settings and prepared
 * statements in flight) -> READY -> (lost) WAITING.
 */
#include "db/pgconn.h"

#include <unistd.h>

#include "clock.h"
#include "db/db_int.h"
#include "db/pgerr.h"
#include "leaf.h"
#include "log.h"

enum {
	RETRY_FIRST_MS = 20,
	RETRY_MAX_MS = 1000,
	CONNECT_TIMEOUT_S = 5
};

enum state { WAITING, CONNECTING, SETUP, READY };

struct pgconn {
	struct db *db;
	const struct pgconn_ops *ops;
	void *arg;
	const char *label;
	unsigned classes;
	enum state state;
	PGconn *pg;
	struct event *ev_read, *ev_write, *ev_timer;	/* timer: next attempt, or the attempt's time limit */
	struct event *ev_broken;	/* a send failed: lose it from the loop */
	int fd;				/* that ev_read and ev_write are for */
	int failures;			/* attempts in a row */
	bool logged;			/* that it is away */
	bool broken;			/* ev_broken is on its way */
	bool lived;			/* was ready once */
	bool write_on, in_results;
	struct pgcall_list sent;
	int sent_count;
};

static void connect_start(struct pgconn *conn);
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

/* Closes the socket; events first, since the changelist must not hold a dead number. */
static void close_pg(struct pgconn *conn)
{
	events_drop(conn);
	event_del(conn->ev_broken);
	conn->broken = false;
	if (conn->pg != NULL)
		PQfinish(conn->pg);
	conn->pg = NULL;
}

static void lose(struct pgconn *conn, const char *why)
{
	struct pgcall_list in_flight = TAILQ_HEAD_INITIALIZER(in_flight);
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
	if (!conn->logged && conn->failures > 0)
		pl_log(PL_LOG_WARN, NULL, "database away", "connection=%s text=%s", conn->label, text);
	else if (was_ready)
		pl_log(PL_LOG_INFO, NULL, "database connection lost", "connection=%s text=%s", conn->label, text);
	conn->logged = conn->failures > 0;
	close_pg(conn);
	conn->state = WAITING;
	timer(conn, wait_ms / 2 + pl_jitter((uint32_t)wait_ms));
	TAILQ_CONCAT(&in_flight, &conn->sent, link);
	conn->sent_count = 0;
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

/*
 * Settings of every connection, and the statements of its classes, in one group. Generic plans: PostgreSQL's own choice
 * plans room_append()'s statement anew at each call, 1.0 ms instead of 0.3.
 */
static bool setup_send(struct pgconn *conn)
{
	const struct settings *s = &conn->db->config->s;
	char statement[24], lock[24];
	const char *values[] = { statement, lock };

	snprintf(statement, sizeof(statement), "%lld", (long long)s->db_statement_timeout);
	snprintf(lock, sizeof(lock), "%lld", (long long)s->db_lock_timeout);
	if (PQsetnonblocking(conn->pg, 1) != 0 || PQenterPipelineMode(conn->pg) != 1 ||
	    PQsendQueryParams(conn->pg,
		"SELECT set_config('statement_timeout', $1, false), set_config('lock_timeout', $2, false), "
		"set_config('client_min_messages', 'warning', false), set_config("
		"'plan_cache_mode', 'force_generic_plan', false), set_config('jit', 'off', false)",
		2, NULL, values, NULL, NULL, 0) != 1)
		return false;
	for (int i = 0; i < S_COUNT; i++) {
		if ((conn->classes & 1u << stmts[i].class) != 0 &&
		    PQsendPrepare(conn->pg, stmts[i].name, stmts[i].sql, 0, NULL) != 1)
			return false;
	}
	return PQpipelineSync(conn->pg) == 1;
}

static void setup_start(struct pgconn *conn)
{
	conn->state = SETUP;
	events_drop(conn);
	conn->fd = PQsocket(conn->pg);
	conn->ev_read = event_new(conn->db->base, conn->fd, EV_READ | EV_PERSIST, on_readable, conn);
	conn->ev_write = event_new(conn->db->base, conn->fd, EV_WRITE | EV_PERSIST, on_writable, conn);
	event_add(conn->ev_read, NULL);
	if (!setup_send(conn))
		lose(conn, PQerrorMessage(conn->pg));
	else
		flush(conn);
}

static void on_connecting(evutil_socket_t fd, short what, void *arg);

/* libpq may use another socket from step to step (several hosts, TLS refused): a new event each time. */
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

static void ignore_notice(void *arg, const PGresult *res)
{
}

static void connect_start(struct pgconn *conn)
{
	char name[64];
	const char *keys[] = { "dbname", "application_name", "client_encoding", NULL };
	const char *values[] = { conn->db->config->s.db, name, "UTF8", NULL };

	snprintf(name, sizeof(name), "parlourd/%s%d/%s", conn->db->clerk ? "clerk" : "w", conn->db->slot, conn->label);
	conn->state = CONNECTING;
	timer(conn, CONNECT_TIMEOUT_S * 1000);
	conn->pg = PQconnectStartParams(keys, values, 1);
	PL_BUG(conn->pg == NULL);
	if (PQstatus(conn->pg) == CONNECTION_BAD) {
		lose(conn, PQerrorMessage(conn->pg));
		return;
	}
	PQsetNoticeReceiver(conn->pg, ignore_notice, NULL);
	connect_wait(conn, EV_WRITE);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct pgconn *conn = arg;

	if (conn->state == WAITING)
		connect_start(conn);
	else if (conn->state != READY)
		lose(conn, "no answer in time");
}

static void setup_done(struct pgconn *conn)
{
	conn->state = READY;
	event_del(conn->ev_timer);
	db_count(conn->db, SHM_M_db_conns, 1);
	if (conn->lived)
		db_count(conn->db, SHM_M_db_reconnects, 1);
	conn->lived = true;
	if (conn->logged)
		pl_log(PL_LOG_INFO, NULL, "database back", "connection=%s", conn->label);
	conn->logged = false;
	conn->failures = 0;
	conn->ops->ready(conn->arg);
}

/* One result of the setup group. false: it failed and the connection was closed. */
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
	struct pgcall *call = NULL;

	if (PQresultStatus(res) == PGRES_PIPELINE_SYNC) {
		PQclear(res);
		conn->ops->synced(conn->arg);
		return;
	}
	if (PQresultStatus(res) == PGRES_FATAL_ERROR) {
		const char *sqlstate = PQresultErrorField(res, PG_DIAG_SQLSTATE);

		if (pgerr_kind(sqlstate) == PGERR_LOST) {	/* outcome unknown: the loss will say so */
			PQclear(res);
			break_soon(conn);
			return;
		}
	}
	call = TAILQ_FIRST(&conn->sent);
	if (call != NULL) {
		TAILQ_REMOVE(&conn->sent, call, link);
		conn->sent_count--;
	}
	if (!conn->ops->result(conn->arg, call, res))
		PQclear(res);
}

/* NULL ends one statement's results; two in a row: nothing more for now. */
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

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct pgconn *conn = arg;
	bool good = PQconsumeInput(conn->pg) == 1;

	conn->in_results = true;
	read_results(conn);	/* what came before a loss still counts */
	conn->in_results = false;
	if (conn->pg == NULL)
		return;
	if (!good || PQstatus(conn->pg) == CONNECTION_BAD)
		lose(conn, PQerrorMessage(conn->pg));
	else
		flush(conn);
}

struct pgconn *pgconn_new(struct db *db, const char *label, unsigned classes, const struct pgconn_ops *ops, void *arg)
{
	struct pgconn *conn = pl_new(sizeof(*conn));

	*conn = (struct pgconn){ .db = db, .ops = ops, .arg = arg, .label = label, .classes = classes, .fd = -1 };
	TAILQ_INIT(&conn->sent);
	conn->ev_timer = evtimer_new(db->base, on_timer, conn);
	conn->ev_broken = evtimer_new(db->base, on_broken, conn);
	conn->state = WAITING;
	timer(conn, 0);		/* not from here: the owner is not complete yet */
	return conn;
}

void pgconn_free(struct pgconn **connp, struct pgcall_list *in_flight)
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

bool pgconn_ready(const struct pgconn *conn)
{
	return conn->state == READY && !conn->broken;
}

bool pgconn_away(const struct pgconn *conn)
{
	return conn->failures > 0;
}

bool pgconn_send(struct pgconn *conn, struct pgcall *call)
{
	static const int formats[PGCALL_ARGS_MAX] = { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 };
	bool good;

	PL_BUG(conn->state != READY);
	good = PQsendQueryPrepared(conn->pg, call->stmt->name, call->count, call->values, call->lengths, formats,
	    1) == 1;
	if (!good) {
		break_soon(conn);
		return false;
	}
	db_count(conn->db, SHM_M_db_queries, 1);
	call->sent = true;
	call->queue = NULL;
	TAILQ_INSERT_TAIL(&conn->sent, call, link);
	conn->sent_count++;
	return true;
}

void pgconn_sync(struct pgconn *conn)
{
	if (!pgconn_ready(conn))
		return;
	if (PQpipelineSync(conn->pg) != 1)
		break_soon(conn);
	else
		flush(conn);
}

int pgconn_in_flight(const struct pgconn *conn)
{
	return conn->sent_count;
}
