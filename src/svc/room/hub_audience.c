/* SPDX-License-Identifier: ISC */
/*
 * Who may still listen to a room. Members who leave are evicted by the entry in the log; this file is for the rest: the
 * room became private, which ends the subscriptions of users who read it without being members, or was deleted.
 */
#include <stdlib.h>

#include "clock.h"
#include "db/repo/repo_room.h"
#include "json.h"
#include "svc/room/hub_rooms.h"

#define READ_TIME_NS (10 * PL_NS_PER_S)

struct audience { struct hub *hub; struct pl_task *task; int64_t room_id; };

static int by_id(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

/* The users who listen, each once. */
static int64_t *listeners(const struct hub_room *room, struct pl_pool *pool, int *count_r)
{
	int64_t *ids = pl_alloc(pool, ((size_t)room->subs_count + 1) * sizeof(*ids));
	int all = 0, count = 0;

	for (const struct hub_sub *s = room->subs; s != NULL; s = s->next)
		ids[all++] = s->user_id;
	qsort(ids, (size_t)all, sizeof(*ids), by_id);
	for (int i = 0; i < all; i++)
		if (count == 0 || ids[count - 1] != ids[i])
			ids[count++] = ids[i];
	*count_r = count;
	return ids;
}

static void on_strangers(void *arg, const struct id_list *list, const struct pl_err *err)
{
	struct audience *a = arg;
	struct hub_room *room = hub_room_find(a->hub, a->room_id);
	struct pl_task *task = a->task;

	if (room != NULL) {
		room->busy++;
		room->audience_asking = false;
		room->audience_stale = room->audience_stale || err != NULL;
		for (int i = 0; err == NULL && i < list->count; i++)
			hub_room_evict(a->hub, room, list->ids[i]);
		room->busy--;
		hub_room_drop_if_empty(a->hub, room);
	}
	pl_task_release(&task);
}

void hub_audience_check(struct hub *hub, struct hub_room *room)
{
	struct pl_task *task;
	struct audience *a;
	int64_t *ids;
	int count;

	room->audience_stale = room->audience_asking;
	if (room->audience_asking || room->subs == NULL)
		return;
	room->audience_asking = true;
	task = pl_task_new(pl_now_ns() + READ_TIME_NS);
	a = pl_alloc(task->pool, sizeof(*a));
	*a = (struct audience){ .hub = hub, .task = task, .room_id = room->id };
	ids = listeners(room, task->pool, &count);
	repo_room_strangers(hub->svc->db, task, room->id, ids, count, on_strangers, a);
}

void hub_audience_tick(struct hub *hub, struct hub_room *room)
{
	if (room->audience_stale)
		hub_audience_check(hub, room);
}

void hub_audience_changed(struct hub *hub, struct hub_room *room, const struct hub_event *event)
{
	struct pl_err err = { 0 };
	const struct pl_jval *body;

	if (!pl_str_is(event->log.change.kind, "room_changed") || event->log.change.body.ptr == NULL)
		return;
	body = pl_json_parse(event->pool, event->log.change.body, &err);
	if (body != NULL && pl_str_is(pl_json_str(pl_json_get(body, "visibility")), "private"))
		hub_audience_check(hub, room);
}

void hub_room_end(struct hub *hub, int64_t room_id)
{
	struct hub_room *room = hub_room_find(hub, room_id);

	if (room == NULL)
		return;
	room->busy++;
	hub_room_evict(hub, room, 0);
	room->busy--;
	hub_room_drop_if_empty(hub, room);
}
