/* SPDX-License-Identifier: ISC */
/*
 * Shared by the files of the hub: its rooms, and their functions. For hub*.c only.
 */
#ifndef SVC_HUB_ROOMS_H
#define SVC_HUB_ROOMS_H

#include <event2/event.h>

#include "svc/room/hub_sub.h"

/* event NULL: only a hint that seq exists */
struct hub_held { struct hub_event *event; int64_t seq; struct hub_held *next; };
struct hub_leaving { int64_t user, since_ns; };
#define HUB_DELTA_MAX 16384u		/* text of one delta; more comes in several */
struct hub_running {
	char id[PL_UUID_LEN + 1];
	struct hub_generation gen;
	int64_t sent;
	struct hub_event *end;			/* delivered after its message; NULL: still running */
	struct hub_running *next;
};
struct hub_told { char id[PL_UUID_LEN + 1]; int64_t bytes; struct hub_told *next; };

struct hub_room {
	int64_t id, epoch;
	int64_t last_seq;			/* delivered up to; -1: not known yet */
	struct hub_room *hash_next;
	struct hub_sub *subs, *walk;		/* walk: the next one of a delivery in progress */
	int subs_count, busy;			/* busy: deliveries in progress; the room stays */
	struct hub_held *held;			/* ascending */
	int held_count;
	size_t held_bytes;			/* text in them */
	TAILQ_HEAD(, hub_sub) behind;		/* listeners that read the log; the longest waiting first */
	struct hub_chunk *chunk;		/* the chunk that is read for them */
	bool hungry;				/* in hub->hungry */
	TAILQ_ENTRY(hub_room) hungry_link;
	int64_t retry_ns;			/* next read, because the last one failed; 0: any time */
	int64_t gap_since_ns;			/* 0: no gap */
	bool filling;
	/* the position is compared with PostgreSQL; it is compared again after that, or at the next tick */
	bool comparing, compare_again;
	int64_t compared_ns;
	/* presence as sent to the listeners */
	bool presence_dirty;
	int told_count, told_users_count, leaving_count;
	int64_t *told;
	struct hub_leaving *leaving;
	struct hub_running *running;
	bool audience_asking, audience_stale;	/* stale: ask again which listeners may read the room */
};

struct hub {
	struct svc *svc;
	struct hub_room **buckets;
	uint32_t bucket_count, room_count;
	struct event *gap_timer;
	bool gap_armed;
	TAILQ_HEAD(, hub_room) hungry;		/* rooms that wait to read a chunk until another one was delivered */
	int chunks;				/* being read */
	int ticks;
	struct pl_buf scratch;
	char *gen_text;				/* HUB_DELTA_MAX bytes */
};

uint64_t hub_topic_key(int64_t room_id);
struct hub_room *hub_room_find(struct hub *hub, int64_t room_id);
struct hub_room *hub_room_need(struct hub *hub, int64_t room_id);
void hub_room_drop_if_empty(struct hub *hub, struct hub_room *room);
void hub_room_each(struct hub *hub, void (*fn)(struct hub *hub, struct hub_room *room));

/* Delivers to all live listeners of the room, in any order; log events only to listeners that do not have them. */
void hub_room_deliver(struct hub *hub, struct hub_room *room, struct hub_event *event);
/* A new epoch: notifies all admitted listeners, which continue after room->last_seq. */
void hub_room_reset(struct hub *hub, struct hub_room *room);

/* hub_subscribe.c: ends the subscriptions of a user to a room; 0: of all users. The caller holds the room (`busy`). */
void hub_room_evict(struct hub *hub, struct hub_room *room, int64_t user);

/*
 * hub_behind.c: listeners that are behind their room. A listener with a known position reads the log until it is live.
 */
void hub_behind_add(struct hub *hub, struct hub_sub *sub);
/* The listener refused an event: it gets no events until hub_resume(). */
void hub_behind_park(struct hub *hub, struct hub_sub *sub);
/* The listener leaves. */
void hub_behind_remove(struct hub_sub *sub);
/* Continues to read, if allowed. */
void hub_behind_next(struct hub *hub, struct hub_room *room);
void hub_behind_room_fini(struct hub *hub, struct hub_room *room);

/* hub_audience.c: ends the subscriptions of users who may not read the room any more */
void hub_audience_check(struct hub *hub, struct hub_room *room);
void hub_audience_tick(struct hub *hub, struct hub_room *room);
/* Checks after a room_changed entry that made the room private. */
void hub_audience_changed(struct hub *hub, struct hub_room *room, const struct hub_event *event);
/* The room was deleted: ends all subscriptions of this worker. */
void hub_room_end(struct hub *hub, int64_t room_id);

/* hub.c: returns body.user_id of a membership change, 0 if there is none */
int64_t hub_change_user(struct pl_pool *pool, const struct room_change *change);

/* hub_event.c */
struct hub_event *hub_event_new(enum hub_kind kind, int64_t room_id);
struct hub_event *hub_event_from_log(const struct room_event *row);
/* Encodes a log event for the ring. false: too large (then a hint is posted). */
bool hub_event_encode(const struct room_event *row, struct pl_buf *out);
struct hub_event *hub_event_decode(struct pl_str bytes);

/* hub_log.c: order and gaps */
void hub_log_arrived(struct hub *hub, struct hub_event *event);
void hub_log_hint(struct hub *hub, int64_t room_id, int64_t seq);
void hub_log_known(struct hub *hub, struct hub_room *room, int64_t last_seq, int64_t epoch);
void hub_log_check_all(struct hub *hub);
void hub_log_tick(struct hub *hub, struct hub_room *room);
void hub_log_room_fini(struct hub_room *room);
void hub_log_on_timer(evutil_socket_t fd, short what, void *arg);
/* Starts the timer that checks all rooms again within this time. */
void hub_log_arm(struct hub *hub, int64_t wait_ns);

/* hub_presence.c */
void hub_presence_enter(struct hub *hub, struct hub_room *room, int64_t user);
void hub_presence_leave(struct hub *hub, struct hub_room *room, int64_t user);
void hub_presence_dirty(struct hub *hub, int64_t room_id);
void hub_presence_tick(struct hub *hub, struct hub_room *room);
/* false: the listener cannot take the event now. */
bool hub_presence_welcome(struct hub *hub, struct hub_sub *sub) PL_MUSTCHECK;
void hub_presence_room_fini(struct hub_room *room);

/* hub_generation.c */
/* From the bus. */
void hub_generation_on_ring(void *hub, int from_slot, struct pl_str bytes);
bool hub_generation_welcome(struct hub *hub, struct hub_sub *sub) PL_MUSTCHECK;
/* Frees the record of texts that a listener got while it was welcomed. */
void hub_generation_told_free(struct hub_sub *sub);
/* Ring events were lost: delivers missed ends of answers. */
void hub_generation_check_all(struct hub *hub);
void hub_generation_room_fini(struct hub_room *room);
/* The position of the room moved: delivers ends of answers whose message was delivered. */
void hub_generation_logged(struct hub *hub, struct hub_room *room);

#endif
