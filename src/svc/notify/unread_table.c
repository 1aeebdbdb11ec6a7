/* SPDX-License-Identifier: ISC */
/*
 * Rooms and users by number, and their entries.
 */
#include "svc/notify/unread_int.h"

#define ROUTE_ROOM (1ULL << 61)

static uint32_t bucket_of(const struct unread_table *table, int64_t id)
{
	return (uint32_t)((uint64_t)id * 0x9e3779b97f4a7c15ULL >> 40) & (table->size - 1);
}

struct unread_node *unread_find(const struct unread_table *table, int64_t id)
{
	struct unread_node *node = table->size > 0 ? table->buckets[bucket_of(table, id)] : NULL;

	while (node != NULL && node->id != id)
		node = node->next;
	return node;
}

static void grow(struct unread_table *table)
{
	struct unread_table old = *table;

	table->size = old.size > 0 ? old.size * 2 : 64;
	table->buckets = pl_new(table->size * sizeof(struct unread_node *));
	table->count = 0;
	for (uint32_t i = 0; i < old.size; i++)
		for (struct unread_node *node = old.buckets[i], *next; node != NULL; node = next) {
			next = node->next;
			unread_insert(table, node);
		}
	pl_free(old.buckets);
}

void unread_insert(struct unread_table *table, struct unread_node *node)
{
	struct unread_node **at;

	if (table->count >= table->size)
		grow(table);
	at = &table->buckets[bucket_of(table, node->id)];
	node->next = *at;
	*at = node;
	table->count++;
}

void unread_remove(struct unread_table *table, struct unread_node *node)
{
	struct unread_node **at = &table->buckets[bucket_of(table, node->id)];

	while (*at != node)
		at = &(*at)->next;
	*at = node->next;
	table->count--;
}

/* The list of the user is the shorter one. */
struct unread_entry *unread_entry_find(const struct unread *unread, int64_t user_id, int64_t room_id)
{
	const struct unread_user *user = (const void *)unread_find(&unread->users, user_id);
	struct unread_entry *entry = user != NULL ? LIST_FIRST(&user->entries) : NULL;

	while (entry != NULL && entry->room->node.id != room_id)
		entry = LIST_NEXT(entry, in_user);
	return entry;
}

struct unread_entry *unread_entry_need(struct unread *unread, struct unread_user *user, int64_t room_id,
    int64_t last_seq, bool *fresh_r)
{
	struct unread_room *room = (void *)unread_find(&unread->rooms, room_id);
	struct unread_entry *entry = unread_entry_find(unread, user->node.id, room_id);

	*fresh_r = room == NULL;
	if (entry != NULL)
		return entry;
	if (room == NULL) {
		room = pl_new(sizeof(*room));
		*room = (struct unread_room){ .node.id = room_id, .last_seq = last_seq, .seen = UINT64_MAX };
		unread_insert(&unread->rooms, &room->node);
		shm_route_add(unread->svc->shm, (uint64_t)room_id | ROUTE_ROOM);
	}
	entry = pl_new(sizeof(*entry));
	entry->room = room;
	entry->user = user;
	LIST_INSERT_HEAD(&room->entries, entry, in_room);
	LIST_INSERT_HEAD(&user->entries, entry, in_user);
	return entry;
}

void unread_entry_free(struct unread *unread, struct unread_entry *entry)
{
	struct unread_room *room = entry->room;

	if (entry->dirty)
		TAILQ_REMOVE(&unread->dirty, entry, in_dirty);
	LIST_REMOVE(entry, in_room);
	LIST_REMOVE(entry, in_user);
	pl_free(entry);
	if (LIST_EMPTY(&room->entries)) {
		unread_remove(&unread->rooms, &room->node);
		shm_route_remove(unread->svc->shm, (uint64_t)room->node.id | ROUTE_ROOM);
		pl_free(room);
	}
}
