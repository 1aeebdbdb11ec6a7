/* SPDX-License-Identifier: ISC */
/*
 * park -> statement alone -> reported. A failing statement of several sends is split into single ones, so that only the
 * failing one is refused. A statement whose outcome is unknown is repeated until it is known.
 */
#include "db/conn/wpark.h"

#include "clock.h"
#include "db/conn/pgrow.h"

enum { AGAIN_MS = 200 };

struct wpark {
	TAILQ_ENTRY(wpark) link;
	struct wparks *parks;
	int64_t room_id;
	struct wroom *running;		/* in the plain pool */
	struct wroom_list next;		/* ready to send, in order */
	struct wsend_list waiting;	/* not yet combined */
	int64_t not_before_ns;
};

struct wparks {
	struct db *db;
	TAILQ_HEAD(, wpark) list;
};

struct wparks *wparks_new(struct db *db)
{
	struct wparks *parks = pl_new(sizeof(*parks));

	parks->db = db;
	TAILQ_INIT(&parks->list);
	return parks;
}

static struct wpark *park_find(struct wparks *parks, int64_t room_id, bool make)
{
	struct wpark *park;

	TAILQ_FOREACH(park, &parks->list, link) {
		if (park->room_id == room_id)
			return park;
	}
	if (!make)
		return NULL;
	park = pl_new(sizeof(*park));
	park->parks = parks;
	park->room_id = room_id;
	TAILQ_INIT(&park->next);
	TAILQ_INIT(&park->waiting);
	TAILQ_INSERT_TAIL(&parks->list, park, link);
	return park;
}

void wparks_take(struct wparks *parks, struct wroom *room)
{
	struct wpark *park = park_find(parks, room->room_id, true);

	TAILQ_INSERT_HEAD(&park->next, room, link);
}

bool wparks_add(struct wparks *parks, struct wsend *send, bool make)
{
	struct wpark *park = park_find(parks, send->in.room_id, make);

	if (park == NULL)
		return false;
	TAILQ_INSERT_TAIL(&park->waiting, send, link);
	return true;
}

/* Makes one room per send, in the same order, before everything else in the park. */
static void split(struct wpark *park, struct wroom *room)
{
	struct wsend *send;

	while ((send = TAILQ_LAST(&room->sends, wsend_list)) != NULL) {
		struct wroom *single = wroom_new(room->room_id);

		TAILQ_REMOVE(&room->sends, send, link);
		wroom_add(single, send);
		single->unknown = room->unknown;
		TAILQ_INSERT_HEAD(&park->next, single, link);
	}
	wroom_free(&room);
}

static void fail_room(struct wroom *room, const struct pl_err *err)
{
	struct wsend *send;

	TAILQ_FOREACH(send, &room->sends, link)
		wsend_finish(send, NULL, err);
	wroom_free(&room);
}

/*
 * The room is locked, perhaps by a process that hangs. Messages that were not sent fail, so that they do not wait for
 * the lock.
 */
static void fail_waiting(struct wpark *park)
{
	struct wsend_list sends = TAILQ_HEAD_INITIALIZER(sends);

	TAILQ_CONCAT(&sends, &park->waiting, link);	/* a caller may send again from its completion */
	wsend_fail_list(&sends, PL_E_BUSY, 1, false);
}

static void on_done(struct pgquery *query, const PGresult *res, const struct pl_err *err)
{
	struct wpark *park = query->arg;
	struct wroom *room = park->running;

	park->running = NULL;
	if (err == NULL) {
		wroom_settle(room, res, query->db);
		wroom_free(&room);
	} else if (query->db->stopping) {
		wsend_fail_list(&room->sends, PL_E_STOPPING, 0, true);
		wroom_free(&room);
	} else if (err->code == PL_E_WRITE_UNKNOWN || (room->unknown && err->code != PL_E_DB)) {
		room->unknown = true;
		park->not_before_ns = pl_now_ns() + AGAIN_MS * PL_NS_PER_MS;
		TAILQ_INSERT_HEAD(&park->next, room, link);
		if (err->code == PL_E_BUSY)
			fail_waiting(park);
	} else if (err->code == PL_E_DB && room->count > 1) {
		split(park, room);
	} else {
		fail_room(room, err);
	}
}

static void start_next(struct wpark *park)
{
	struct wroom *room = TAILQ_FIRST(&park->next);
	struct wsend *send;

	if (room != NULL) {
		TAILQ_REMOVE(&park->next, room, link);
	} else {
		room = wroom_new(park->room_id);
		while (room->count < WGROUP_MAX && (send = TAILQ_FIRST(&park->waiting)) != NULL) {
			TAILQ_REMOVE(&park->waiting, send, link);
			wroom_add(room, send);
		}
	}
	park->running = room;
	pgquery_start(wroom_call(room, park->parks->db, on_done, park));
}

void wparks_turn(struct wparks *parks)
{
	struct wpark *park = TAILQ_FIRST(&parks->list), *next;
	int64_t now_ns;

	if (park == NULL)
		return;
	now_ns = pl_now_ns();
	for (; park != NULL; park = next) {
		next = TAILQ_NEXT(park, link);
		if (park->running != NULL || now_ns < park->not_before_ns)
			continue;
		if (!TAILQ_EMPTY(&park->next) || !TAILQ_EMPTY(&park->waiting)) {
			start_next(park);
		} else {
			TAILQ_REMOVE(&parks->list, park, link);
			pl_free(park);
		}
	}
}

void wparks_sweep(struct wparks *parks, int64_t now_ns, bool away)
{
	struct wpark *park;
	struct wroom *room;

	TAILQ_FOREACH(park, &parks->list, link) {
		if (park->running != NULL)
			wsend_sweep(&park->running->sends, now_ns, away);
		TAILQ_FOREACH(room, &park->next, link)
			wsend_sweep(&room->sends, now_ns, away);
		wsend_sweep(&park->waiting, now_ns, away);
	}
}

bool wparks_idle(const struct wparks *parks)
{
	return TAILQ_EMPTY(&parks->list);
}

/* Called after the plain pool has completed all running queries. */
void wparks_free(struct wparks **parksp)
{
	struct wparks *parks = *parksp;
	struct wpark *park;
	struct wroom *room;

	*parksp = NULL;
	while ((park = TAILQ_FIRST(&parks->list)) != NULL) {
		TAILQ_REMOVE(&parks->list, park, link);
		PL_BUG(park->running != NULL);
		while ((room = TAILQ_FIRST(&park->next)) != NULL) {
			TAILQ_REMOVE(&park->next, room, link);
			wsend_fail_list(&room->sends, PL_E_STOPPING, 0, room->unknown);
			wroom_free(&room);
		}
		wsend_fail_list(&park->waiting, PL_E_STOPPING, 0, true);
		pl_free(park);
	}
	pl_free(parks);
}
