/* SPDX-License-Identifier: ISC */
/*
 * Who is connected where, the owner's side: entries (room, user, sockets) in two hashed chains, by pair and by room.
 *
 * Each step of a change leaves chains that can be walked, so a process killed in the middle hides at most the entry it
 * was changing until the master clears its slot. The buckets' sequences tell readers that a chain changed under them.
 */
#include <sys/mman.h>

#include "core/shm_presence.h"

static void bucket_begin(struct shm_bucket *bucket)
{
	uint32_t seq = atomic_load_explicit(&bucket->seq, memory_order_relaxed);

	atomic_store_explicit(&bucket->seq, seq + 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
}

static void bucket_end(struct shm_bucket *bucket)
{
	uint32_t seq = atomic_load_explicit(&bucket->seq, memory_order_relaxed);

	atomic_store_explicit(&bucket->seq, seq + 1, memory_order_release);
}

/* Links are written by this process alone, but read by others at any time. */
static uint16_t link_get(const _Atomic uint16_t *link)
{
	return atomic_load_explicit(link, memory_order_relaxed);
}

static void link_set(_Atomic uint16_t *link, uint16_t to)
{
	atomic_store_explicit(link, to, memory_order_release);
}

static struct shm_present *entry_at(struct shm_presence *table, uint16_t link)
{
	return &table->entries[link - 1];
}

/* The link that leads to the entry of (room, user), or to 0 at the end of its chain. */
static _Atomic uint16_t *pair_link(struct shm_presence *table, int64_t room, int64_t user)
{
	_Atomic uint16_t *link = &table->pairs[shm_pair_bucket(room, user)].first;

	while (link_get(link) != 0) {
		struct shm_present *entry = entry_at(table, link_get(link));

		if (atomic_load_explicit(&entry->room, memory_order_relaxed) == room &&
		    atomic_load_explicit(&entry->user, memory_order_relaxed) == user)
			break;
		link = &entry->pair_next;
	}
	return link;
}

static uint16_t entry_new(struct shm_presence *table)
{
	uint16_t link = (uint16_t)table->free;

	if (link != 0)
		table->free = link_get(&entry_at(table, link)->pair_next);
	else if (table->used < SHM_PRESENCE_MAX)
		link = (uint16_t)++table->used;
	return link;
}

bool shm_present_add(struct shm *shm, int64_t room, int64_t user)
{
	struct shm_presence *table = shm_presence_at(shm, shm->slot);
	struct shm_bucket *pairs = &table->pairs[shm_pair_bucket(room, user)];
	struct shm_bucket *rooms = &table->rooms[shm_room_bucket(room)];
	uint16_t link = link_get(pair_link(table, room, user)), next = link_get(&rooms->first);
	struct shm_present *entry;

	if (link != 0) {
		entry = entry_at(table, link);
		atomic_store_explicit(&entry->count, atomic_load_explicit(&entry->count, memory_order_relaxed) + 1,
		    memory_order_relaxed);
		return false;
	}
	link = entry_new(table);
	if (link == 0)
		return false;		/* full: shown as absent */
	entry = entry_at(table, link);
	bucket_begin(pairs);
	bucket_begin(rooms);
	/* The room last: a reader that is still in this entry's former life sees room and user of one life. */
	atomic_store_explicit(&entry->room, 0, memory_order_relaxed);
	atomic_store_explicit(&entry->user, user, memory_order_release);
	atomic_store_explicit(&entry->count, 1, memory_order_relaxed);
	atomic_store_explicit(&entry->room, room, memory_order_release);
	link_set(&entry->pair_next, link_get(&pairs->first));
	link_set(&entry->room_prev, 0);
	link_set(&entry->room_next, next);
	link_set(&pairs->first, link);
	if (next != 0)
		link_set(&entry_at(table, next)->room_prev, link);
	link_set(&rooms->first, link);
	bucket_end(rooms);
	bucket_end(pairs);
	return true;
}

bool shm_present_remove(struct shm *shm, int64_t room, int64_t user)
{
	struct shm_presence *table = shm_presence_at(shm, shm->slot);
	struct shm_bucket *pairs = &table->pairs[shm_pair_bucket(room, user)];
	struct shm_bucket *rooms = &table->rooms[shm_room_bucket(room)];
	_Atomic uint16_t *before = pair_link(table, room, user);
	uint16_t link = link_get(before), next, prev;
	struct shm_present *entry;
	uint32_t count;

	if (link == 0)
		return false;
	entry = entry_at(table, link);
	count = atomic_load_explicit(&entry->count, memory_order_relaxed);
	if (count > 1) {
		atomic_store_explicit(&entry->count, count - 1, memory_order_relaxed);
		return false;
	}
	next = link_get(&entry->room_next);
	prev = link_get(&entry->room_prev);
	bucket_begin(pairs);
	bucket_begin(rooms);
	link_set(before, link_get(&entry->pair_next));
	link_set(prev != 0 ? &entry_at(table, prev)->room_next : &rooms->first, next);
	if (next != 0)
		link_set(&entry_at(table, next)->room_prev, prev);
	/* Of no room: a reader that stands on it may go astray into the free list, but finds nobody there. */
	atomic_store_explicit(&entry->room, 0, memory_order_release);
	bucket_end(rooms);
	bucket_end(pairs);
	link_set(&entry->pair_next, (uint16_t)table->free);
	table->free = link;
	return true;
}

void shm_presence_clear(struct shm *shm, int slot)
{
	struct shm_presence *table = shm_presence_at(shm, slot);

	/* Gives the pages back, which zeroes them; a table that was never used stays without any. */
	if (madvise(table, shm->presence_stride, MADV_REMOVE) != 0)
		memset(table, 0, shm->presence_stride);
}
