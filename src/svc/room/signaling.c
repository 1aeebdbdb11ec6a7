/* SPDX-License-Identifier: ISC */
/* Rooms with calls on this worker: their peers, and the known peers on other workers. */
#include "svc/room/signaling.h"

#include "clock.h"
#include "svc/bus/bus.h"

#define BUCKETS 256
#define HEARD_MAX 256		/* peers of other workers that are remembered per room */

struct heard { char id[SIGNALING_ID + 1]; int slot; struct heard *next; };

struct signaling_room {
	int64_t id;
	struct signaling_peer *peers;
	struct heard *heard;
	int count, heard_count;
	struct signaling_room *next;
};

struct signaling {
	struct svc *svc;
	struct signaling_room *buckets[BUCKETS];
};

/* In the ring, before the frame. to "": all peers. */
struct ring_head {
	int64_t room_id, sent_ns;
	char from[SIGNALING_ID + 1], to[SIGNALING_ID + 1];
	bool leaves, shouts, joined;	/* joined: the sender was in the call */
};

static uint64_t topic_key(int64_t room_id)
{
	return (uint64_t)room_id | 1ULL << 61;
}

/* ---- rooms ---- */

static struct signaling_room **room_at(struct signaling *s, int64_t room_id)
{
	struct signaling_room **at = &s->buckets[(uint64_t)room_id % BUCKETS];

	while (*at != NULL && (*at)->id != room_id)
		at = &(*at)->next;
	return at;
}

static struct signaling_room *room_need(struct signaling *s, int64_t room_id)
{
	struct signaling_room **at = room_at(s, room_id);

	if (*at == NULL) {
		*at = pl_new(sizeof(**at));
		(*at)->id = room_id;
		shm_route_add(s->svc->shm, topic_key(room_id));
	}
	return *at;
}

static void room_drop_if_empty(struct signaling *s, struct signaling_room *room)
{
	struct signaling_room **at = room_at(s, room->id);
	struct heard *h;

	if (room->peers != NULL)
		return;
	*at = room->next;
	while ((h = room->heard) != NULL) {
		room->heard = h->next;
		pl_free(h);
	}
	shm_route_remove(s->svc->shm, topic_key(room->id));
	pl_free(room);
}

/* ---- peers on other workers ---- */

static void heard_note(struct signaling_room *room, const struct ring_head *head, int slot)
{
	struct heard **at = &room->heard, *h;

	while (*at != NULL && strcmp((*at)->id, head->from) != 0)
		at = &(*at)->next;
	h = *at;
	if (h != NULL && head->leaves) {
		*at = h->next;
		room->heard_count--;
		pl_free(h);
	} else if (h == NULL && head->joined && !head->leaves && room->heard_count < HEARD_MAX) {
		h = pl_new(sizeof(*h));
		memcpy(h->id, head->from, sizeof(h->id));
		h->slot = slot;
		*at = h;
		room->heard_count++;
	}
}

/* ---- delivery ---- */

static bool is_for(const struct signaling_peer *p, const struct ring_head *head)
{
	if (head->to[0] != '\0')
		return (p->joined_ns != 0 || p->shouted) && strcmp(p->id, head->to) == 0;
	if (head->shouts)
		return p->joined_ns != 0 || p->hears;
	return p->joined_ns != 0 && p->joined_ns <= head->sent_ns;
}

/* Delivering only queues bytes for a socket and closes none, so the list does not change. */
static void signaling_deliver(struct signaling_room *room, const struct ring_head *head, struct pl_str frame)
{
	for (struct signaling_peer *p = room->peers; p != NULL; p = p->next) {
		if (strcmp(p->id, head->from) != 0 && is_for(p, head))
			p->deliver(p->owner, frame);
	}
}

static void signaling_post(struct signaling *s, const struct ring_head *head, struct pl_str frame)
{
	bus_post_to(s->svc, topic_key(head->room_id), RING_SIGNALING, pl_strn((const char *)head, sizeof(*head)),
	    frame);
}

static struct ring_head head_of(const struct signaling_peer *peer)
{
	struct ring_head head;

	memset(&head, 0, sizeof(head));
	head.room_id = peer->room->id;
	head.sent_ns = pl_now_ns();
	head.joined = peer->joined_ns != 0;
	memcpy(head.from, peer->id, sizeof(head.from));
	return head;
}

void signaling_shout(struct signaling *s, struct signaling_peer *peer, struct pl_str frame)
{
	struct ring_head head = head_of(peer);

	peer->shouted = true;
	head.shouts = true;
	signaling_deliver(peer->room, &head, frame);
	signaling_post(s, &head, frame);
}

void signaling_send(struct signaling *s, const struct signaling_peer *peer, struct pl_str to, struct pl_str frame)
{
	struct ring_head head = head_of(peer);

	if (to.len > SIGNALING_ID)
		return;
	if (to.len > 0)
		memcpy(head.to, to.ptr, to.len);
	signaling_deliver(peer->room, &head, frame);
	signaling_post(s, &head, frame);
}

static struct pl_str leave_frame(const char *id, char text[64])
{
	int n = snprintf(text, 64, "{\"type\":\"leave\",\"from\":\"%s\"}", id);

	return pl_strn(text, (size_t)n);
}

static void signaling_on_ring(void *arg, int from_slot, struct pl_str data)
{
	struct signaling *s = arg;
	struct signaling_room *room;
	struct ring_head head;

	memcpy(&head, data.ptr, sizeof(head));
	room = *room_at(s, head.room_id);
	if (room == NULL)
		return;
	heard_note(room, &head, from_slot);
	signaling_deliver(room, &head, pl_strn(data.ptr + sizeof(head), data.len - sizeof(head)));
}

static void room_slot_died(struct signaling_room *room, int slot)
{
	for (struct heard **at = &room->heard, *h; (h = *at) != NULL;) {
		struct ring_head head = { .room_id = room->id, .sent_ns = pl_now_ns(), .leaves = true };
		char text[64];

		if (h->slot != slot) {
			at = &h->next;
			continue;
		}
		memcpy(head.from, h->id, sizeof(head.from));
		signaling_deliver(room, &head, leave_frame(h->id, text));
		*at = h->next;
		room->heard_count--;
		pl_free(h);
	}
}

static void signaling_slot_died(void *arg, int slot)
{
	struct signaling *s = arg;

	for (int i = 0; i < BUCKETS; i++)
		for (struct signaling_room *room = s->buckets[i]; room != NULL; room = room->next)
			room_slot_died(room, slot);
}

/* ---- creation and end ---- */

bool signaling_open(struct signaling *s, struct signaling_peer *peer, int64_t room_id)
{
	struct signaling_room *room = room_need(s, room_id);
	unsigned char bytes[SIGNALING_ID / 2];

	if (room->count >= SIGNALING_ROOM_MAX)
		return false;
	pl_random(bytes, sizeof(bytes));
	pl_hex(bytes, sizeof(bytes), peer->id);
	peer->room = room;
	peer->next = room->peers;
	room->peers = peer;
	room->count++;
	return true;
}

void signaling_join(struct signaling_peer *peer)
{
	if (peer->joined_ns == 0)
		peer->joined_ns = pl_now_ns();
}

void signaling_leave(struct signaling *s, struct signaling_peer *peer, struct pl_str frame)
{
	struct ring_head head = head_of(peer);

	head.leaves = true;
	peer->joined_ns = 0;
	peer->shouted = false;
	signaling_deliver(peer->room, &head, frame);
	signaling_post(s, &head, frame);
}

void signaling_close(struct signaling *s, struct signaling_peer *peer)
{
	struct signaling_room *room = peer->room;
	struct signaling_peer **at;
	char text[64];

	if (room == NULL)
		return;
	if (peer->joined_ns != 0)
		signaling_leave(s, peer, leave_frame(peer->id, text));
	for (at = &room->peers; *at != peer; at = &(*at)->next)
		;
	*at = peer->next;
	room->count--;
	peer->room = NULL;
	room_drop_if_empty(s, room);
}

struct signaling *signaling_new(struct svc *svc)
{
	static const struct bus_hooks hooks = { .slot_died = signaling_slot_died };
	struct signaling *s = pl_new(sizeof(*s));

	s->svc = svc;
	bus_register(svc->bus, RING_SIGNALING, signaling_on_ring, s);
	bus_watch(svc->bus, &hooks, s);
	return s;
}

void signaling_free(struct signaling **signaling)
{
	pl_free(*signaling);
	*signaling = NULL;
}
