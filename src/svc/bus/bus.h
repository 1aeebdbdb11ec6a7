/* SPDX-License-Identifier: ISC */
/*
 * The bus between processes: posts events, and passes received events to the topics of this process.
 *
 *   bus_post() -> ring of this slot -> bus_turn() of other workers -> the topic that registered the kind
 *
 * An event is a hint and may be lost; a topic that cannot bear that registers `lost` and compares with PostgreSQL or
 * shared memory. What a topic posts does not come back to this process: it delivers here itself. Processes without a
 * bus (the clerk) only post.
 */
#ifndef SVC_BUS_H
#define SVC_BUS_H

#include "svc/svc.h"

/* Kinds of events in the rings. RING_STOP_GENERATION wakes: answers look at their cancel flags then. */
enum ring_kind { RING_LOG = 1, RING_HINT, RING_TYPING, RING_READ, RING_PRESENCE, RING_GENERATION, RING_STOP_GENERATION,
	RING_REVOKED, RING_MEMBER, RING_SIGNALING, RING_SESSION, RING_REQUEST, RING_KNOWLEDGE, RING_NOTIFICATION,
	RING_UNREAD, RING_MARK,
	RING_ROOM_GONE,
	RING_KINDS };

/* data: head and body as they were posted, valid during the call. */
typedef void (bus_event_fn)(void *topic, int from_slot, struct pl_str data);

/* Other notifications of a topic; any may be NULL. */
struct bus_hooks {
	void (*lost)(void *topic);		/* events may have been lost */
	void (*slot_died)(void *topic, int slot);
	void (*tick)(void *topic);		/* once a second */
};

struct bus *bus_new(struct svc *svc);
/* Called before the topics are freed: nothing is delivered afterwards. */
void bus_free(struct bus **bus);

/* One topic per kind, else PL_BUG. topic: passed to fn. */
void bus_register(struct bus *bus, enum ring_kind kind, bus_event_fn *fn, void *topic);
/* hooks: static. Called in the order of registration. */
void bus_watch(struct bus *bus, const struct bus_hooks *hooks, void *topic);

/* To all other processes with a bus. head + body: at most SHM_EVENT_MAX bytes, else PL_BUG. */
void bus_post(struct svc *svc, enum ring_kind kind, struct pl_str head, struct pl_str body);
/* Posts to processes that called shm_route_add() with the key. */
void bus_post_to(struct svc *svc, uint64_t key, enum ring_kind kind, struct pl_str head, struct pl_str body);
/* Wakes the readers of posted events; called at the end of each loop turn. */
void bus_kick(struct svc *svc);

/* The process was woken, see struct app_hooks. */
void bus_wake(struct bus *bus, enum wake why, int slot);
/* Delivers events of other processes; once per loop turn. */
void bus_turn(struct bus *bus);

#endif
