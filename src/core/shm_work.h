/* SPDX-License-Identifier: ISC */
/*
 * The parts of the shared segment that follow work: generations, breakers, traces, refusals.
 */
#ifndef CORE_SHM_WORK_H
#define CORE_SHM_WORK_H

#include "core/shm.h"
#include "str.h"

/* ---- generations: running answers, text appended by the owner, read by anybody ---- */

#define SHM_GEN_TEXT 65536u
enum shm_gen_state { SHM_GEN_FREE, SHM_GEN_QUEUED, SHM_GEN_RUNNING, SHM_GEN_ENDED };

struct shm_gen_info {
	char id[PL_UUID_LEN + 1];
	int64_t room_id, role_id, asker_id, reply_to_seq;
	int state, owner_slot;
	uint32_t length;		/* bytes of text so far */
};

/* A free entry for this slot, or -1 when all are taken (callers answer 503). */
int shm_gen_take(struct shm *shm, const struct shm_gen_info *info);
void shm_gen_state(struct shm *shm, int index, enum shm_gen_state state);
/* Appends; returns the bytes that fitted (the rest is beyond SHM_GEN_TEXT). Owner only. */
uint32_t shm_gen_append(struct shm *shm, int index, const char *text, uint32_t bytes);
void shm_gen_free(struct shm *shm, int index);		/* owner only */
/* By id; -1 when it does not run. Copies into *info_r. */
int shm_gen_find(const struct shm *shm, struct pl_str id, struct shm_gen_info *info_r);
/* The next running one of `room` at or after `from`; -1: no more. */
int shm_gen_next(const struct shm *shm, int64_t room, int from, struct shm_gen_info *info_r);
/* Copies text [offset, length) of generation `id` into out (SHM_GEN_TEXT bytes); -1 when it is gone meanwhile. */
int shm_gen_text(const struct shm *shm, int index, const char *id, uint32_t offset, char *out);
/* Any process: asks the owner to stop; the owner polls shm_gen_cancelled() when it is woken. false: gone. */
bool shm_gen_cancel(struct shm *shm, int index, const char *id);
bool shm_gen_cancelled(const struct shm *shm, int index);
/* Entries whose owner slot has another generation than when they were taken: fn gets a copy, then the entry is free. */
void shm_gen_orphans(struct shm *shm, void (*fn)(void *arg, const struct shm_gen_info *info, struct pl_str text),
    void *arg);

/* ---- circuit breakers, one per upstream name ---- */

enum shm_breaker_state { SHM_CLOSED, SHM_OPEN, SHM_HALF_OPEN };
/* May a request go to `upstream` now? When the cooldown is over exactly one caller gets the trial (HALF_OPEN). */
bool shm_breaker_allow(struct shm *shm, struct pl_str upstream, int64_t cooldown_ms, int64_t now_ns);
void shm_breaker_report(struct shm *shm, struct pl_str upstream, bool good, int64_t failures_max, int64_t cooldown_ms,
    int64_t now_ns);
enum shm_breaker_state shm_breaker_get(const struct shm *shm, struct pl_str upstream);

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
/* The clerk: takes everything gathered so far. Nothing is counted twice; what is noted meanwhile comes next time. */
void shm_refusal_drain(struct shm *shm, void (*fn)(void *arg, const struct shm_refusal *refusal), void *arg);

#endif
