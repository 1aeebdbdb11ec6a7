/* SPDX-License-Identifier: ISC */
/*
 * start -> waiting -> a group, in order -> results kept -> Sync -> callers. Queries that leave their group go to the
 * plain pool.
 */
#include "db/conn/pggroup.h"

#include <stdlib.h>

#include "db/conn/backend.h"
#include "db/conn/pgconn.h"
#include "db/db_int.h"

enum {
	GROUP_MAX = 64,
	GROUP_BYTES = 1 << 20	/* a group with this many bytes (long answers) takes no more queries */
};

struct member { struct pgquery *query; PGresult *res; };

struct pggroup {
	struct db *db;
	struct pgconn *conn;
	struct pgquery_list waiting;
	struct member members[GROUP_MAX];	/* were sent */
	int count;
	struct pgquery *bad;			/* the member whose statement failed, which aborted the group */
	bool commit_failed, canceling;
};

/* Removes a query from its group; it runs alone. */
static void goes_alone(struct pggroup *group, struct pgquery *query)
{
	query->tries = 0;
	pgplain_start(group->db->plain, query);
}

static void wait_here(struct pggroup *group, struct pgquery *query, bool head)
{
	query->sent = false;
	query->queue = &group->waiting;
	if (head)
		TAILQ_INSERT_HEAD(&group->waiting, query, link);
	else
		TAILQ_INSERT_TAIL(&group->waiting, query, link);
}

static void waiting_go_alone(struct pggroup *group)
{
	struct pgquery *query;

	while ((query = TAILQ_FIRST(&group->waiting)) != NULL) {
		TAILQ_REMOVE(&group->waiting, query, link);
		goes_alone(group, query);
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
	const struct pgquery *x = ((const struct member *)a)->query, *y = ((const struct member *)b)->query;
	int order = compare(x->place.rank, y->place.rank);

	if (order == 0)
		order = compare(x->place.a, y->place.a);
	if (order == 0)
		order = compare(x->place.b, y->place.b);
	return order != 0 ? order : compare(x->place.number, y->place.number);
}

static void form(struct pggroup *group)
{
	struct pgquery *query;
	size_t bytes = 0;

	while (group->count < GROUP_MAX && bytes < GROUP_BYTES && (query = TAILQ_FIRST(&group->waiting)) != NULL) {
		TAILQ_REMOVE(&group->waiting, query, link);
		query->queue = NULL;
		for (int i = 0; i < query->count; i++)
			bytes += (size_t)query->lengths[i];
		query->place.number = group->count;
		group->members[group->count++] = (struct member){ .query = query };
	}
	qsort(group->members, (size_t)group->count, sizeof(group->members[0]), by_place);
}

/* A send that breaks the connection is completed by on_lost(). */
static void transmit(struct pggroup *group)
{
	group->bad = NULL;
	group->commit_failed = false;
	for (int i = 0; i < group->count; i++) {
		group->members[i].query->tries++;
		if (!pgconn_send(group->conn, group->members[i].query))
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

void pggroup_start(struct pggroup *group, struct pgquery *query)
{
	if (!pgconn_ready(group->conn) || stuck(group)) {
		pgplain_start(group->db->plain, query);
		return;
	}
	wait_here(group, query, false);
	db_want_turn(group->db);
}

/* ---- results ---- */

static bool on_result(void *arg, struct pgquery *query, PGresult *res)
{
	struct pggroup *group = arg;
	int i = 0;

	if (query == NULL) {
		group->commit_failed = true;
		return false;
	}
	while (i < group->count && group->members[i].query != query)
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
		group->bad = query;
		return false;
	}
}

static bool leaves(const struct pggroup *group, const struct pgquery *query)
{
	return query == group->bad || group->commit_failed || query->tries >= DB_TRIES_MAX;
}

/* Nothing was committed. All members except the failed one are sent again, before later queries. */
static void repeat(struct pggroup *group, struct member *members, int count)
{
	for (int i = 0; i < count; i++) {
		PQclear(members[i].res);
		if (members[i].query->finished)
			pgquery_free(&members[i].query);
		else if (leaves(group, members[i].query))
			goes_alone(group, members[i].query);
		else
			continue;
		members[i].query = NULL;
	}
	for (int i = count - 1; i >= 0; i--)
		if (members[i].query != NULL)
			wait_here(group, members[i].query, true);
}

static void on_synced(void *arg)
{
	struct pggroup *group = arg;
	struct member members[GROUP_MAX];
	int count = group->count;

	memcpy(members, group->members, (size_t)count * sizeof(members[0]));
	group->count = 0; /* a caller may start another query from its completion */
	if (group->bad != NULL || group->commit_failed) {
		repeat(group, members, count);
	} else {
		for (int i = 0; i < count; i++) {
			pgquery_finish(members[i].query, members[i].res, NULL);
			pgquery_free(&members[i].query);
			PQclear(members[i].res);
		}
	}
	pggroup_turn(group);
}

static void on_ready(void *arg)
{
	pggroup_turn(arg);
}

/* If the query was sent, its outcome is unknown. */
static void lost_one(struct pggroup *group, struct pgquery *query)
{
	if (query->finished) {
		pgquery_free(&query);
	} else if (query->sent && query->stmt->class == STMT_PLAIN) {
		pgquery_fail(query, PL_E_WRITE_UNKNOWN, 0);
		pgquery_free(&query);
	} else {
		goes_alone(group, query);
	}
}

static void on_lost(void *arg, bool was_ready, struct pgquery_list *in_flight)
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
		lost_one(group, members[i].query);
	}
	waiting_go_alone(group);
}

/* ---- locks ---- */

static void on_canceled(struct pgquery *query, const PGresult *res, const struct pl_err *err)
{
	struct pggroup *group = query->db->group;

	if (group == NULL)
		return;
	group->canceling = false;
	pggroup_turn(group);
}

/* Fails the member that waits for a lock. It then waits alone. */
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

/* ---- creation and end ---- */

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

void pggroup_free(struct pggroup **groupp, struct pgquery_list *calls)
{
	struct pggroup *group = *groupp;
	struct pgquery_list in_flight = TAILQ_HEAD_INITIALIZER(in_flight);

	*groupp = NULL;
	pgconn_free(&group->conn, &in_flight);
	for (int i = 0; i < group->count; i++) {
		PQclear(group->members[i].res);
		TAILQ_INSERT_TAIL(calls, group->members[i].query, link);
	}
	TAILQ_CONCAT(calls, &group->waiting, link);
	pl_free(group);
}

bool pggroup_idle(const struct pggroup *group)
{
	return group->count == 0 && TAILQ_EMPTY(&group->waiting);
}
