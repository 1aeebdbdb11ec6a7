/* SPDX-License-Identifier: ISC */
/* The group that was sent, and the messages that wait for the next one. */
#include "db/conn/wgroup.h"

#include <stdlib.h>

#include "clock.h"
#include "db/conn/pgconn.h"
#include "db/conn/pgerr.h"
#include "db/conn/wpark.h"

struct wgroup {
	struct db *db;
	struct pgconn *conn;		/* NULL: all rooms are parked */
	struct wparks *parks;
	struct wsend_list waiting;
	struct wsend_list failed;	/* a later turn reports to these that the database is not reachable */
	int waiting_count;
	struct wroom_list flight;	/* the group: sent, or to be sent again (resend) */
	bool resend;			/* send the group again, before others */
	struct wroom *bad;		/* the room whose statement failed, which aborted the group */
	enum pgerr_kind bad_kind;
	bool commit_failed;
};

static void drop_call(struct wroom *room)
{
	if (room->query == NULL)
		return;
	room->query->finished = true;
	pgquery_free(&room->query);
}

static int by_room(const void *a, const void *b)
{
	const struct wsend *x = *(struct wsend *const *)a, *y = *(struct wsend *const *)b;

	if (x->in.room_id != y->in.room_id)
		return x->in.room_id < y->in.room_id ? -1 : 1;
	return x->order - y->order;
}

/* Makes rooms of the oldest sends. They are sorted by id, so that two workers never wait for each other. */
static void form(struct wgroup *group)
{
	struct wsend *sends[WGROUP_MAX], *send;
	struct wroom *room = NULL;
	int count = 0;

	while (count < WGROUP_MAX && (send = TAILQ_FIRST(&group->waiting)) != NULL) {
		TAILQ_REMOVE(&group->waiting, send, link);
		group->waiting_count--;
		send->order = count;
		send->sent = true;
		sends[count++] = send;
	}
	qsort(sends, (size_t)count, sizeof(sends[0]), by_room);
	for (int i = 0; i < count; i++) {
		if (room == NULL || room->room_id != sends[i]->in.room_id) {
			room = wroom_new(sends[i]->in.room_id);
			TAILQ_INSERT_TAIL(&group->flight, room, link);
		}
		wroom_add(room, sends[i]);
	}
}

/* Sends all rooms of the group and a Sync. A send that breaks the connection is completed by on_lost(). */
static void transmit(struct wgroup *group)
{
	struct wroom *room;

	group->resend = false;
	group->bad = NULL;
	group->commit_failed = false;
	TAILQ_FOREACH(room, &group->flight, link) {
		drop_call(room);
		room->query = wroom_call(room, group->db, NULL, NULL);
		if (!pgconn_send(group->conn, room->query))
			return;
	}
	pgconn_sync(group->conn);
	db_count(group->db, SHM_M_write_groups, 1);
}

static void settle_group(struct wgroup *group)
{
	struct wroom_list rooms = TAILQ_HEAD_INITIALIZER(rooms);
	struct wroom *room;

	TAILQ_CONCAT(&rooms, &group->flight, link);	/* a caller may send again from its completion */
	while ((room = TAILQ_FIRST(&rooms)) != NULL) {
		TAILQ_REMOVE(&rooms, room, link);
		drop_call(room);
		wroom_settle(room, room->res, group->db);
		wroom_free(&room);
	}
}

static void forget_results(struct wgroup *group)
{
	struct wroom *room;

	TAILQ_FOREACH(room, &group->flight, link) {
		PQclear(room->res);
		room->res = NULL;
		drop_call(room);
	}
}

static bool on_result(void *arg, struct pgquery *query, PGresult *res)
{
	struct wgroup *group = arg;
	struct wroom *room;
	struct pl_err err;

	if (query == NULL) {
		group->commit_failed = true;
		return false;
	}
	TAILQ_FOREACH(room, &group->flight, link) {
		if (room->query == query)
			break;
	}
	PL_BUG(room == NULL);
	switch (PQresultStatus(res)) {
	case PGRES_TUPLES_OK:
		room->res = res;
		return true;
	case PGRES_PIPELINE_ABORTED:
		return false;
	default:
		db_count(group->db, SHM_M_db_errors, 1);
		group->bad = room;
		group->bad_kind = pgerr_of(res, query->stmt->name, NULL, &err);
		return false;
	}
}

/* Messages that came for the room while its group was sent must not overtake those that are parked now. */
static void park(struct wgroup *group, struct wroom *bad)
{
	int64_t room_id = bad->room_id;
	struct wsend *send = TAILQ_FIRST(&group->waiting), *next;

	wparks_take(group->parks, bad);
	for (; send != NULL; send = next) {
		next = TAILQ_NEXT(send, link);
		if (send->in.room_id != room_id)
			continue;
		TAILQ_REMOVE(&group->waiting, send, link);
		group->waiting_count--;
		(void)wparks_add(group->parks, send, true);
	}
}

/* After the Sync, either all or nothing is committed. */
static void on_synced(void *arg)
{
	struct wgroup *group = arg;
	struct wroom *bad = group->bad;

	if (TAILQ_EMPTY(&group->flight))
		return;
	if (bad == NULL && !group->commit_failed) {
		settle_group(group);
		return;
	}
	forget_results(group);
	if (bad != NULL && (group->bad_kind != PGERR_RETRY || bad->tries >= DB_TRIES_MAX)) {
		TAILQ_REMOVE(&group->flight, bad, link);
		park(group, bad);
	}
	group->resend = !TAILQ_EMPTY(&group->flight);
	wgroup_turn(group);
}

static void on_ready(void *arg)
{
	wgroup_turn(arg);
}

static void fail_waiting(struct wgroup *group)
{
	struct wsend_list sends = TAILQ_HEAD_INITIALIZER(sends);

	TAILQ_CONCAT(&sends, &group->waiting, link);
	group->waiting_count = 0;
	wsend_fail_list(&sends, PL_E_DB_AWAY, DB_RETRY_AFTER_S, false);
}

static void on_lost(void *arg, bool was_ready, struct pgquery_list *in_flight)
{
	struct wgroup *group = arg;
	struct wroom *room;

	TAILQ_INIT(in_flight);		/* all of them belong to rooms of the flight */
	if (!TAILQ_EMPTY(&group->flight)) {
		TAILQ_FOREACH(room, &group->flight, link)
			room->unknown = room->unknown || room->query != NULL;
		forget_results(group);
		group->resend = true;
	}
	if (!was_ready)
		fail_waiting(group);
}

void wgroup_turn(struct wgroup *group)
{
	wparks_turn(group->parks);
	if (group->conn == NULL || !pgconn_ready(group->conn))
		return;
	if (TAILQ_EMPTY(&group->flight)) {
		if (TAILQ_EMPTY(&group->waiting))
			return;
		form(group);
		transmit(group);
	} else if (group->resend) {
		transmit(group);
	}
}

void wgroup_add(
    struct wgroup *group, struct pl_task *task, const struct message_new *in, repo_append_fn *done, void *arg)
{
	struct wsend *send = wsend_new(group->db, task, in, done, arg);

	db_arm_sweep(group->db);
	if (wparks_add(group->parks, send, group->conn == NULL)) {
		db_want_turn(group->db);
		return;
	}
	if (pgconn_away(group->conn) || group->waiting_count >= DB_QUEUE_MAX) {
		TAILQ_INSERT_TAIL(&group->failed, send, link);
		db_again(group->db);
		return;
	}
	TAILQ_INSERT_TAIL(&group->waiting, send, link);
	group->waiting_count++;
	db_want_turn(group->db);
}

void wgroup_again(struct wgroup *group)
{
	struct wsend_list sends = TAILQ_HEAD_INITIALIZER(sends);
	bool away = group->conn != NULL && pgconn_away(group->conn);

	TAILQ_CONCAT(&sends, &group->failed, link);
	wsend_fail_list(&sends, away ? PL_E_DB_AWAY : PL_E_BUSY, away ? DB_RETRY_AFTER_S : 1, false);
}

static void recount(struct wgroup *group)
{
	struct wsend *send;

	group->waiting_count = 0;
	TAILQ_FOREACH(send, &group->waiting, link)
		group->waiting_count++;
}

void wgroup_sweep(struct wgroup *group, int64_t now_ns)
{
	bool away = !wgroup_up(group);
	struct wroom *room;

	if (!TAILQ_EMPTY(&group->waiting)) {
		wsend_sweep(&group->waiting, now_ns, away);
		recount(group);
	}
	TAILQ_FOREACH(room, &group->flight, link)
		wsend_sweep(&room->sends, now_ns, away);
	wparks_sweep(group->parks, now_ns, away);
	if (group->conn != NULL)
		db_tick(group->db, group->conn);
	wparks_turn(group->parks);
}

bool wgroup_up(const struct wgroup *group)
{
	return group->conn == NULL || pgconn_ready(group->conn);
}

bool wgroup_idle(const struct wgroup *group)
{
	return TAILQ_EMPTY(&group->waiting) && TAILQ_EMPTY(&group->flight) && TAILQ_EMPTY(&group->failed) &&
	    wparks_idle(group->parks);
}

struct wgroup *wgroup_new(struct db *db, bool conn)
{
	static const struct pgconn_ops ops = {
	    .ready = on_ready, .result = on_result, .synced = on_synced, .lost = on_lost};
	struct wgroup *group = pl_new(sizeof(*group));

	*group = (struct wgroup){ .db = db, .parks = wparks_new(db) };
	TAILQ_INIT(&group->waiting);
	TAILQ_INIT(&group->failed);
	TAILQ_INIT(&group->flight);
	if (conn)
		group->conn = pgconn_new(db, "write", &ops, group);
	return group;
}

void wgroup_free(struct wgroup **groupp)
{
	struct wgroup *group = *groupp;
	struct pgquery_list in_flight = TAILQ_HEAD_INITIALIZER(in_flight);
	struct wroom *room;

	*groupp = NULL;
	if (group->conn != NULL)
		pgconn_free(&group->conn, &in_flight);
	while ((room = TAILQ_FIRST(&group->flight)) != NULL) {
		TAILQ_REMOVE(&group->flight, room, link);
		drop_call(room);
		wsend_fail_list(&room->sends, PL_E_STOPPING, 0, true);
		wroom_free(&room);
	}
	wparks_free(&group->parks);
	wsend_fail_list(&group->waiting, PL_E_STOPPING, 0, false);
	wsend_fail_list(&group->failed, PL_E_STOPPING, 0, false);
	pl_free(group);
}
