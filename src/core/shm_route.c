/* SPDX-License-Identifier: ISC */
/* Routing: which slots have subscribers of a topic. Each slot has one counting filter. */
#include "core/shm_presence.h"

static uint32_t route_index(uint64_t key)
{
	return (uint32_t)shm_mix(key) & (SHM_ROUTES - 1);
}

void shm_route_add(struct shm *shm, uint64_t topic_key)
{
	_Atomic uint16_t *count = &shm_presence_at(shm, shm->slot)->routes[route_index(topic_key)];
	uint16_t n = atomic_load_explicit(count, memory_order_relaxed);

	/* A counter at its limit remains there: the slot gets events that it does not need, but misses none. */
	if (n < UINT16_MAX)
		atomic_store(count, (uint16_t)(n + 1));
}

void shm_route_remove(struct shm *shm, uint64_t topic_key)
{
	_Atomic uint16_t *count = &shm_presence_at(shm, shm->slot)->routes[route_index(topic_key)];
	uint16_t n = atomic_load_explicit(count, memory_order_relaxed);

	PL_BUG(n == 0);
	if (n < UINT16_MAX)
		atomic_store(count, (uint16_t)(n - 1));
}

static void mask_add(struct shm_mask *mask, int slot)
{
	mask->bits[slot / 64] |= 1ULL << (slot % 64);
}

bool shm_route_mask(const struct shm *shm, uint64_t topic_key, struct shm_mask *mask_r)
{
	uint32_t index = route_index(topic_key);
	bool any = false;

	*mask_r = (struct shm_mask){ { 0, 0, 0 } };
	for (int i = 0; i < (int)shm->head->sizes.slots; i++) {
		const struct shm_presence *table = shm_presence_at(shm, i);

		/*
		 * Reads the filter before the scoreboard, because the filter's cache line rarely changes. Reads the
		 * generation before the filter, because reading a page of a slot that was never used would allocate
		 * memory.
		 */
		if (i == shm->slot || atomic_load_explicit(&table->generation, memory_order_relaxed) == 0 ||
		    atomic_load(&table->routes[index]) == 0 || !shm_slot_live(shm, i))
			continue;
		mask_add(mask_r, i);
		any = true;
	}
	return any;
}

void shm_mask_all(const struct shm *shm, struct shm_mask *mask_r)
{
	*mask_r = (struct shm_mask){ { 0, 0, 0 } };
	for (int i = 0; i < (int)shm->head->sizes.slots; i++) {
		if (i != shm->slot && shm_slot_live(shm, i))
			mask_add(mask_r, i);
	}
}
