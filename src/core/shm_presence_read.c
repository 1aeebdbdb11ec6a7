/* SPDX-License-Identifier: ISC */
/* Who is connected where: the readers' part, which reads tables that their owners change meanwhile. */
#include <stdlib.h>

#include "core/shm_presence.h"

#define WALK_TRIES 8

struct users { int64_t *items; size_t len, cap; };

static void users_add(struct users *users, int64_t user)
{
	if (users->len == users->cap) {
		users->cap = users->cap != 0 ? 2 * users->cap : 64;
		users->items = pl_realloc(users->items, users->cap * sizeof(*users->items));
	}
	users->items[users->len++] = user;
}

/* Returns the generation of the table's owner; 0 if that process ended or is not the one that filled the table. */
static uint32_t table_owner(const struct shm *shm, int slot)
{
	uint32_t generation = atomic_load(&shm_presence_at(shm, slot)->generation);

	if (!shm_slot_live(shm, slot) || generation != atomic_load(&shm->scores[slot].generation))
		return 0;
	return generation;
}

/* Reads room and user of one life of the entry: the owner clears the room before it changes the user. */
static int64_t entry_user(const struct shm_present *entry, int64_t room)
{
	int64_t user;

	if (atomic_load_explicit(&entry->room, memory_order_acquire) != room)
		return 0;
	user = atomic_load_explicit(&entry->user, memory_order_acquire);
	return atomic_load_explicit(&entry->room, memory_order_acquire) == room ? user : 0;
}

static bool bucket_changed(const struct shm_bucket *bucket, uint32_t seq)
{
	atomic_thread_fence(memory_order_acquire);
	return seq % 2 == 1 || atomic_load_explicit(&bucket->seq, memory_order_relaxed) != seq;
}

/* Reads the chain of a room once. false: it changed meanwhile, and the result may be incomplete. */
static bool room_walk(const struct shm_presence *table, int64_t room, struct users *users)
{
	const struct shm_bucket *bucket = &table->rooms[shm_room_bucket(room)];
	uint32_t seq = atomic_load_explicit(&bucket->seq, memory_order_acquire);
	uint16_t link = atomic_load_explicit(&bucket->first, memory_order_acquire);

	for (uint32_t steps = 0; link != 0 && link <= SHM_PRESENCE_MAX && steps < SHM_PRESENCE_MAX; steps++) {
		const struct shm_present *entry = &table->entries[link - 1];
		int64_t user = entry_user(entry, room);

		if (user != 0)
			users_add(users, user);
		link = atomic_load_explicit(&entry->room_next, memory_order_acquire);
	}
	return !bucket_changed(bucket, seq);
}

static bool pair_walk(const struct shm_presence *table, int64_t room, int64_t user, bool *found_r)
{
	const struct shm_bucket *bucket = &table->pairs[shm_pair_bucket(room, user)];
	uint32_t seq = atomic_load_explicit(&bucket->seq, memory_order_acquire);
	uint16_t link = atomic_load_explicit(&bucket->first, memory_order_acquire);

	*found_r = false;
	for (uint32_t steps = 0; link != 0 && link <= SHM_PRESENCE_MAX && steps < SHM_PRESENCE_MAX; steps++) {
		const struct shm_present *entry = &table->entries[link - 1];

		if (entry_user(entry, room) == user) {
			*found_r = true;
			break;
		}
		link = atomic_load_explicit(&entry->pair_next, memory_order_acquire);
	}
	return !bucket_changed(bucket, seq);
}

static int user_compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static size_t users_unique(struct users *users)
{
	size_t unique = 0;

	if (users->len == 0)
		return 0;
	qsort(users->items, users->len, sizeof(*users->items), user_compare);
	for (size_t i = 0; i < users->len; i++) {
		if (unique == 0 || users->items[unique - 1] != users->items[i])
			users->items[unique++] = users->items[i];
	}
	return unique;
}

int shm_present_list(const struct shm *shm, int64_t room, int64_t *users, int cap)
{
	struct users all = { 0 };
	size_t unique;

	for (int slot = 0; slot < (int)shm->head->sizes.slots; slot++) {
		uint32_t owner = table_owner(shm, slot);
		size_t mark = all.len;

		if (owner == 0)
			continue;
		/* If an owner hangs in the middle of a change, readers do not wait for it: the last attempt counts. */
		for (int tries = 0; tries < WALK_TRIES; tries++) {
			all.len = mark;
			if (room_walk(shm_presence_at(shm, slot), room, &all))
				break;
		}
		if (table_owner(shm, slot) != owner)
			all.len = mark;
	}
	unique = users_unique(&all);
	for (size_t i = 0; i < unique && i < (size_t)(cap > 0 ? cap : 0); i++)
		users[i] = all.items[i];
	pl_free(all.items);
	return (int)unique;
}

bool shm_present_has(const struct shm *shm, int64_t room, int64_t user)
{
	for (int slot = 0; slot < (int)shm->head->sizes.slots; slot++) {
		uint32_t owner = table_owner(shm, slot);
		bool found = false;

		if (owner == 0)
			continue;
		for (int tries = 0; tries < WALK_TRIES; tries++) {
			if (pair_walk(shm_presence_at(shm, slot), room, user, &found) || found)
				break;
		}
		if (found && table_owner(shm, slot) == owner)
			return true;
	}
	return false;
}
