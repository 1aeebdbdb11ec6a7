/* SPDX-License-Identifier: ISC */
/*
 * Presence: read from the shared tables, and sent as differences at most once a second per room.
 *
 * A user who returns within 10 s was never absent. With more than HUB_PRESENCE_LIST users, only the number is sent.
 */
#include "clock.h"
#include "svc/room/hub_rooms.h"

#define LEAVE_AFTER_NS (10 * PL_NS_PER_S)

struct presence_note { int64_t room_id, user_id, seq; };

static void tell_others(struct hub *hub, struct hub_room *room)
{
	struct presence_note note = { .room_id = room->id };

	room->presence_dirty = true;
	bus_post_to(hub->svc, hub_topic_key(room->id), RING_PRESENCE, pl_strn((const char *)&note, sizeof(note)),
	    PL_STR_NONE);
}

void hub_presence_enter(struct hub *hub, struct hub_room *room, int64_t user)
{
	if (shm_present_add(hub->svc->shm, room->id, user))
		tell_others(hub, room);
}

void hub_presence_leave(struct hub *hub, struct hub_room *room, int64_t user)
{
	if (shm_present_remove(hub->svc->shm, room->id, user))
		tell_others(hub, room);
}

void hub_presence_dirty(struct hub *hub, int64_t room_id)
{
	struct hub_room *room = hub_room_find(hub, room_id);

	if (room != NULL)
		room->presence_dirty = true;
}

void hub_presence_room_fini(struct hub_room *room)
{
	pl_free(room->told);
	pl_free(room->leaving);
}

static bool has(const int64_t *users, int count, int64_t user)
{
	for (int i = 0; i < count; i++)
		if (users[i] == user)
			return true;
	return false;
}

/* Returns when a listed user was first missed; now, if this is the first time. */
static int64_t missed_since(struct hub_room *room, int64_t user, int64_t now_ns)
{
	for (int i = 0; i < room->leaving_count; i++)
		if (room->leaving[i].user == user)
			return room->leaving[i].since_ns;
	if (room->leaving == NULL)
		room->leaving = pl_new(HUB_PRESENCE_LIST * sizeof(*room->leaving));
	if (room->leaving_count < HUB_PRESENCE_LIST)
		room->leaving[room->leaving_count++] = (struct hub_leaving){ user, now_ns };
	return now_ns;
}

static void forget_leaving(struct hub_room *room, int64_t user)
{
	for (int i = 0; i < room->leaving_count; i++)
		if (room->leaving[i].user == user)
			room->leaving[i--] = room->leaving[--room->leaving_count];
}

static void presence_deliver(struct hub *hub, struct hub_room *room, const struct hub_presence *p)
{
	struct hub_event *event = hub_event_new(HUB_PRESENCE, room->id);

	event->presence = *p;
	hub_room_deliver(hub, room, event);
	hub_event_release(&event);
}

/* The list is short enough: determines who came, and who has been away long enough. */
static void tick_list(struct hub *hub, struct hub_room *room, const int64_t *now, int now_count)
{
	int64_t joined[HUB_PRESENCE_LIST], left[HUB_PRESENCE_LIST], t = pl_now_ns();
	struct hub_presence p = { .joined = joined, .left = left };
	int kept = 0;

	if (room->told == NULL)
		room->told = pl_new(2 * HUB_PRESENCE_LIST * sizeof(*room->told));
	for (int i = 0; i < room->told_users_count; i++) {
		int64_t user = room->told[i];

		if (has(now, now_count, user)) {
			forget_leaving(room, user);
		} else if (t - missed_since(room, user, t) >= LEAVE_AFTER_NS || now_count >= HUB_PRESENCE_LIST) {
			forget_leaving(room, user);
			left[p.left_count++] = user;
			continue;
		}
		room->told[kept++] = user;
	}
	for (int i = 0; i < now_count && kept < 2 * HUB_PRESENCE_LIST; i++)
		if (!has(room->told, kept, now[i])) {
			joined[p.joined_count++] = now[i];
			room->told[kept++] = now[i];
		}
	room->told_users_count = room->told_count = p.count = kept;
	if (p.joined_count + p.left_count > 0)
		presence_deliver(hub, room, &p);
}

void hub_presence_tick(struct hub *hub, struct hub_room *room)
{
	int64_t now[HUB_PRESENCE_LIST + 1];
	int total;

	if (!room->presence_dirty && room->leaving_count == 0)
		return;
	room->presence_dirty = false;
	total = shm_present_list(hub->svc->shm, room->id, now, HUB_PRESENCE_LIST);
	if (total <= HUB_PRESENCE_LIST) {
		tick_list(hub, room, now, total);
		return;
	}
	room->told_users_count = room->leaving_count = 0;
	if (total != room->told_count)
		presence_deliver(hub, room, &(struct hub_presence){ .count = total });
	room->told_count = total;
}

/* Sends a new listener the whole list as it was last sent, including the listener's own user. */
bool hub_presence_welcome(struct hub *hub, struct hub_sub *sub)
{
	struct hub_room *room = sub->room;
	int64_t users[HUB_PRESENCE_LIST + 1];
	struct hub_event *event = hub_event_new(HUB_PRESENCE, room->id);
	int total = shm_present_list(hub->svc->shm, room->id, users, HUB_PRESENCE_LIST);
	bool taken;

	if (room->subs_count == 1 && total <= HUB_PRESENCE_LIST) {
		/* the only listener here receives everything now, so later differences refer to this list */
		if (room->told == NULL)
			room->told = pl_new(2 * HUB_PRESENCE_LIST * sizeof(*room->told));
		memcpy(room->told, users, (size_t)total * sizeof(*users));
		room->told_users_count = room->told_count = total;
	}
	event->presence.count = total;
	event->presence.users = users;
	event->presence.users_count = total <= HUB_PRESENCE_LIST ? total : 0;
	taken = sub->ops->event(sub, event);
	hub_event_release(&event);
	return taken;
}
