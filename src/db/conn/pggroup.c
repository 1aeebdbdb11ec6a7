/* SPDX-License-Identifier: ISC */
/*
 * start -> waiting -> a group, in order -> results kept -> Sync -> callers; or the plain pool.
 */
#include "db/conn/pggroup.h"

#include <stdlib.h>

#include "db/conn/backend.h"
#include "db/conn/pgconn.h"
#include "db/db_int.h"

enum {
	GROUP_MAX = 64,
	GROUP_BYTES = 1 << 20	/* a group that has so much takes nothing more: long answers */
};

struct member { struct pgcall *call; PGresult *res; };

struct pggroup {
	struct db *db;
	struct pgconn *conn;
	struct pgcall_list waiting;
	struct member members[GROUP_MAX];	/* in flight */
	int count;
	struct pgcall *bad;			/* its statement failed and pulled the group down */
	bool commit_failed, canceling;
};

/* A member leaves its group. */
static void goes_alone(struct pggroup *group, struct pgcall *call)
{
	call->tries = 0;
	pgplain_start(group->db->plain, call);
}

static void wait_here(struct pggroup *group, struct pgcall *call, bool head)
{
	call->sent = false;
	call->queue = &group->waiting;
	if (head)
		TAILQ_INSERT_HEAD(&group->waiting, call, link);
	else
		TAILQ_INSERT_TAIL(&group->waiting, call, link);
}

static void waiting_go_alone(struct pggroup *group)
{
	struct pgcall *call;

	while ((call = TAILQ_FIRST(&group->waiting)) != NULL) {
		TAILQ_REMOVE(&group->waiting, call, link);
		goes_alone(group, call);
	}
}

static bool stuck(const struct pggroup *group)
{
	return group->count > 0 && pgconn_silent_ms(group->conn) >= DB_STUCK_MS;
}

/* ---- sending ---- */

static int compare(int64_t a, int64_t b)
{
	return (a > b) - (a < b);
}

static int by_place(const void *a, const void *b)
{
	const struct pgcall *x = ((const struct member *)a)->call, *y = ((const struct member *)b)->call;
	int order = compare(x->place.rank, y->place.rank);

	if (order == 0)
		order = compare(x->place.a, y->place.a);
	if (order == 0)
		order = compare(x->place.b, y->place.b);
	return order != 0 ? order : compare(x->place.number, y->place.number);
}

static void form(struct pggroup *group)
{
	struct pgcall *call;
	size_t bytes = 0;

	while (group->count < GROUP_MAX && bytes < GROUP_BYTES && (call = TAILQ_FIRST(&group->waiting)) != NULL) {
		TAILQ_REMOVE(&group->waiting, call, link);
		call->queue = NULL;
		for (int i = 0; i < call->count; i++)
			bytes += (size_t)call->lengths[i];
		call->place.number = group->count;
		group->members[group->count++] = (struct member){ .call = call };
	}
	qsort(group->members, (size_t)group->count, sizeof(group->members[0]), by_place);
}

/* A send that breaks the connection is settled by on_lost(). */
static void transmit(struct pggroup *group)
{
	group->bad = NULL;
	group->commit_failed = false;
	for (int i = 0; i < group->count; i++) {
		group->members[i].call->tries++;
		if (!pgconn_send(group->conn, group->members[i].call))
			return;
	}
	pgconn_sync(group->conn);
	db_count(group->db, SHM_M_answer_groups, 1);
	db_count(group->db, SHM_M_answer_writes, group->count);
}

void pggroup_turn(struct pggroup *group)
{
	if (group->count > 0 || group->canceling || TAILQ_EMPTY(&group->waiting) || !pgconn_ready(group->conn))
		return;
	form(group);
	transmit(group);
}

void pggroup_start(struct pggroup *group, struct pgcall *call)
{
	if (!pgconn_ready(group->conn) || stuck(group)) {
		pgplain_start(group->db->plain, call);
		return;
	}
	wait_here(group, call, false);
	db_want_turn(group->db);
}

/* ---- what comes back ---- */

static bool on_result(void *arg, struct pgcall *call, PGresult *res)
{
	struct pggroup *group = arg;
	int i = 0;

	if (call == NULL) {
		group->commit_failed = true;
		return false;
	}
	while (i < group->count && group->members[i].call != call)
		i++;
	PL_BUG(i == group->count);
	switch (PQresultStatus(res)) {
	case PGRES_TUPLES_OK:
		group->members[i].res = res;
		return true;
	case PGRES_PIPELINE_ABORTED:
		return false;
	default:
		db_count(group->db, SHM_M_db_errors, 1);
		group->bad = call;
		return false;
	}
}

static bool leaves(const struct pggroup *group, const struct pgcall *call)
{
	return call == group->bad || group->commit_failed || call->tries >= DB_TRIES_MAX;
}

/* Nothing was committed: all but the one at fault go again, before what came later. */
static void repeat(struct pggroup *group, struct member *members, int count)
{
	for (int i = 0; i < count; i++) {
		PQclear(members[i].res);
		if (members[i].call->finished)
			pgcall_free(&members[i].call);
		else if (leaves(group, members[i].call))
			goes_alone(group, members[i].call);
		else
			continue;
		members[i].call = NULL;
	}
	for (int i = count - 1; i >= 0; i--)
		if (members[i].call != NULL)
			wait_here(group, members[i].call, true);
}

static void on_synced(void *arg)
{
	struct pggroup *group = arg;
	struct member members[GROUP_MAX];
	int count = group->count;

	memcpy(members, group->members, (size_t)count * sizeof(members[0]));
	group->count = 0; /* a caller may start another call from its completion */
	if (group->bad != NULL || group->commit_failed) {
		repeat(group, members, count);
	} else {
		for (int i = 0; i < count; i++) {
			pgcall_finish(members[i].call, members[i].res, NULL);
			pgcall_free(&members[i].call);
			PQclear(members[i].res);
		}
	}
	pggroup_turn(group);
}

static void on_ready(void *arg)
{
	pggroup_turn(arg);
}

/* Its outcome is not known if it was sent. */
static void lost_one(struct pggroup *group, struct pgcall *call)
{
	if (call->finished) {
		pgcall_free(&call);
	} else if (call->sent && call->stmt->class == STMT_PLAIN) {
		pgcall_fail(call, PL_E_WRITE_UNKNOWN, 0);
		pgcall_free(&call);
	} else {
		goes_alone(group, call);
	}
}

static void on_lost(void *arg, bool was_ready, struct pgcall_list *in_flight)
{
	struct pggroup *group = arg;
	struct member members[GROUP_MAX];
	int count = group->count;

	PL_UNUSED(was_ready);
	TAILQ_INIT(in_flight); /* all of them are members */
	memcpy(members, group->members, (size_t)count * sizeof(members[0]));
	group->count = 0;
	for (int i = 0; i < count; i++) {
		PQclear(members[i].res);
		lost_one(group, members[i].call);
	}
	waiting_go_alone(group);
}

/* ---- locks ---- */

static void on_canceled(struct pgcall *call, const PGresult *res, const struct pl_err *err)
{
	struct pggroup *group = call->db->group;

	if (group == NULL)
		return;
	group->canceling = false;
	pggroup_turn(group);
}

/* The member that waits for a lock fails, and waits alone. */
static void make_room(struct pggroup *group)
{
	int64_t pid = pgconn_pid(group->conn);

	if (group->canceling || group->db->stopping || pgconn_silent_ms(group->conn) % DB_STUCK_MS != 0)
		return;
	group->canceling = true;
	backend_cancel(group->db, &pid, 1, on_canceled, NULL);
}

void pggroup_sweep(struct pggroup *group)
{
	db_tick(group->db, group->conn);
	if (!stuck(group))
		return;
	waiting_go_alone(group);
	make_room(group);
}

/* ---- life ---- */

struct pggroup *pggroup_new(struct db *db)
{
	static const struct pgconn_ops ops = {
	    .ready = on_ready, .result = on_result, .synced = on_synced, .lost = on_lost };
	struct pggroup *group = pl_new(sizeof(*group));

	*group = (struct pggroup){ .db = db };
	TAILQ_INIT(&group->waiting);
	group->conn = pgconn_new(db, "answers", &ops, group);
	return group;
}

void pggroup_free(struct pggroup **groupp, struct pgcall_list *calls)
{
	struct pggroup *group = *groupp;
	struct pgcall_list in_flight = TAILQ_HEAD_INITIALIZER(in_flight);

	*groupp = NULL;
	pgconn_free(&group->conn, &in_flight);
	for (int i = 0; i < group->count; i++) {
		PQclear(group->members[i].res);
		TAILQ_INSERT_TAIL(calls, group->members[i].call, link);
	}
	TAILQ_CONCAT(calls, &group->waiting, link);
	pl_free(group);
}

bool pggroup_idle(const struct pggroup *group)
{
	return group->count == 0 && TAILQ_EMPTY(&group->waiting);
}
