/* SPDX-License-Identifier: ISC */
/*
 * Operations on the parts of the shared segment: rates, revocation, rings, presence, routing, generations, breakers,
 * traces, and refusals.
 */
#ifndef CORE_SHM_PARTS_H
#define CORE_SHM_PARTS_H

#include "core/shm.h"
#include "gcra.h"
#include "str.h"

/* ---- rates (GCRA over pairs) ---- */

/* One check; atomic over all processes. Table full: allowed, counted in rate_full. rate->burst 0: always allowed. */
struct pl_gcra shm_rate_take(struct shm *shm, uint64_t tag, const struct pl_rate *rate, int64_t now_ns);
/* Refunds one (another rate class refused the same request). */
void shm_rate_refund(struct shm *shm, uint64_t tag, const struct pl_rate *rate, int64_t now_ns);

/* ---- revocation: login sessions that ended, kept until their last access token expires ---- */

/* until_s: wall seconds. false: the table is full; revoked_full makes callers ask PostgreSQL. */
bool shm_revoke(struct shm *shm, int64_t login_id, int64_t until_s);
bool shm_revoked(const struct shm *shm, int64_t login_id, int64_t now_s);
uint64_t shm_keys_epoch(const struct shm *shm);	/* unchanged: what was looked up about API keys holds */
void shm_keys_changed(struct shm *shm);
/* The table was full during the last token lifetime: PostgreSQL must confirm "not revoked". */
bool shm_revoked_unsure(const struct shm *shm, int64_t now_s);

/*
 * ---- one-use tickets: {tag of the ticket, value}: used ones are remembered until they expire ---- true exactly once
 * per ticket over all processes; false if the table is full.
 */
bool shm_once(struct shm *shm, uint64_t tag, int64_t until_s, int64_t now_s);

/*
 * ---- rings: one writer per slot, readers with own cursors ----
 *
 * shm_ring_post() writes one event to the ring of this slot for the slots in `mask` (without its own slot) and marks
 * them for a wake-up. shm_ring_kick() writes the eventfds once per loop turn. The writer never waits. An event larger
 * than SHM_EVENT_MAX is a bug of the caller: post (room, seq) instead.
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
/* Sets the cursors to the current heads: older events are not delivered. */
void shm_reader_init(struct shm_reader *reader, struct shm *shm);
void shm_reader_fini(struct shm_reader *reader);
/*
 * Delivers all events for this slot. `event`: its data are head and body, joined, and valid during the call.
 * `lapped(from_slot)`: events of that writer were overwritten before they were read, or its process died since the last
 * call: compare positions with PostgreSQL. Delivers at most `budget` events per call. true: there are more (call again
 * in the next turn).
 */
bool shm_reader_run(struct shm_reader *reader, struct shm *shm, int budget,
    void (*event)(void *arg, int from_slot, uint32_t kind, struct pl_str data),
    void (*lapped)(void *arg, int from_slot), void *arg);
/*
 * Call shm_reader_sleep() before blocking: it announces the sleep and checks once more; true: there is work, do not
 * block. Call shm_reader_awake() after waking.
 */
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
/* Returns whether the user is present in the room on any live slot. */
bool shm_present_has(const struct shm *shm, int64_t room, int64_t user);

/*
 * ---- generations: running answers; the owner appends text, all processes read it ----
 *
 * Each text has one page and can grow into pages of a pool that all texts share.
 */
#define SHM_TEXT_PAGE 4096u
#define SHM_TEXT_POOL_MAX (1u << 18)	/* pages of the pool: 1 GiB */
enum shm_gen_state { SHM_GEN_FREE, SHM_GEN_QUEUED, SHM_GEN_RUNNING, SHM_GEN_ENDED };

struct shm_gen_info {
	char id[PL_UUID_LEN + 1];
	char session[PL_UUID_LEN + 1];	/* session that it belongs to, lower case; "": of a room */
	int64_t room_id, role_id, asker_id, reply_to_seq;
	int state, owner_slot;
	uint32_t length;		/* bytes of text so far */
	int index;			/* its entry */
};

/*
 * Takes an entry for this slot: a free one, else the one that ended longest ago; -1 if all are running (callers answer
 * 503). The entry of an ended answer may therefore be reused.
 */
int shm_gen_take(struct shm *shm, const struct shm_gen_info *info);
void shm_gen_state(struct shm *shm, int index, enum shm_gen_state state);
/* Appends whole characters. Returns the bytes that fitted: fewer if the pool has no free pages. Owner only. */
uint32_t shm_gen_append(struct shm *shm, int index, const char *text, uint32_t bytes);
/* Owner only. No effect if the entry was taken again after `id` ended. */
void shm_gen_free(struct shm *shm, int index, const char *id);
/* By id; -1 when it does not run. Copies into *info_r. */
int shm_gen_find(const struct shm *shm, struct pl_str id, struct shm_gen_info *info_r);
/* The next running one of `room` at or after `from`; -1: no more. */
int shm_gen_next(const struct shm *shm, int64_t room, int from, struct shm_gen_info *info_r);
/* The next running one after `index` (-1: the first); -1: no more. */
int shm_gen_after(const struct shm *shm, int index, struct shm_gen_info *info_r);
/*
 * Copies text [offset, length) of generation `id` to out: at most `max` bytes, whole characters only. Returns the
 * number of bytes; -1 if the generation no longer exists.
 */
int shm_gen_text(const struct shm *shm, int index, const char *id, uint32_t offset, char *out, uint32_t max);
/* Any process: asks the owner to stop. The owner calls shm_gen_cancelled() when woken. false: the entry is gone. */
bool shm_gen_cancel(struct shm *shm, int index, const char *id);
void shm_gen_cancel_session(struct shm *shm, const char *session);	/* all running ones of a session */
bool shm_gen_cancelled(const struct shm *shm, int index);
/*
 * Finds entries whose owner process has ended: the generation of the slot differs from the one at the time of taking.
 * fn gets a copy and may call shm_gen_adopt(); otherwise, the entry is freed.
 */
void shm_gen_orphans(struct shm *shm, void (*fn)(void *arg, const struct shm_gen_info *info, struct pl_str text),
    void *arg);
/* In fn: makes this process the owner of the entry and its text; the state becomes running. */
void shm_gen_adopt(struct shm *shm, int index);
/* Bytes of all pages, and of those that hold text. */
struct shm_text_use { int64_t bytes, used_bytes; };
struct shm_text_use shm_text_use(const struct shm *shm);

/* ---- circuit breakers: one per upstream, or per model that the configuration of an upstream names ---- */

enum shm_breaker_state { SHM_CLOSED, SHM_OPEN, SHM_HALF_OPEN };
/* Returns whether `upstream` may get a request. After the cooldown, exactly one caller gets the trial (HALF_OPEN). */
bool shm_breaker_allow(struct shm *shm, struct pl_str upstream, int64_t cooldown_ms, int64_t now_ns);
void shm_breaker_report(struct shm *shm, struct pl_str upstream, bool good, int64_t failures_max, int64_t cooldown_ms,
    int64_t now_ns);
enum shm_breaker_state shm_breaker_get(const struct shm *shm, struct pl_str upstream);

/*
 * ---- outcomes: the result of an attempt at a job, from the moment when the porter knows it ----
 *
 * If the courier dies before it stores the result in PostgreSQL, its successor finds it here. One place per porter.
 */
#define SHM_OUTCOMES 64u
#define SHM_OUTCOME_WHY 1000
struct shm_outcome;
/* Called by the courier: before the porter starts, and when PostgreSQL has the outcome. id: a UUID. */
void shm_outcome_begin(struct shm *shm, int place, const char *id);
void shm_outcome_clear(struct shm *shm, int place);
/* In the porter: unmaps the rest of the segment. Clears *shm. */
struct shm_outcome *shm_outcome_keep(struct shm **shm, int place);
/* In the porter: stores the outcome. result >= 0. */
void shm_outcome_set(struct shm_outcome *outcome, int result, const char *why);
/* The outcome that an earlier courier left at this place. false: none, or unknown. */
bool shm_outcome_get(const struct shm *shm, int place, char id_r[PL_UUID_LEN + 1], int *result_r,
    char why_r[SHM_OUTCOME_WHY]);

/* ---- traces: the last finished requests of each slot ---- */

#define SHM_TRACES 4096u
struct shm_trace_rec {
	char request_id[33], method[8], route[64], user[33], addr[46], error[28], classes[48], upstream[24];
	int64_t user_id, wall_us, total_us, sql_us, upstream_us;
	int32_t status, slot;
	uint32_t in_bytes, out_bytes;
};
void shm_trace_put(struct shm *shm, const struct shm_trace_rec *rec);
/* Searches all slots; true and a consistent copy when found. */
bool shm_trace_find(const struct shm *shm, struct pl_str request_id, struct shm_trace_rec *rec_r);

/* ---- refusals by limits, gathered for limit_hits ---- */

struct shm_refusal { char klass[16]; int64_t user_id; char addr[46]; int64_t first_us, last_us; uint32_t count; };
/* One refusal (this slot). Aggregated per (class, user or address). */
void shm_refusal_note(struct shm *shm, const char *klass, int64_t user_id, const char *addr, int64_t wall_us);
/* For the clerk: takes all refusals, each once. The next call takes those that arrive meanwhile. */
void shm_refusal_drain(struct shm *shm, void (*fn)(void *arg, const struct shm_refusal *refusal), void *arg);

#endif
