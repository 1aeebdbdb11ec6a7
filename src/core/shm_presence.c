/* SPDX-License-Identifier: ISC */
/*
 * Who is connected where: the owner's part. Entries (room, user, sockets) are in two hashed chains, by pair and by
 * room.
 *
 * The chains are valid after each step of a change. So a process that is killed in the middle hides at most the entry
 * that it was changing, until the master clears its slot. Sequences of the buckets show readers that a chain changed
 * while they read it.
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

/* Only this process writes links, but others read them at any time. */
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

/* Returns the link to the entry of (room, user), or to 0 at the end of its chain. */
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
		return false;		/* full: the user is shown as absent */
	entry = entry_at(table, link);
	bucket_begin(pairs);
	bucket_begin(rooms);
	/*
	 * Sets the room last, so that a reader that is still at the entry's former life sees room and user of one life.
	 */
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
	/*
	 * Clears the room: a reader at this entry may continue in the free list, but finds no entry of its room there.
	 */
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

	/* Returns the pages to the kernel, which zeroes them. A table that was never used has no pages. */
	if (madvise(table, shm->presence_stride, MADV_REMOVE) != 0)
		memset(table, 0, shm->presence_stride);
}
