/* SPDX-License-Identifier: ISC */
/*
 * Listeners that are behind their room: they read the log, each as fast as its socket allows.
 *
 *   subscribed with `since`, or hub_resume() -> BEHIND -> chunk by chunk -> LIVE
 *   an event refused, live or from a chunk   -> PARKED -> hub_resume()
 *
 * Live events are not kept for them, because the log contains them. A room reads one chunk at a time, beginning at the
 * listener that has waited longest. Other listeners whose position is in the chunk receive their part of it, so a
 * thousand clients that return at the same time cost little more than a few. A worker has at most CHUNKS_MAX chunks in
 * memory.
 */
#include "clock.h"
#include "svc/room/hub_rooms.h"

#define CHUNK_LIMIT 500
#define CHUNK_BYTES (128 << 10)
#define CHUNKS_MAX 8
#define SHARE_MAX 64		/* listeners per turn and chunk, because other sockets must be served in between */
#define READ_TIME_NS (10 * PL_NS_PER_S)
#define RETRY_NS (500 * PL_NS_PER_MS)

/* Allocated in the pool of its task. */
struct hub_chunk { struct hub *hub; struct pl_task *task; int64_t room_id, from; };

static void leave_list(struct hub_sub *sub)
{
	if (sub->state == HUB_SUB_BEHIND)
		TAILQ_REMOVE(&sub->room->behind, sub, behind);
}

void hub_behind_remove(struct hub_sub *sub)
{
	leave_list(sub);
}

void hub_behind_park(struct hub *hub, struct hub_sub *sub)
{
	if (sub->state == HUB_SUB_LIVE)
		shm_count(hub->svc->shm, SHM_M_fell_behind, 1);
	leave_list(sub);
	sub->shares = false;
	sub->state = HUB_SUB_PARKED;
}

/* Sends a new listener who is present and which answers run. */
static void go_live(struct hub *hub, struct hub_sub *sub)
{
	leave_list(sub);
	sub->state = HUB_SUB_LIVE;
	sub->was_live = true;
	if (!hub_presence_welcome(hub, sub) || !hub_generation_welcome(hub, sub))
		hub_behind_park(hub, sub);
}

static void settle(struct hub *hub, struct hub_room *room)
{
	struct hub_sub *sub = TAILQ_FIRST(&room->behind), *next;

	for (; sub != NULL; sub = next) {
		next = TAILQ_NEXT(sub, behind);
		if (sub->position >= room->last_seq)
			go_live(hub, sub);
	}
}

void hub_behind_add(struct hub *hub, struct hub_sub *sub)
{
	sub->state = HUB_SUB_BEHIND;
	TAILQ_INSERT_TAIL(&sub->room->behind, sub, behind);
	hub_behind_next(hub, sub->room);
}

void hub_resume(struct hub *hub, struct hub_sub *sub)
{
	if (sub->state == HUB_SUB_PARKED)
		hub_behind_add(hub, sub);
}

/* ---- chunks ---- */

static void hungry_remove(struct hub *hub, struct hub_room *room)
{
	if (room->hungry)
		TAILQ_REMOVE(&hub->hungry, room, hungry_link);
	room->hungry = false;
}

void hub_behind_room_fini(struct hub *hub, struct hub_room *room)
{
	hungry_remove(hub, room);
}

/* The memory of a chunk is free: the room that has waited longest reads next. */
static void feed_hungry(struct hub *hub)
{
	struct hub_room *room = TAILQ_FIRST(&hub->hungry);

	if (room == NULL || hub->chunks >= CHUNKS_MAX)
		return;
	hungry_remove(hub, room);
	hub_behind_next(hub, room);
}

/* The room no longer exists. */
static void end_all(struct hub_room *room)
{
	struct hub_sub *sub;

	while ((sub = TAILQ_FIRST(&room->behind)) != NULL)
		sub->ops->ended(sub); /* removes the listener */
}

static void failed(struct hub *hub, struct hub_room *room, const struct pl_err *err)
{
	struct hub_sub *sub;

	if (err->code == PL_E_NOT_FOUND) {
		end_all(room);
		return;
	}
	room->retry_ns = pl_now_ns() + RETRY_NS;
	hub_log_arm(hub, RETRY_NS);
	TAILQ_FOREACH(sub, &room->behind, behind)
		if (!sub->stalled) {
			sub->stalled = true;
			sub->ops->stalled(sub, err);
		}
}

/* Selects the listeners that receive the chunk: those at its beginning or inside it. It ends at seq `to`. */
static void choose(struct hub_room *room, int64_t from, int64_t to)
{
	struct hub_sub *sub;
	int count = 0;

	TAILQ_FOREACH(sub, &room->behind, behind) {
		sub->shares = count < SHARE_MAX && sub->position >= from && sub->position < to;
		count += sub->shares;
		sub->stalled = false;
	}
}

static void give(struct hub *hub, struct hub_room *room, const struct room_event *row)
{
	struct hub_event *event = hub_event_from_log(row);
	struct hub_sub *sub = TAILQ_FIRST(&room->behind), *next;

	for (; sub != NULL; sub = next) {
		next = TAILQ_NEXT(sub, behind);
		if (!sub->shares || event->seq <= sub->position)
			continue;
		if (sub->ops->event(sub, event))
			sub->position = event->seq;
		else
			hub_behind_park(hub, sub);
	}
	hub_event_release(&event);
}

/* Moves listeners that received a chunk behind the others. */
static void chunk_finish(struct hub_room *room, int64_t to)
{
	TAILQ_HEAD(, hub_sub) served = TAILQ_HEAD_INITIALIZER(served);
	struct hub_sub *sub = TAILQ_FIRST(&room->behind), *next;

	for (; sub != NULL; sub = next) {
		next = TAILQ_NEXT(sub, behind);
		if (!sub->shares)
			continue;
		sub->shares = false;
		if (sub->position < to)
			sub->position = to;
		TAILQ_REMOVE(&room->behind, sub, behind);
		TAILQ_INSERT_TAIL(&served, sub, behind);
	}
	TAILQ_CONCAT(&room->behind, &served, behind);
}

static void chunk_deliver(struct hub *hub, struct hub_room *room, const struct hub_chunk *chunk,
    const struct room_log *log)
{
	int64_t to = log->last_seq;

	room->retry_ns = 0;
	if (log->epoch != 0 && log->epoch != room->epoch)
		hub_log_known(hub, room, log->last_seq, log->epoch); /* all continue after what was read here */
	if (log->more)
		to = room_event_seq(&log->rows[log->count - 1]);
	else if (log->count == 0)
		to = room->last_seq; /* events that the room delivered are no longer in the database */
	choose(room, chunk->from, to);
	for (int i = 0; i < log->count; i++)
		give(hub, room, &log->rows[i]);
	chunk_finish(room, to);
}

static void on_chunk(void *arg, const struct room_log *log, const struct pl_err *err)
{
	struct hub_chunk *chunk = arg;
	struct hub *hub = chunk->hub;
	struct hub_room *room = hub_room_find(hub, chunk->room_id);
	struct pl_task *task = chunk->task;

	hub->chunks--;
	if (room != NULL && room->chunk == chunk) {
		room->busy++;
		room->chunk = NULL;
		if (err != NULL)
			failed(hub, room, err);
		else
			chunk_deliver(hub, room, chunk, log);
		hub_behind_next(hub, room);
		room->busy--;
		hub_room_drop_if_empty(hub, room);
	}
	pl_task_release(&task);
	feed_hungry(hub);
}

static void read_chunk(struct hub *hub, struct hub_room *room, int64_t from)
{
	struct pl_task *task = pl_task_new(pl_now_ns() + READ_TIME_NS);
	struct hub_chunk *chunk = pl_alloc(task->pool, sizeof(*chunk));

	*chunk = (struct hub_chunk){ .hub = hub, .task = task, .room_id = room->id, .from = from };
	room->chunk = chunk;
	hub->chunks++;
	repo_room_log(hub->svc->db, task, room->id, from, CHUNK_LIMIT, CHUNK_BYTES, on_chunk, chunk);
}

void hub_behind_next(struct hub *hub, struct hub_room *room)
{
	int64_t wait_ns = room->retry_ns - pl_now_ns();

	if (TAILQ_EMPTY(&room->behind))
		return;
	settle(hub, room);
	if (TAILQ_EMPTY(&room->behind) || room->chunk != NULL || room->hungry)
		return;
	if (room->retry_ns != 0 && wait_ns > 0) {
		hub_log_arm(hub, wait_ns);
	} else if (hub->chunks >= CHUNKS_MAX) {
		room->hungry = true;
		TAILQ_INSERT_TAIL(&hub->hungry, room, hungry_link);
	} else {
		read_chunk(hub, room, TAILQ_FIRST(&room->behind)->position);
	}
}
