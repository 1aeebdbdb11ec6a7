/* SPDX-License-Identifier: ISC */
/*
 * The parts of the shared segment: rates, revocation, rings, presence, routing.
 */
#ifndef CORE_SHM_PARTS_H
#define CORE_SHM_PARTS_H

#include "core/shm.h"
#include "gcra.h"
#include "str.h"

/* ---- rates (GCRA over pairs) ---- */

/* One check; atomic over all processes. Table full: allowed, counted in rate_full. rate->burst 0: always allowed. */
struct pl_gcra shm_rate_take(struct shm *shm, uint64_t tag, const struct pl_rate *rate, int64_t now_ns);
/* Gives one back (another class refused the same request). */
void shm_rate_refund(struct shm *shm, uint64_t tag, const struct pl_rate *rate, int64_t now_ns);

/* ---- revocation: login sessions that ended, kept until their last access token expires ---- */

/* until_s: wall seconds. false when there is no place (revoked_full is set: callers ask PostgreSQL). */
bool shm_revoke(struct shm *shm, int64_t login_id, int64_t until_s);
bool shm_revoked(const struct shm *shm, int64_t login_id, int64_t now_s);
/* The table was full within the last token life: an answer "not revoked" needs PostgreSQL's word. */
bool shm_revoked_unsure(const struct shm *shm, int64_t now_s);

/*
 * ---- one-use tickets: {tag of the ticket, value}: used ones are remembered until they expire ----
 * true exactly once per ticket over all processes; a full table says false.
 */
bool shm_once(struct shm *shm, uint64_t tag, int64_t until_s, int64_t now_s);

/*
 * ---- rings: one writer per slot, readers with own cursors ----
 *
 * Post writes one event into this slot's ring for the slots in `mask` (own slot excluded by the caller) and marks them
 * for a wake-up; shm_ring_kick() writes the eventfds once per loop turn. The writer never waits.
 * An event over SHM_EVENT_MAX is a caller's bug: post (room, seq) instead.
 */
#define SHM_EVENT_MAX 65536u
struct shm_mask { uint64_t bits[3]; };

void shm_ring_post(struct shm *shm, const struct shm_mask *mask, uint32_t kind, struct pl_str head, struct pl_str body);
void shm_ring_kick(struct shm *shm);

struct shm_reader {		/* private memory of the reading process */
	uint64_t cursor[SHM_SLOTS_MAX];
	uint32_t generation[SHM_SLOTS_MAX];	/* of the writer when the cursor was set */
	char *copy;				/* SHM_EVENT_MAX bytes */
};
/* Cursors at the present heads: nothing older is seen. */
void shm_reader_init(struct shm_reader *reader, struct shm *shm);
void shm_reader_fini(struct shm_reader *reader);
/*
 * Delivers all events for this slot. `event`: valid during the call (head and body joined as they were posted).
 * `lapped(from_slot)`: events of that writer were lost (overtaken), or its process died since the last call: compare
 * positions with PostgreSQL. At most `budget` events per call; true when more is waiting (call again next turn).
 */
bool shm_reader_run(struct shm_reader *reader, struct shm *shm, int budget,
    void (*event)(void *arg, int from_slot, uint32_t kind, struct pl_str data),
    void (*lapped)(void *arg, int from_slot), void *arg);
/* Before blocking: announces sleep, looks once more; true: do not block, there is work. After waking: awake. */
bool shm_reader_sleep(struct shm_reader *reader, struct shm *shm);
void shm_reader_awake(struct shm_reader *reader, struct shm *shm);

/*
 * ---- presence and routing, one table per slot, one writer each ----
 *
 * Routing: which slots have subscribers of a topic (64-bit key), as a counting filter: false positives cost one
 * wake-up.
 * Presence: (room, user, count of sockets) for display; readers of other slots use the slot's sequence lock. A full
 * table (SHM_PRESENCE_MAX pairs per slot) drops presence entries, never routing.
 */
#define SHM_PRESENCE_MAX 16384u
void shm_route_add(struct shm *shm, uint64_t topic_key);
void shm_route_remove(struct shm *shm, uint64_t topic_key);
/* Live slots other than this one that may have subscribers. false: none. */
bool shm_route_mask(const struct shm *shm, uint64_t topic_key, struct shm_mask *mask_r);
void shm_mask_all(const struct shm *shm, struct shm_mask *mask_r); /* all live slots but this one */

/* +1/-1 socket of `user` in `room` on this slot. true: this slot's count went 0 -> 1 or 1 -> 0. */
bool shm_present_add(struct shm *shm, int64_t room, int64_t user);
bool shm_present_remove(struct shm *shm, int64_t room, int64_t user);
/* Users present in `room` over all live slots, each once, sorted; at most `cap`; returns how many there are. */
int shm_present_list(const struct shm *shm, int64_t room, int64_t *users, int cap);
/* Is the user present in the room on any live slot? */
bool shm_present_has(const struct shm *shm, int64_t room, int64_t user);

#endif
