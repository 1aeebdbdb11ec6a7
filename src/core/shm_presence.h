/* SPDX-License-Identifier: ISC */
/*
 * The hash functions of rooms and (room, user) pairs in a presence table; only for shm_presence*.c and shm_route.c.
 */
#ifndef CORE_SHM_PRESENCE_H
#define CORE_SHM_PRESENCE_H

#include "core/shm_layout.h"

static inline uint64_t shm_mix(uint64_t x)
{
	x ^= x >> 30;		/* the finisher of splitmix64 */
	x *= 0xbf58476d1ce4e5b9ULL;
	x ^= x >> 27;
	x *= 0x94d049bb133111ebULL;
	return x ^ x >> 31;
}

static inline uint32_t shm_room_bucket(int64_t room)
{
	return (uint32_t)shm_mix((uint64_t)room) & (SHM_ROOM_BUCKETS - 1);
}

static inline uint32_t shm_pair_bucket(int64_t room, int64_t user)
{
	return (uint32_t)shm_mix((uint64_t)user + shm_mix((uint64_t)room)) & (SHM_PAIR_BUCKETS - 1);
}

#endif
