/* SPDX-License-Identifier: ISC */
/*
 * Elements of the parts of the shared segment; only for shm*.c.
 *
 * One writer per element (the slot's process), or one CAS. Other processes read `_Atomic` members while they change.
 * Text members are protected by a sequence number, which the reader checks before and after it copies.
 */
#ifndef CORE_SHM_LAYOUT_H
#define CORE_SHM_LAYOUT_H

#include "core/shm_parts.h"

#define SHM_PAGE 4096u
/* ---- ring; ring_bytes of data follow the struct ---- */
struct shm_ring {
	_Alignas(64) _Atomic uint64_t reserve;	/* bytes below reserve - ring_bytes may be overwritten */
	_Atomic uint64_t commit;		/* bytes below are complete; never decreases */
	_Atomic uint64_t floor;			/* bytes below were damaged by a writer that died */
	_Atomic uint64_t wake[3];		/* slots to wake at the next kick; owner only */
	_Alignas(64) _Atomic uint32_t sleep;	/* of this slot's reader: odd while it sleeps; only grows */
	_Alignas(64) _Atomic uint32_t lives;	/* number of owners that have ended, for readers to compare */
	_Atomic uint32_t owned;			/* a process has the slot and was not declared dead */
	_Atomic uint32_t taken;			/* generation of the last one that took it */
};
struct shm_event { uint32_t bytes, kind; struct shm_mask mask; };
#define SHM_RING_ALIGN 32u
_Static_assert(sizeof(struct shm_event) == SHM_RING_ALIGN, "an event's header never wraps");
_Static_assert(sizeof(struct shm_ring) % SHM_RING_ALIGN == 0, "ring data are aligned");
#define SHM_RING_MIN_BYTES (4u * SHM_EVENT_MAX)

/* ---- presence and routing ---- */
#define SHM_ROUTES 32768u
#define SHM_ROOM_BUCKETS 4096u
#define SHM_PAIR_BUCKETS 16384u
struct shm_bucket { _Atomic uint32_t seq; _Atomic uint16_t first; uint16_t unused; };
/* Links are index + 1; 0 ends a chain. */
struct shm_present {
	_Atomic int64_t room, user;
	_Atomic uint32_t count;
	_Atomic uint16_t room_next, room_prev, pair_next;
};
struct shm_presence {
	_Alignas(64) _Atomic uint32_t generation;	/* of the owner */
	uint32_t used, free;				/* owner only: entries ever used; free list (index + 1) */
	_Alignas(64) _Atomic uint16_t routes[SHM_ROUTES];
	struct shm_bucket rooms[SHM_ROOM_BUCKETS], pairs[SHM_PAIR_BUCKETS];
	struct shm_present entries[SHM_PRESENCE_MAX];
};

/* ---- generations ---- */
struct shm_gen {
	_Alignas(64) _Atomic uint64_t word;	/* state, owner's slot and generation: see shm_gen.c */
	_Atomic uint64_t life;			/* +1 each time it is taken; a copy is valid if this is unchanged */
	_Atomic uint64_t cancel;		/* the life that must stop */
	_Atomic int64_t ended_ns;		/* when its state became SHM_GEN_ENDED */
	_Atomic uint32_t length;		/* bytes of text; updated after the pages were written */
	uint32_t last;				/* page of the end of the text; for the holder only */
	int32_t slot;				/* as taken; `word` may name a sweeper */
	int64_t room_id, role_id, asker_id, reply_to_seq;
	char id[PL_UUID_LEN + 1], session[PL_UUID_LEN + 1];
};

/*
 * ---- pages: texts of generations ----
 *
 * Page i of the first [generations] always belongs to generation i: a text begins there. The others are the pool.
 */
struct shm_link {
	_Atomic uint32_t owner;			/* generation + 1; 0: free. Only for pages of the pool */
	_Atomic uint32_t next;			/* page + 1 where the text continues; 0: none */
};

/* ---- breakers: names are never removed ---- */
#define SHM_BREAKERS 256u
struct shm_breaker { _Atomic uint64_t tag, word; };	/* word: state, failures, time in ms: see shm_breaker.c */

/* ---- traces ---- */
struct shm_trace {
	_Alignas(64) _Atomic uint64_t next;
	struct { _Atomic uint64_t seq; struct shm_trace_rec rec; } cells[SHM_TRACES];
};

/* ---- refusals: the owner fills one table while the other is drained ---- */
#define SHM_REFUSAL_CELLS 1024u
struct shm_refusal_table {
	_Atomic uint32_t used;
	struct shm_refusal cells[SHM_REFUSAL_CELLS];	/* hashed; count 0: free */
};
struct shm_refusals {
	_Alignas(64) _Atomic uint32_t inside;		/* odd while the owner records a refusal */
	_Atomic uint32_t active;			/* 0 or 1; flipped by the drainer */
	_Atomic uint32_t pending;			/* the other table is not drained yet */
	struct shm_refusal_table tables[2];
};

/* ---- outcomes of jobs ---- */
struct shm_outcome {
	_Alignas(64) _Atomic uint32_t word;	/* 0: free; 1: unknown; else result + 2 */
	char id[PL_UUID_LEN + 1];
	char why[SHM_OUTCOME_WHY];
};

static inline struct shm_ring *shm_ring_at(const struct shm *shm, int slot)
{
	return (struct shm_ring *)(void *)(shm->rings + (size_t)slot * shm->ring_stride);
}

static inline struct shm_presence *shm_presence_at(const struct shm *shm, int slot)
{
	return (struct shm_presence *)(void *)(shm->presence + (size_t)slot * shm->presence_stride);
}

static inline struct shm_refusals *shm_refusals_at(const struct shm *shm, int slot)
{
	return (struct shm_refusals *)(void *)(shm->refusals + (size_t)slot * shm->refusal_stride);
}

/*
 * Ends the sleep of a reader. If the exchange fails, a writer has ended it; a plain addition could begin another sleep.
 */
static inline void shm_sleep_end(struct shm_ring *ring)
{
	uint32_t seen = atomic_load(&ring->sleep);

	if (seen % 2 == 1)
		atomic_compare_exchange_strong(&ring->sleep, &seen, seen + 1);
}

/* Another live pair of `tag` near `mine`: two processes whose clocks differ took different free pairs at once. */
struct pl_pair *shm_pair_twin(struct pl_pair *table, size_t count, const struct pl_pair *mine, uint64_t tag,
    uint64_t now);
/* Writes the eventfd of a slot's reader. */
void shm_wake(const struct shm *shm, int slot);
/* What a new owner of the slot does with each part, or the master after the owner died. */
void shm_ring_take(struct shm *shm, int slot);
void shm_ring_died(struct shm *shm, int slot);
void shm_presence_clear(struct shm *shm, int slot);
void shm_gen_disown(struct shm *shm, int slot);

/*
 * shm_page.c: the text of a generation. All functions except shm_page_copy() require that this process holds the
 * generation. A process that dies in one of them leaves, at worst, a page that is not in the chain, or an incomplete
 * chain: shm_page_sweep() frees both.
 */
/* Appends to `length` bytes of text. Returns the bytes that fitted, always whole characters. */
uint32_t shm_page_append(struct shm *shm, int index, uint32_t length, const char *text, uint32_t bytes);
/* Copies [offset, offset + bytes); false: the chain was changing. */
bool shm_page_copy(const struct shm *shm, int index, uint32_t offset, char *out, uint32_t bytes);
bool shm_page_any(const struct shm *shm, int index);		/* it has pages of the pool */
void shm_page_release(struct shm *shm, int index);		/* all pages of a complete chain */
void shm_page_sweep(struct shm *shm, int index);		/* all pages that it owns, in any state */
void shm_page_repair(struct shm *shm, int index, uint32_t length);	/* after its holder died, to continue */
/* shm_gen.c: frees the pages of the oldest ended text that is still kept; false: there is none. */
bool shm_gen_reclaim(struct shm *shm);

#endif
