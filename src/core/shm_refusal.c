/* SPDX-License-Identifier: ISC */
/*
 * Requests refused by limits: two tables per slot. The owner writes to the active one; the clerk swaps them and empties
 * the other one. If the swap happens during a write, the clerk empties the table in its next round. No process ever
 * waits.
 */
#include <stdio.h>

#include "core/shm_layout.h"

#define LOAD_MAX (SHM_REFUSAL_CELLS / 4 * 3)

struct refusal_key { char klass[16]; int64_t user_id; char addr[48]; };

static bool cell_is(const struct shm_refusal *cell, const struct refusal_key *key)
{
	return cell->user_id == key->user_id && strcmp(cell->klass, key->klass) == 0 &&
	    (key->user_id != 0 || strcmp(cell->addr, key->addr) == 0);
}

/*
 * Finds the cell of the key, or a free cell. NULL: the table already contains `used_max` keys, and this is a new one.
 */
static struct shm_refusal *cell_find(struct shm *shm, struct shm_refusal_table *table, const struct refusal_key *key,
    uint32_t used_max)
{
	uint64_t hash = shm_tag(shm, key, sizeof(*key));
	uint32_t used = atomic_load_explicit(&table->used, memory_order_relaxed);

	for (uint32_t i = 0; i < SHM_REFUSAL_CELLS; i++) {
		struct shm_refusal *cell = &table->cells[(hash + i) % SHM_REFUSAL_CELLS];

		if (cell->count == 0)
			return used < used_max ? cell : NULL;
		if (cell_is(cell, key))
			return cell;
	}
	return NULL;
}

static void cell_count(struct shm_refusal_table *table, struct shm_refusal *cell, const struct refusal_key *key,
    const char *addr, int64_t wall_us)
{
	if (cell->count == 0) {
		*cell = (struct shm_refusal){ .user_id = key->user_id, .first_us = wall_us };
		memcpy(cell->klass, key->klass, sizeof(cell->klass));
		snprintf(cell->addr, sizeof(cell->addr), "%s", addr);
		atomic_store_explicit(&table->used, atomic_load_explicit(&table->used, memory_order_relaxed) + 1,
		    memory_order_relaxed);
	}
	cell->last_us = wall_us;
	/* The count makes a cell used. If the process is killed before this line, the cell is still free. */
	__atomic_store_n(&cell->count, cell->count + (cell->count < UINT32_MAX), __ATOMIC_RELEASE);
}

void shm_refusal_note(struct shm *shm, const char *klass, int64_t user_id, const char *addr, int64_t wall_us)
{
	struct shm_refusals *all = shm_refusals_at(shm, shm->slot);
	struct refusal_key key = { .user_id = user_id };
	struct shm_refusal_table *table;
	struct shm_refusal *cell;

	snprintf(key.klass, sizeof(key.klass), "%s", klass);
	if (user_id == 0)
		snprintf(key.addr, sizeof(key.addr), "%.45s", addr);
	atomic_fetch_add(&all->inside, 1);	/* odd while a write runs; visible before `active` is read */
	table = &all->tables[atomic_load(&all->active) & 1];
	cell = cell_find(shm, table, &key, LOAD_MAX);
	if (cell == NULL) {
		/* Too many keys at the same time: counted for the class, without user and address. */
		key = (struct refusal_key){ .user_id = 0 };
		snprintf(key.klass, sizeof(key.klass), "%s", klass);
		cell = cell_find(shm, table, &key, SHM_REFUSAL_CELLS);
		addr = "";
	}
	if (cell != NULL)
		cell_count(table, cell, &key, addr, wall_us);
	atomic_fetch_add(&all->inside, 1);
}

static void table_drain(struct shm_refusal_table *table, void (*fn)(void *arg, const struct shm_refusal *refusal),
    void *arg)
{
	for (uint32_t i = 0; i < SHM_REFUSAL_CELLS; i++) {
		struct shm_refusal copy = table->cells[i];

		if (copy.count == 0)
			continue;
		/* Clears the cell first: a clerk that is killed in fn loses one cell, but counts nothing twice. */
		__atomic_store_n(&table->cells[i].count, 0, __ATOMIC_RELEASE);
		fn(arg, &copy);
	}
	atomic_store(&table->used, 0);
}

static bool owner_outside(const struct shm *shm, int slot, const struct shm_refusals *all)
{
	return atomic_load(&all->inside) % 2 == 0 || !shm_slot_live(shm, slot);
}

void shm_refusal_drain(struct shm *shm, void (*fn)(void *arg, const struct shm_refusal *refusal), void *arg)
{
	for (int i = 0; i < (int)shm->head->sizes.slots; i++) {
		struct shm_refusals *all = shm_refusals_at(shm, i);
		uint32_t active;

		if (atomic_load(&shm->scores[i].generation) == 0)
			continue;
		active = atomic_load(&all->active) & 1;
		if (atomic_load(&all->pending) == 0) {
			if (atomic_load(&all->tables[active].used) == 0)
				continue;
			atomic_store(&all->pending, 1);
			atomic_store(&all->active, active ^ 1);
			active ^= 1;
		}
		/* A write that began before the swap may still go to this table, so it is emptied in the next round. */
		if (!owner_outside(shm, i, all))
			continue;
		table_drain(&all->tables[active ^ 1], fn, arg);
		atomic_store(&all->pending, 0);
	}
}
