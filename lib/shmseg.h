/* SPDX-License-Identifier: ISC */
/*
 * A shared segment (memfd, MAP_SHARED) and the table of {tag, value} pairs inside such segments.
 */
#ifndef PL_SHMSEG_H
#define PL_SHMSEG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pool.h"

/*
 * New zeroed segment; fd is close-on-exec. NULL and errno on failure. The system allocates each page on first access.
 */
void *pl_shm_make(const char *label, size_t bytes, int *fd_r) PL_MUSTCHECK;
/* Maps an inherited segment; NULL if its size differs. */
void *pl_shm_map(int fd, size_t bytes) PL_MUSTCHECK;

/*
 * Pairs {64-bit tag, 64-bit value}, changed together by one 128-bit compare-and-swap, so that a process killed at any
 * point leaves a pair that is either old or new. A pair whose value <= `now` is free for reuse, so no sweeper is
 * needed. Where the CPU lacks a 16-byte CAS the two words are written one after the other and PL_PAIR_EXACT is 0.
 */
struct pl_pair { _Alignas(16) uint64_t tag; uint64_t value; };
_Static_assert(sizeof(struct pl_pair) == 16, "pair");
#if defined(__GCC_HAVE_SYNC_COMPARE_AND_SWAP_16)
#define PL_PAIR_EXACT 1
#else
#define PL_PAIR_EXACT 0
#endif
#define PL_PAIR_PROBE 16

/* CAS of one pair. */
bool pl_pair_cas(struct pl_pair *pair, struct pl_pair old, struct pl_pair want);
struct pl_pair pl_pair_load(const struct pl_pair *pair);
/*
 * Finds the live pair of `tag` among `count` (a power of two) pairs, else a free pair (found_r = false), else NULL (the
 * 16 probed pairs are in use). The caller CASes from *seen_r. tag is never 0.
 */
struct pl_pair *pl_pair_find(struct pl_pair *table, size_t count, uint64_t tag, uint64_t now, struct pl_pair *seen_r,
    bool *found_r);

#endif
