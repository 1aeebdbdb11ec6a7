/* SPDX-License-Identifier: ISC */
/*
 * start -> (connection) -> result -> caller. An aborted query is sent again; a lost one, too, at most DB_TRIES_MAX
 * times; a stuck one goes to the plain connections.
 */
#include "db/conn/pgread.h"

#include "db/conn/backend.h"
#include "db/db_int.h"
#include "db/conn/pgconn.h"
#include "db/conn/pgerr.h"
#include "db/repo/author.h"

enum {
	SYNC_AFTER = 16,
	RENEW_TICKS = 250 / DB_SWEEP_MS	/* a stall of the disk ends within this time, most locks do not */
};

struct pgread {
	struct db *db;
	struct pgconn *conn;
	struct pgquery_list waiting;
	int unsynced;
	bool diverted;		/* reads go to the plain connections */
	int diverted_ticks;
};

static void sync_now(struct pgread *read)
{
	read->unsynced = 0;
	pgconn_sync(read->conn);
}

static void wait(struct pgread *read, struct pgquery *query)
{
	query->sent = false;
	query->queue = &read->waiting;
	TAILQ_INSERT_TAIL(&read->waiting, query, link);
}

static void send_call(struct pgread *read, struct pgquery *query)
{
	if (query->finished) {		/* its caller has its result already */
		pgquery_free(&query);
		return;
	}
	query->tries++;
	if (!pgconn_ready(read->conn) || !pgconn_send(read->conn, query)) {
		wait(read, query);
		return;
	}
	if (read->unsynced++ == 0)
		db_want_turn(read->db);
	if (query->solo || read->unsynced >= SYNC_AFTER)
		sync_now(read);
}

static void renew(struct pgread *read)
{
	pgconn_renew(read->conn, "reads waited for a query that does not end");
}

void pgread_start(struct pgread *read, struct pgquery *query)
{
	bool plain = !backend_is_call(query) && (read->diverted || db_slow(read->db, query->stmt));

	if (pgconn_away(read->conn)) {
		pgquery_fail_later(query, PL_E_DB_AWAY, DB_RETRY_AFTER_S);
	} else if (plain) {
		pgplain_start(read->db->plain, query);
	} else if (pgconn_ready(read->conn) && !read->diverted) {
		send_call(read, query);
	} else {
		wait(read, query);
		if (pgconn_ready(read->conn))
			renew(read);
	}
}

void pgread_turn(struct pgread *read)
{
	if (read->unsynced > 0)
		sync_now(read);
}

static void on_ready(void *arg)
{
	struct pgread *read = arg;
	struct pgquery_list calls = TAILQ_HEAD_INITIALIZER(calls);
	struct pgquery *query;

	read->unsynced = 0;
	read->diverted = false;
	TAILQ_CONCAT(&calls, &read->waiting, link);
	while ((query = TAILQ_FIRST(&calls)) != NULL) {
		TAILQ_REMOVE(&calls, query, link);
		send_call(read, query);
	}
	pgread_turn(read);
}

/* A group that another one aborted is sent again alone. One that never succeeds is failed. */
static void again(struct pgread *read, struct pgquery *query, const struct pl_err *err)
{
	if (query->tries < DB_TRIES_MAX) {
		query->solo = true;
		send_call(read, query);
		return;
	}
	pgquery_finish(query, NULL, err);
	pgquery_free(&query);
}

static bool on_result(void *arg, struct pgquery *query, PGresult *res)
{
	struct pgread *read = arg;
	struct pl_err err;

	if (query == NULL)
		return false;
	switch (PQresultStatus(res)) {
	case PGRES_TUPLES_OK:
	case PGRES_COMMAND_OK:
		pgquery_finish(query, res, NULL);
		pgquery_free(&query);
		break;
	case PGRES_PIPELINE_ABORTED:
		pl_err_set(&err, PL_E_BUSY, NULL);
		again(read, query, &err);
		break;
	default:
		db_count(read->db, SHM_M_db_errors, 1);
		if (pgerr_of(res, query->stmt->name, query->task, &err) == PGERR_RETRY) {
			again(read, query, &err);
		} else {
			pgquery_finish(query, NULL, &err);
			pgquery_free(&query);
		}
	}
	return false;
}

/* The dropped results have arrived, so nothing remains of what blocked the connection. */
static void on_synced(void *arg)
{
	struct pgread *read = arg;

	if (pgconn_in_flight(read->conn) == 0)
		read->diverted = false;
}

/* The stuck query is unknown, because the server keeps the results of a group until the whole group is done. */
static void divert(struct pgread *read)
{
	struct pgquery_list calls = TAILQ_HEAD_INITIALIZER(calls);
	struct pgquery *query;
	bool wanted = false;

	read->diverted = true;
	read->diverted_ticks = 0;
	pgconn_take(read->conn, &calls);
	while ((query = TAILQ_FIRST(&calls)) != NULL) {
		TAILQ_REMOVE(&calls, query, link);
		if (backend_is_call(query)) {
			wait(read, query);
			wanted = true;
		} else {
			pgplain_start(read->db->plain, query);
		}
	}
	if (wanted)
		renew(read);
}

void pgread_sweep(struct pgread *read)
{
	db_tick(read->db, read->conn);
	if (!pgconn_ready(read->conn))
		return;
	if (!read->diverted) {
		if (pgconn_silent_ms(read->conn) >= DB_STUCK_MS)
			divert(read);
	} else if (pgconn_in_flight(read->conn) == 0) {
		read->diverted = false;
	} else if (++read->diverted_ticks >= RENEW_TICKS) {
		renew(read);
	}
}

static void fail_all(struct pgquery_list *calls)
{
	struct pgquery *query;

	while ((query = TAILQ_FIRST(calls)) != NULL) {
		TAILQ_REMOVE(calls, query, link);
		pgquery_fail(query, PL_E_DB_AWAY, DB_RETRY_AFTER_S);
		pgquery_free(&query);
	}
}

/*
 * Queries that were sent go again after the reconnect, before those that wait. After a failed attempt to connect, all
 * fail.
 */
static void on_lost(void *arg, bool was_ready, struct pgquery_list *in_flight)
{
	struct pgread *read = arg;
	struct pgquery_list dead = TAILQ_HEAD_INITIALIZER(dead);
	struct pgquery *query;

	read->unsynced = 0;
	while ((query = TAILQ_LAST(in_flight, pgquery_list)) != NULL) {
		TAILQ_REMOVE(in_flight, query, link);
		if (query->finished || query->tries >= DB_TRIES_MAX) {
			TAILQ_INSERT_HEAD(&dead, query, link);
			continue;
		}
		query->sent = false;
		query->queue = &read->waiting;
		TAILQ_INSERT_HEAD(&read->waiting, query, link);
	}
	if (!was_ready)
		TAILQ_CONCAT(&dead, &read->waiting, link);
	fail_all(&dead);
}

struct pgread *pgread_new(struct db *db)
{
	static const struct pgconn_ops ops = {
	    .ready = on_ready, .result = on_result, .synced = on_synced, .lost = on_lost};
	struct pgread *read = pl_new(sizeof(*read));

	*read = (struct pgread){ .db = db };
	TAILQ_INIT(&read->waiting);
	read->conn = pgconn_new(db, "read", &ops, read);
	pgconn_listen(read->conn, "parlour_names", authors_notice, db->authors);
	return read;
}

void pgread_free(struct pgread **readp, struct pgquery_list *calls)
{
	struct pgread *read = *readp;

	*readp = NULL;
	pgconn_free(&read->conn, calls);
	TAILQ_CONCAT(calls, &read->waiting, link);
	pl_free(read);
}

bool pgread_up(const struct pgread *read)
{
	return pgconn_ready(read->conn) || (read->diverted && !pgconn_away(read->conn));
}

bool pgread_idle(const struct pgread *read)
{
	return TAILQ_EMPTY(&read->waiting) && pgconn_in_flight(read->conn) == 0;
}
