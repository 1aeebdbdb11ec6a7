/* SPDX-License-Identifier: ISC */
/*
 * start -> waiting -> a free connection (or a new one within the budget) -> result kept -> Sync -> caller.
 */
#include "db/pgplain.h"

#include "clock.h"
#include "db/db_int.h"
#include "db/pgconn.h"
#include "db/pgerr.h"
#include "db/repo_idem.h"

enum { IDLE_CLOSE_S = 60 };

struct slot {
	struct pgplain *plain;
	struct pgconn *conn;	/* NULL: not open */
	struct pgcall *call;	/* until its Sync; it may also be in the connection's list */
	struct pgcall *work;	/* went before it, when it does the work of an Idempotency-Key */
	PGresult *res;		/* what will be told after the Sync */
	int64_t used_ns;
};

struct pgplain {
	struct db *db;
	struct pgcall_list waiting;
	int budget;
	bool away;
	int64_t away_until_ns;
	struct slot slots[];
};

static const struct pgconn_ops ops;

static void wait_at_head(struct pgplain *plain, struct pgcall *call)
{
	call->sent = false;
	call->queue = &plain->waiting;
	TAILQ_INSERT_HEAD(&plain->waiting, call, link);
}

static void finish_free(struct pgcall *call, enum pl_code code)
{
	pgcall_fail(call, code, code == PL_E_DB_AWAY ? DB_RETRY_AFTER_S : 0);
	pgcall_free(&call);
}

static void drop_work(struct slot *slot)
{
	if (slot->work != NULL)
		pgcall_free(&slot->work);
}

/* The call, with its task's Idempotency-Key before it in the same transaction. */
static bool send_call(struct slot *slot, struct pgcall *call)
{
	const struct pl_once *once = call->task != NULL && call->stmt->class != STMT_READ ? call->task->once : NULL;

	if (once != NULL) {
		slot->work = repo_idem_work(slot->plain->db, once);
		if (!pgconn_send(slot->conn, slot->work)) {
			drop_work(slot);
			return false;
		}
	}
	return pgconn_send(slot->conn, call);	/* a broken connection's loss frees `work` */
}

/* The next waiting call goes to this connection. */
static void feed(struct slot *slot)
{
	struct pgplain *plain = slot->plain;
	struct pgcall *call;

	if (slot->conn == NULL || slot->call != NULL || !pgconn_ready(slot->conn))
		return;
	call = TAILQ_FIRST(&plain->waiting);
	if (call == NULL)
		return;
	TAILQ_REMOVE(&plain->waiting, call, link);
	slot->used_ns = pl_now_ns();
	call->tries++;
	if (!send_call(slot, call)) {
		wait_at_head(plain, call);
		return;
	}
	slot->call = call;
	pgconn_sync(slot->conn);
}

/* Open another connection when more wait than will be served by those that are opening. */
static void grow(struct pgplain *plain)
{
	struct slot *spare = NULL;
	struct pgcall *call;
	int opening = 0, waiting = 0;

	for (int i = 0; i < plain->budget; i++) {
		struct slot *slot = &plain->slots[i];

		if (slot->conn == NULL)
			spare = slot;
		else if (!pgconn_ready(slot->conn))
			opening++;
	}
	TAILQ_FOREACH(call, &plain->waiting, link) {
		if (++waiting > opening)
			break;
	}
	if (spare == NULL || waiting <= opening)
		return;
	spare->used_ns = pl_now_ns();
	spare->conn = pgconn_new(plain->db, "plain", 1u << STMT_PLAIN | 1u << STMT_SAFE | 1u << STMT_WRITE |
	    (plain->db->clerk ? 1u << STMT_READ : 0), &ops, spare);
}

void pgplain_start(struct pgplain *plain, struct pgcall *call)
{
	if (plain->away && pl_now_ns() < plain->away_until_ns) {
		pgcall_fail_later(call, PL_E_DB_AWAY, DB_RETRY_AFTER_S);
		return;
	}
	call->queue = &plain->waiting;
	TAILQ_INSERT_TAIL(&plain->waiting, call, link);
	for (int i = 0; i < plain->budget && call->queue != NULL; i++)
		feed(&plain->slots[i]);
	if (call->queue != NULL)
		grow(plain);
}

static void on_ready(void *arg)
{
	struct slot *slot = arg;

	slot->plain->away = false;
	feed(slot);
}

static bool on_result(void *arg, struct pgcall *call, PGresult *res)
{
	struct slot *slot = arg;

	if (slot->call == NULL || (call != NULL && call == slot->work && PQresultStatus(res) == PGRES_TUPLES_OK))
		return false;
	if (PQresultStatus(res) == PGRES_PIPELINE_ABORTED)
		return false;	/* slot->res says why */
	PQclear(slot->res);	/* a failed commit replaces the statement's own result */
	slot->res = res;
	return true;
}

static void on_synced(void *arg)
{
	struct slot *slot = arg;
	struct pgcall *call = slot->call;
	PGresult *res = slot->res;
	ExecStatusType status = PQresultStatus(res);
	struct pl_err err;

	slot->call = NULL;
	slot->res = NULL;
	drop_work(slot);
	if (call == NULL)
		return;
	if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK) {
		pgcall_finish(call, res, NULL);
		pgcall_free(&call);
	} else {
		db_count(slot->plain->db, SHM_M_db_errors, 1);
		if (pgerr_of(res, call->stmt->name, call->task, &err) == PGERR_RETRY && call->tries < DB_TRIES_MAX &&
		    !call->finished) {
			wait_at_head(slot->plain, call);
		} else {
			pgcall_finish(call, NULL, &err);
			pgcall_free(&call);
		}
	}
	PQclear(res);
	feed(slot);
}

/* The statement that was sent when the connection broke. */
static void lost_call(struct pgplain *plain, struct pgcall *call)
{
	bool repeatable = call->stmt->class == STMT_SAFE || call->stmt->class == STMT_READ;

	if (call->finished)
		pgcall_free(&call);
	else if (!repeatable)
		finish_free(call, PL_E_WRITE_UNKNOWN);
	else if (call->tries < DB_TRIES_MAX)
		wait_at_head(plain, call);
	else
		finish_free(call, PL_E_DB_AWAY);
}

static bool any_ready(const struct pgplain *plain)
{
	for (int i = 0; i < plain->budget; i++) {
		if (plain->slots[i].conn != NULL && pgconn_ready(plain->slots[i].conn))
			return true;
	}
	return false;
}

static void on_lost(void *arg, bool was_ready, struct pgcall_list *in_flight)
{
	struct slot *slot = arg;
	struct pgplain *plain = slot->plain;
	struct pgcall *call = slot->call;

	TAILQ_INIT(in_flight);	/* at most slot->call and slot->work, which are ours anyway */
	drop_work(slot);
	PQclear(slot->res);
	slot->res = NULL;
	slot->call = NULL;
	if (call != NULL)
		lost_call(plain, call);
	if (was_ready || any_ready(plain))
		return;
	plain->away = true;
	plain->away_until_ns = pl_now_ns() + 200 * PL_NS_PER_MS;
	for (;;) {
		call = TAILQ_FIRST(&plain->waiting);
		if (call == NULL)
			return;
		TAILQ_REMOVE(&plain->waiting, call, link);
		finish_free(call, PL_E_DB_AWAY);
	}
}

static const struct pgconn_ops ops = { .ready = on_ready, .result = on_result, .synced = on_synced, .lost = on_lost };

struct pgplain *pgplain_new(struct db *db, int budget)
{
	struct pgplain *plain = pl_new(sizeof(*plain) + (size_t)budget * sizeof(plain->slots[0]));

	*plain = (struct pgplain){ .db = db, .budget = budget };
	TAILQ_INIT(&plain->waiting);
	for (int i = 0; i < budget; i++)
		plain->slots[i].plain = plain;
	return plain;
}

void pgplain_free(struct pgplain **plainp, struct pgcall_list *calls)
{
	struct pgplain *plain = *plainp;

	*plainp = NULL;
	for (int i = 0; i < plain->budget; i++) {
		struct slot *slot = &plain->slots[i];
		struct pgcall_list in_flight = TAILQ_HEAD_INITIALIZER(in_flight);

		if (slot->conn != NULL)
			pgconn_free(&slot->conn, &in_flight);
		PQclear(slot->res);
		drop_work(slot);
		if (slot->call != NULL)
			TAILQ_INSERT_TAIL(calls, slot->call, link);
	}
	TAILQ_CONCAT(calls, &plain->waiting, link);
	pl_free(plain);
}

bool pgplain_up(const struct pgplain *plain)
{
	return !plain->away;
}

bool pgplain_idle(const struct pgplain *plain)
{
	for (int i = 0; i < plain->budget; i++) {
		if (plain->slots[i].call != NULL)
			return false;
	}
	return TAILQ_EMPTY(&plain->waiting);
}

void pgplain_trim(struct pgplain *plain)
{
	int64_t limit_ns = pl_now_ns() - IDLE_CLOSE_S * PL_NS_PER_S;

	for (int i = 0; i < plain->budget; i++) {
		struct slot *slot = &plain->slots[i];
		struct pgcall_list none = TAILQ_HEAD_INITIALIZER(none);

		if (slot->conn != NULL && slot->call == NULL && slot->used_ns < limit_ns)
			pgconn_free(&slot->conn, &none);
	}
}
