/* SPDX-License-Identifier: ISC */
/* start -> waiting -> a free connection (or a new one within the budget) -> result kept -> Sync -> caller. */
#include "db/conn/pgplain.h"

#include "clock.h"
#include "db/conn/backend.h"
#include "db/db_int.h"
#include "db/conn/pgconn.h"
#include "db/conn/pgerr.h"
#include "db/repo/repo_audit.h"
#include "db/repo/repo_idem.h"

enum { IDLE_CLOSE_S = 60 };

struct slot {
	struct pgplain *plain;
	struct pgconn *conn;	/* NULL: not open */
	struct pgquery *query;	/* until its Sync; may also be in the connection's list */
	struct pgquery *work;	/* records an Idempotency-Key; sent before the query */
	struct pgquery *caller;	/* names the user for the audit trail; sent before both */
	PGresult *res;		/* reported after the Sync */
	int64_t used_ns;
	bool slow;		/* the statement counts as slow, or this query turned out to be */
	bool hold;		/* the running query may be canceled at any moment: send nothing new */
};

struct pgplain {
	struct db *db;
	struct pgquery_list waiting;
	struct pgquery_list slow[S_COUNT];	/* waiting queries of slow statements: db_slow() */
	int budget;
	bool away, canceling;
	int64_t away_until_ns;
	struct slot slots[];
};

static const struct pgconn_ops ops;

static void enqueue(struct pgplain *plain, struct pgquery *query, bool head)
{
	bool slow = db_slow(plain->db, query->stmt);
	struct pgquery_list *queue = slow ? &plain->slow[STMT_ID(query->stmt)] : &plain->waiting;

	query->sent = false;
	query->queue = queue;
	if (head)
		TAILQ_INSERT_HEAD(queue, query, link);
	else
		TAILQ_INSERT_TAIL(queue, query, link);
}

static void wait_at_head(struct pgplain *plain, struct pgquery *query)
{
	enqueue(plain, query, true);
}

/*
 * Returns the first waiting query of a quick statement. Queries of statements that became slow meanwhile move to the
 * other queue.
 */
static struct pgquery *first_quick(struct pgplain *plain)
{
	struct pgquery *query;

	while ((query = TAILQ_FIRST(&plain->waiting)) != NULL && db_slow(plain->db, query->stmt)) {
		TAILQ_REMOVE(&plain->waiting, query, link);
		enqueue(plain, query, false);
	}
	return query;
}

/* Returns the number of running slow queries of one statement or (NULL) of all. */
static int slow_running(const struct pgplain *plain, const struct stmt *stmt)
{
	int count = 0;

	for (int i = 0; i < plain->budget; i++) {
		const struct slot *slot = &plain->slots[i];

		if (slot->query != NULL && slot->slow && (stmt == NULL || slot->query->stmt == stmt))
			count++;
	}
	return count;
}

/*
 * Returns the slow query that may start now. Slow queries use all connections but one, and those of one statement half
 * of these. The statement with the fewest running queries comes first, so that a statement that was slow only once can
 * show that it is quick.
 */
static struct pgquery *first_slow(const struct pgplain *plain)
{
	int room = plain->budget > 1 ? plain->budget - 1 : 1, fewest = (room + 1) / 2;
	struct pgquery *best = NULL;

	if (slow_running(plain, NULL) >= room)
		return NULL;
	for (int i = 0; i < S_COUNT; i++) {
		struct pgquery *query = TAILQ_FIRST(&plain->slow[i]);
		int count = query != NULL ? slow_running(plain, query->stmt) : 0;

		if (query == NULL || count > fewest || (count == fewest && best == NULL))
			continue;
		if (count < fewest || query->started_ns < best->started_ns)
			best = query;
		fewest = count;
	}
	return best;
}

/* Takes the oldest query that may start out of its queue. NULL: none. */
static struct pgquery *take_next(struct pgplain *plain)
{
	struct pgquery *query = first_quick(plain), *slow = first_slow(plain);

	if (slow != NULL && (query == NULL || slow->started_ns < query->started_ns))
		query = slow;
	if (query != NULL)
		TAILQ_REMOVE(query->queue, query, link);
	return query;
}

static void finish_free(struct pgquery *query, enum pl_code code)
{
	pgquery_fail(query, code, code == PL_E_DB_AWAY ? DB_RETRY_AFTER_S : 0);
	pgquery_free(&query);
}

static void drop_work(struct slot *slot)
{
	if (slot->work != NULL)
		pgquery_free(&slot->work);
	if (slot->caller != NULL)
		pgquery_free(&slot->caller);
}

/* Sends the query. In the same transaction, the caller's name and the Idempotency-Key of the task go before it. */
static bool send_call(struct slot *slot, struct pgquery *query)
{
	const struct pl_once *once = query->task != NULL && query->stmt->class != STMT_READ ? query->task->once : NULL;

	if (query->audited)
		slot->caller = repo_audit_caller(slot->plain->db, query->task);
	if (once != NULL)
		slot->work = repo_idem_work(slot->plain->db, once);
	if ((slot->caller != NULL && !pgconn_send(slot->conn, slot->caller)) ||
	    (slot->work != NULL && !pgconn_send(slot->conn, slot->work))) {
		drop_work(slot);
		return false;
	}
	return pgconn_send(slot->conn, query);	/* if the connection breaks, its loss frees `work` and `caller` */
}

/* Sends the next waiting query on this connection. */
static void feed(struct slot *slot)
{
	struct pgplain *plain = slot->plain;
	struct pgquery *query;

	if (slot->conn == NULL || slot->query != NULL || slot->hold || !pgconn_ready(slot->conn))
		return;
	query = take_next(plain);
	if (query == NULL)
		return;
	slot->slow = db_slow(plain->db, query->stmt);
	slot->used_ns = pl_now_ns();
	query->tries++;
	if (!send_call(slot, query)) {
		wait_at_head(plain, query);
		return;
	}
	slot->query = query;
	pgconn_sync(slot->conn);
}

static void on_notice(void *arg, const char *payload)
{
	struct db *db = arg;

	db->on_notice(db->notice_arg);
}

/* Opens the connection of a slot. The first slot's connection listens. */
static void open_slot(struct slot *slot)
{
	struct pgplain *plain = slot->plain;

	slot->used_ns = pl_now_ns();
	slot->conn = pgconn_new(plain->db, "plain", &ops, slot);
	if (slot == &plain->slots[0] && plain->db->channel != NULL)
		pgconn_listen(slot->conn, plain->db->channel, on_notice, plain->db);
}

void pgplain_listen(struct pgplain *plain)
{
	struct slot *slot = &plain->slots[0];

	if (slot->conn == NULL)
		open_slot(slot);
	else
		pgconn_listen(slot->conn, plain->db->channel, on_notice, plain->db);
}

/* Opens another connection if more queries wait than the opening connections will serve. */
static void grow(struct pgplain *plain)
{
	struct slot *spare = NULL;
	struct pgquery *query;
	int opening = 0, waiting = first_slow(plain) != NULL ? 1 : 0;

	for (int i = 0; i < plain->budget; i++) {
		struct slot *slot = &plain->slots[i];

		if (slot->conn == NULL)
			spare = slot;
		else if (!pgconn_ready(slot->conn))
			opening++;
	}
	TAILQ_FOREACH(query, &plain->waiting, link) {
		if (++waiting > opening)
			break;
	}
	if (spare == NULL || waiting <= opening)
		return;
	open_slot(spare);
}

void pgplain_start(struct pgplain *plain, struct pgquery *query)
{
	if (plain->away && pl_now_ns() < plain->away_until_ns) {
		pgquery_fail_later(query, PL_E_DB_AWAY, DB_RETRY_AFTER_S);
		return;
	}
	enqueue(plain, query, false);
	for (int i = 0; i < plain->budget && query->queue != NULL; i++)
		feed(&plain->slots[i]);
	if (query->queue != NULL)
		grow(plain);
}

static void on_ready(void *arg)
{
	struct slot *slot = arg;

	slot->plain->away = false;
	feed(slot);
}

static bool on_result(void *arg, struct pgquery *query, PGresult *res)
{
	struct slot *slot = arg;

	bool before = query != NULL && (query == slot->work || query == slot->caller);

	if (slot->query == NULL || (before && PQresultStatus(res) == PGRES_TUPLES_OK))
		return false;
	if (PQresultStatus(res) == PGRES_PIPELINE_ABORTED)
		return false;	/* slot->res has the reason */
	PQclear(slot->res);	/* the failed commit replaces the statement's result */
	slot->res = res;
	return true;
}

static void on_synced(void *arg)
{
	struct slot *slot = arg;
	struct pgquery *query = slot->query;
	PGresult *res = slot->res;
	ExecStatusType status = PQresultStatus(res);
	bool slow = pgconn_silent_ms(slot->conn) >= DB_STUCK_MS;
	struct pl_err err;

	slot->query = NULL;
	slot->res = NULL;
	drop_work(slot);
	if (query == NULL)
		return;
	if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK) {
		db_slow_set(slot->plain->db, query->stmt, slow);
		pgquery_finish(query, res, NULL);
		pgquery_free(&query);
	} else {
		db_count(slot->plain->db, SHM_M_db_errors, 1);
		if (pgerr_of(res, query->stmt->name, query->task, &err) == PGERR_RETRY && query->tries < DB_TRIES_MAX &&
		    !query->finished) {
			wait_at_head(slot->plain, query);
		} else {
			pgquery_finish(query, NULL, &err);
			pgquery_free(&query);
		}
	}
	PQclear(res);
	feed(slot);
}

/* The statement was sent when the connection broke. */
static void lost_call(struct pgplain *plain, struct pgquery *query)
{
	bool repeatable = query->stmt->class == STMT_SAFE || query->stmt->class == STMT_READ;

	if (query->finished)
		pgquery_free(&query);
	else if (!repeatable)
		finish_free(query, PL_E_WRITE_UNKNOWN);
	else if (query->tries < DB_TRIES_MAX)
		wait_at_head(plain, query);
	else
		finish_free(query, PL_E_DB_AWAY);
}

static bool any_ready(const struct pgplain *plain)
{
	for (int i = 0; i < plain->budget; i++) {
		if (plain->slots[i].conn != NULL && pgconn_ready(plain->slots[i].conn))
			return true;
	}
	return false;
}

static void on_lost(void *arg, bool was_ready, struct pgquery_list *in_flight)
{
	struct slot *slot = arg;
	struct pgplain *plain = slot->plain;
	struct pgquery *query = slot->query;

	TAILQ_INIT(in_flight);	/* at most slot->query and what was sent before it, which the slot has anyway */
	drop_work(slot);
	PQclear(slot->res);
	slot->res = NULL;
	slot->query = NULL;
	if (query != NULL)
		lost_call(plain, query);
	if (was_ready || any_ready(plain))
		return;
	plain->away = true;
	plain->away_until_ns = pl_now_ns() + 200 * PL_NS_PER_MS;
	for (int i = 0; i < S_COUNT; i++)
		TAILQ_CONCAT(&plain->waiting, &plain->slow[i], link);
	while ((query = TAILQ_FIRST(&plain->waiting)) != NULL) {
		TAILQ_REMOVE(&plain->waiting, query, link);
		finish_free(query, PL_E_DB_AWAY);
	}
}

static const struct pgconn_ops ops = { .ready = on_ready, .result = on_result, .synced = on_synced, .lost = on_lost };

struct pgplain *pgplain_new(struct db *db, int budget)
{
	struct pgplain *plain = pl_new(sizeof(*plain) + (size_t)budget * sizeof(plain->slots[0]));

	*plain = (struct pgplain){ .db = db, .budget = budget };
	TAILQ_INIT(&plain->waiting);
	for (int i = 0; i < S_COUNT; i++)
		TAILQ_INIT(&plain->slow[i]);
	for (int i = 0; i < budget; i++)
		plain->slots[i].plain = plain;
	return plain;
}

void pgplain_free(struct pgplain **plainp, struct pgquery_list *calls)
{
	struct pgplain *plain = *plainp;

	*plainp = NULL;
	for (int i = 0; i < plain->budget; i++) {
		struct slot *slot = &plain->slots[i];
		struct pgquery_list in_flight = TAILQ_HEAD_INITIALIZER(in_flight);

		if (slot->conn != NULL)
			pgconn_free(&slot->conn, &in_flight);
		PQclear(slot->res);
		drop_work(slot);
		if (slot->query != NULL)
			TAILQ_INSERT_TAIL(calls, slot->query, link);
	}
	TAILQ_CONCAT(calls, &plain->waiting, link);
	for (int i = 0; i < S_COUNT; i++)
		TAILQ_CONCAT(calls, &plain->slow[i], link);
	pl_free(plain);
}

bool pgplain_up(const struct pgplain *plain)
{
	return !plain->away;
}

bool pgplain_idle(const struct pgplain *plain)
{
	for (int i = 0; i < plain->budget; i++) {
		if (plain->slots[i].query != NULL)
			return false;
	}
	for (int i = 0; i < S_COUNT; i++) {
		if (!TAILQ_EMPTY(&plain->slow[i]))
			return false;
	}
	return TAILQ_EMPTY(&plain->waiting);
}

/*
 * The number of connections that stay open, so that a burst of answers does not wait until PostgreSQL starts processes.
 */
static int warm(const struct pgplain *plain)
{
	return (plain->budget + 1) / 2;
}

static int count_open(const struct pgplain *plain)
{
	int count = 0;

	for (int i = 0; i < plain->budget; i++)
		count += plain->slots[i].conn != NULL;
	return count;
}

/* Closes the last ones first. Work goes to the first free connection, so the first ones have the warmest caches. */
static void close_idle(struct pgplain *plain)
{
	int64_t limit_ns = pl_now_ns() - IDLE_CLOSE_S * PL_NS_PER_S;
	int left = count_open(plain) - warm(plain);

	for (int i = plain->budget - 1; i >= 0 && left > 0; i--) {
		struct slot *slot = &plain->slots[i];
		struct pgquery_list none = TAILQ_HEAD_INITIALIZER(none);

		if (slot->conn == NULL || slot->query != NULL || slot->used_ns >= limit_ns ||
		    (i == 0 && plain->db->channel != NULL))	/* the connection listens */
			continue;
		pgconn_free(&slot->conn, &none);
		left--;
	}
}

void pgplain_trim(struct pgplain *plain)
{
	close_idle(plain);
	if (plain->away || plain->db->aside || plain->db->stopping || count_open(plain) >= warm(plain))
		return;
	for (int i = 0; i < plain->budget; i++) {
		struct slot *slot = &plain->slots[i];

		if (slot->conn == NULL) {
			open_slot(slot);
			return;
		}
	}
}

/* The canceled statement's result comes on its own connection, as PGERR_LOCK. */
static void on_canceled(struct pgquery *query, const PGresult *res, const struct pl_err *err)
{
	struct pgplain *plain = query->db->plain;

	if (plain == NULL)
		return;
	plain->canceling = false;
	for (int i = 0; i < plain->budget; i++) {
		plain->slots[i].hold = false;
		feed(&plain->slots[i]);
	}
}

/*
 * All connections are stuck and a quick query waits. Clerk and courier have no other connection for a cancel request;
 * there, lock_timeout ends the wait.
 */
static void make_room(struct pgplain *plain)
{
	int64_t *pids;

	if (plain->canceling || plain->db->read == NULL || plain->db->stopping || first_quick(plain) == NULL)
		return;
	for (int i = 0; i < plain->budget; i++) {
		const struct slot *slot = &plain->slots[i];

		if (slot->conn == NULL || slot->query == NULL || pgconn_silent_ms(slot->conn) < DB_STUCK_MS)
			return;
	}
	pids = pl_new((size_t)plain->budget * sizeof(*pids));
	for (int i = 0; i < plain->budget; i++) {
		plain->slots[i].hold = true;
		pids[i] = pgconn_pid(plain->slots[i].conn);
	}
	plain->canceling = true;
	backend_cancel(plain->db, pids, plain->budget, on_canceled, NULL);
	pl_free(pids);
}

void pgplain_sweep(struct pgplain *plain)
{
	for (int i = 0; i < plain->budget; i++) {
		struct slot *slot = &plain->slots[i];

		if (slot->conn == NULL)
			continue;
		db_tick(plain->db, slot->conn);
		if (slot->query != NULL && pgconn_silent_ms(slot->conn) >= DB_STUCK_MS) {
			slot->slow = true;
			db_slow_set(plain->db, slot->query->stmt, true);
		}
	}
	make_room(plain);
}
