/* SPDX-License-Identifier: ISC */
/*
 * The shared segment: its layout and the scoreboard. One memfd, mapped by the master before the first fork.
 *
 * Rules: fixed sizes, no pointers inside, no lock that a dead process could hold. The master creates it; later, it only
 * cleans up slots of dead processes. Slots: 0 .. workers_max-1 are workers, then come the clerk and the courier, and
 * the same again for the second generation of a binary upgrade.
 */
#ifndef CORE_SHM_H
#define CORE_SHM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "leaf.h"
#include "shmseg.h"

#define SHM_MAGIC 0x31726c7261504c31ULL
#define SHM_VERSION 2u
#define SHM_ASIDE 2u		/* slots of a daemon besides its workers: clerk, courier */
#define SHM_SLOTS_MAX 132	/* 2 x (64 workers + SHM_ASIDE) */
#define SHM_HASHERS_MAX 4
#define SHM_BEATS (SHM_HASHERS_MAX + 1)
#define SHM_BEAT_MASTER SHM_HASHERS_MAX

enum shm_state { SHM_FREE, SHM_STARTING, SHM_RUNNING, SHM_DRAINING };
enum shm_metric {
#define METRIC(field, ...) SHM_M_##field,
#define LABELED(...)
#include "core/metrics.def"
#undef METRIC
#undef LABELED
	SHM_M_COUNT
};

/* One process. Written by that process alone and by the master (pid, generation, state at death). */
struct shm_score {
	_Alignas(64) _Atomic int32_t pid;
	_Atomic uint32_t generation;		/* +1 at every start in this slot; 0: never used */
	_Atomic int32_t state;			/* enum shm_state */
	_Atomic int32_t is_aside;		/* clerk or courier: it serves no client */
	_Atomic int64_t started_ns, last_turn_ns;
	_Atomic int64_t sockets;		/* http + ws, for accept balancing */
};

/*
 * Counters of one process; only this process writes them. A separate part, because its layout changes with each new
 * metric.
 */
struct shm_counters {
	_Alignas(64) _Atomic int64_t metric[SHM_M_COUNT];
};

/* A process without a slot; only this process writes it. It is on a separate page, because hashers map nothing else. */
struct shm_beat {
	_Alignas(64) _Atomic int64_t alive_ns;	/* pl_now_ns() when it last showed that it is running */
	_Atomic int64_t log_dropped;		/* belongs to the metric of that name */
};

struct shm_sizes {
	uint32_t workers_max, slots;		/* slots = 2 x (workers_max + SHM_ASIDE) */
	uint32_t rate_pairs, revoked_pairs;	/* powers of two */
	uint32_t ring_bytes;			/* power of two */
	uint32_t generations;
	uint32_t text_pages;			/* of SHM_TEXT_PAGE bytes: one for each generation, and the pool */
};

enum shm_part_id {
	SHM_PART_BEATS = 1, SHM_PART_SCORES, SHM_PART_COUNTERS, SHM_PART_RATES, SHM_PART_REVOKED, SHM_PART_RINGS,
	SHM_PART_PRESENCE, SHM_PART_GENERATIONS, SHM_PART_BREAKERS, SHM_PART_TRACES, SHM_PART_REFUSALS,
	SHM_PART_STATS, SHM_PART_OUTCOMES, SHM_PART_LINKS, SHM_PART_PAGES, SHM_PART_END
};
/*
 * The place of a part. A part of two binaries is compatible if version, count, and stride are equal, whatever its
 * offset. The version is raised when an element changes its meaning but not its size. Numbers are never reused.
 */
struct shm_part {
	uint32_t id, version;
	uint64_t offset, bytes;			/* of the segment; whole pages */
	uint64_t count, stride;			/* elements, and bytes from one to the next */
};
#define SHM_PARTS_MAX 32

struct shm_header {
	uint64_t magic;
	uint32_t version, parts_count;		/* version: of this header */
	uint64_t bytes;
	struct shm_part parts[SHM_PARTS_MAX];
	struct shm_sizes sizes;
	struct pl_sipkey boot_key;		/* keys every tag in the segment */
	_Atomic uint64_t keys_epoch;		/* +1 when the rights of an API key changed */
	_Atomic int64_t revoked_full;		/* table full: ask PostgreSQL until this wall second */
	_Atomic int32_t revoked_loaded;		/* the revocation table was filled from PostgreSQL */
	_Atomic uint64_t config_version;
};

struct shm_ring;
struct shm_presence;
struct shm_gen;
struct shm_link;
struct shm_breaker;
struct shm_trace;
struct shm_refusals;

/* The view of one process: the addresses of the parts. */
struct shm {
	int fd;
	size_t bytes;
	struct shm_header *head;
	struct shm_score *scores;		/* [slots] */
	struct shm_counters *counters;		/* [slots] */
	struct shm_beat *beats;			/* [SHM_BEATS]: hashers, then the master */
	struct pl_pair *rate, *revoked;
	/* parts; each shm_*.c knows its element */
	char *rings, *presence, *gens, *pages, *breakers, *traces, *refusals, *stats, *outcomes;
	struct shm_link *links;			/* [text_pages] */
	uint32_t page_hint;			/* where this process starts to search for a free page */
	size_t ring_stride, presence_stride, gen_stride, trace_stride, refusal_stride, stats_stride;
	int slot;				/* of this process; -1 in the master */
	int wake_fd[SHM_SLOTS_MAX];		/* eventfd of each slot's reader; made by the master before fork */
};

/* Creates and lays out a segment and its eventfds. NULL and why[] on failure (memory, limits). */
struct shm *shm_new(const struct shm_sizes *sizes, char why[256]) PL_MUSTCHECK;
void shm_free(struct shm **shm);
/* The part with this id. Every segment of this binary has it. */
const struct shm_part *shm_part_find(const struct shm_header *head, enum shm_part_id id);
/* In a hasher: unmaps everything except its beat, which it returns. Clears *shm. */
struct shm_beat *shm_leave(struct shm **shm, int hasher);
/* Called in the child after fork: takes the slot, state STARTING, generation + 1 (done by the master before fork). */
void shm_take_slot(struct shm *shm, int slot);
/*
 * In the master, after a child has ended: clears presence, routing, and the owner of generations, and marks the slot
 * free.
 */
void shm_slot_died(struct shm *shm, int slot);
bool shm_slot_live(const struct shm *shm, int slot);

static inline void shm_count(struct shm *shm, enum shm_metric m, int64_t n)
{
	/* one writer: a plain addition suffices and is cheaper than an atomic one */
	_Atomic int64_t *at = &shm->counters[shm->slot].metric[m];

	atomic_store_explicit(at, atomic_load_explicit(at, memory_order_relaxed) + n, memory_order_relaxed);
}

/*
 * Adds the log lines that this process lost since the last call. at NULL: they belong to the parent and are counted
 * there.
 */
void shm_count_dropped(_Atomic int64_t *at);
/* Sum over slots; gauges count live ones only. */
int64_t shm_sum(const struct shm *shm, enum shm_metric m);
/* Tag of a key: SipHash of "class:key" with the boot key, never 0. */
uint64_t shm_tag(const struct shm *shm, const void *key, size_t bytes);

#endif
