/* SPDX-License-Identifier: ISC */
/* The hub: its rooms, and events to and from other workers. */
#include "clock.h"
#include "json.h"
#include "log.h"
#include "svc/notify/unread.h"
#include "svc/room/hub_rooms.h"

uint64_t hub_topic_key(int64_t room_id)
{
	return (uint64_t)room_id | 1ULL << 60;
}

/* ---- rooms ---- */

static uint32_t bucket_of(const struct hub *hub, int64_t room_id)
{
	return (uint32_t)((uint64_t)room_id * 0x9e3779b97f4a7c15ULL >> 40) & (hub->bucket_count - 1);
}

struct hub_room *hub_room_find(struct hub *hub, int64_t room_id)
{
	struct hub_room *r = hub->buckets[bucket_of(hub, room_id)];

	while (r != NULL && r->id != room_id)
		r = r->hash_next;
	return r;
}

static void grow(struct hub *hub)
{
	struct hub_room **old = hub->buckets, *next;
	uint32_t old_count = hub->bucket_count;

	hub->bucket_count *= 2;
	hub->buckets = pl_new(hub->bucket_count * sizeof(struct hub_room *));
	for (uint32_t i = 0; i < old_count; i++)
		for (struct hub_room *r = old[i]; r != NULL; r = next) {
			uint32_t b = bucket_of(hub, r->id);

			next = r->hash_next;
			r->hash_next = hub->buckets[b];
			hub->buckets[b] = r;
		}
	pl_free(old);
}

struct hub_room *hub_room_need(struct hub *hub, int64_t room_id)
{
	struct hub_room *r = hub_room_find(hub, room_id);
	uint32_t b;

	if (r != NULL)
		return r;
	if (hub->room_count >= hub->bucket_count)
		grow(hub);
	b = bucket_of(hub, room_id);
	r = pl_new(sizeof(*r));
	r->id = room_id;
	r->last_seq = -1;
	TAILQ_INIT(&r->behind);
	r->hash_next = hub->buckets[b];
	hub->buckets[b] = r;
	hub->room_count++;
	shm_route_add(hub->svc->shm, hub_topic_key(room_id));
	return r;
}

void hub_room_drop_if_empty(struct hub *hub, struct hub_room *room)
{
	struct hub_room **at = &hub->buckets[bucket_of(hub, room->id)];

	if (room->subs != NULL || room->busy > 0)
		return;
	while (*at != room)
		at = &(*at)->hash_next;
	*at = room->hash_next;
	hub->room_count--;
	shm_route_remove(hub->svc->shm, hub_topic_key(room->id));
	hub_log_room_fini(room);
	hub_behind_room_fini(hub, room);
	hub_presence_room_fini(room);
	hub_generation_room_fini(room);
	pl_free(room);
}

void hub_room_each(struct hub *hub, void (*fn)(struct hub *hub, struct hub_room *room))
{
	for (uint32_t i = 0; i < hub->bucket_count; i++)
		for (struct hub_room *r = hub->buckets[i], *next; r != NULL; r = next) {
			next = r->hash_next;
			r->busy++; /* remains while fn runs, even if its last listener leaves */
			fn(hub, r);
			next = r->hash_next;
			r->busy--;
			hub_room_drop_if_empty(hub, r);
		}
}

/* The end of an answer is sent once and is not in the log, so listeners that are behind receive it at once. */
static bool hears(const struct hub_sub *sub, const struct hub_event *event)
{
	return sub->state == HUB_SUB_LIVE ||
	    (sub->was_live && event->kind == HUB_GENERATION && event->gen.state > HUB_GEN_DELTA);
}

void hub_room_deliver(struct hub *hub, struct hub_room *room, struct hub_event *event)
{
	room->busy++;
	for (struct hub_sub *s = room->subs; s != NULL; s = room->walk) {
		room->walk = s->next; /* if a listener leaves meanwhile, it moves this on */
		if (!hears(s, event) || (event->kind == HUB_LOG && event->seq <= s->position))
			continue;
		if (!s->ops->event(s, event))
			hub_behind_park(hub, s);
		else if (event->kind == HUB_LOG)
			s->position = event->seq;
	}
	room->walk = NULL;
	room->busy--;
	hub_room_drop_if_empty(hub, room);
}

void hub_room_reset(struct hub *hub, struct hub_room *room)
{
	room->busy++;
	for (struct hub_sub *s = room->subs; s != NULL; s = room->walk) {
		room->walk = s->next;
		if (!hub_sub_granted(s))
			continue;
		s->position = room->last_seq;
		s->ops->reset(s, room->epoch, room->last_seq);
	}
	room->walk = NULL;
	room->busy--;
}

/* ---- events to other workers ---- */

/* Posts to the workers that may have listeners of the room. */
static void post_room(struct hub *hub, int64_t room_id, enum ring_kind kind, struct pl_str head, struct pl_str body)
{
	bus_post_to(hub->svc, hub_topic_key(room_id), kind, head, body);
}

struct note { int64_t room_id, user_id, seq; };

static enum unread_event unread_event(const struct room_event *row)
{
	if (row->is_message)
		return UNREAD_MESSAGE;
	return pl_str_is(row->change.kind, "deleted") ? UNREAD_DELETED : UNREAD_OTHER;
}

void hub_publish(struct hub *hub, const struct room_event *row)
{
	bool by_user = row->is_message && row->message.author_kind == AUTHOR_USER;
	struct hub_event *event = hub_event_from_log(row);
	struct note hint = { .room_id = event->room_id, .seq = event->seq };

	if (hub_event_encode(row, &hub->scratch))
		post_room(hub, event->room_id, RING_LOG, pl_buf_str(&hub->scratch), PL_STR_NONE);
	else
		post_room(hub, event->room_id, RING_HINT, pl_strn((const char *)&hint, sizeof(hint)), PL_STR_NONE);
	unread_published(hub->svc, unread_event(row), event->room_id, event->seq, by_user ? row->message.author_id : 0);
	hub_log_arrived(hub, event);
	hub_event_release(&event);
}

int64_t hub_change_user(struct pl_pool *pool, const struct room_change *change)
{
	struct pl_err err = { 0 };
	const struct pl_jval *body = change->body.ptr != NULL ? pl_json_parse(pool, change->body, &err) : NULL;
	int64_t user = 0;

	return body != NULL && pl_json_i64(pl_json_get(body, "user_id"), 1, INT64_MAX, &user) ? user : 0;
}

static void member_arrived(struct hub *hub, const struct note *note, bool joined)
{
	unread_member(hub->svc, note->user_id, note->room_id, joined);
	if (hub->svc->on_member != NULL)
		hub->svc->on_member(note->user_id, note->room_id, note->seq, joined);
}

/* Reports to users who were added to a room or removed from it, on all their sockets that are subscribed to user:me. */
static void tell_member(struct hub *hub, const struct room_change *change)
{
	bool joined = pl_str_is(change->kind, "joined");
	struct pl_pool *pool;
	struct note note = { .room_id = change->room_id, .seq = change->seq };

	if (!joined && !pl_str_is(change->kind, "left"))
		return;
	pool = pl_pool_new(0);
	note.user_id = hub_change_user(pool, change);
	pl_pool_free(&pool);
	bus_post(hub->svc, RING_MEMBER, pl_strn((const char *)&note, sizeof(note)), joined ? PL_STR("+") : PL_STR("-"));
	member_arrived(hub, &note, joined);
}

void hub_publish_change(struct hub *hub, const struct room_change *change)
{
	struct room_event row = { .is_message = false, .change = *change };

	if (change->seq == 0)
		return;
	hub_publish(hub, &row);
	tell_member(hub, change);
}

void hub_publish_deleted(struct hub *hub, int64_t room_id, const int64_t *members, int count)
{
	struct note note = { .room_id = room_id };

	post_room(hub, room_id, RING_ROOM_GONE, pl_strn((const char *)&note, sizeof(note)), PL_STR_NONE);
	hub_room_end(hub, room_id);
	for (int i = 0; i < count; i++) {
		note.user_id = members[i];
		bus_post(hub->svc, RING_MEMBER, pl_strn((const char *)&note, sizeof(note)), PL_STR("-"));
		member_arrived(hub, &note, false);
	}
}

static void note_arrived(struct hub *hub, enum hub_kind kind, const struct note *note, struct pl_str name)
{
	struct hub_room *room = hub_room_find(hub, note->room_id);
	struct hub_event *event;

	if (room == NULL)
		return;
	event = hub_event_new(kind, note->room_id);
	event->user_id = note->user_id;
	event->seq = note->seq;
	event->user_name = pl_str_dup(event->pool, name);
	hub_room_deliver(hub, room, event);
	hub_event_release(&event);
}

void hub_typing(struct hub *hub, int64_t room_id, int64_t user_id, struct pl_str name)
{
	struct note note = { .room_id = room_id, .user_id = user_id };

	post_room(hub, room_id, RING_TYPING, pl_strn((const char *)&note, sizeof(note)), name);
	note_arrived(hub, HUB_TYPING, &note, name);
}

void hub_read_marker(struct hub *hub, int64_t room_id, int64_t user_id, int64_t seq)
{
	struct note note = { .room_id = room_id, .user_id = user_id, .seq = seq };

	post_room(hub, room_id, RING_READ, pl_strn((const char *)&note, sizeof(note)), PL_STR_NONE);
	note_arrived(hub, HUB_READ, &note, PL_STR_NONE);
}

/* ---- events from other workers ---- */

static struct note note_read(struct pl_str data)
{
	struct note note;

	memcpy(&note, data.ptr, sizeof(note));
	return note;
}

static void hub_on_log(void *hub, int from_slot, struct pl_str data)
{
	struct hub_event *event = hub_event_decode(data);

	hub_log_arrived(hub, event);
	hub_event_release(&event);
}

static void hub_on_hint(void *hub, int from_slot, struct pl_str data)
{
	struct note note = note_read(data);

	hub_log_hint(hub, note.room_id, note.seq);
}

static void hub_on_typing(void *hub, int from_slot, struct pl_str data)
{
	struct note note = note_read(data);

	note_arrived(hub, HUB_TYPING, &note, pl_strn(data.ptr + sizeof(note), data.len - sizeof(note)));
}

static void hub_on_read(void *hub, int from_slot, struct pl_str data)
{
	struct note note = note_read(data);

	note_arrived(hub, HUB_READ, &note, PL_STR_NONE);
}

static void hub_on_presence(void *hub, int from_slot, struct pl_str data)
{
	hub_presence_dirty(hub, note_read(data).room_id);
}

static void hub_on_member(void *hub, int from_slot, struct pl_str data)
{
	struct note note = note_read(data);

	member_arrived(hub, &note, data.ptr[sizeof(note)] == '+');
}

static void hub_on_gone(void *hub, int from_slot, struct pl_str data)
{
	hub_room_end(hub, note_read(data).room_id);
}

static void hub_lost(void *hub)
{
	hub_log_check_all(hub);
	hub_generation_check_all(hub);
}

static void hub_slot_died(void *hub, int slot)
{
	hub_log_check_all(hub);
}

static void tick_room(struct hub *hub, struct hub_room *room)
{
	hub_presence_tick(hub, room);
	hub_log_tick(hub, room);
	hub_audience_tick(hub, room);
}

static void hub_tick(void *arg)
{
	struct hub *hub = arg;

	hub_room_each(hub, tick_room);
	if (++hub->ticks % 5 == 0)
		hub_log_check_all(hub);
}

/* ---- creation and end ---- */

static void hub_listen(struct hub *hub, struct bus *bus)
{
	static const struct bus_hooks hooks = { .lost = hub_lost, .slot_died = hub_slot_died, .tick = hub_tick };

	bus_register(bus, RING_LOG, hub_on_log, hub);
	bus_register(bus, RING_HINT, hub_on_hint, hub);
	bus_register(bus, RING_TYPING, hub_on_typing, hub);
	bus_register(bus, RING_READ, hub_on_read, hub);
	bus_register(bus, RING_PRESENCE, hub_on_presence, hub);
	bus_register(bus, RING_MEMBER, hub_on_member, hub);
	bus_register(bus, RING_ROOM_GONE, hub_on_gone, hub);
	bus_register(bus, RING_GENERATION, hub_generation_on_ring, hub);
	bus_watch(bus, &hooks, hub);
}

struct hub *hub_new(struct svc *svc)
{
	struct hub *hub = pl_new(sizeof(*hub));

	hub->svc = svc;
	hub->bucket_count = 256;
	hub->buckets = pl_new(hub->bucket_count * sizeof(struct hub_room *));
	hub->gen_text = pl_new(HUB_DELTA_MAX);
	TAILQ_INIT(&hub->hungry);
	hub->gap_timer = evtimer_new(svc->worker->base, hub_log_on_timer, hub);
	PL_BUG(hub->gap_timer == NULL);
	hub_listen(hub, svc->bus);
	return hub;
}

void hub_free(struct hub **hub_at)
{
	struct hub *hub = *hub_at;

	*hub_at = NULL;
	if (hub == NULL)
		return;
	for (uint32_t i = 0; i < hub->bucket_count; i++)
		while (hub->buckets[i] != NULL) {
			struct hub_room *room = hub->buckets[i];

			while (room->subs != NULL) {
				struct hub_sub *sub = room->subs;

				room->busy = 1;
				hub_unsubscribe(hub, &sub);
			}
			room->busy = 0;
			hub_room_drop_if_empty(hub, room);
		}
	event_free(hub->gap_timer);
	pl_buf_fini(&hub->scratch);
	pl_free(hub->gen_text);
	pl_free(hub->buckets);
	pl_free(hub);
}
