/* SPDX-License-Identifier: ISC */
/*
 * The hub itself: its rooms, what goes into the ring and what comes out of it.
 */
#include "clock.h"
#include "json.h"
#include "log.h"
#include "svc/room/hub_rooms.h"
#include "svc/session/session_live.h"
#include "svc/feedback/request_tell.h"
#include "svc/room/signaling.h"

#define RING_BUDGET 2048	/* events per loop turn: sockets want to be served in between */

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
			r->busy++; /* stays while fn works, even if its last listener leaves */
			fn(hub, r);
			next = r->hash_next;
			r->busy--;
			hub_room_drop_if_empty(hub, r);
		}
}

/* How an answer ended is said once and in no log, so those that fell behind hear it at once. */
static bool hears(const struct hub_sub *sub, const struct hub_event *event)
{
	return sub->state == HUB_SUB_LIVE ||
	    (sub->was_live && event->kind == HUB_GENERATION && event->gen.state > HUB_GEN_DELTA);
}

void hub_room_deliver(struct hub *hub, struct hub_room *room, struct hub_event *event)
{
	room->busy++;
	for (struct hub_sub *s = room->subs; s != NULL; s = room->walk) {
		room->walk = s->next; /* a listener that leaves meanwhile moves this on */
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

/* ---- out ---- */

void hub_post(struct hub *hub, enum ring_kind kind, struct pl_str head, struct pl_str body)
{
	struct shm_mask mask;

	shm_mask_all(hub->svc->shm, &mask);
	shm_ring_post(hub->svc->shm, &mask, kind, head, body);
}

/* To the workers that may have listeners of the room. */
static void post_room(struct hub *hub, int64_t room_id, enum ring_kind kind, struct pl_str head, struct pl_str body)
{
	struct shm_mask mask;

	if (shm_route_mask(hub->svc->shm, hub_topic_key(room_id), &mask))
		shm_ring_post(hub->svc->shm, &mask, kind, head, body);
}

struct note { int64_t room_id, user_id, seq; };

void hub_publish(struct hub *hub, const struct room_event *row)
{
	struct hub_event *event = hub_event_from_log(row);
	struct note hint = { .room_id = event->room_id, .seq = event->seq };

	if (hub_event_encode(row, &hub->scratch))
		post_room(hub, event->room_id, RING_LOG, pl_buf_str(&hub->scratch), PL_STR_NONE);
	else
		post_room(hub, event->room_id, RING_HINT, pl_strn((const char *)&hint, sizeof(hint)), PL_STR_NONE);
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
	if (hub->svc->on_member != NULL)
		hub->svc->on_member(note->user_id, note->room_id, note->seq, joined);
}

/* Whoever was let into a room or taken out learns it on every socket that listens to user:me, wherever it is. */
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
	hub_post(hub, RING_MEMBER, pl_strn((const char *)&note, sizeof(note)), joined ? PL_STR("+") : PL_STR("-"));
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

/* ---- in ---- */

static void on_ring(void *arg, int from_slot, uint32_t kind, struct pl_str data)
{
	struct hub *hub = arg;
	struct note note = { 0 };
	struct hub_event *event;
	int64_t login_id;

	if (kind == RING_HINT || kind == RING_TYPING || kind == RING_READ || kind == RING_PRESENCE ||
	    kind == RING_MEMBER)
		memcpy(&note, data.ptr, sizeof(note));
	switch (kind) {
	case RING_LOG:
		event = hub_event_decode(data);
		hub_log_arrived(hub, event);
		hub_event_release(&event);
		break;
	case RING_HINT:
		hub_log_hint(hub, note.room_id, note.seq);
		break;
	case RING_TYPING:
		note_arrived(hub, HUB_TYPING, &note, pl_strn(data.ptr + sizeof(note), data.len - sizeof(note)));
		break;
	case RING_READ:
		note_arrived(hub, HUB_READ, &note, PL_STR_NONE);
		break;
	case RING_PRESENCE:
		hub_presence_dirty(hub, note.room_id);
		break;
	case RING_MEMBER:
		member_arrived(hub, &note, data.ptr[sizeof(note)] == '+');
		break;
	case RING_GENERATION:
		hub_generation_arrived(hub, data);
		break;
	case RING_SIGNALING:
		if (hub->svc->signaling != NULL)
			signaling_on_ring(hub->svc->signaling, from_slot, data);
		break;
	case RING_SESSION:
		if (hub->svc->session_live != NULL)
			session_live_on_ring(hub->svc->session_live, data);
		break;
	case RING_REQUEST:
		request_on_ring(hub->svc, data);
		break;
	case RING_REVOKED:
		memcpy(&login_id, data.ptr, sizeof(login_id));
		if (hub->svc->on_revoked != NULL)
			hub->svc->on_revoked(login_id);
		break;
	default: /* RING_STOP_GENERATION: answers look at the cancel flags after every wake-up */
		break;
	}
}

static void on_lapped(void *arg, int from_slot)
{
	struct hub *hub = arg;

	shm_count(hub->svc->shm, SHM_M_ring_laps, 1);
	hub_log_check_all(hub);
	hub_generation_check_all(hub);
	if (hub->svc->session_live != NULL)
		session_live_check_all(hub->svc->session_live);
}

static void tick_room(struct hub *hub, struct hub_room *room)
{
	hub_presence_tick(hub, room);
	hub_log_tick(hub, room);
}

void hub_wake(struct hub *hub, int dead_slot)
{
	if (dead_slot == -2) {
		hub_room_each(hub, tick_room);
		if (++hub->ticks % 5 == 0)
			hub_log_check_all(hub);
		return;
	}
	if (dead_slot >= 0)
		hub_log_check_all(hub);
	shm_reader_awake(&hub->reader, hub->svc->shm);
	hub->reader_busy = true;
}

void hub_turn(void *arg)
{
	struct hub *hub = arg;

	if (hub->reader_busy) {
		hub->reader_busy = shm_reader_run(&hub->reader, hub->svc->shm, RING_BUDGET, on_ring, on_lapped, hub);
		if (!hub->reader_busy && shm_reader_sleep(&hub->reader, hub->svc->shm)) {
			shm_reader_awake(&hub->reader, hub->svc->shm);
			hub->reader_busy = true;
		}
		if (hub->reader_busy)
			worker_again(hub->svc->worker);
	}
	shm_ring_kick(hub->svc->shm);
}

/* ---- life ---- */

struct hub *hub_new(struct svc *svc)
{
	struct hub *hub = pl_new(sizeof(*hub));

	hub->svc = svc;
	hub->bucket_count = 256;
	hub->buckets = pl_new(hub->bucket_count * sizeof(struct hub_room *));
	hub->gen_text = pl_new(SHM_GEN_TEXT);
	TAILQ_INIT(&hub->hungry);
	hub->gap_timer = evtimer_new(svc->worker->base, hub_log_on_timer, hub);
	PL_BUG(hub->gap_timer == NULL);
	shm_reader_init(&hub->reader, svc->shm);
	hub->reader_busy = true; /* the first turn announces sleep */
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
	shm_reader_fini(&hub->reader);
	pl_buf_fini(&hub->scratch);
	pl_free(hub->gen_text);
	pl_free(hub->buckets);
	pl_free(hub);
}
